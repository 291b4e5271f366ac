// When sums of short types that were begun in f32 must be taken again in f64.
#pragma once

#include <type_traits>

#include "cpu/kernels.h"

namespace norma::cpu {

// s1 and s2 are the sums of x - shift and of its square over n elements, whose M2 is s2 - s1^2/n. What f32 lost is
// 2^-24 of s2, so s2 may be 16 times M2 and no more: the shift up to 3.9 sigma from the mean, which is one column in
// 10000 of normal data. (A stricter bound would bring no bits that bf16 or f16 could show, and many a column more.)
// Squares of bf16 may also leave f32's range at both ends; where they vanish, s1 may cancel to 0 all the same, so a sum
// of 0 says nothing. f16's stay within it.
template <class T>
bool short_sums_hold(double n, double s1, double s2, bool centred) {
  if constexpr (!kShort<T>) return true;
  if (std::is_same_v<T, bfloat16> && !(s2 >= 0x1p-90 && s2 <= 0x1p120)) return false;
  return !centred || 16 * s1 * s1 <= 15 * n * s2;
}

}  // namespace norma::cpu
