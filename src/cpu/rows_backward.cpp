// Row kernels, backward. With g = dy * gamma, xhat = (x - mean) * rstd and n elements a statistic,
//
//     dx = rstd * (g - mean(g) - xhat * mean(g * xhat))      dgamma = sum dy * xhat      dbeta = sum dy
//
// Statistic by statistic; several short ones at a time (pieces_gradient-inl.h); and, where gamma lies along contiguous
// rows or in short pieces of them, in blocks of rows (row_blocks-inl.h).
#include <algorithm>

#include "cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rows_backward.cpp"
#include <hwy/foreach_target.h>

#include "cpu/apply_rows-inl.h"
#include "cpu/gradient-inl.h"
#include "cpu/moments-inl.h"
#include "cpu/pieces_gradient-inl.h"
#include "cpu/row_blocks-inl.h"
#include "cpu/tuning.h"
#include "cpu/valid-inl.h"
#include "cpu/write_dx-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// dgamma[i] += dy * (x - mean) * rstd, dbeta[i] += dy.
template <class T>
HWY_INLINE void add_along(const T* dy, const T* x, int64_t n, double mean, double rstd, double* dgamma, double* dbeta) {
  const V64 zero = hn::Zero(D64());
  const auto add = [&](double* sums, V64 v, int64_t count) NORMA_LAMBDA {
    if (count >= kWide) {
      hn::StoreU(hn::Add(hn::LoadU(D64(), sums), v), D64(), sums);
    } else {
      store_tail(hn::Add(load_tail(D64(), sums, count, zero), v), D64(), sums, count);
    }
  };
  for (int64_t i = 0; i < n; i += kWide) {
    const V64 g = load_wide_tail(dy + i, n - i, zero);
    const V64 d = hn::Sub(load_wide_tail(x + i, n - i, zero), hn::Set(D64(), mean));
    if (dgamma != nullptr) add(dgamma + i, hn::Mul(g, hn::Mul(d, hn::Set(D64(), rstd))), n - i);
    if (dbeta != nullptr) add(dbeta + i, g, n - i);
  }
}

// The sums of one block from element i of the segment `at`; they stay in registers.
template <class T>
HWY_NOINLINE Sums block_sums(const RowsBackward<T>& task, const Where& at, int64_t i, int64_t segments, int64_t n,
                             double mean) {
  Products<T, Weight::kOne> product;
  product.start(mean, task.gamma);
  for (int64_t segment = 0; segment < segments; ++segment) {
    product.add(task.dy + at.dy + segment * task.dy_at.o + i, task.x + at.x + segment * task.x_at.o + i, n);
  }
  return product.sums();
}

// From the sums of a statistic with one gamma: what dx needs and, if wanted here, its dgamma and dbeta.
template <class T>
HWY_INLINE Gradient<T> finish_same(const RowsBackward<T>& task, int64_t b, int64_t k, Sums sums, bool parameters) {
  const Nest& nest = task.nest;
  const int64_t number = affine_base(nest, b, 0, k);
  const double rstd = task.rstd[b * nest.K + k];
  const double mean = task.mean == nullptr ? 0.0 : task.mean[b * nest.K + k];
  if (parameters && task.dgamma != nullptr) task.dgamma[number] += sums.gx * rstd;
  if (parameters && task.dbeta != nullptr) task.dbeta[number] += sums.g;
  if (task.constant_statistics) sums = {};
  const double weight = task.gamma == nullptr ? 1.0 : static_cast<double>(task.gamma[number]);
  return gradient<T>(mean, rstd, nest.centred ? sums.g : 0.0, sums.gx, static_cast<double>(nest.O * nest.I), weight);
}

