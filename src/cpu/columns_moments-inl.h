// The moments of one block of x[count][K], where every lane owns a column: those of moments-inl.h, lane by lane, with
// the block's first row as shift. Included once per instruction set.
//
// Memory is swept row by row, as it lies, with the sums of all columns in L1; eight rows share one trip to them. A
// column's sums run over the rows in order, so its bits do not depend on how the columns are cut. Of narrow tensors,
// sixteen rows are taken as one (narrow-inl.h).
#if defined(NORMA_CPU_COLUMNS_MOMENTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_COLUMNS_MOMENTS_INL_H
#undef NORMA_CPU_COLUMNS_MOMENTS_INL_H
#else
#define NORMA_CPU_COLUMNS_MOMENTS_INL_H
#endif

#include "cpu/kernels.h"
#include "cpu/narrow-inl.h"
#include "cpu/short_sums.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kSweep = 8;

// What is subtracted from x in a column.
enum class Shift { kNothing, kFirstRow, kMean };

// x[count][width], rows `pitch` apart; `first` is the row that shifts, `mean` what does in f64.
template <class T>
struct Rows {
  const T* x;
  const T* first;
  const double* mean;
  int64_t pitch;
  int64_t count;
  int64_t width;
};

template <class T, Shift kShift>
HWY_INLINE V64 shift_at(const Rows<T>& rows, int64_t k, int64_t count) {
  if constexpr (kShift == Shift::kFirstRow) return load_wide_tail(rows.first + k, count, hn::Zero(D64()));
  if constexpr (kShift == Shift::kMean) return load_part(rows.mean + k, count);
  return hn::Zero(D64());
}

// s1[k] = sum of (x - shift), s2[k] = sum of its squares, kSweep rows at a time: short chains round less than one long
// sum. `far`: x comes from beyond the caches.
template <class T, Shift kShift, bool kFar>
HWY_NOINLINE void sweep(const Rows<T>& of, double* s1, double* s2) {
  // x * 1 - shift rounds as x - shift does, and leaves the adders to the sums.
  const V64 one = hn::Set(D64(), 1.0);
  Ahead<T> next(of.x, rows_ahead<T>(of.width, kSweep) * of.pitch, of.pitch, of.width);
  for (int64_t group = 0; group < of.count; group += kSweep) {
    const int64_t rows = of.count - group < kSweep ? of.count - group : kSweep;
    for (int64_t k = 0; k < of.width; k += kWide) {
      if constexpr (kFar) next.template fetch<kSweep * kWide>();
      const int64_t lanes = of.width - k;
      const V64 shift = shift_at<T, kShift>(of, k, lanes);
      V64 a = hn::Zero(D64());
      V64 b = hn::Zero(D64());
      const T* p = of.x + group * of.pitch + k;
      for (int64_t row = 0; row < rows; ++row, p += of.pitch) {
        const V64 v = lanes >= kWide ? load_wide(p) : load_wide_tail(p, lanes, shift);
        const V64 d = hn::MulSub(v, one, shift);
        a = hn::Add(a, d);
        b = hn::MulAdd(d, d, b);
      }
      if (group > 0) {
        a = hn::Add(load_part(s1 + k, lanes), a);
        b = hn::Add(load_part(s2 + k, lanes), b);
      }
      store_part(a, s1 + k, lanes);
      store_part(b, s2 + k, lanes);
    }
  }
}

