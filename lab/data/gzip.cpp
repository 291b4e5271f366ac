#include "lab/data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "lab/error.h"

namespace norma::lab {
namespace {

constexpr int kGzip = 16 + MAX_WBITS;
constexpr std::size_t kChunk = std::size_t{1} << 20U;

}  // namespace

struct ByteReader::Inflation {
  Inflation() : input(kChunk) {
    if (inflateInit2(&stream, kGzip) != Z_OK) throw std::runtime_error("gzip: cannot start zlib");
  }
  ~Inflation() { inflateEnd(&stream); }
  Inflation(const Inflation&) = delete;
  Inflation& operator=(const Inflation&) = delete;

  z_stream stream{};
  std::vector<std::uint8_t> input;
  bool between_members = false;
};

ByteReader::ByteReader(const std::string& path) : path_(path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) throw InputError(path + ": no such file");
  if (!std::filesystem::is_regular_file(status)) throw InputError(path + ": not a file");
  file_ = std::fopen(path.c_str(), "rb");
  if (file_ == nullptr) fail(std::string("cannot be read: ") + std::strerror(errno));
  const int first = std::getc(file_), second = std::getc(file_);
  std::rewind(file_);
  if (first == 0x1f && second == 0x8b) inflation_ = std::make_unique<Inflation>();
}

ByteReader::~ByteReader() {
  if (file_ != nullptr) std::fclose(file_);
}

void ByteReader::fail(const std::string& what) const {
  throw InputError(path_ + ": " + what);
}

bool ByteReader::refill() {
  z_stream& stream = inflation_->stream;
  if (stream.avail_in > 0) return true;
  stream.next_in = inflation_->input.data();
  stream.avail_in = static_cast<uInt>(std::fread(inflation_->input.data(), 1, inflation_->input.size(), file_));
  if (std::ferror(file_) != 0) fail(std::string("cannot be read: ") + std::strerror(errno));
  return stream.avail_in > 0;
}

std::size_t ByteReader::some(std::uint8_t* to, std::size_t count) {
  if (!inflation_) {
    const std::size_t got = std::fread(to, 1, count, file_);
    if (got == 0 && std::ferror(file_) != 0) fail(std::string("cannot be read: ") + std::strerror(errno));
    return got;
  }
  z_stream& stream = inflation_->stream;
  stream.next_out = to;
  stream.avail_out = static_cast<uInt>(count);
  while (stream.avail_out == count && !ended_) {
    if (!refill()) {
      broken_off_ = !inflation_->between_members;
      ended_ = true;
      break;
    }
    if (inflation_->between_members && *stream.next_in != 0x1f)
      fail("something that is no gzip follows its gzip stream");
    inflation_->between_members = false;
    const int code = ::inflate(&stream, Z_NO_FLUSH);
    if (code == Z_STREAM_END) {
      inflateReset(&stream);
      inflation_->between_members = true;
    } else if (code != Z_OK) {
      fail(std::string("damaged gzip stream: ") + (stream.msg != nullptr ? stream.msg : "it does not go on"));
    }
  }
  return count - stream.avail_out;
}

std::size_t ByteReader::read(std::vector<std::uint8_t>& out, std::size_t count) {
  constexpr std::size_t kFirst = std::size_t{64} << 10;
  std::size_t done = 0;
  while (done < count) {
    // Memory grows with what there is to read: clearing a whole chunk for a small file takes longer than the file.
    const std::size_t chunk = std::min({kChunk, count - done, std::max(kFirst, done)});
    out.resize(out.size() + chunk);
    const std::size_t got = some(out.data() + (out.size() - chunk), chunk);
    out.resize(out.size() - chunk + got);
    if (got == 0) break;
    done += got;
  }
  return done;
}

void ByteReader::check_rest(std::int64_t most) {
  if (!inflation_) return;
  std::vector<std::uint8_t> chunk(kChunk);
  while (most > 0) {
    const std::size_t got = some(chunk.data(), chunk.size());
    if (got == 0) return;
    most -= static_cast<std::int64_t>(got);
  }
}

std::vector<std::uint8_t> inflate(std::span<const std::uint8_t> gzipped, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) throw InputError("gzip: cannot start zlib");
  stream.next_in = const_cast<Bytef*>(gzipped.data());  // zlib 1.2's interface lacks the const
  stream.avail_in = static_cast<uInt>(gzipped.size());
  std::vector<std::uint8_t> out(limit + 1);
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = ::inflate(&stream, Z_FINISH);
  const std::size_t size = stream.total_out;
  inflateEnd(&stream);
  if (size > limit) throw InputError("gzip: more than " + std::to_string(limit) + " bytes");
  if (code != Z_STREAM_END) throw InputError("gzip: damaged or truncated stream");
  out.resize(size);
  return out;
}

}  // namespace norma::lab
