#include "lab/data/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "lab/error.h"

namespace norma::lab {

ByteReader::ByteReader(const std::string& path) : path_(path), file_(nullptr) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (!std::filesystem::exists(status)) throw InputError(path + ": no such file");
  if (!std::filesystem::is_regular_file(status)) throw InputError(path + ": not a file");
  file_ = gzopen(path.c_str(), "rb");
  if (file_ == nullptr) throw InputError(path + ": cannot be read: " + std::strerror(errno));
}

ByteReader::~ByteReader() {
  gzclose(static_cast<gzFile>(file_));
}

std::size_t ByteReader::read(std::vector<std::uint8_t>& out, std::size_t count) {
  constexpr std::size_t kChunk = std::size_t{1} << 20U;
  std::size_t done = 0;
  while (done < count) {
    const std::size_t chunk = std::min(kChunk, count - done);
    out.resize(out.size() + chunk);
    const int got = gzread(static_cast<gzFile>(file_), out.data() + (out.size() - chunk), static_cast<unsigned>(chunk));
    out.resize(out.size() - chunk + static_cast<std::size_t>(std::max(got, 0)));
    if (got <= 0) {
      int code = Z_OK;
      const char* message = gzerror(static_cast<gzFile>(file_), &code);
      broken_off_ = code == Z_BUF_ERROR;
      if (broken_off_ || got == 0) break;
      throw InputError(path_ + ": damaged gzip stream: " + (code == Z_ERRNO ? std::strerror(errno) : message));
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::vector<std::uint8_t> inflate(std::span<const std::uint8_t> gzipped, std::size_t limit) {
  z_stream stream{};
  constexpr int kGzip = 16 + MAX_WBITS;
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
