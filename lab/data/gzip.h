// Files that may be gzipped, and gzipped bytes in memory. Nothing is allocated on the word of a header: bytes are
// kept as they come, up to a limit that the caller sets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace norma::lab {

// Reads on through a file, inflating it if it is gzipped. Throws InputError, naming the file, if it is missing, is no
// regular file, or its gzip stream is damaged.
class ByteReader {
 public:
  explicit ByteReader(const std::string& path);
  ~ByteReader();
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  // Appends up to `count` bytes to `out`; fewer only at the end of the file (also where a gzip stream breaks off:
  // the caller knows how many bytes it expected). Returns how many.
  std::size_t read(std::vector<std::uint8_t>& out, std::size_t count);
  // Whether a read met a gzip stream that breaks off, be it in its checksum.
  bool broken_off() const { return broken_off_; }

 private:
  std::string path_;
  void* file_;
  bool broken_off_ = false;
};

// All of a gzip stream in memory. Throws InputError if it is damaged or holds more than `limit` bytes.
std::vector<std::uint8_t> inflate(std::span<const std::uint8_t> gzipped, std::size_t limit);

}  // namespace norma::lab
