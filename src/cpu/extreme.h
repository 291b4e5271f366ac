// f64 data whose squares overflow: sigma beyond 1e154. The kernels' M2 is then no finite number, and rstd is taken
// here instead, one statistic at a time, in long double, whose exponent reaches 4932 on x86.
#pragma once

#include <cmath>
#include <cstdint>

namespace norma::cpu {

// rstd of `segments` pieces of n elements, `step` apart within a piece and `pitch` from piece to piece.
inline double extreme_rstd(const double* x, std::int64_t segments, std::int64_t pitch, std::int64_t n,
                           std::int64_t step, double mean, double eps) {
  long double sum = 0;
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    for (std::int64_t i = 0; i < n; ++i) {
      const long double d = static_cast<long double>(x[segment * pitch + i * step]) - mean;
      sum += d * d;
    }
  }
  return static_cast<double>(1 / std::sqrt(sum / static_cast<long double>(segments * n) + eps));
}

}  // namespace norma::cpu
