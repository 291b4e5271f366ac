// Column kernels, backward, for the formula of rows_backward.cpp with every lane a statistic: the sums of g and of
// g * (x - mean) over o, then dx. Where gamma belongs to o (LayerNorm over channels-first C), dgamma[o] is a sum along
// the row, taken in the virtual lanes of vector-inl.h.
#include "cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/columns_backward.cpp"
#include <hwy/foreach_target.h>

#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kSweep = 8;

HWY_INLINE V64 load_sum(const double* p, int64_t count) {
  return load_wide_tail(p, count, hn::Zero(D64()));
}

HWY_INLINE void store_sum(V64 v, double* p, int64_t count) {
  if (count >= kWide) {
    hn::StoreU(v, D64(), p);
  } else {
    store_tail(v, D64(), p, count);
  }
}

// dy * gamma in T, widened.
template <class T>
HWY_INLINE V64 weighted(V64 dy, V64 gamma) {
  const V64 g = hn::Mul(dy, gamma);
  if constexpr (std::is_same_v<T, double>) return g;
  return hn::PromoteTo(D64(), hn::DemoteTo(Narrow<float>(), g));
}

template <class T, bool kGamma>
HWY_INLINE void columns_sums_as(const ColumnsBackward<T>& task, int64_t first, int64_t last, double* sum_g,
                                double* sum_gx) {
  const V64 zero = hn::Zero(D64());
  for (int64_t o = first; o < last; o += kSweep) {
    const int64_t rows = last - o < kSweep ? last - o : kSweep;
    for (int64_t k = 0; k < task.width; k += kWide) {
      const int64_t lanes = task.width - k;
      const V64 mean = task.mean_wide == nullptr ? zero : load_sum(task.mean_wide + k, lanes);
      // A chain of kSweep additions, then one to the sum in memory: short chains round less.
      V64 a = zero;
      V64 b = zero;
      int64_t at = o * task.pitch + k;
      for (int64_t row = o; row < o + rows; ++row, at += task.pitch) {
        V64 g = load_wide_tail(task.dy + at, lanes, zero);
        const V64 v = load_wide_tail(task.x + at, lanes, mean);
        if constexpr (kGamma) {
          g = weighted<T>(g, hn::Set(D64(), static_cast<double>(task.gamma_o[task.affine_o(row)])));
        }
        a = hn::Add(a, g);
        b = hn::MulAdd(g, hn::Sub(v, mean), b);
      }
      if (o != first) {
        a = hn::Add(load_sum(sum_g + k, lanes), a);
        b = hn::Add(load_sum(sum_gx + k, lanes), b);
      }
      store_sum(a, sum_g + k, lanes);
      store_sum(b, sum_gx + k, lanes);
    }
  }
}

template <class T>
void columns_sums(const ColumnsBackward<T>& task, int64_t first, int64_t last, double* sum_g, double* sum_gx) noexcept {
  if (task.gamma_o != nullptr) {
    columns_sums_as<T, true>(task, first, last, sum_g, sum_gx);
  } else {
    columns_sums_as<T, false>(task, first, last, sum_g, sum_gx);
  }
}

template <class T>
HWY_INLINE void store_narrow(V64 v, T* p, int64_t count) {
  if constexpr (std::is_same_v<T, double>) {
    store_sum(v, p, count);
  } else {
    const Narrow<T> d;
    if (count >= kWide) {
      hn::StoreU(hn::DemoteTo(d, v), d, p);
    } else {
      store_tail(hn::DemoteTo(d, v), d, p, count);
    }
  }
}

