// Row kernels, backward. With g = dy * gamma, xhat = (x - mean) * rstd and n elements a statistic,
//
//     dx = rstd * (g - mean(g) - xhat * mean(g * xhat))      dgamma = sum dy * xhat      dbeta = sum dy
//
// Two ways: statistic by statistic, and, where gamma lies along contiguous rows, in blocks of rows, so
// that a column's dgamma is summed over the block in a register before it is added to memory.
#include "cpu/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rows_backward.cpp"
#include <hwy/foreach_target.h>

#include "cpu/apply_rows-inl.h"
#include "cpu/gradient-inl.h"
#include "cpu/moments-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// `ahead` as in apply_piece.
template <class T, Weight kWeight, bool kStreaming, bool kAhead>
HWY_INLINE void write_dx(const T* dy, const T* x, const Compute<T>* gamma, T* dx, int64_t n, const Gradient<T>& to,
                         int64_t ahead) {
  const Registers<T> d;
  const auto shift = hn::Set(d, to.shift);
  const auto mean_g = hn::Set(d, to.mean_g);
  const auto slope = hn::Set(d, to.slope);
  const auto scale = hn::Set(d, to.scale);
  const auto same = hn::Set(d, kWeight == Weight::kSame ? *gamma : Compute<T>{1});
  const auto finish = [&](hn::Vec<decltype(d)> g, hn::Vec<decltype(d)> v, hn::Vec<decltype(d)> w) NORMA_LAMBDA {
    if constexpr (kWeight == Weight::kSame) g = hn::Mul(g, same);
    if constexpr (kWeight == Weight::kAlong) g = hn::Mul(g, w);
    return hn::Mul(hn::NegMulAdd(hn::Sub(v, shift), slope, hn::Sub(g, mean_g)), scale);
  };
  const auto partial = [&](int64_t i, int64_t count) NORMA_LAMBDA {
    const auto zero = hn::Zero(d);
    auto w = zero;
    if constexpr (kWeight == Weight::kAlong) w = load_tail(d, gamma + i, count, zero);
    store_tail(finish(load_tail(d, dy + i, count, zero), load_tail(d, x + i, count, zero), w), d, dx + i, count);
  };
  int64_t i = 0;
  if constexpr (kStreaming) {
    i = head_of(dx, n);
    if (i > 0) partial(0, i);
  }
  for (; i + kVector<T> <= n; i += kVector<T>) {
    auto w = hn::Zero(d);
    if constexpr (kWeight == Weight::kAlong) w = hn::LoadU(d, gamma + i);
    if constexpr (kAhead) {
      fetch_ahead(dy + i, ahead);
      fetch_ahead(x + i, ahead);
    }
    store_vector<kStreaming>(finish(load_vector(d, dy + i), load_vector(d, x + i), w), d, dx + i);
  }
  if (i < n) partial(i, n - i);
}

// Where a segment begins in each tensor.
struct Where {
  int64_t dy, x, dx;
};

template <class T>
HWY_INLINE Where where(const RowsBackward<T>& task, int64_t b, int64_t o, int64_t k) {
  return {task.dy_at.at(b, o, k), task.x_at.at(b, o, k), task.dx_at.at(b, o, k)};
}

