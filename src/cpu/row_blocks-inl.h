// The gradient of rows of one segment each that share one array of gammas along it, in blocks of rows: a column's
// dgamma is summed over the block in a register before it is added to memory. The formula is rows_backward.cpp's.
// Included once per instruction set.
#if defined(NORMA_CPU_ROW_BLOCKS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_ROW_BLOCKS_INL_H
#undef NORMA_CPU_ROW_BLOCKS_INL_H
#else
#define NORMA_CPU_ROW_BLOCKS_INL_H
#endif

#include "cpu/apply_rows-inl.h"
#include "cpu/gradient-inl.h"
#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kRowBlock = 8;

// Rows of a block: their two tensors stay in L2 from the sums to dx.
HWY_INLINE int64_t row_block(int64_t length) {
  constexpr int64_t kBlockElements = 32768;
  const int64_t rows = kBlockElements / length;
  return rows < 1 ? 1 : rows > kRowBlock ? kRowBlock : rows;
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
    if (block.dgamma != nullptr) add_register<T>(sum_gx[c], false, block.dgamma + i + c * kVector<T>, lanes);
    if (block.dbeta != nullptr) add_register<T>(sum_g[c], false, block.dbeta + i + c * kVector<T>, lanes);
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
  RowsOfBlock<T> block = {};
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

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_ROW_BLOCKS_INL_H
