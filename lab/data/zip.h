// ZIP archives as numpy writes them (.npz): entries stored or deflated, found through the central directory.
//
//     local header, name, extra, bytes | ... | central directory | end record
//
// From a stranger: every offset and size is held against the bytes there are, entries are inflated no further than they
// say, and their CRC-32 is checked. Encrypted entries, archives in parts and sizes of 4 GB (ZIP64) are refused.
#pragma once

#include <string>
#include <vector>

#include "lab/data/bytes.h"

namespace norma::lab {

class ZipArchive {
 public:
  // Throws InputError: the file is missing, is no ZIP archive or its directory is damaged.
  explicit ZipArchive(const std::string& path);

  std::vector<std::string> names() const;
  // Throws InputError: no entry of that name, or it is damaged.
  std::vector<std::uint8_t> read(const std::string& name) const;

 private:
  struct Entry {
    std::string name;
    std::uint64_t flags = 0, method = 0, crc = 0, packed = 0, size = 0, offset = 0;
  };

  void read_directory();
  Bytes packed_bytes(const Entry& entry) const;

  std::string path_;
  std::vector<std::uint8_t> bytes_;
  std::vector<Entry> entries_;
};

}  // namespace norma::lab