template <class T, Weight kWeight>
HWY_INLINE void write_dx_any(const RowsBackward<T>& task, const Where& at, int64_t i, const Compute<T>* gamma,
                             int64_t n, const Gradient<T>& to, int64_t ahead) {
  const T* const dy = task.dy + at.dy + i;
  const T* const x = task.x + at.x + i;
  T* const dx = task.dx + at.dx + i;
  if (task.stream && ahead != 0) {
    write_dx<T, kWeight, true, true>(dy, x, gamma, dx, n, to, ahead);
  } else if (task.stream) {
    write_dx<T, kWeight, true, false>(dy, x, gamma, dx, n, to, 0);
  } else if (ahead != 0) {
    write_dx<T, kWeight, false, true>(dy, x, gamma, dx, n, to, ahead);
  } else {
    write_dx<T, kWeight, false, false>(dy, x, gamma, dx, n, to, 0);
  }
}

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
HWY_INLINE Sums block_sums(const RowsBackward<T>& task, const Where& at, int64_t i, int64_t segments, int64_t n,
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
            prefetch(task.dy + at.dy + 2 * task.dy_at.o + i, n);
            prefetch(task.x + at.x + 2 * task.x_at.o + i, n);
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
    for_pieces(nest, affine_base(nest, b, o, k), [&](int64_t i, int64_t n, int64_t number, bool along) NORMA_LAMBDA {
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
    for_pieces(nest, affine_base(nest, b, o, k), [&](int64_t i, int64_t n, int64_t number, bool along) NORMA_LAMBDA {
      const Where at = where(task, b, o, k);
      if (task.gamma == nullptr) {
        write_dx_any<T, Weight::kOne>(task, at, i, task.gamma, n, to, ahead);
      } else if (along) {
        write_dx_any<T, Weight::kAlong>(task, at, i, task.gamma + number, n, to, ahead);
      } else {
        write_dx_any<T, Weight::kSame>(task, at, i, task.gamma + number, n, to, ahead);
      }
    });
  }
}

inline constexpr int64_t kRowBlock = 8;

// Rows of a block: their two tensors stay in L2 from the sums to dx.
HWY_INLINE int64_t row_block(int64_t length) {
  constexpr int64_t kBlockElements = 32768;
  const int64_t rows = kBlockElements / length;
  return rows < 1 ? 1 : rows > kRowBlock ? kRowBlock : rows;
}

// Adds a register of T's to f64 sums in memory.
template <class T, class V>
HWY_INLINE void add_to(V v, double* sums, int64_t count) {
  if (count == kVector<T>) {
    Lanes wide;
    clear(wide);
    add_widened<T>(wide, 0, v);
    for_parts<kVector<T> / kWide>([&](auto p) NORMA_LAMBDA {
      double* const to = sums + p * kWide;
      hn::StoreU(hn::Add(hn::LoadU(D64(), to), wide.part[p]), D64(), to);
    });
    return;
  }
  HWY_ALIGN Compute<T> value[kVector<T>];
  hn::Store(v, Registers<T>(), value);
  for (int64_t i = 0; i < count; ++i) sums[i] += static_cast<double>(value[i]);
}

// A row of a block, and what its dx and its part of dgamma are made of: xhat = (x - to.shift) * rstd + offset.
template <class T>
struct BlockRow {
  const T* dy;
  const T* x;
  T* dx;
  Gradient<T> to;
  Compute<T> rstd;
  Compute<T> offset;
};

// Rows of a block whose columns share gammas, and where their sums go; null: not wanted.
template <class T>
struct RowsOfBlock {
  BlockRow<T> row[kRowBlock];
  int64_t count;
  const Compute<T>* gamma;
  double* dgamma;
  double* dbeta;
};

// dx and the sums of the columns from i on, kCount registers of them; four together give each row's memory a burst of
// its own. `lanes`: of the last register.
template <class T, int64_t kCount, bool kDx, class Load, class Store>
HWY_INLINE void block_columns(const RowsOfBlock<T>& block, int64_t i, int64_t lanes, const Load& load,
                              const Store& store) {
  const Registers<T> d;
  using V = hn::Vec<decltype(d)>;
  V sum_gx[kCount];
  V sum_g[kCount];
  V weight[kCount];
  for_parts<kCount>([&](auto c) NORMA_LAMBDA {
    sum_gx[c] = sum_g[c] = hn::Zero(d);
    weight[c] = block.gamma == nullptr ? hn::Set(d, Compute<T>{1}) : load(block.gamma + i + c * kVector<T>);
  });
  const BlockRow<T>* const last = block.row + block.count;
  for (const BlockRow<T>* row = block.row; row != last; ++row) {
    const T* const dy = row->dy + i;
    const T* const x = row->x + i;
    T* const dx = kDx ? row->dx + i : nullptr;
    const V shift = hn::Set(d, row->to.shift);
    const V mean_g = hn::Set(d, row->to.mean_g);
    const V slope = hn::Set(d, row->to.slope);
    const V scale = hn::Set(d, row->to.scale);
    const V rstd = hn::Set(d, row->rstd);
    const V offset = hn::Set(d, row->offset);
    for_parts<kCount>([&](auto c) NORMA_LAMBDA {
      const int64_t at = c * kVector<T>;
      const V g = load(dy + at);
      const V v = hn::Sub(load(x + at), shift);
      sum_gx[c] = hn::MulAdd(g, hn::MulAdd(v, rstd, offset), sum_gx[c]);
      sum_g[c] = hn::Add(sum_g[c], g);
      if constexpr (kDx) {
        const V u = hn::Sub(hn::Mul(g, weight[c]), mean_g);
        store(hn::Mul(hn::NegMulAdd(v, slope, u), scale), dx + at);
      }
    });
  }
  for_parts<kCount>([&](auto c) NORMA_LAMBDA {
    if (block.dgamma != nullptr) add_to<T>(sum_gx[c], block.dgamma + i + c * kVector<T>, lanes);
    if (block.dbeta != nullptr) add_to<T>(sum_g[c], block.dbeta + i + c * kVector<T>, lanes);
  });
}

// Out of line: it needs the registers to itself.
template <class T, bool kDx, bool kStreaming>
HWY_NOINLINE void block_rows(const RowsOfBlock<T>& given, int64_t I) {
  const Registers<T> d;
  // A copy: what is stored to dx might be the block itself, for all the compiler knows.
  const RowsOfBlock<T> block = given;
  const auto load = [&](const auto* p) NORMA_LAMBDA { return load_vector(d, p); };
  const auto store = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_vector<kStreaming>(v, d, p); };
  constexpr int64_t kMany = hn::MaxLanes(D64()) >= 8 ? 4 : 2;
  int64_t i = 0;
  for (; i + kMany * kVector<T> <= I; i += kMany * kVector<T>) {
    block_columns<T, kMany, kDx>(block, i, kVector<T>, load, store);
  }
  for (; i + kVector<T> <= I; i += kVector<T>) {
    block_columns<T, 1, kDx>(block, i, kVector<T>, load, store);
  }
  if (i == I) return;
  const int64_t left = I - i;
  const auto load_last = [&](const auto* p) NORMA_LAMBDA { return load_tail(d, p, left, hn::Zero(d)); };
  const auto store_last = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_tail(v, d, p, left); };
  block_columns<T, 1, kDx>(block, i, left, load_last, store_last);
}