// One gamma for the whole statistic, or none; `width` neighbouring statistics from (b, k).
template <class T>
HWY_NOINLINE void backward_same(const RowsBackward<T>& task, int64_t b, int64_t k, int64_t width, bool last) {
  const Nest& nest = task.nest;
  double mean[kMostSlab];
  for (int64_t j = 0; j < width; ++j) mean[j] = task.mean == nullptr ? 0.0 : task.mean[b * nest.K + k + j];
  SumTree trees[kMostSlab];
  if (!task.constant_statistics || task.dgamma != nullptr || task.dbeta != nullptr) {
    for_blocks(nest.O, nest.I, [&](int64_t o, int64_t i, int64_t segments, int64_t n) NORMA_LAMBDA {
      if (width == 1) {
        trees[0].push(block_sums(task, where(task, b, o, k), i, segments, n, mean[0]));
        return;
      }
      Products<T, Weight::kOne> products[kMostSlab];
      for (int64_t j = 0; j < width; ++j) products[j].start(mean[j], task.gamma);
      for (int64_t segment = 0; segment < segments; ++segment) {
        for (int64_t j = 0; j < width; ++j) {
          const Where at = where(task, b, o + segment, k + j);
          if (nest.O * task.x_at.o > kNearElements) {
            prefetch(task.dy + at.dy + i, 2 * task.dy_at.o, n);
            prefetch(task.x + at.x + i, 2 * task.x_at.o, n);
          }
          products[j].add(task.dy + at.dy + i, task.x + at.x + i, n);
        }
      }
      for (int64_t j = 0; j < width; ++j) trees[j].push(products[j].sums());
    });
  }
  Gradient<T> to[kMostSlab];
  for (int64_t j = 0; j < width; ++j) to[j] = finish_same(task, b, k + j, trees[j].total(), true);
  if (task.dx == nullptr) return;
  // Backwards: what was read last is still in cache. Meanwhile memory fetches the next slab.
  const int64_t ahead = last ? 0 : next_slab(nest, task.x_at, 2 * sizeof(T), k, width);
  for (int64_t o = nest.O; o-- > 0;) {
    for (int64_t j = 0; j < width; ++j) {
      write_dx_any<T, Weight::kOne>(task, where(task, b, o, k + j), 0, task.gamma, nest.I, to[j], ahead);
    }
  }
}

// gamma changes within the statistic.
template <class T>
HWY_NOINLINE void backward_pieces(const RowsBackward<T>& task, int64_t b, int64_t k, double mean, double rstd,
                                  int64_t ahead) {
  const Nest& nest = task.nest;
  SumTree tree;
  for (int64_t o = 0; o < nest.O; ++o) {
    const Where segment = where(task, b, o, k);
    const T* const dy = task.dy + segment.dy;
    const T* const x = task.x + segment.x;
    // Without a gamma nothing cuts the segment, so its sums do not depend on who asks for dgamma or in what pieces.
    if (task.gamma == nullptr) {
      tree.push(piece_sums<T, Weight::kOne>(dy, x, task.gamma, nest.I, mean));
      if (task.dgamma == nullptr && task.dbeta == nullptr) continue;
    }
    const int64_t base = affine_base(nest, b, o, k);
    // Of fewer, what is done for all of them at once costs more than it saves.
    constexpr int64_t kFewest = 4;
    if (nest.affine_i.stride != 0 && nest.affine_i.div != 1 && nest.I >= kFewest * nest.affine_i.div) {
      add_pieces(task, segment, base, mean, rstd, tree);
      continue;
    }
    for_pieces(nest, base, [&](int64_t i, int64_t n, int64_t number, bool along) NORMA_LAMBDA {
      if (along) {
        if (task.gamma != nullptr) {
          tree.push(piece_sums<T, Weight::kAlong>(dy + i, x + i, task.gamma + number, n, mean));
        }
        add_along(dy + i, x + i, n, mean, rstd, task.dgamma == nullptr ? nullptr : task.dgamma + number,
                  task.dbeta == nullptr ? nullptr : task.dbeta + number);
      } else {
        const Sums piece = piece_sums<T, Weight::kOne>(dy + i, x + i, task.gamma, n, mean);
        if (task.gamma != nullptr) {
          const double weight = static_cast<double>(task.gamma[number]);
          tree.push({weight * piece.g, weight * piece.gx});
        }
        if (task.dgamma != nullptr) task.dgamma[number] += piece.gx * rstd;
        if (task.dbeta != nullptr) task.dbeta[number] += piece.g;
      }
    });
  }
  if (task.dx == nullptr) return;
  const Sums sums = task.constant_statistics ? Sums{} : tree.total();
  const Gradient<T> to =
      gradient<T>(mean, rstd, nest.centred ? sums.g : 0.0, sums.gx, static_cast<double>(nest.O * nest.I), 1.0);
  for (int64_t o = nest.O; o-- > 0;) {
    const Where at = where(task, b, o, k);
    if (task.gamma == nullptr) {
      write_dx_any<T, Weight::kOne>(task, at, 0, task.gamma, nest.I, to, ahead);
    } else if (nest.affine_i.stride != 0 && nest.affine_i.div != 1) {
      write_pieces_any(task, at, affine_base(nest, b, o, k), to, ahead);
    } else {
      for_pieces(nest, affine_base(nest, b, o, k), [&](int64_t i, int64_t n, int64_t number, bool along) NORMA_LAMBDA {
        const Compute<T>* const gamma = task.gamma + number;
        if (along) {
          write_dx_any<T, Weight::kAlong>(task, at, i, gamma, n, to, ahead);
        } else {
          write_dx_any<T, Weight::kSame>(task, at, i, gamma, n, to, ahead);
        }
      });
    }
  }
}