// Likewise of short types, eight differences and eight squares added up in f32 before they are widened (the argument is
// in moments-inl.h).
template <class T, Shift kShift, bool kFar>
HWY_NOINLINE void sweep_short(const Rows<T>& of, double* s1, double* s2) {
  const Registers<T> d;
  Ahead<T> next(of.x, rows_ahead<T>(of.width, kSweep) * of.pitch, of.pitch, of.width);
  const auto add = [&](double* sums, hn::Vec<decltype(d)> v, bool set, int64_t lanes) NORMA_LAMBDA {
    Lanes wide;
    clear(wide);
    add_widened<T>(wide, 0, v);
    for (int64_t p = 0; p * kWide < kVector<T>; ++p) {
      const int64_t left = lanes - p * kWide;
      double* const to = sums + p * kWide;
      if (left > 0) store_part(set ? wide.part[p] : hn::Add(load_part(to, left), wide.part[p]), to, left);
    }
  };
  for (int64_t group = 0; group < of.count; group += kSweep) {
    const int64_t rows = of.count - group < kSweep ? of.count - group : kSweep;
    for (int64_t k = 0; k < of.width; k += kVector<T>) {
      if constexpr (kFar) next.template fetch<kSweep * kVector<T>>();
      const int64_t lanes = of.width - k;
      const auto zero = hn::Zero(d);
      const auto load = [&](const T* p) NORMA_LAMBDA {
        return lanes >= kVector<T> ? load_vector(d, p) : load_tail(d, p, lanes, zero);
      };
      const auto shift = kShift == Shift::kFirstRow ? load(of.first + k) : zero;
      auto a = zero;
      auto b = zero;
      const T* p = of.x + group * of.pitch + k;
      for (int64_t row = 0; row < rows; ++row, p += of.pitch) {
        const auto v = hn::Sub(load(p), shift);
        a = hn::Add(a, v);
        b = hn::MulAdd(v, v, b);
      }
      add(s1 + k, a, group == 0, lanes);
      add(s2 + k, b, group == 0, lanes);
    }
  }
}

// In f64, or begun in f32.
template <class T, Shift kShift, bool kBegunShort>
HWY_INLINE void sweep_any(const Rows<T>& of, bool far, double* s1, double* s2) {
  if constexpr (kBegunShort) {
    far ? sweep_short<T, kShift, true>(of, s1, s2) : sweep_short<T, kShift, false>(of, s1, s2);
  } else {
    far ? sweep<T, kShift, true>(of, s1, s2) : sweep<T, kShift, false>(of, s1, s2);
  }
}

// The same sums of a narrow tensor, whose rows lie one directly after the other.
template <class T, Shift kShift, bool kBegunShort>
HWY_NOINLINE void sweep_narrow(const Rows<T>& of, bool far, double* s1, double* s2) {
  const int64_t width = of.width * kFold;
  const int64_t rows = of.count / kFold;
  const int64_t rest = of.count % kFold * of.width;
  HWY_ALIGN T first[kFoldedMost];
  HWY_ALIGN double mean[kFoldedMost];
  HWY_ALIGN double a[kFoldedMost];
  HWY_ALIGN double b[kFoldedMost];
  if constexpr (kShift == Shift::kFirstRow) fold(of.first, of.width, kFold, first);
  if constexpr (kShift == Shift::kMean) fold(of.mean, of.width, kFold, mean);
  if (rows > 0) {
    sweep_any<T, kShift, kBegunShort>({of.x, first, mean, width, rows, width}, far, a, b);
  } else {
    for (int64_t i = 0; i < width; ++i) a[i] = b[i] = 0.0;
  }
  if (rest > 0) {
    HWY_ALIGN double more_a[kFoldedMost];
    HWY_ALIGN double more_b[kFoldedMost];
    sweep_any<T, kShift, kBegunShort>({of.x + rows * width, first, mean, width, 1, rest}, false, more_a, more_b);
    add_all(more_a, rest, a);
    add_all(more_b, rest, b);
  }
  unfold_sums(a, of.width, s1);
  unfold_sums(b, of.width, s2);
}

template <class T, Shift kShift, bool kBegunShort>
HWY_INLINE void sweep_as(const Rows<T>& of, ColumnSweep how, double* s1, double* s2) {
  if (how.narrow) {
    sweep_narrow<T, kShift, kBegunShort>(of, how.far, s1, s2);
  } else {
    sweep_any<T, kShift, kBegunShort>(of, how.far, s1, s2);
  }
}

