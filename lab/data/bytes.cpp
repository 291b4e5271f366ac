#include "lab/data/bytes.h"

#include <fmt/format.h>

#include "lab/data/gzip.h"
#include "lab/error.h"

namespace norma::lab {

std::vector<std::uint8_t> read_whole(const std::string& path, std::int64_t most) {
  ByteReader reader(path);
  std::vector<std::uint8_t> bytes;
  if (reader.read(bytes, static_cast<std::size_t>(most) + 1) > static_cast<std::size_t>(most)) {
    throw InputError(fmt::format("{}: more than {} bytes", path, most));
  }
  if (reader.broken_off()) {
    throw InputError(fmt::format("{}: truncated: its gzip stream breaks off behind {} bytes", path, bytes.size()));
  }
  return bytes;
}

}  // namespace norma::lab
