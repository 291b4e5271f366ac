// Tuning thresholds, each a pure function with the measurement that chose it in docs/kernels.md. None changes a bit of
// any result: those that fix the order of a reduction stand beside the kernels.
#pragma once

#include <cstdint>

namespace norma::cpu {

// Are outputs of this many bytes better written past the caches?
constexpr bool stream_output(std::int64_t bytes) {
  return bytes > (std::int64_t{8} << 20);
}

}  // namespace norma::cpu
