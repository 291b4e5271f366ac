// Row kernels, forward: x[B][O][K][I] with lanes along I. One statistic is O segments of I elements, K*I apart. Its
// moments are taken block by block, then y is written while the segments are still in cache.
#include <cmath>

#include "cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rows_forward.cpp"
#include <hwy/foreach_target.h>

#include "cpu/apply-inl.h"
#include "cpu/extreme.h"
#include "cpu/moments-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// rstd of the statistic at x.
template <class T>
HWY_INLINE double rstd_of(const Nest& nest, const T* x, const Moments& m) {
  if constexpr (std::is_same_v<T, double>) {
    if (!std::isfinite(m.m2)) return extreme_rstd(x, nest.O, nest.K * nest.I, nest.I, 1, m.mean, nest.eps);
  }
  const double spread = m.m2 / m.count + nest.eps;
  // Constant without an eps: every x - mean is 0, and times 0 it stays so.
  return spread == 0 ? 0.0 : 1.0 / std::sqrt(spread);
}

// y of one statistic; `ahead` as in apply_piece.
template <class T, bool kStreaming>
HWY_INLINE void apply_statistic(const RowsForward<T>& task, int64_t b, int64_t k, double mean, double low, double rstd,
                                int64_t ahead) {
  const Nest& nest = task.nest;
  const int64_t origin = b * nest.O * nest.K * nest.I + k * nest.I;
  const bool affine = task.gamma != nullptr || task.beta != nullptr;
  const Affine<T> plain = coefficients<T>(mean, low, rstd, 1.0, 0.0);
  for (int64_t o = 0; o < nest.O; ++o) {
    const T* x = task.x + origin + o * nest.K * nest.I;
    T* y = task.y + origin + o * nest.K * nest.I;
    if (!affine) {
      apply_piece<T, false, false, kStreaming>(x, y, nest.I, plain, nullptr, nullptr, ahead);
      continue;
    }
    for_pieces(nest, affine_base(nest, b, o, k), [&](int64_t i, int64_t n, int64_t number, bool along) NORMA_LAMBDA {
      const Compute<T>* gamma = task.gamma == nullptr ? nullptr : task.gamma + number;
      const Compute<T>* beta = task.beta == nullptr ? nullptr : task.beta + number;
      if (along) {
        apply_any<T, kStreaming>(x + i, y + i, n, plain, gamma, beta, ahead);
      } else {
        const Affine<T> folded =
            coefficients<T>(mean, low, rstd, gamma == nullptr ? 1.0 : *gamma, beta == nullptr ? 0.0 : *beta);
        apply_piece<T, false, false, kStreaming>(x + i, y + i, n, folded, nullptr, nullptr, ahead);
      }
    });
  }
}

template <class T>
HWY_INLINE void apply_statistic_any(const RowsForward<T>& task, int64_t b, int64_t k, double mean, double low,
                                    double rstd, int64_t ahead) {
  if (task.stream) {
    apply_statistic<T, true>(task, b, k, mean, low, rstd, ahead);
  } else {
    apply_statistic<T, false>(task, b, k, mean, low, rstd, ahead);
  }
}

// y of `width` neighbouring statistics from (b, k), each with one gamma and beta, in the order of memory; `again`:
// after a sweep that went forwards, and so backwards, since what was read last is still in cache.
template <class T, bool kStreaming>
HWY_INLINE void apply_slab(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, bool again,
                           const Affine<T>* to) {
  const Nest& nest = task.nest;
  const int64_t origin = b * nest.O * nest.K * nest.I + k * nest.I;
  const int64_t ahead = again ? 0 : kAheadBytes / static_cast<int64_t>(sizeof(T));
  for (int64_t step = 0; step < nest.O; ++step) {
    const int64_t o = again ? nest.O - 1 - step : step;
    for (int64_t j = 0; j < width; ++j) {
      const int64_t at = origin + (o * nest.K + j) * nest.I;
      apply_piece<T, false, false, kStreaming>(task.x + at, task.y + at, nest.I, to[j], nullptr, nullptr, ahead);
    }
  }
}

template <class T>
HWY_INLINE Affine<T> slab_coefficients(const RowsForward<T>& task, int64_t b, int64_t k, double mean, double low,
                                       double rstd) {
  const int64_t number = affine_base(task.nest, b, 0, k);
  return coefficients<T>(mean, low, rstd, task.gamma == nullptr ? 1.0 : static_cast<double>(task.gamma[number]),
                         task.beta == nullptr ? 0.0 : static_cast<double>(task.beta[number]));
}

template <class T>
HWY_INLINE void forward_slab(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width) {
  const Nest& nest = task.nest;
  Moments m[kMostSlab];
  Affine<T> to[kMostSlab];
  const T* x = task.x + b * nest.O * nest.K * nest.I + k * nest.I;
  if (width == 1) {
    m[0] = row_moments(nest, x);
  } else {
    slab_moments<T, kMostSlab>(nest, x, width, m);
  }
  for (int64_t j = 0; j < width; ++j) {
    const double rstd = rstd_of(nest, x + j * nest.I, m[j]);
    const int64_t s = b * nest.K + k + j;
    if (task.mean != nullptr) task.mean[s] = m[j].mean + m[j].low;
    if (task.rstd != nullptr) task.rstd[s] = rstd;
    to[j] = slab_coefficients(task, b, k + j, m[j].mean, m[j].low, rstd);
  }
  if (task.stream) {
    apply_slab<T, true>(task, b, k, width, true, to);
  } else {
    apply_slab<T, false>(task, b, k, width, true, to);
  }
}