// dy * activation' of the statistic (b, k) into `gated`.
template <class T>
HWY_INLINE void gate(const RowsBackward<T>& task, int64_t b, int64_t k) {
  RowsForward<T> forward{};
  forward.nest = task.nest;
  forward.x = task.x;
  forward.x_at = task.x_at;
  forward.gamma = task.gamma;
  forward.beta = task.beta;
  forward.y = task.gated;
  forward.y_at = task.gated_at;
  forward.fused = task.fused;
  const int64_t s = b * task.nest.K + k;
  apply_statistic<T, false, Follow<T>>(forward, b, k, task.mean == nullptr ? 0.0 : task.mean[s], 0.0, task.rstd[s],
                                       true, 0);
}

template <class T>
HWY_INLINE void add_dsum(const RowsBackward<T>& task, int64_t b, int64_t k) {
  if (task.dsum == nullptr || task.dx == nullptr) return;
  for (int64_t o = 0; o < task.nest.O; ++o) {
    T* const dx = task.dx + task.dx_at.at(b, o, k);
    add_piece(dx, task.dsum + task.dsum_at.at(b, o, k), dx, task.nest.I);
  }
}

template <class T>
HWY_NOINLINE void backward_statistics(const RowsBackward<T>& task, int64_t first, int64_t last) {
  const Nest& nest = task.nest;
  if (const int64_t period = rows_period(nest); period > 0) {
    const Range classes = classes_of(task, first, last, period);
    if (nest.affine_i.div != 1) return backward_spread_rows(task, classes, last, period);
    for (int64_t row = classes.first; row < classes.last; ++row) {
      const int64_t base = nest.affine_b(row);
      backward_row_blocks<T>(
          task,
          {task.gamma == nullptr ? nullptr : task.gamma + base, task.dgamma == nullptr ? nullptr : task.dgamma + base,
           task.dbeta == nullptr ? nullptr : task.dbeta + base},
          row, last, period);
    }
    return;
  }
  if (const int64_t many = pieces_together(nest.I); one_gamma(nest) && nest.O == 1 && many > 1) {
    // The next ones, if a call is beyond the core's caches.
    const int64_t ahead = nest.K == 1 ? next_slab(nest, task.x_at, 2 * sizeof(T), 0, 1) * many : 0;
    for (int64_t s = first; s < last; s += many) {
      const int64_t count = last - s < many ? last - s : many;
      backward_short(task, s, count, s + count == last ? 0 : ahead);
    }
    return;
  }
  if (one_gamma(nest)) {
    for_slabs(nest, first, last, slab_of(nest, sizeof(T), 2),
              [&](int64_t b, int64_t k, int64_t width, bool end)
                  NORMA_LAMBDA { backward_same(task, row_of(task, b), k, width, end); });
    return;
  }
  for (int64_t n = first; n < last; ++n) {
    const int64_t b = row_of(task, n / nest.K);
    const int64_t k = n % nest.K;
    const int64_t s = b * nest.K + k;
    const double mean = task.mean == nullptr ? 0.0 : task.mean[s];
    const int64_t ahead = n + 1 == last ? 0 : next_slab(nest, task.x_at, 2 * sizeof(T), k, 1);
    backward_pieces(task, b, k, mean, task.rstd[s], ahead);
  }
}

template <class T>
void rows_backward(const RowsBackward<T>& task, int64_t first, int64_t last) noexcept {
  backward_statistics(task, first, last);
  finish_stores(task.stream);
}