template <class T>
void columns_slope(const ColumnsSlope<T>& task, int64_t width) noexcept {
  const V64 zero = hn::Zero(D64());
  const V64 n = hn::Set(D64(), task.count);
  for (int64_t k = 0; k < width; k += kWide) {
    const int64_t lanes = width - k;
    const V64 mean = task.mean == nullptr ? zero : load_sum(task.mean + k, lanes);
    const V64 rstd = load_sum(task.rstd + k, lanes);
    V64 shift = mean;
    if constexpr (!std::is_same_v<T, double>) {
      shift = hn::PromoteTo(D64(), hn::DemoteTo(Narrow<T>(), mean));
    }
    V64 mean_g = zero;
    V64 slope = zero;
    if (task.sum_g != nullptr) {
      slope = hn::Mul(hn::Mul(rstd, rstd), hn::Div(load_sum(task.sum_gx + k, lanes), n));
      if (task.centred) mean_g = hn::Div(load_sum(task.sum_g + k, lanes), n);
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
      const V64 dy = load_wide_tail(task.dy + o * task.pitch + at, lanes, zero);
      const V64 mean = task.mean_wide == nullptr ? zero : load_sum(task.mean_wide + at, lanes);
      const V64 d = hn::Sub(load_wide_tail(task.x + o * task.pitch + at, lanes, mean), mean);
      gx.part[p] = hn::MulAdd(dy, hn::Mul(d, load_sum(task.rstd_wide + at, lanes)), gx.part[p]);
      g.part[p] = hn::Add(g.part[p], dy);
    }
  }
  if (task.row_dgamma != nullptr) task.row_dgamma[o] = sum_of(gx);
  if (task.row_dbeta != nullptr) task.row_dbeta[o] = sum_of(g);
}

template <class T, bool kGamma, bool kStreaming>
HWY_INLINE void columns_dx(const ColumnsBackward<T>& task, int64_t first, int64_t last) {
  const hn::ScalableTag<T> d;
  const auto tile = [&](int64_t o, int64_t k, int64_t rows, auto load, auto store) HWY_ATTR {
    const auto mean = load(task.mean + k);
    const auto mean_g = load(task.mean_g + k);
    const auto slope = load(task.slope + k);
    const auto scale = load(task.scale + k);
    for (int64_t row = o; row < o + rows; ++row) {
      const int64_t at = row * task.pitch + k;
      auto g = load(task.dy + at);
      if constexpr (kGamma) g = hn::Mul(g, hn::Set(d, task.gamma_o[task.affine_o(row)]));
      const auto u = hn::NegMulAdd(hn::Sub(load(task.x + at), mean), slope, hn::Sub(g, mean_g));
      store(hn::Mul(u, scale), task.dx + at);
    }
  };
  const auto load = [&](const T* p) HWY_ATTR { return hn::LoadU(d, p); };
  const auto store = [&](hn::Vec<decltype(d)> v, T* p) HWY_ATTR { store_vector<kStreaming>(v, d, p); };
  constexpr int64_t kRows = 4;
  for (int64_t o = first; o < last; o += kRows) {
    const int64_t rows = last - o < kRows ? last - o : kRows;
    int64_t k = 0;
    for (; k + kVector<T> <= task.width; k += kVector<T>) tile(o, k, rows, load, store);
    if (k < task.width) {
      const int64_t left = task.width - k;
      const auto load_last = [&](const T* p) HWY_ATTR { return load_tail(d, p, left, hn::Zero(d)); };
      const auto store_last = [&](hn::Vec<decltype(d)> v, T* p) HWY_ATTR { store_tail(v, d, p, left); };
      tile(o, k, rows, load_last, store_last);
    }
  }
}

template <class T>
void columns_backward_apply(const ColumnsBackward<T>& task, int64_t first, int64_t last) noexcept {
  // Before dx is written: dx may be dy.
  if (task.row_dgamma != nullptr || task.row_dbeta != nullptr) {
    for (int64_t o = first; o < last; ++o) row_sums(task, o);
  }
  if (task.dx == nullptr) return;
  const bool aligned = reinterpret_cast<std::uintptr_t>(task.dx) % 64 == 0 &&
                       static_cast<std::uint64_t>(task.pitch) * sizeof(T) % 64 == 0;
  const bool streaming = task.stream && aligned;
  if (task.gamma_o != nullptr) {
    streaming ? columns_dx<T, true, true>(task, first, last) : columns_dx<T, true, false>(task, first, last);
  } else {
    streaming ? columns_dx<T, false, true>(task, first, last) : columns_dx<T, false, false>(task, first, last);
  }
}

template <class T>
HWY_INLINE void fill(ColumnKernels<T>& table) {
  table.backward_sums = columns_sums<T>;
  table.slope = columns_slope<T>;
  table.backward_apply = columns_backward_apply<T>;
}

void fill_columns_backward(ColumnKernels<float>& f32, ColumnKernels<double>& f64) {
  fill(f32);
  fill(f64);
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