// Rows [first, first + count), count <= kRowBlock, with gamma (if any) along the row.
template <class T, bool kStreaming>
HWY_INLINE void backward_row_block(const RowsBackward<T>& task, int64_t first, int64_t count) {
  const int64_t I = task.nest.I;
  const int64_t base = task.nest.affine_b(first);
  RowsOfBlock<T> block;
  block.count = count;
  block.gamma = task.gamma == nullptr ? nullptr : task.gamma + base;
  block.dgamma = task.dgamma == nullptr ? nullptr : task.dgamma + base;
  block.dbeta = task.dbeta == nullptr ? nullptr : task.dbeta + base;
  // All sums before any coefficient: the rows' chains of additions overlap.
  Sums sums[kRowBlock] = {};
  double mean[kRowBlock];
  for (int64_t r = 0; r < count; ++r) {
    const int64_t number = row_of(task, first + r);
    BlockRow<T>& row = block.row[r];
    row.dy = task.dy + number * task.dy_at.b;
    row.x = task.x + number * task.x_at.b;
    row.dx = task.dx == nullptr ? nullptr : task.dx + number * task.dx_at.b;
    mean[r] = task.mean == nullptr ? 0.0 : task.mean[number];
    if (task.constant_statistics || task.dx == nullptr) continue;
    sums[r] = block.gamma == nullptr ? piece_sums<T, Weight::kOne>(row.dy, row.x, block.gamma, I, mean[r])
                                     : piece_sums<T, Weight::kAlong>(row.dy, row.x, block.gamma, I, mean[r]);
  }
  for (int64_t r = 0; r < count; ++r) {
    BlockRow<T>& row = block.row[r];
    const double rstd = task.rstd[row_of(task, first + r)];
    row.to = gradient<T>(mean[r], rstd, task.nest.centred ? sums[r].g : 0.0, sums[r].gx, static_cast<double>(I), 1.0);
    row.rstd = static_cast<Compute<T>>(rstd);
    row.offset = static_cast<Compute<T>>(-(mean[r] - static_cast<double>(row.to.shift)) * rstd);
  }
  if (task.dx != nullptr) {
    block_rows<T, true, kStreaming>(block, I);
  } else {
    block_rows<T, false, false>(block, I);
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
void rows_backward(const RowsBackward<T>& task, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  const IndexMap& along = nest.affine_i;
  const bool contiguous_rows = nest.O == 1 && nest.K == 1 && nest.affine_b.stride == 0;
  if (contiguous_rows && along.stride != 0 && along.div == 1 && along.mod == nest.I) {
    const int64_t rows = row_block(nest.I);
    const bool aligned = reinterpret_cast<std::uintptr_t>(task.dx) % 64 == 0 &&
                         static_cast<std::uint64_t>(task.dx_at.b) * sizeof(T) % 64 == 0;
    for (int64_t s = first; s < last; s += rows) {
      const int64_t count = last - s < rows ? last - s : rows;
      if (task.stream && aligned) {
        backward_row_block<T, true>(task, s, count);
      } else {
        backward_row_block<T, false>(task, s, count);
      }
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

// A few statistics at a time, so that what is gated is in cache when its gradient is taken.
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
  if (in_blocks) {
    many = row_block(nest.I);
  } else if (one_gamma(nest)) {
    many = slab_of(nest, sizeof(T), 2);
  }
  for (int64_t s = first; s < last;) {
    int64_t count = last - s < many ? last - s : many;
    if (!in_blocks) count = nest.K - s % nest.K < count ? nest.K - s % nest.K : count;
    for (int64_t n = s; gates && n < s + count; ++n) gate(given, row_of(given, n / nest.K), n % nest.K);
    rows_backward(task, s, s + count);
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
void rows_write_dx(const RowsBackward<T>& task, int64_t s, const Sums& total, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  const int64_t b = s / nest.K;
  const int64_t k = s % nest.K;
  const Gradient<T> to = finish_same(task, b, k, total, first == 0);
  if (task.dx == nullptr) return;
  for (int64_t o = last; o-- > first;) {
    write_dx_any<T, Weight::kOne>(task, where(task, b, o, k), 0, task.gamma, nest.I, to, 0);
  }
}

template <class T>
void fill_rows_backward(RowKernels<T>& table) {
  table.backward = rows_backward<T>;
  table.backward_fused = rows_backward_fused<T>;
  table.block_sums = rows_block_sums<T>;
  table.write_dx = rows_write_dx<T>;
}
template void fill_rows_backward(RowKernels<NORMA_STORAGE>&);

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