// A few statistics at a time, so that what is gated is in cache when its gradient is taken, where the order of the sums
// allows it.
template <class T>
void rows_backward_fused(const RowsBackward<T>& given, int64_t first, int64_t last) noexcept {
  const Nest& nest = given.nest;
  const bool gates = given.gated != nullptr;
  RowsBackward<T> task = given;
  if (gates) {
    task.dy = given.gated;
    task.dy_at = given.gated_at;
  }
  // Whole blocks of rows, whole slabs: the order of the sums is that of the kernel that is not fused.
  const bool in_blocks = nest.O == 1 && nest.K == 1;
  int64_t many = 1;
  if (in_blocks && has_short_pieces(nest)) {
    // Their sums are added up by piece behind all rows.
    many = last - first;
  } else if (in_blocks) {
    many = row_block(nest.I) * std::max<int64_t>(rows_period(nest), 1);
  } else if (one_gamma(nest)) {
    many = slab_of(nest, sizeof(T), 2);
  }
  for (int64_t s = first; s < last;) {
    int64_t count = last - s < many ? last - s : many;
    if (!in_blocks) count = nest.K - s % nest.K < count ? nest.K - s % nest.K : count;
    for (int64_t n = s; gates && n < s + count; ++n) gate(given, row_of(given, n / nest.K), n % nest.K);
    backward_statistics(task, s, s + count);
    for (int64_t n = s; n < s + count; ++n) add_dsum(given, row_of(given, n / nest.K), n % nest.K);
    s += count;
  }
}

template <class T>
void rows_block_sums(const RowsBackward<T>& task, int64_t s, int64_t first, int64_t last, Sums* parts) noexcept {
  const Nest& nest = task.nest;
  const double mean = task.mean == nullptr ? 0.0 : task.mean[s];
  const Blocks blocks(nest.O, nest.I);
  for (int64_t at = first; at < last; ++at) {
    const Blocks::Block b = blocks[at];
    parts[at] = block_sums(task, where(task, s / nest.K, b.o, s % nest.K), b.i, b.segments, b.length, mean);
  }
}

template <class T>
Sums rows_valid_sums(const T* dy, int64_t dy_pitch, const T* x, int64_t x_pitch, const ValidBlock& valid,
                     double mean) noexcept {
  HWY_ALIGN T buffer_dy[kPackedBlock<T>];
  HWY_ALIGN T buffer_x[kPackedBlock<T>];
  return piece_sums<T, Weight::kOne>(packed(dy, dy_pitch, valid, buffer_dy), packed(x, x_pitch, valid, buffer_x),
                                     nullptr, valid.count, mean);
}

template <class T>
void rows_write_dx(const RowsBackward<T>& task, int64_t s, const Sums& total, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  const int64_t b = s / nest.K;
  const int64_t k = s % nest.K;
  const Gradient<T> to = finish_same(task, b, k, total, first == 0);
  if (task.dx == nullptr) return;
  for (int64_t o = last; o-- > first;) {
    write_dx_any<T, Weight::kOne>(task, where(task, b, o, k), 0, task.gamma, nest.I, to, 0);
  }
  finish_stores(task.stream);
}

template <class T>
void rows_write_dx_valid(const RowsBackward<T>& task, int64_t b, int64_t k, int64_t width, const Slope* slopes,
                         int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  const int64_t bytes = 3 * nest.B * nest.O * nest.K * nest.I * static_cast<int64_t>(sizeof(T));
  const int64_t ahead = beyond_core(bytes) ? kAheadBytes / static_cast<int64_t>(sizeof(T)) : 0;
  for (int64_t o = last; o-- > first;) {
    for (int64_t j = 0; j < width; ++j) {
      const Slope& slope = slopes[j];
      const double weight =
          task.gamma == nullptr ? 1.0 : static_cast<double>(task.gamma[affine_base(nest, b, 0, k + j)]);
      const Gradient<T> to =
          gradient<T>(slope.mean, slope.rstd, nest.centred ? slope.g : 0.0, slope.gx, slope.n, weight);
      const Where at = where(task, b, o, k + j);
      const Valid follow{task.valid.segment(b, o, k + j), 0};
      if (task.stream) {
        write_dx<T, Weight::kOne, true, true>(task.dy + at.dy, task.x + at.x, nullptr, task.dx + at.dx, nest.I, to,
                                              ahead, follow);
      } else {
        write_dx<T, Weight::kOne, false, true>(task.dy + at.dy, task.x + at.x, nullptr, task.dx + at.dx, nest.I, to,
                                               ahead, follow);
      }
    }
  }
  finish_stores(task.stream);
}

template <class T>
void fill_rows_backward(RowKernels<T>& table) {
  table.backward = rows_backward<T>;
  table.backward_fused = rows_backward_fused<T>;
  table.block_sums = rows_block_sums<T>;
  table.write_dx = rows_write_dx<T>;
  table.valid_sums = rows_valid_sums<T>;
  table.write_dx_valid = rows_write_dx_valid<T>;
}
template void fill_rows_backward(RowKernels<NORMA_STORAGE>&);

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
