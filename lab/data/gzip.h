// Files that may be gzipped, and gzipped bytes in memory. Nothing is allocated on the word of a header: bytes are
// kept as they come, up to a limit that the caller sets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace norma::lab {

// Reads on through a file, inflating it if it is gzipped (also in several members, as `cat a.gz b.gz` makes them).
// Throws InputError, naming the file, if it is missing, is no regular file, its gzip stream is damaged, or something
// that is no gzip follows it.
class ByteReader {
 public:
  explicit ByteReader(const std::string& path);
  ~ByteReader();
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;

  // Appends up to `count` bytes to `out`; fewer only at the end of the file (also where a gzip stream breaks off:
  // the caller knows how many bytes it expected). Returns how many.
  std::size_t read(std::vector<std::uint8_t>& out, std::size_t count);
  // Reads a gzip stream to its end and keeps nothing: damage within shows in the checksum there. Gives up behind `most`
  // bytes; of another file, does nothing.
  void check_rest(std::int64_t most);
  // Whether a read met a gzip stream that breaks off, be it in its checksum.
  bool broken_off() const { return broken_off_; }

 private:
  struct Inflation;

  // Up to `count` bytes to `to`; 0 at the end.
  std::size_t some(std::uint8_t* to, std::size_t count);
  // Fills the input if it is empty; false at the end of the file.
  bool refill();
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::FILE* file_ = nullptr;
  std::unique_ptr<Inflation> inflation_;  // of a gzipped file
  bool broken_off_ = false, ended_ = false;
};

// All of a gzip stream in memory. Throws InputError if it is damaged or holds more than `limit` bytes.
std::vector<std::uint8_t> inflate(std::span<const std::uint8_t> gzipped, std::size_t limit);

}  // namespace norma::lab
