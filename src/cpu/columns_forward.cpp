// Column kernels, forward: x[O][K] where every lane owns a statistic over o. Moments are columns_moments-inl.h's; here
// blocks of them are merged, made coefficients of, and y is swept row by row, as memory lies.
#include "cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/columns_forward.cpp"
#include <hwy/foreach_target.h>

#include "cpu/activation-inl.h"
#include "cpu/columns_moments-inl.h"
#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline void columns_merge(double count_a, double* mean_a, double* low_a, double* m2_a, double count_b,
                          const double* mean_b, const double* low_b, const double* m2_b, int64_t width) noexcept {
  const double total = count_a + count_b;
  const V64 share = hn::Set(D64(), count_b / total);
  const V64 weight = hn::Set(D64(), count_a * (count_b / total));
  for (int64_t k = 0; k < width; k += kWide) {
    const int64_t lanes = width - k;
    const V64 ma = load_part(mean_a + k, lanes);
    const V64 la = load_part(low_a + k, lanes);
    const V64 delta = hn::Add(hn::Sub(load_part(mean_b + k, lanes), ma), hn::Sub(load_part(low_b + k, lanes), la));
    const V64 step = hn::Mul(delta, share);
    // Two-sum (Knuth): what mean + step loses goes to low.
    const V64 mean = hn::Add(ma, step);
    const V64 moved = hn::Sub(mean, ma);
    const V64 lost = hn::Add(hn::Sub(ma, hn::Sub(mean, moved)), hn::Sub(step, moved));
    store_part(mean, mean_a + k, lanes);
    store_part(hn::Add(la, lost), low_a + k, lanes);
    const V64 m2 = hn::Add(load_part(m2_a + k, lanes), load_part(m2_b + k, lanes));
    store_part(hn::MulAdd(hn::Mul(delta, delta), weight, m2), m2_a + k, lanes);
  }
}

template <class T>
void columns_finish(const ColumnsFinish<T>& task, int64_t width) noexcept {
  const V64 one = hn::Set(D64(), 1.0);
  const V64 zero = hn::Zero(D64());
  for (int64_t k = 0; k < width; k += kWide) {
    const int64_t lanes = width - k;
    const V64 mean = load_part(task.mean + k, lanes);
    V64 rstd;
    if (task.m2 == nullptr) {
      rstd = load_part(task.rstd + k, lanes);
    } else {
      const V64 variance = hn::Div(load_part(task.m2 + k, lanes), hn::Set(D64(), task.count));
      const V64 spread = hn::Add(variance, hn::Set(D64(), task.eps));
      // Constant without an eps: every x - mean is 0, and times 0 it stays so.
      rstd = hn::IfThenElse(hn::Eq(spread, zero), zero, hn::Div(one, hn::Sqrt(spread)));
    }
    if (task.rstd_out != nullptr) store_part(rstd, task.rstd_out + k, lanes);
    const V64 shift = rounded<T>(mean);
    V64 rest = hn::Sub(mean, shift);
    if (task.low != nullptr) rest = hn::Add(rest, load_part(task.low + k, lanes));
    V64 scale = rstd;
    if (task.gamma != nullptr) scale = hn::Mul(rstd, load_wide_tail(task.gamma + k, lanes, zero));
    V64 offset = hn::Neg(hn::Mul(rest, scale));
    if (task.beta != nullptr) offset = hn::Add(load_wide_tail(task.beta + k, lanes, zero), offset);
    store_narrow(shift, task.shift + k, lanes);
    store_narrow(scale, task.scale + k, lanes);
    store_narrow(offset, task.offset + k, lanes);
  }
}

template <class T>
void columns_add(const T* a, int64_t a_pitch, const T* b, int64_t b_pitch, T* to, int64_t to_pitch, int64_t count,
                 int64_t width) noexcept {
  for (int64_t o = 0; o < count; ++o) add_piece(a + o * a_pitch, b + o * b_pitch, to + o * to_pitch, width);
}

// What follows in row o.
template <class F, class T>
HWY_INLINE F follow_of(const ColumnsForward<T>& task, int64_t o) {
  if constexpr (std::is_same_v<F, Plain>) {
    return {};
  } else {
    return {task.after == nullptr ? nullptr : task.after + o * task.after_pitch,
            task.dy == nullptr ? nullptr : task.dy + o * task.dy_pitch, task.activation};
  }
}

