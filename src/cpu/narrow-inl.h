// Tensors of so few columns that they fill no register: kFold rows, which lie one directly after the other, are taken
// as one row of kFold times the columns, whose sums are added up at the end in the tree of vector-inl.h. Included once
// per instruction set.
#if defined(NORMA_CPU_NARROW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_NARROW_INL_H
#undef NORMA_CPU_NARROW_INL_H
#else
#define NORMA_CPU_NARROW_INL_H
#endif

#include <cstring>

#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kFold = kLanes;
static_assert(kNarrowColumns == kFold);
inline constexpr int64_t kFoldedMost = kFold * (kFold - 1);

// A row's values over and over, `times` times.
template <class V>
HWY_INLINE void fold(const V* row, int64_t width, int64_t times, V* folded) {
  for (int64_t at = 0; at < width * times; at += width) {
    for (int64_t k = 0; k < width; ++k) folded[at + k] = row[k];
  }
}

HWY_INLINE void add_all(const double* more, int64_t count, double* sums) {
  for (int64_t i = 0; i < count; i += kWide) {
    store_part(hn::Add(load_part(sums + i, count - i), load_part(more + i, count - i)), sums + i, count - i);
  }
}

// The kFold sums of each column, kept `width` apart, to one.
HWY_INLINE void unfold_sums(double* folded, int64_t width, double* sums) {
  for (int64_t half = kFold / 2; half > 0; half /= 2) add_all(folded + half * width, half * width, folded);
  for (int64_t k = 0; k < width; ++k) sums[k] = folded[k];
}

// Rows `pitch` apart, one after the other.
template <class T>
HWY_INLINE void pack_rows(const T* x, int64_t pitch, int64_t count, int64_t width, T* packed) {
  for (int64_t row = 0; row < count; ++row) {
    std::memcpy(packed + row * width, x + row * pitch, static_cast<std::size_t>(width) * sizeof(T));
  }
}

// For y and dx, of which no bit depends on it, kVector rows are taken as one.
template <class T>
inline constexpr int64_t kFolded = kVector<T>* kVector<T>;

// Rows from p on before one that is aligned to a cache line, at most `most`.
template <class T>
HWY_INLINE int64_t rows_to_a_line(const T* p, int64_t width, int64_t most) {
  int64_t rows = 0;
  while (rows < most && reinterpret_cast<std::uintptr_t>(p + rows * width) % 64 != 0) ++rows;
  return rows;
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_NARROW_INL_H
