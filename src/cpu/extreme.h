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

// sum += the squared differences from the mean of `segments` pieces of n elements, `pitch` apart.
inline void add_extreme_squares(const double* x, std::int64_t segments, std::int64_t pitch, std::int64_t n,
                                long double mean, long double& sum) {
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    for (std::int64_t i = 0; i < n; ++i) {
      const long double d = x[segment * pitch + i] - mean;
      sum += d * d;
    }
  }
}

// 0 of a constant without an eps.
inline double extreme_rstd_of(long double squares, std::int64_t count, double eps) {
  const long double variance = squares / static_cast<long double>(count) + eps;
  return variance == 0 ? 0.0 : static_cast<double>(1 / std::sqrt(variance));
}

// rstd of `segments` pieces of n elements, `pitch` apart.
inline double extreme_rstd(const double* x, std::int64_t segments, std::int64_t pitch, std::int64_t n, long double mean,
                           double eps) {
  long double squares = 0;
  add_extreme_squares(x, segments, pitch, n, mean, squares);
  return extreme_rstd_of(squares, segments * n, eps);
}

}  // namespace norma::cpu
