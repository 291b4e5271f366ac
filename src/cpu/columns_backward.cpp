// Column kernels, backward, for the formula of rows_backward.cpp with every lane a statistic: the sums of g and of
// g * (x - mean) over o, then dx. Where gamma belongs to o, dgamma[o] is a sum along
// the row, taken in the virtual lanes of vector-inl.h.
#include "cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/columns_backward.cpp"
#include <hwy/foreach_target.h>

#include "cpu/columns_sums-inl.h"
#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kPage = 4096;

template <class T>
void columns_slope(const ColumnsSlope<T>& task, int64_t width) noexcept {
  const V64 zero = hn::Zero(D64());
  const V64 n = hn::Set(D64(), task.count);
  for (int64_t k = 0; k < width; k += kWide) {
    const int64_t lanes = width - k;
    const V64 mean = task.mean == nullptr ? zero : load_part(task.mean + k, lanes);
    const V64 rstd = load_part(task.rstd + k, lanes);
    V64 shift = mean;
    if constexpr (!std::is_same_v<T, double>) {
      shift = hn::PromoteTo(D64(), demote(mean));
    }
    V64 mean_g = zero;
    V64 slope = zero;
    if (task.sum_g != nullptr) {
      slope = hn::Mul(rstd, hn::Div(hn::Mul(rstd, load_part(task.sum_gx + k, lanes)), n));
      if (task.centred) mean_g = hn::Div(load_part(task.sum_g + k, lanes), n);
      mean_g = hn::NegMulAdd(hn::Sub(mean, shift), slope, mean_g);
    }
    V64 scale = rstd;
    if (task.gamma != nullptr) scale = hn::Mul(rstd, load_wide_tail(task.gamma + k, lanes, zero));
    store_narrow(shift, task.shift + k, lanes);
    store_narrow(mean_g, task.mean_g + k, lanes);
    store_narrow(slope, task.slope + k, lanes);
    store_narrow(scale, task.scale + k, lanes);
  }
}

// dgamma and dbeta of row o.
template <class T>
HWY_INLINE void row_sums(const ColumnsBackward<T>& task, int64_t o) {
  const V64 zero = hn::Zero(D64());
  Lanes gx;
  Lanes g;
  for (int64_t p = 0; p < kParts; ++p) gx.part[p] = g.part[p] = zero;
  for (int64_t k = 0; k < task.width; k += kLanes) {
    for (int64_t p = 0; p < kParts; ++p) {
      const int64_t at = k + p * kWide;
      const int64_t lanes = task.width - at;
      if (lanes <= 0) break;
      const V64 dy = load_wide_tail(task.dy + o * task.dy_pitch + at, lanes, zero);
      const V64 mean = task.mean_wide == nullptr ? zero : load_part(task.mean_wide + at, lanes);
      const V64 d = hn::Sub(load_wide_tail(task.x + o * task.x_pitch + at, lanes, mean), mean);
      gx.part[p] = hn::MulAdd(dy, hn::Mul(d, load_part(task.rstd_wide + at, lanes)), gx.part[p]);
      g.part[p] = hn::Add(g.part[p], dy);
    }
  }
  if (task.row_dgamma != nullptr) task.row_dgamma[o] = sum_of(gx);
  if (task.row_dbeta != nullptr) task.row_dbeta[o] = sum_of(g);
}

// Whose gamma weighs dy in dx.
enum class Gamma { kNone, kRow, kColumn };

