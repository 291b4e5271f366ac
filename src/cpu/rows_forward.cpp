// Row kernels, forward: x[B][O][K][I] with lanes along I. One statistic is O segments of I elements. Its
// moments are taken block by block, then y is written while the segments are still in cache.
#include <cmath>

#include "cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rows_forward.cpp"
#include <hwy/foreach_target.h>

#include "cpu/apply_rows-inl.h"
#include "cpu/extreme.h"
#include "cpu/moments-inl.h"
#include "cpu/row_batches-inl.h"
#include "cpu/tuning.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// rstd of the statistic at x.
template <class T>
HWY_INLINE double rstd_of(const Nest& nest, const T* x, std::int64_t pitch, const Moments& m) {
  const double spread = m.m2 / m.count + nest.eps;
  if constexpr (std::is_same_v<T, double>) {
    if (is_extreme(spread))
      return extreme_rstd(x, nest.O, pitch, nest.I, static_cast<long double>(m.mean) + m.low, nest.eps);
  }
  // Constant without an eps: every x - mean is 0, and times 0 it stays so.
  return spread == 0 ? 0.0 : 1.0 / std::sqrt(spread);
}

template <class T, class F>
HWY_INLINE void forward_slab(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, bool last) {
  const Nest& nest = task.nest;
  const Source<T> source = source_of<F>(task);
  add_all_before<F>(task, b, k, width);
  Moments m[kMostSlab];
  Affine<T> to[kMostSlab];
  const T* x = source.x + source.at.at(b, 0, k);
  if (width == 1) {
    m[0] = row_moments(nest, x, source.at.o);
  } else {
    slab_moments<T, kMostSlab>(nest, x, source.at, width, m);
  }
  for (int64_t j = 0; j < width; ++j) {
    const double rstd = rstd_of(nest, x + j * source.at.k, source.at.o, m[j]);
    const int64_t s = b * nest.K + k + j;
    if (task.mean != nullptr) task.mean[s] = m[j].mean + m[j].low;
    if (task.rstd != nullptr) task.rstd[s] = rstd;
    to[j] = slab_coefficients(task, b, k + j, m[j].mean, m[j].low, rstd);
  }
  // While y is written from cache, memory fetches the next slab.
  apply_slab_any<T, F>(task, b, k, width, {0, nest.O, true}, last ? 0 : next_slab(nest, source.at, sizeof(T), k, width),
                       to);
}

template <class T, class F>
HWY_INLINE void forward_statistics(const RowsForward<T>& task, int64_t first, int64_t last) {
  const Nest& nest = task.nest;
  if (nest.O == 1 && nest.I <= kBlock) {
    forward_row_batches<T, F>(task, first, last);
    return;
  }
  if (one_gamma(nest)) {
    for_slabs(nest, first, last, slab_of(nest, sizeof(T), 1),
              [&](int64_t b, int64_t k, int64_t width, bool end)
                  NORMA_LAMBDA { forward_slab<T, F>(task, row_of(task, b), k, width, end); });
    return;
  }
  for (int64_t n = first; n < last; ++n) {
    const int64_t b = row_of(task, n / nest.K);
    const int64_t k = n % nest.K;
    const int64_t s = b * nest.K + k;
    add_all_before<F>(task, b, k, 1);
    const auto [source, at] = source_of<F>(task);
    const T* x = source + at.at(b, 0, k);
    const Moments m = row_moments(nest, x, at.o);
    const double rstd = rstd_of(nest, x, at.o, m);
    if (task.mean != nullptr) task.mean[s] = m.mean + m.low;
    if (task.rstd != nullptr) task.rstd[s] = rstd;
    apply_statistic_any<T, F>(task, b, k, m.mean, m.low, rstd, true,
                              n + 1 == last ? 0 : next_slab(nest, at, sizeof(T), k, 1));
  }
}

template <class T, class F>
void rows_forward(const RowsForward<T>& task, int64_t first, int64_t last) noexcept {
  forward_statistics<T, F>(task, first, last);
  finish_stores(task.stream);
}

template <class T, class F>
HWY_INLINE void apply_statistics(const RowsForward<T>& task, int64_t first, int64_t last) {
  if (one_gamma(task.nest)) {
    // All of them, as a rule: then memory is swept from end to end.
    constexpr int64_t kAtOnce = 1024;
    Affine<T> to[kAtOnce];
    const Nest& nest = task.nest;
    const int64_t bytes = 2 * nest.B * nest.O * nest.K * nest.I * static_cast<int64_t>(sizeof(T));
    const int64_t ahead = task.stream || beyond_core(bytes) ? kAheadBytes / static_cast<int64_t>(sizeof(T)) : 0;
    for_slabs(task.nest, first, last, kAtOnce, [&](int64_t slab, int64_t k, int64_t width, bool) NORMA_LAMBDA {
      const int64_t b = row_of(task, slab);
      for (int64_t j = 0; j < width; ++j) {
        const int64_t s = b * task.nest.K + k + j;
        to[j] = slab_coefficients(task, b, k + j, task.mean[s], 0.0, task.rstd[s]);
      }
      apply_slab_any<T, F>(task, b, k, width, {0, task.nest.O, false}, ahead, to);
    });
    return;
  }
  for (int64_t n = first; n < last; ++n) {
    const int64_t b = row_of(task, n / task.nest.K);
    const int64_t k = n % task.nest.K;
    const int64_t s = b * task.nest.K + k;
    apply_statistic_any<T, F>(task, b, k, task.mean[s], 0.0, task.rstd[s], false,
                              kAheadBytes / static_cast<int64_t>(sizeof(T)));
  }
}

