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

// Which segments of a statistic are written; `again`: after a sweep that went forwards, and so backwards, since what
// was read last is still in cache.
struct Segments {
  int64_t first;
  int64_t last;
  bool again;
};

// y of `width` neighbouring statistics from (b, k), each with one gamma and beta, in the order of memory. `ahead`:
// elements from x to what is read after the slab, 0 if that is in cache.
template <class T, bool kStreaming, bool kAhead>
HWY_INLINE void apply_slab(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, Segments segments,
                           int64_t ahead, const Affine<T>* to) {
  const Nest& nest = task.nest;
  const int64_t origin = b * nest.O * nest.K * nest.I + k * nest.I;
  const int64_t count = segments.last - segments.first;
  for (int64_t step = 0; step < count; ++step) {
    const int64_t o = segments.again ? segments.last - 1 - step : segments.first + step;
    for (int64_t j = 0; j < width; ++j) {
      const int64_t at = origin + (o * nest.K + j) * nest.I;
      apply_piece<T, false, false, kStreaming, kAhead>(task.x + at, task.y + at, nest.I, to[j], nullptr, nullptr,
                                                       ahead);
    }
  }
}

template <class T>
HWY_INLINE void apply_slab_any(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, Segments segments,
                               int64_t ahead, const Affine<T>* to) {
  if (task.stream) {
    apply_slab<T, true, true>(task, b, k, width, segments, ahead, to);
  } else if (ahead != 0) {
    apply_slab<T, false, true>(task, b, k, width, segments, ahead, to);
  } else {
    apply_slab<T, false, false>(task, b, k, width, segments, 0, to);
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
HWY_INLINE void forward_slab(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, bool last) {
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
  // While y is written from cache, memory fetches the next slab.
  apply_slab_any(task, b, k, width, {0, nest.O, true}, last ? 0 : next_slab(nest, sizeof(T), k, width), to);
}

inline constexpr int64_t kRowBatch = 8;

// Up to kRowBatch rows of one segment and one block each: one row's chain of additions and its square root overlap with
// the next row's.
template <class T>
class RowBatch {
 public:
  HWY_INLINE RowBatch(const RowsForward<T>& task, int64_t first, int64_t count)
      : task_(task), first_(first), count_(count) {}

  HWY_INLINE void restart(int64_t first, int64_t count) {
    first_ = first;
    count_ = count;
  }

  HWY_INLINE void moments() {
    const Nest& nest = task_.nest;
    for (int64_t r = 0; r < count_; ++r) m_[r] = block_moments(row(r), 1, 0, nest.I, nest.centred);
    finish();
  }

  // y of all rows, and meanwhile the moments of the rows after them: their additions run beside these rows' loads and
  // stores, and memory is read and written at once.
  HWY_INLINE void apply(RowBatch& next) const {
    const Nest& nest = task_.nest;
    for (int64_t r = 0; r < count_; ++r) {
      if (r >= next.count_) {
        apply(r, 0);
        continue;
      }
      const T* x = next.row(r);
      const double shift = nest.centred ? static_cast<double>(x[0]) : 0.0;
      Lanes s1;
      Lanes s2;
      clear(s1);
      clear(s2);
      const int64_t ahead = count_ * nest.I + kAheadBytes / static_cast<int64_t>(2 * sizeof(T));
      for (int64_t i = 0; i < nest.I; i += kChain) {
        const int64_t n = nest.I - i < kChain ? nest.I - i : kChain;
        add_shifted(x + i, n, hn::Set(D64(), shift), s1, s2);
        write(r, i, n, ahead);
      }
      next.m_[r] = finish_block<T>(static_cast<double>(nest.I), shift, sum_of(s1), sum_of(s2), nest.centred);
    }
    for (int64_t r = count_; r < next.count_; ++r) next.m_[r] = block_moments(next.row(r), 1, 0, nest.I, nest.centred);
    next.finish();
  }

  HWY_INLINE void apply() const {
    for (int64_t r = 0; r < count_; ++r) apply(r, count_ * task_.nest.I);
  }

 private:
  HWY_INLINE const T* row(int64_t r) const { return task_.x + (first_ + r) * task_.nest.I; }

  HWY_INLINE void finish() {
    for (int64_t r = 0; r < count_; ++r) {
      if (m_[r].m2 < 0) m_[r].m2 = 0;
      rstd_[r] = rstd_of(task_.nest, row(r), m_[r]);
      if (task_.mean != nullptr) task_.mean[first_ + r] = m_[r].mean + m_[r].low;
      if (task_.rstd != nullptr) task_.rstd[first_ + r] = rstd_[r];
    }
  }

  HWY_INLINE void apply(int64_t r, int64_t ahead) const {
    const int64_t s = first_ + r;
    apply_statistic_any(task_, s / task_.nest.K, s % task_.nest.K, m_[r].mean, m_[r].low, rstd_[r], ahead);
  }

  // y[i .. i + n) of row r, which has its gammas along it.
  HWY_INLINE void write(int64_t r, int64_t i, int64_t n, int64_t ahead) const {
    const int64_t s = first_ + r;
    const int64_t at = s * task_.nest.I + i;
    const int64_t number = affine_base(task_.nest, s / task_.nest.K, 0, s % task_.nest.K) + i;
    const Affine<T> to = coefficients<T>(m_[r].mean, m_[r].low, rstd_[r], 1.0, 0.0);
    const auto* gamma = task_.gamma == nullptr ? nullptr : task_.gamma + number;
    const auto* beta = task_.beta == nullptr ? nullptr : task_.beta + number;
    if (task_.stream) {
      apply_any<T, true>(task_.x + at, task_.y + at, n, to, gamma, beta, ahead);
    } else {
      apply_any<T, false>(task_.x + at, task_.y + at, n, to, gamma, beta, ahead);
    }
  }

  const RowsForward<T>& task_;
  int64_t first_;
  int64_t count_;
  Moments m_[kRowBatch];
  double rstd_[kRowBatch];
};

// Statistics [first, last) of one segment and one block each.
template <class T>
HWY_INLINE void forward_row_batches(const RowsForward<T>& task, int64_t first, int64_t last) {
  const Nest& nest = task.nest;
  const auto size_of = [&](int64_t s, int64_t batch) NORMA_LAMBDA { return last - s < batch ? last - s : batch; };
  const IndexMap& along = nest.affine_i;
  const bool whole_rows = along.stride != 0 && along.div == 1 && along.mod == nest.I;
  const bool aligned =
      reinterpret_cast<std::uintptr_t>(task.y) % 64 == 0 && static_cast<std::uint64_t>(nest.I) * sizeof(T) % 64 == 0;
  // Two batches stay in L1. f64 takes two passes over a row for its moments, and misaligned pieces do not stream.
  if (!std::is_same_v<T, double> && whole_rows && nest.I >= kChain / 4 && (aligned || !task.stream)) {
    int64_t batch = kBlock / 2 / nest.I;
    batch = batch < 1 ? 1 : batch > kRowBatch ? kRowBatch : batch;
    RowBatch<T> batches[2] = {{task, first, size_of(first, batch)}, {task, first, 0}};
    batches[0].moments();
    int64_t current = 0;
    for (int64_t s = first; s < last; s += batch, current = 1 - current) {
      RowBatch<T>& next = batches[1 - current];
      next.restart(s + batch, s + batch < last ? size_of(s + batch, batch) : 0);
      batches[current].apply(next);
    }
    return;
  }
  int64_t batch = kBlock / nest.I;
  batch = batch > kRowBatch ? kRowBatch : batch;
  for (int64_t s = first; s < last; s += batch) {
    RowBatch<T> rows(task, s, size_of(s, batch));
    rows.moments();
    rows.apply();
  }
}

template <class T>
void rows_forward(const RowsForward<T>& task, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  if (nest.O == 1 && nest.I <= kBlock) {
    forward_row_batches(task, first, last);
    return;
  }
  if (one_gamma(nest)) {
    for_slabs(nest, first, last, slab_of(nest, sizeof(T), 1),
              [&](int64_t b, int64_t k, int64_t width, bool end)
                  NORMA_LAMBDA { forward_slab(task, b, k, width, end); });
    return;
  }
  for (int64_t s = first; s < last; ++s) {
    const int64_t b = s / nest.K;
    const int64_t k = s % nest.K;
    const Moments m = row_moments(nest, task.x + b * nest.O * nest.K * nest.I + k * nest.I);
    const double rstd = rstd_of(nest, task.x + b * nest.O * nest.K * nest.I + k * nest.I, m);
    if (task.mean != nullptr) task.mean[s] = m.mean + m.low;
    if (task.rstd != nullptr) task.rstd[s] = rstd;
    apply_statistic_any(task, b, k, m.mean, m.low, rstd, s + 1 == last ? 0 : next_slab(nest, sizeof(T), k, 1));
  }
}

template <class T>
void rows_apply(const RowsForward<T>& task, int64_t first, int64_t last) noexcept {
  if (one_gamma(task.nest)) {
    // All of them, as a rule: then memory is swept from end to end.
    constexpr int64_t kAtOnce = 1024;
    Affine<T> to[kAtOnce];
    const int64_t ahead = task.stream ? kAheadBytes / static_cast<int64_t>(sizeof(T)) : 0;
    for_slabs(task.nest, first, last, kAtOnce, [&](int64_t b, int64_t k, int64_t width, bool) NORMA_LAMBDA {
      for (int64_t j = 0; j < width; ++j) {
        const int64_t s = b * task.nest.K + k + j;
        to[j] = slab_coefficients(task, b, k + j, task.mean[s], 0.0, task.rstd[s]);
      }
      apply_slab_any(task, b, k, width, {0, task.nest.O, false}, ahead, to);
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
void rows_block_moments(const RowsForward<T>& task, int64_t s, int64_t first, int64_t last, Moments* parts) noexcept {
  const Nest& nest = task.nest;
  const int64_t pitch = nest.K * nest.I;
  const T* x = task.x + s / nest.K * nest.O * pitch + s % nest.K * nest.I;
  const Blocks blocks(nest.O, nest.I);
  for (int64_t at = first; at < last; ++at) {
    const Blocks::Block b = blocks[at];
    parts[at] = block_moments(x + b.o * pitch + b.i, b.segments, pitch, b.length, nest.centred);
  }
}

template <class T>
void rows_write(const RowsForward<T>& task, int64_t s, const Moments& total, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  const int64_t b = s / nest.K;
  const int64_t k = s % nest.K;
  Moments m = total;
  if (m.m2 < 0) m.m2 = 0;
  const double rstd = rstd_of(nest, task.x + b * nest.O * nest.K * nest.I + k * nest.I, m);
  if (first == 0 && task.mean != nullptr) task.mean[s] = m.mean + m.low;
  if (first == 0 && task.rstd != nullptr) task.rstd[s] = rstd;
  const Affine<T> to = slab_coefficients(task, b, k, m.mean, m.low, rstd);
  apply_slab_any(task, b, k, 1, {first, last, true}, 0, &to);
}

template <class T>
void fill_rows_forward(RowKernels<T>& table) {
  table.forward = rows_forward<T>;
  table.apply = rows_apply<T>;
  table.moments = rows_moments<T>;
  table.block_moments = rows_block_moments<T>;
  table.write = rows_write<T>;
}
template void fill_rows_forward(RowKernels<NORMA_STORAGE>&);

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
