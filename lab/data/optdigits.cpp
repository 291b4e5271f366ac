#include "lab/data/optdigits.h"

#include <charconv>
#include <cstddef>

#include "lab/data/gzip.h"
#include "lab/error.h"

namespace norma::embedded {
extern const unsigned char optdigits[];
extern const std::size_t optdigits_size;
}  // namespace norma::embedded

namespace norma::lab {

IdxPair read_optdigits() {
  constexpr std::size_t kLimit = std::size_t{1} << 20U;
  constexpr std::size_t kPixels = 64;
  const std::vector<std::uint8_t> bytes = inflate({embedded::optdigits, embedded::optdigits_size}, kLimit);
  IdxPair pair;
  pair.height = pair.width = 8;
  std::size_t column = 0;
  const char* text = reinterpret_cast<const char*>(bytes.data());
  const char* const end = text + bytes.size();
  while (text < end) {
    std::uint8_t value = 0;
    const auto [next, code] = std::from_chars(text, end, value);
    const bool last = column == kPixels;
    const char separator = last ? '\n' : ',';
    if (code != std::errc{} || next == end || *next != separator || value > kOptdigitsMax) {
      throw InputError("the embedded optdigits data is damaged");
    }
    (last ? pair.labels : pair.pixels).push_back(value);
    column = last ? 0 : column + 1;
    text = next + 1;
  }
  pair.count = static_cast<std::int64_t>(pair.labels.size());
  return pair;
}

Contents read_optdigits_contents(const DataSpec& /*spec*/) {
  Contents contents;
  contents.training = samples_of(read_optdigits());
  contents.scale = kOptdigitsMax;
  contents.licence = kOptdigitsLicence;
  return contents;
}

}  // namespace norma::lab