template <class T, class F>
void rows_apply(const RowsForward<T>& task, int64_t first, int64_t last) noexcept {
  apply_statistics<T, F>(task, first, last);
  finish_stores(task.stream);
}

template <class T>
void rows_moments(const RowsForward<T>& task, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  for (int64_t n = first; n < last; ++n) {
    const int64_t b = row_of(task, n / nest.K);
    const int64_t k = n % nest.K;
    const int64_t s = b * nest.K + k;
    const Moments m = row_moments(nest, task.x + task.x_at.at(b, 0, k), task.x_at.o);
    task.mean[s] = m.mean + m.low;
    task.rstd[s] = m.m2;
  }
}

template <class T>
void rows_block_moments(const RowsForward<T>& task, int64_t s, int64_t first, int64_t last, Moments* parts) noexcept {
  const Nest& nest = task.nest;
  const int64_t pitch = task.x_at.o;
  const T* x = task.x + task.x_at.at(s / nest.K, 0, s % nest.K);
  const Blocks blocks(nest.O, nest.I);
  for (int64_t at = first; at < last; ++at) {
    const Blocks::Block b = blocks[at];
    parts[at] = block_moments(x + b.o * pitch + b.i, b.segments, pitch, b.length, nest.centred);
  }
}

template <class T>
Moments rows_valid_moments(const T* x, int64_t pitch, const ValidBlock& valid, bool centred) noexcept {
  HWY_ALIGN T buffer[kPackedBlock<T>];
  return block_moments(packed(x, pitch, valid, buffer), 1, valid.count, valid.count, centred);
}

template <class T>
Spread rows_finish(const RowsForward<T>& task, int64_t s, const Moments& total) noexcept {
  const Nest& nest = task.nest;
  Moments m = total;
  if (m.m2 < 0) m.m2 = 0;
  const double rstd = rstd_of(nest, task.x + task.x_at.at(s / nest.K, 0, s % nest.K), task.x_at.o, m);
  if (task.mean != nullptr) task.mean[s] = m.mean + m.low;
  if (task.rstd != nullptr) task.rstd[s] = rstd;
  return {m.mean, m.low, rstd};
}

template <class T>
void rows_write(const RowsForward<T>& task, int64_t s, const Spread& spread, int64_t first, int64_t last) noexcept {
  const int64_t b = s / task.nest.K;
  const int64_t k = s % task.nest.K;
  const Affine<T> to = slab_coefficients(task, b, k, spread.mean, spread.low, spread.rstd);
  apply_slab_any<T, Plain>(task, b, k, 1, {first, last, true}, 0, &to);
  finish_stores(task.stream);
}

template <class T, class F>
void rows_write_all(const RowsForward<T>& task, int64_t b, const Spread* spreads, int64_t first,
                    int64_t last) noexcept {
  constexpr int64_t kAtOnce = 1024;
  Affine<T> to[kAtOnce];
  for (int64_t k = 0; k < task.nest.K; k += kAtOnce) {
    const int64_t width = task.nest.K - k < kAtOnce ? task.nest.K - k : kAtOnce;
    for (int64_t j = 0; j < width; ++j) {
      const Spread& spread = spreads[k + j];
      to[j] = slab_coefficients(task, b, k + j, spread.mean, spread.low, spread.rstd);
    }
    apply_slab_any<T, F>(task, b, k, width, {first, last, true}, kAheadBytes / static_cast<int64_t>(sizeof(T)), to);
  }
  finish_stores(task.stream);
}

template <class T>
void rows_write_valid(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, const Spread* spreads,
                      int64_t first, int64_t last) noexcept {
  constexpr int64_t kAtOnce = 256;
  Affine<T> to[kAtOnce];
  const int64_t bytes = 2 * task.nest.B * task.nest.O * task.nest.K * task.nest.I * static_cast<int64_t>(sizeof(T));
  const int64_t ahead = beyond_core(bytes) ? kAheadBytes / static_cast<int64_t>(sizeof(T)) : 0;
  for (int64_t done = 0; done < width; done += kAtOnce) {
    const int64_t count = width - done < kAtOnce ? width - done : kAtOnce;
    for (int64_t j = 0; j < count; ++j) {
      const Spread& spread = spreads[done + j];
      to[j] = slab_coefficients(task, b, k + done + j, spread.mean, spread.low, spread.rstd);
    }
    apply_slab_any<T, Valid>(task, b, k + done, count, {first, last, true}, ahead, to);
  }
  finish_stores(task.stream);
}

template <class T>
void fill_rows_forward(RowKernels<T>& table) {
  table.forward = rows_forward<T, Plain>;
  table.apply = rows_apply<T, Plain>;
  table.forward_fused = rows_forward<T, Follow<T>>;
  table.apply_fused = rows_apply<T, Follow<T>>;
  table.moments = rows_moments<T>;
  table.block_moments = rows_block_moments<T>;
  table.finish = rows_finish<T>;
  table.write = rows_write<T>;
  table.write_all = rows_write_all<T, Plain>;
  table.write_all_fused = rows_write_all<T, Follow<T>>;
  table.valid_moments = rows_valid_moments<T>;
  table.write_valid = rows_write_valid<T>;
}
template void fill_rows_forward(RowKernels<NORMA_STORAGE>&);

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
