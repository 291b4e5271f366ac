// f64 data whose squares leave f64's range: sigma beyond 1e154, or below 1e-144 without an eps. rstd is then taken
// here, one statistic at a time, in long double, whose exponent reaches 4932 on x86.
#pragma once

#include <cmath>
#include <cstdint>

namespace norma::cpu {

// May M2 in f64 be wrong about this variance (with eps)? NaN included.
inline bool is_extreme(double variance) {
  return !(variance >= 0x1p-960 && variance <= 0x1p1020);
}

// rstd of `segments` pieces of n elements, `step` apart within a piece and `pitch` from piece to piece; 0 of a constant
// without an eps.
inline double extreme_rstd(const double* x, std::int64_t segments, std::int64_t pitch, std::int64_t n,
                           std::int64_t step, long double mean, double eps) {
  long double sum = 0;
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    for (std::int64_t i = 0; i < n; ++i) {
      const long double d = x[segment * pitch + i * step] - mean;
      sum += d * d;
    }
  }
  const long double variance = sum / static_cast<long double>(segments * n) + eps;
  return variance == 0 ? 0.0 : static_cast<double>(1 / std::sqrt(variance));
}

}  // namespace norma::cpu