template <class T, Gamma kGamma, bool kStreaming>
HWY_NOINLINE void columns_dx(const ColumnsBackward<T>& task, int64_t first, int64_t last) {
  const Registers<T> d;
  constexpr int64_t kRows = 4;
  // Copies: a store to dx might alias the task's own fields.
  const T* const dy = task.dy;
  const T* const x = task.x;
  T* const dx = task.dx;
  const int64_t dy_pitch = task.dy_pitch;
  const int64_t x_pitch = task.x_pitch;
  const int64_t dx_pitch = task.dx_pitch;
  const int64_t width = task.width;
  const auto tile = [&](int64_t o, int64_t k, int64_t rows, auto load, auto store) NORMA_LAMBDA {
    const auto mean = load(task.mean + k);
    const auto mean_g = load(task.mean_g + k);
    const auto slope = load(task.slope + k);
    const auto scale = load(task.scale + k);
    const auto gamma = kGamma == Gamma::kColumn ? load(task.gamma_k + k) : hn::Zero(d);
    const auto value = [&](int64_t row) NORMA_LAMBDA {
      auto g = load(dy + row * dy_pitch + k);
      if constexpr (kGamma == Gamma::kColumn) g = hn::Mul(g, gamma);
      if constexpr (kGamma == Gamma::kRow) g = hn::Mul(g, hn::Set(d, task.gamma_o[task.affine_o(row)]));
      return hn::Mul(hn::NegMulAdd(hn::Sub(load(x + row * x_pitch + k), mean), slope, hn::Sub(g, mean_g)), scale);
    };
    if (rows == kRows) {
      // All loads before the first store, as in columns_forward.cpp.
      const auto v0 = value(o);
      const auto v1 = value(o + 1);
      const auto v2 = value(o + 2);
      const auto v3 = value(o + 3);
      store(v0, dx + o * dx_pitch + k);
      store(v1, dx + (o + 1) * dx_pitch + k);
      store(v2, dx + (o + 2) * dx_pitch + k);
      store(v3, dx + (o + 3) * dx_pitch + k);
    } else {
      for (int64_t row = o; row < o + rows; ++row) store(value(row), dx + row * dx_pitch + k);
    }
  };
  const auto load = [&](const auto* p) NORMA_LAMBDA { return load_vector(d, p); };
  const auto store = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_vector<kStreaming>(v, d, p); };
  // Long rows and streamed ones one by one: four streams of reads and four of writes outrun the prefetchers.
  const int64_t at_once = !kStreaming && x_pitch * static_cast<int64_t>(sizeof(T)) <= kShortRow ? kRows : 1;
  for (int64_t o = first; o < last; o += at_once) {
    const int64_t rows = last - o < at_once ? last - o : at_once;
    int64_t k = 0;
    for (; k + kVector<T> <= width; k += kVector<T>) tile(o, k, rows, load, store);
    if (k < width) {
      const int64_t left = width - k;
      const auto load_last = [&](const auto* p) NORMA_LAMBDA { return load_tail(d, p, left, hn::Zero(d)); };
      const auto store_last = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_tail(v, d, p, left); };
      tile(o, k, rows, load_last, store_last);
    }
  }
}

// The same from far memory: up to a page a row, four rows share a trip to the coefficients of four registers of
// columns, and each row's memory is read and written in bursts; longer rows go one by one.
template <class T, Gamma kGamma, bool kStreaming>
HWY_NOINLINE void columns_dx_far(const ColumnsBackward<T>& task, int64_t first, int64_t last) {
  const Registers<T> d;
  // Copies: a store to dx might alias the task's own fields.
  const T* const dy = task.dy;
  const T* const x = task.x;
  T* const dx = task.dx;
  const int64_t dy_pitch = task.dy_pitch;
  const int64_t x_pitch = task.x_pitch;
  const int64_t dx_pitch = task.dx_pitch;
  const int64_t width = task.width;
  const int64_t group = width * static_cast<int64_t>(sizeof(T)) < kPage ? 4 : 1;
  const auto ahead = [&](int64_t pitch) {
    return first * pitch + (group == 1 ? kAheadInOrder<T> : rows_ahead<T>(width, group) * pitch);
  };
  Ahead<T> next_dy(dy, ahead(dy_pitch), dy_pitch, width);
  Ahead<T> next_x(x, ahead(x_pitch), x_pitch, width);
  const auto tile = [&]<int64_t kCount>(std::integral_constant<int64_t, kCount>, int64_t o, int64_t k, int64_t rows,
                                        auto load, auto store) NORMA_LAMBDA {
    for (int64_t row = 0; row < group; ++row) {
      next_dy.template fetch<kCount * kVector<T>>();
      next_x.template fetch<kCount * kVector<T>>();
    }
    hn::Vec<decltype(d)> mean[kCount], mean_g[kCount], slope[kCount], scale[kCount];
    for_parts<kCount>([&](auto c) NORMA_LAMBDA {
      const int64_t at = k + c * kVector<T>;
      mean[c] = load(task.mean + at);
      mean_g[c] = load(task.mean_g + at);
      slope[c] = load(task.slope + at);
      scale[c] = load(task.scale + at);
    });
    for (int64_t row = o; row < o + rows; ++row) {
      for_parts<kCount>([&](auto c) NORMA_LAMBDA {
        const int64_t at = k + c * kVector<T>;
        auto g = load(dy + row * dy_pitch + at);
        if constexpr (kGamma == Gamma::kColumn) g = hn::Mul(g, load(task.gamma_k + at));
        if constexpr (kGamma == Gamma::kRow) g = hn::Mul(g, hn::Set(d, task.gamma_o[task.affine_o(row)]));
        const auto v = hn::Sub(load(x + row * x_pitch + at), mean[c]);
        store(hn::Mul(hn::NegMulAdd(v, slope[c], hn::Sub(g, mean_g[c])), scale[c]), dx + row * dx_pitch + at);
      });
    }
  };
  const auto load = [&](const auto* p) NORMA_LAMBDA { return load_vector(d, p); };
  const auto store = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_vector<kStreaming>(v, d, p); };
  constexpr std::integral_constant<int64_t, 1> kOne;
  constexpr std::integral_constant<int64_t, 4> kFour;
  for (int64_t o = first; o < last; o += group) {
    const int64_t rows = last - o < group ? last - o : group;
    int64_t k = 0;
    for (; k + 4 * kVector<T> <= width; k += 4 * kVector<T>) tile(kFour, o, k, rows, load, store);
    for (; k + kVector<T> <= width; k += kVector<T>) tile(kOne, o, k, rows, load, store);
    if (k < width) {
      const int64_t left = width - k;
      const auto load_last = [&](const auto* p) NORMA_LAMBDA { return load_tail(d, p, left, hn::Zero(d)); };
      const auto store_last = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_tail(v, d, p, left); };
      tile(kOne, o, k, rows, load_last, store_last);
    }
  }
}

