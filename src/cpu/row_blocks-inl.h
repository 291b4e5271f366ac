// The gradient of rows of one segment each that share one array of gammas along it, in blocks of rows: a column's
// dgamma is summed over the block in a register before it is added to memory. The formula is rows_backward.cpp's.
// Included once per instruction set.
#if defined(NORMA_CPU_ROW_BLOCKS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_ROW_BLOCKS_INL_H
#undef NORMA_CPU_ROW_BLOCKS_INL_H
#else
#define NORMA_CPU_ROW_BLOCKS_INL_H
#endif

#include <algorithm>

#include "cpu/apply_rows-inl.h"
#include "cpu/gradient-inl.h"
#include "cpu/kernels.h"
#include "cpu/vector-inl.h"
#include "cpu/write_dx-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kRowBlock = 8;

// Rows of a block: their two tensors stay in L2 from the sums to dx.
HWY_INLINE int64_t row_block(int64_t length) {
  constexpr int64_t kBlockElements = 32768;
  const int64_t rows = kBlockElements / length;
  return rows < 1 ? 1 : rows > kRowBlock ? kRowBlock : rows;
}

// Rows of a block whose columns share gammas, what their dx and their parts of dgamma are made of (gradient-inl.h;
// xhat = (x - shift) * scale + offset), and where their sums go; null: not wanted.
template <class T>
struct RowsOfBlock {
  using C = Compute<T>;
  const T* dy[kRowBlock];
  const T* x[kRowBlock];
  T* dx[kRowBlock];
  HWY_ALIGN C shift[kRowBlock];
  HWY_ALIGN C mean_g[kRowBlock];
  HWY_ALIGN C slope[kRowBlock];
  HWY_ALIGN C scale[kRowBlock];
  HWY_ALIGN C offset[kRowBlock];
  int64_t count;
  const C* gamma;
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
  for (int64_t r = 0; r < block.count; ++r) {
    const T* const dy = block.dy[r] + i;
    const T* const x = block.x[r] + i;
    T* const dx = kDx ? block.dx[r] + i : nullptr;
    const V shift = hn::Set(d, block.shift[r]);
    const V mean_g = hn::Set(d, block.mean_g[r]);
    const V slope = hn::Set(d, block.slope[r]);
    const V scale = hn::Set(d, block.scale[r]);
    const V offset = hn::Set(d, block.offset[r]);
    for_parts<kCount>([&](auto c) NORMA_LAMBDA {
      const int64_t at = c * kVector<T>;
      const V g = load(dy + at);
      const V v = hn::Sub(load(x + at), shift);
      sum_gx[c] = hn::MulAdd(g, hn::MulAdd(v, scale, offset), sum_gx[c]);
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
template <class T, bool kDx>
HWY_NOINLINE void block_rows(const RowsOfBlock<T>& given, int64_t I) {
  const Registers<T> d;
  // A copy: what is stored to dx might be the block itself, for all the compiler knows.
  const RowsOfBlock<T> block = given;
  const auto load = [&](const auto* p) NORMA_LAMBDA { return load_vector(d, p); };
  const auto store = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_vector<false>(v, d, p); };
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

template <class T, Weight kWeight>
HWY_INLINE Products<T, kWeight> products_of(const RowsOfBlock<T>& block, int64_t r, int64_t n, double mean) {
  Products<T, kWeight> products;
  products.start(mean, block.gamma);
  products.add(block.dy[r], block.x[r], n);
  return products;
}

// v as C's to p; what they are in f64.
template <class C>
HWY_INLINE V64 store_rounded(V64 v, C* p) {
  store_narrow(v, p, kWide);
  return load_wide(p);
}

// A row's gammas and the sums of those that share them, each null or I long.
template <class T>
struct AlongRow {
  const Compute<T>* gamma;
  double* dgamma;
  double* dbeta;
};

// `count` <= kRowBlock rows, `period` apart from `first` on. `stream`: dx goes past the caches; `ahead`: elements from
// x to what is read next, 0 for nothing.
template <class T>
HWY_INLINE void backward_row_block(const RowsBackward<T>& task, const AlongRow<T>& along, int64_t first, int64_t count,
                                   int64_t period, bool stream, int64_t ahead) {
  const int64_t I = task.nest.I;
  // Cleared where it is read, and no more: of a small call that would be a tenth.
  RowsOfBlock<T> block;
  block.count = count;
  block.gamma = along.gamma;
  block.dgamma = along.dgamma;
  block.dbeta = along.dbeta;
  // All sums before any coefficient: the rows' chains of additions overlap.
  HWY_ALIGN double sum_g[kRowBlock * kWide];
  HWY_ALIGN double sum_gx[kRowBlock * kWide];
  HWY_ALIGN double mean[kRowBlock];
  HWY_ALIGN double rstd[kRowBlock];
  const bool sums = !task.constant_statistics && task.dx != nullptr;
  for (int64_t r = sums ? count : 0; r < kRowBlock; ++r) {
    hn::Store(hn::Zero(D64()), D64(), sum_g + r * kWide);
    hn::Store(hn::Zero(D64()), D64(), sum_gx + r * kWide);
  }
  for (int64_t r = count; r < kRowBlock; ++r) mean[r] = rstd[r] = 0;
  for (int64_t r = 0; r < count; ++r) {
    const int64_t number = row_of(task, first + r * period);
    block.dy[r] = task.dy + number * task.dy_at.b;
    block.x[r] = task.x + number * task.x_at.b;
    block.dx[r] = task.dx == nullptr ? nullptr : task.dx + number * task.dx_at.b;
    mean[r] = task.mean == nullptr ? 0 : task.mean[number];
    rstd[r] = task.rstd[number];
    if (!sums) continue;
    if (block.gamma == nullptr) {
      products_of<T, Weight::kOne>(block, r, I, mean[r]).registers(sum_g + r * kWide, sum_gx + r * kWide);
    } else {
      products_of<T, Weight::kAlong>(block, r, I, mean[r]).registers(sum_g + r * kWide, sum_gx + r * kWide);
    }
  }
  // gradient(), a register of rows at a time.
  const V64 n = hn::Set(D64(), static_cast<double>(I));
  for (int64_t r = 0; r < count; r += kWide) {
    const V64 center = hn::Load(D64(), mean + r);
    const V64 spread = hn::Load(D64(), rstd + r);
    const V64 rest = hn::Sub(center, store_rounded(center, block.shift + r));
    const V64 g = sums_of_registers(sum_g + r * kWide);
    const V64 gx = hn::Sub(sums_of_registers(sum_gx + r * kWide), hn::Mul(rest, g));
    const V64 slope = hn::Mul(spread, hn::Div(hn::Mul(spread, gx), n));
    const V64 mean_g = task.nest.centred ? hn::Div(g, n) : hn::Zero(D64());
    store_rounded(hn::Sub(mean_g, hn::Mul(rest, slope)), block.mean_g + r);
    store_rounded(slope, block.slope + r);
    store_rounded(spread, block.scale + r);
    store_rounded(hn::Neg(hn::Mul(rest, spread)), block.offset + r);
  }
  if (task.dx == nullptr) {
    block_rows<T, false>(block, I);
  } else if (stream) {
    if (along.dgamma != nullptr || along.dbeta != nullptr) block_rows<T, false>(block, I);
    // Row by row, while memory fetches the next block: where rows are whole pages, a load waits for the streaming
    // stores to the same place in another row.
    for (int64_t r = 0; r < count; ++r) {
      const Where at{block.dy[r] - task.dy, block.x[r] - task.x, block.dx[r] - task.dx};
      const Gradient<T> to{block.shift[r], block.mean_g[r], block.slope[r], block.scale[r]};
      if (along.gamma == nullptr) {
        write_dx_any<T, Weight::kOne>(task, at, 0, along.gamma, I, to, ahead);
      } else {
        write_dx_any<T, Weight::kAlong>(task, at, 0, along.gamma, I, to, ahead);
      }
    }
  } else {
    block_rows<T, true>(block, I);
  }
}

// Rows `first`, first + period and so on, before `last`.
template <class T>
HWY_NOINLINE void backward_row_blocks(const RowsBackward<T>& task, const AlongRow<T>& along, int64_t first,
                                      int64_t last, int64_t period) {
  const int64_t rows = row_block(task.nest.I);
  const bool aligned = reinterpret_cast<std::uintptr_t>(task.dx) % 64 == 0 &&
                       static_cast<std::uint64_t>(task.dx_at.b) * sizeof(T) % 64 == 0;
  for (int64_t s = first; s < last; s += rows * period) {
    const int64_t left = (last - s + period - 1) / period;
    const int64_t count = left < rows ? left : rows;
    const int64_t ahead = s + rows * period < last && task.rows == nullptr ? rows * period * task.x_at.b : 0;
    backward_row_block(task, along, s, count, period, task.stream && aligned, ahead);
  }
}

// The first row of every class, of rows that share their gammas.
struct Range {
  int64_t first;
  int64_t last;
};
template <class T>
HWY_INLINE Range classes_of(const RowsBackward<T>& task, int64_t first, int64_t last, int64_t period) {
  const int64_t end = first + (task.class_last == 0 ? period : task.class_last);
  return {first + task.class_first, end < last ? end : last};
}

// The classes' rows before `last`, of short pieces (of at most kShortPiece = 2 kLanes elements): each piece's gamma is
// spread over its elements, and what they add up to is added up again piece by piece. Of all rows that share them
// before the next ones: all that is spread stays in L1 or near it.
template <class T>
HWY_NOINLINE void backward_spread_rows(const RowsBackward<T>& task, Range classes, int64_t last, int64_t period) {
  const Nest& nest = task.nest;
  const IndexMap& map = nest.affine_i;
  static_assert(kShortPiece <= 2 * kLanes);
  HWY_ALIGN Compute<T> gamma[kLongestSpread];
  HWY_ALIGN double dgamma[kLongestSpread];
  HWY_ALIGN double dbeta[kLongestSpread];
  const AlongRow<T> along{task.gamma == nullptr ? nullptr : gamma, task.dgamma == nullptr ? nullptr : dgamma,
                          task.dbeta == nullptr ? nullptr : dbeta};
  const auto for_spread = [&](auto body) NORMA_LAMBDA {
    int64_t number = 0;
    for (int64_t i = 0; i < nest.I; i += map.div) {
      body(i, number);
      number = number + 1 == map.mod ? 0 : number + 1;
    }
  };
  const auto gather = [&](const double* sums, double* to, int64_t base) NORMA_LAMBDA {
    for_spread([&](int64_t i, int64_t number) NORMA_LAMBDA {
      // By lanes, as every sum: at most two elements of a piece to one.
      Lanes lanes;
      for_parts([&](auto part) NORMA_LAMBDA {
        constexpr int64_t q = decltype(part)::value * kWide;
        lanes.part[part] =
            hn::Add(load_part(sums + i + q, map.div - q), load_part(sums + i + kLanes + q, map.div - kLanes - q));
      });
      to[base + number] += sum_of(lanes);
    });
  };
  for (int64_t row = classes.first; row < classes.last; ++row) {
    const int64_t base = nest.affine_b(row);
    if (along.gamma != nullptr) {
      for_spread([&](int64_t i, int64_t number)
                     NORMA_LAMBDA { std::fill_n(gamma + i, map.div, task.gamma[base + number]); });
    }
    if (along.dgamma != nullptr) std::fill_n(dgamma, nest.I, 0.0);
    if (along.dbeta != nullptr) std::fill_n(dbeta, nest.I, 0.0);
    backward_row_blocks(task, along, row, last, period);
    if (along.dgamma != nullptr) gather(dgamma, task.dgamma, base);
    if (along.dbeta != nullptr) gather(dbeta, task.dbeta, base);
  }
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_ROW_BLOCKS_INL_H