template <class T, Shift kShift>
HWY_INLINE void column_sums(const Rows<T>& of, ColumnSweep how, double* s1, double* s2) {
  sweep_as<T, kShift, kShort<T>>(of, how, s1, s2);
  if constexpr (kShort<T>) {
    // Where that does not hold, again as f32's are: each column by itself, whatever is beside it, but neighbours in one
    // sweep (a tensor of constants would wait for nothing else).
    const auto holds = [&](int64_t k) {
      return short_sums_hold<T>(static_cast<double>(of.count), s1[k], s2[k], kShift != Shift::kNothing);
    };
    for (int64_t k = 0; k < of.width; ++k) {
      int64_t end = k;
      while (end < of.width && !holds(end)) ++end;
      if (end > k && how.narrow) {
        HWY_ALIGN double again1[kFold];
        HWY_ALIGN double again2[kFold];
        sweep_narrow<T, kShift, false>(of, false, again1, again2);
        for (int64_t i = k; i < end; ++i) s1[i] = again1[i], s2[i] = again2[i];
      } else if (end > k) {
        sweep<T, kShift, false>({of.x + k, of.first + k, nullptr, of.pitch, of.count, end - k}, s1 + k, s2 + k);
      }
      k = end;
    }
  }
}

// NaN stays NaN: Max(0, NaN) is 0 without SIMD.
HWY_INLINE V64 at_least_zero(V64 v) {
  const V64 zero = hn::Zero(D64());
  return hn::IfThenElse(hn::Lt(v, zero), zero, v);
}

template <class T>
void columns_moments(const T* x, int64_t pitch, int64_t count, int64_t width, bool centred, ColumnSweep how,
                     double* mean, double* low, double* m2) noexcept;

template <class T>
HWY_NOINLINE void packed_moments(const T* x, int64_t pitch, int64_t count, int64_t width, bool centred, ColumnSweep how,
                                 double* mean, double* low, double* m2) noexcept {
  T buffer[kColumnBlock * kFold];
  pack_rows(x, pitch, count, width, buffer);
  columns_moments(buffer, width, count, width, centred, {.narrow = how.narrow}, mean, low, m2);
}

template <class T>
void columns_moments(const T* x, int64_t pitch, int64_t count, int64_t width, bool centred, ColumnSweep how,
                     double* mean, double* low, double* m2) noexcept {
  if (how.narrow && pitch != width) return packed_moments(x, pitch, count, width, centred, how, mean, low, m2);
  const V64 n = hn::Set(D64(), static_cast<double>(count));
  const V64 zero = hn::Zero(D64());
  const Rows<T> rows{x, x, mean, pitch, count, width};
  if (!centred) {
    column_sums<T, Shift::kNothing>(rows, how, low, m2);
    for (int64_t k = 0; k < width; ++k) mean[k] = low[k] = 0.0;
    return;
  }
  column_sums<T, Shift::kFirstRow>(rows, how, low, m2);
  for (int64_t k = 0; k < width; k += kWide) {
    const int64_t lanes = width - k;
    const V64 s1 = load_part(low + k, lanes);
    const V64 part = hn::Div(s1, n);
    store_part(hn::Add(load_wide_tail(x + k, lanes, zero), part), mean + k, lanes);
    if constexpr (!std::is_same_v<T, double>) {
      store_part(at_least_zero(hn::NegMulAdd(s1, part, load_part(m2 + k, lanes))), m2 + k, lanes);
      store_part(zero, low + k, lanes);
    }
  }
  if constexpr (std::is_same_v<T, double>) {
    column_sums<T, Shift::kMean>(rows, how, low, m2);
    for (int64_t k = 0; k < width; k += kWide) {
      const int64_t lanes = width - k;
      const V64 s1 = load_part(low + k, lanes);
      const V64 part = hn::Div(s1, n);
      store_part(at_least_zero(hn::NegMulAdd(s1, part, load_part(m2 + k, lanes))), m2 + k, lanes);
      store_part(part, low + k, lanes);
    }
  }
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_COLUMNS_MOMENTS_INL_H