inline constexpr int64_t kRowBatch = 8;

// Rows [first, first + count), count <= kRowBatch, of one segment and one block each: all moments, then all y. One
// row's chain of additions and its square root overlap with the next row's.
template <class T>
HWY_INLINE void forward_row_batch(const RowsForward<T>& task, int64_t first, int64_t count) {
  const Nest& nest = task.nest;
  Moments m[kRowBatch];
  double rstd[kRowBatch];
  for (int64_t r = 0; r < count; ++r) {
    m[r] = block_moments(task.x + (first + r) * nest.I, 1, 0, nest.I, nest.centred);
  }
  for (int64_t r = 0; r < count; ++r) {
    if (m[r].m2 < 0) m[r].m2 = 0;
    rstd[r] = rstd_of(nest, task.x + (first + r) * nest.I, m[r]);
    if (task.mean != nullptr) task.mean[first + r] = m[r].mean + m[r].low;
    if (task.rstd != nullptr) task.rstd[first + r] = rstd[r];
  }
  const IndexMap& along = nest.affine_i;
  const bool whole_row = along.stride != 0 && along.div == 1 && along.mod == nest.I;
  const int64_t next_batch = count * nest.I;
  for (int64_t r = 0; r < count; ++r) {
    const int64_t s = first + r;
    if (whole_row && !task.stream) {
      const int64_t number = affine_base(nest, s / nest.K, 0, s % nest.K);
      apply_any<T, false>(task.x + s * nest.I, task.y + s * nest.I, nest.I,
                          coefficients<T>(m[r].mean, m[r].low, rstd[r], 1.0, 0.0),
                          task.gamma == nullptr ? nullptr : task.gamma + number,
                          task.beta == nullptr ? nullptr : task.beta + number, next_batch);
    } else {
      apply_statistic_any(task, s / nest.K, s % nest.K, m[r].mean, m[r].low, rstd[r], next_batch);
    }
  }
}

template <class T>
void rows_forward(const RowsForward<T>& task, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  if (nest.O == 1 && nest.I <= kBlock) {
    // A batch stays in L1.
    int64_t batch = kBlock / nest.I;
    batch = batch > kRowBatch ? kRowBatch : batch;
    for (int64_t s = first; s < last; s += batch) {
      forward_row_batch(task, s, last - s < batch ? last - s : batch);
    }
    return;
  }
  if (one_gamma(nest)) {
    for_slabs(nest, first, last, slab_of(nest, sizeof(T), 1),
              [&](int64_t b, int64_t k, int64_t width) NORMA_LAMBDA { forward_slab(task, b, k, width); });
    return;
  }
  for (int64_t s = first; s < last; ++s) {
    const int64_t b = s / nest.K;
    const int64_t k = s % nest.K;
    const Moments m = row_moments(nest, task.x + b * nest.O * nest.K * nest.I + k * nest.I);
    const double rstd = rstd_of(nest, task.x + b * nest.O * nest.K * nest.I + k * nest.I, m);
    if (task.mean != nullptr) task.mean[s] = m.mean + m.low;
    if (task.rstd != nullptr) task.rstd[s] = rstd;
    apply_statistic_any(task, b, k, m.mean, m.low, rstd, 0);
  }
}

template <class T>
void rows_apply(const RowsForward<T>& task, int64_t first, int64_t last) noexcept {
  if (one_gamma(task.nest)) {
    // All of them, as a rule: then memory is swept from end to end.
    constexpr int64_t kAtOnce = 1024;
    Affine<T> to[kAtOnce];
    for_slabs(task.nest, first, last, kAtOnce, [&](int64_t b, int64_t k, int64_t width) NORMA_LAMBDA {
      for (int64_t j = 0; j < width; ++j) {
        const int64_t s = b * task.nest.K + k + j;
        to[j] = slab_coefficients(task, b, k + j, task.mean[s], 0.0, task.rstd[s]);
      }
      if (task.stream) {
        apply_slab<T, true>(task, b, k, width, false, to);
      } else {
        apply_slab<T, false>(task, b, k, width, false, to);
      }
    });
    return;
  }
  for (int64_t s = first; s < last; ++s) {
    apply_statistic_any(task, s / task.nest.K, s % task.nest.K, task.mean[s], 0.0, task.rstd[s],
                        kAheadBytes / static_cast<int64_t>(sizeof(T)));
  }
}

template <class T>
void rows_moments(const RowsForward<T>& task, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  for (int64_t s = first; s < last; ++s) {
    const int64_t b = s / nest.K;
    const int64_t k = s % nest.K;
    const Moments m = row_moments(nest, task.x + b * nest.O * nest.K * nest.I + k * nest.I);
    task.mean[s] = m.mean + m.low;
    task.rstd[s] = m.m2;
  }
}

template <class T>
void fill_rows_forward(RowKernels<T>& table) {
  table.forward = rows_forward<T>;
  table.apply = rows_apply<T>;
  table.moments = rows_moments<T>;
}
template void fill_rows_forward(RowKernels<NORMA_STORAGE>&);

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
