// The sums of short pieces of one gamma each, several at a time: of whole statistics, or of the channels of a group
// where these lie one after another. One piece's chain of additions overlaps with the next one's, and what is done once
// a piece is done a register of pieces at a time. The formula is rows_backward.cpp's, and so are the bits. Included
// once per instruction set.
#if defined(NORMA_CPU_PIECES_GRADIENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_PIECES_GRADIENT_INL_H
#undef NORMA_CPU_PIECES_GRADIENT_INL_H
#else
#define NORMA_CPU_PIECES_GRADIENT_INL_H
#endif

#include "cpu/gradient-inl.h"
#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kPieces = 8;

// How many pieces of so many elements are taken together: both tensors' stay in L1 from the sums to dx.
HWY_INLINE int64_t pieces_together(int64_t length) {
  constexpr int64_t kElements = 4096;
  if (length <= kElements / kPieces) return kPieces;
  return length > kElements ? 1 : kElements / length;
}

// v as Compute<T> holds it, in f64.
template <class T>
HWY_INLINE V64 rounded(V64 v) {
  if constexpr (std::is_same_v<T, double>) {
    return v;
  } else {
    return hn::PromoteTo(D64(), demote(v));
  }
}

// Up to kPieces pieces: where they begin, their means, and their sums of dy and dy * (x - mean).
template <class T>
struct PieceSums {
  const T* dy[kPieces];
  const T* x[kPieces];
  HWY_ALIGN double mean[kPieces] = {};
  HWY_ALIGN double g[kPieces] = {};
  HWY_ALIGN double gx[kPieces] = {};

  HWY_INLINE void add_up(int64_t count, int64_t n) {
    HWY_ALIGN double parts_g[kPieces * kWide];
    HWY_ALIGN double parts_gx[kPieces * kWide];
    for (int64_t r = 0; r < count; ++r) {
      Products<T, Weight::kOne> products;
      products.start(mean[r], nullptr);
      products.add(dy[r], x[r], n);
      products.registers(parts_g + r * kWide, parts_gx + r * kWide);
    }
    for (int64_t at = count * kWide; at < kPieces * kWide; ++at) parts_g[at] = parts_gx[at] = 0;
    for (int64_t r = 0; r < count; r += kWide) {
      const V64 center = hn::Load(D64(), mean + r);
      const V64 rest = hn::Sub(center, rounded<T>(center));
      const V64 sum = sums_of_registers(parts_g + r * kWide);
      hn::Store(sum, D64(), g + r);
      hn::Store(hn::Sub(sums_of_registers(parts_gx + r * kWide), hn::Mul(rest, sum)), D64(), gx + r);
    }
  }
};

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_PIECES_GRADIENT_INL_H
