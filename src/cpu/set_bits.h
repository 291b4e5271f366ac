// Which bits of a byte are set.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace norma::cpu {

// For every byte the numbers of its set bits, the lowest first, four bits each.
inline constexpr std::array<std::uint32_t, 256> kSetBits = [] {
  std::array<std::uint32_t, 256> all{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    int at = 0;
    for (std::uint32_t bits = byte; bits != 0; bits &= bits - 1) {
      all[byte] |= static_cast<std::uint32_t>(std::countr_zero(bits)) << at;
      at += 4;
    }
  }
  return all;
}();

}  // namespace norma::cpu