template <class T, Gamma kGamma>
HWY_INLINE void columns_dx_stores(const ColumnsBackward<T>& task, int64_t first, int64_t last) {
  const bool aligned = reinterpret_cast<std::uintptr_t>(task.dx) % 64 == 0 &&
                       static_cast<std::uint64_t>(task.dx_pitch) * sizeof(T) % 64 == 0;
  if (task.stream && aligned) {
    task.far ? columns_dx_far<T, kGamma, true>(task, first, last) : columns_dx<T, kGamma, true>(task, first, last);
  } else {
    task.far ? columns_dx_far<T, kGamma, false>(task, first, last) : columns_dx<T, kGamma, false>(task, first, last);
  }
}

// Without a gamma that is not in the coefficients.
template <class T>
HWY_INLINE void columns_dx_plain(const ColumnsBackward<T>& task, int64_t first, int64_t last) {
  constexpr int64_t kRows = kVector<T>;
  const bool touching = task.width == task.dy_pitch && task.width == task.x_pitch && task.width == task.dx_pitch;
  if (!touching || task.width >= kRows || last - first < 4 * kRows) {
    return columns_dx_stores<T, Gamma::kNone>(task, first, last);
  }
  Compute<T> mean[kFolded<T>];
  Compute<T> mean_g[kFolded<T>];
  Compute<T> slope[kFolded<T>];
  Compute<T> scale[kFolded<T>];
  fold(task.mean, task.width, kRows, mean);
  fold(task.mean_g, task.width, kRows, mean_g);
  fold(task.slope, task.width, kRows, slope);
  fold(task.scale, task.width, kRows, scale);
  const int64_t head = first + rows_to_a_line(task.dx + first * task.width, task.width, kRows);
  const int64_t rows = (last - head) / kRows;
  ColumnsBackward<T> folded = task;
  folded.dy += head * task.width;
  folded.x += head * task.width;
  folded.dx += head * task.width;
  folded.dy_pitch = folded.x_pitch = folded.dx_pitch = folded.width = task.width * kRows;
  folded.mean = mean;
  folded.mean_g = mean_g;
  folded.slope = slope;
  folded.scale = scale;
  columns_dx_stores<T, Gamma::kNone>(task, first, head);
  columns_dx_stores<T, Gamma::kNone>(folded, 0, rows);
  columns_dx_stores<T, Gamma::kNone>(task, head + rows * kRows, last);
}

template <class T>
void columns_backward_apply(const ColumnsBackward<T>& task, int64_t first, int64_t last) noexcept {
  // Before dx is written: dx may be dy.
  if (task.row_dgamma != nullptr || task.row_dbeta != nullptr) {
    for (int64_t o = first; o < last; ++o) row_sums(task, o);
  }
  if (task.dx == nullptr) return;
  if (task.gamma_o != nullptr) {
    columns_dx_stores<T, Gamma::kRow>(task, first, last);
  } else if (task.gamma_k != nullptr) {
    columns_dx_stores<T, Gamma::kColumn>(task, first, last);
  } else {
    columns_dx_plain(task, first, last);
  }
  finish_stores(task.stream);
}

template <class T>
void fill_columns_backward(ColumnKernels<T>& table) {
  table.backward_sums = columns_sums<T>;
  table.slope = columns_slope<T>;
  table.backward_apply = columns_backward_apply<T>;
}
template void fill_columns_backward(ColumnKernels<NORMA_STORAGE>&);

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