template <class T, bool kGamma, bool kBeta, bool kStreaming, bool kFar, class F>
HWY_NOINLINE void columns_apply_as(const ColumnsForward<T>& task, int64_t first, int64_t last) {
  const Registers<T> d;
  constexpr int64_t kRows = 4;
  // Copies: a store to y might alias the task's own fields.
  const T* const x = task.x;
  T* const y = task.y;
  const int64_t x_pitch = task.x_pitch;
  const int64_t y_pitch = task.y_pitch;
  const int64_t width = task.width;
  const auto tile = [&](int64_t o, int64_t k, int64_t rows, auto load, auto store, auto followed) NORMA_LAMBDA {
    const auto shift = load(task.shift + k);
    const auto scale = load(task.scale + k);
    const auto offset = load(task.offset + k);
    const auto value = [&](int64_t row) NORMA_LAMBDA {
      if constexpr (kFar) fetch_ahead(x + row * x_pitch + k, kAheadInOrder<T>);
      const auto v = hn::MulAdd(hn::Sub(load(x + row * x_pitch + k), shift), scale, offset);
      if constexpr (!kGamma && !kBeta) return followed(v, row, k);
      const int64_t number = task.affine_o(row);
      const auto beta = kBeta ? hn::Set(d, task.beta_o[number]) : hn::Zero(d);
      if constexpr (kGamma) return followed(hn::MulAdd(v, hn::Set(d, task.gamma_o[number]), beta), row, k);
      return followed(hn::Add(v, beta), row, k);
    };
    if (rows == kRows) {
      // All loads before the first store: at a pitch of 4 KiB a load looks as if it read what was just stored.
      const auto v0 = value(o);
      const auto v1 = value(o + 1);
      const auto v2 = value(o + 2);
      const auto v3 = value(o + 3);
      store(v0, y + o * y_pitch + k);
      store(v1, y + (o + 1) * y_pitch + k);
      store(v2, y + (o + 2) * y_pitch + k);
      store(v3, y + (o + 3) * y_pitch + k);
    } else {
      for (int64_t row = o; row < o + rows; ++row) store(value(row), y + row * y_pitch + k);
    }
  };
  // Long rows, streamed and far ones one by one: four streams of reads and four of writes outrun the prefetchers.
  const int64_t at_once = !kStreaming && !kFar && x_pitch * static_cast<int64_t>(sizeof(T)) <= kShortRow ? kRows : 1;
  for (int64_t o = first; o < last; o += at_once) {
    const int64_t rows = last - o < at_once ? last - o : at_once;
    const auto load = [&](const auto* p) NORMA_LAMBDA { return load_vector(d, p); };
    const auto store = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_vector<kStreaming>(v, d, p); };
    const auto followed = [&](hn::Vec<decltype(d)> v, int64_t row, int64_t at)
                              NORMA_LAMBDA { return follow_of<F>(task, row)(d, v, at); };
    int64_t k = 0;
    for (; k + kVector<T> <= width; k += kVector<T>) tile(o, k, rows, load, store, followed);
    if (k < width) {
      const int64_t left = width - k;
      const auto followed_last = [&](hn::Vec<decltype(d)> v, int64_t row, int64_t at)
                                     NORMA_LAMBDA { return follow_of<F>(task, row).tail(d, v, at, left); };
      const auto load_last = [&](const auto* p) NORMA_LAMBDA { return load_tail(d, p, left, hn::Zero(d)); };
      const auto store_last = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_tail(v, d, p, left); };
      tile(o, k, rows, load_last, store_last, followed_last);
    }
  }
}

template <class T, bool kGamma, bool kBeta, class F>
HWY_INLINE void columns_apply_stores(const ColumnsForward<T>& task, int64_t first, int64_t last) {
  // With all that follows, memory waits less for prefetches than for the arithmetic.
  constexpr bool kFetches = std::is_same_v<F, Plain>;
  const bool aligned = reinterpret_cast<std::uintptr_t>(task.y) % 64 == 0 &&
                       static_cast<std::uint64_t>(task.y_pitch) * sizeof(T) % 64 == 0;
  if (task.stream && aligned) {
    task.far ? columns_apply_as<T, kGamma, kBeta, true, kFetches, F>(task, first, last)
             : columns_apply_as<T, kGamma, kBeta, true, false, F>(task, first, last);
  } else {
    task.far ? columns_apply_as<T, kGamma, kBeta, false, kFetches, F>(task, first, last)
             : columns_apply_as<T, kGamma, kBeta, false, false, F>(task, first, last);
  }
}

// Columns of one gamma each, or of none.
template <class T>
HWY_INLINE void columns_apply_plain(const ColumnsForward<T>& task, int64_t first, int64_t last) {
  constexpr int64_t kRows = kVector<T>;
  if (task.width != task.x_pitch || task.width != task.y_pitch || task.width >= kRows || last - first < 4 * kRows) {
    return columns_apply_stores<T, false, false, Plain>(task, first, last);
  }
  Compute<T> shift[kFolded<T>];
  Compute<T> scale[kFolded<T>];
  Compute<T> offset[kFolded<T>];
  fold(task.shift, task.width, kRows, shift);
  fold(task.scale, task.width, kRows, scale);
  fold(task.offset, task.width, kRows, offset);
  const int64_t head = first + rows_to_a_line(task.y + first * task.width, task.width, kRows);
  const int64_t rows = (last - head) / kRows;
  ColumnsForward<T> folded = task;
  folded.x += head * task.width;
  folded.y += head * task.width;
  folded.x_pitch = folded.y_pitch = folded.width = task.width * kRows;
  folded.shift = shift;
  folded.scale = scale;
  folded.offset = offset;
  columns_apply_stores<T, false, false, Plain>(task, first, head);
  columns_apply_stores<T, false, false, Plain>(folded, 0, rows);
  columns_apply_stores<T, false, false, Plain>(task, head + rows * kRows, last);
}

template <class T, class F>
void columns_apply(const ColumnsForward<T>& task, int64_t first, int64_t last) noexcept {
  if (task.gamma_o != nullptr && task.beta_o != nullptr) {
    columns_apply_stores<T, true, true, F>(task, first, last);
  } else if (task.gamma_o != nullptr) {
    columns_apply_stores<T, true, false, F>(task, first, last);
  } else if (task.beta_o != nullptr) {
    columns_apply_stores<T, false, true, F>(task, first, last);
  } else {
    if constexpr (std::is_same_v<F, Plain>) {
      columns_apply_plain(task, first, last);
    } else {
      columns_apply_stores<T, false, false, F>(task, first, last);
    }
  }
  finish_stores(task.stream);
}

template <class T>
void fill_columns_forward(ColumnKernels<T>& table) {
  table.moments = columns_moments<T>;
  table.merge = columns_merge;
  table.finish = columns_finish<T>;
  table.apply = columns_apply<T, Plain>;
  table.apply_fused = columns_apply<T, Follow<T>>;
  table.add = columns_add<T>;
}
template void fill_columns_forward(ColumnKernels<NORMA_STORAGE>&);

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
