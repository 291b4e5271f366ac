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

#include "cpu/apply-inl.h"
#include "cpu/gradient-inl.h"
#include "cpu/moments-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

template <class T, Weight kWeight, bool kStreaming>
HWY_INLINE void write_dx(const T* dy, const T* x, const Compute<T>* gamma, T* dx, int64_t n, const Gradient<T>& to) {
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
    store_vector<kStreaming>(finish(load_vector(d, dy + i), load_vector(d, x + i), w), d, dx + i);
  }
  if (i < n) partial(i, n - i);
}

template <class T, Weight kWeight>
HWY_INLINE void write_dx_any(const RowsBackward<T>& task, int64_t at, const Compute<T>* gamma, int64_t n,
                             const Gradient<T>& to) {
  if (task.stream) {
    write_dx<T, kWeight, true>(task.dy + at, task.x + at, gamma, task.dx + at, n, to);
  } else {
    write_dx<T, kWeight, false>(task.dy + at, task.x + at, gamma, task.dx + at, n, to);
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

// One gamma for the whole statistic, or none; `width` neighbouring statistics from (b, k).
template <class T>
HWY_INLINE void backward_same(const RowsBackward<T>& task, int64_t b, int64_t k, int64_t width) {
  const Nest& nest = task.nest;
  const int64_t origin = b * nest.O * nest.K * nest.I + k * nest.I;
  const int64_t pitch = nest.K * nest.I;
  const double* rstd = task.rstd + b * nest.K + k;
  double mean[kMostSlab];
  for (int64_t j = 0; j < width; ++j) mean[j] = task.mean == nullptr ? 0.0 : task.mean[b * nest.K + k + j];
  SumTree trees[kMostSlab];
  if (!task.constant_statistics || task.dgamma != nullptr || task.dbeta != nullptr) {
    for_blocks(nest.O, nest.I, [&](int64_t o, int64_t i, int64_t segments, int64_t n) NORMA_LAMBDA {
      if (width == 1) {
        // On its own, the sums stay in registers.
        Products<T, Weight::kOne> product;
        product.start(mean[0], task.gamma);
        for (int64_t at = origin + o * pitch + i; segments > 0; --segments, at += pitch) {
          product.add(task.dy + at, task.x + at, n);
        }
        trees[0].push(product.sums());
        return;
      }
      Products<T, Weight::kOne> products[kMostSlab];
      for (int64_t j = 0; j < width; ++j) products[j].start(mean[j], task.gamma);
      for (int64_t segment = 0; segment < segments; ++segment) {
        const int64_t at = origin + (o + segment) * pitch + i;
        for (int64_t j = 0; j < width; ++j) {
          if (nest.O * pitch > kNearElements) {
            prefetch(task.dy + at + 2 * pitch + j * nest.I, n);
            prefetch(task.x + at + 2 * pitch + j * nest.I, n);
          }
          products[j].add(task.dy + at + j * nest.I, task.x + at + j * nest.I, n);
        }
      }
      for (int64_t j = 0; j < width; ++j) trees[j].push(products[j].sums());
    });
  }
  Gradient<T> to[kMostSlab];
  for (int64_t j = 0; j < width; ++j) {
    const int64_t number = affine_base(nest, b, 0, k + j);
    Sums sums = trees[j].total();
    if (task.dgamma != nullptr) task.dgamma[number] += sums.gx * rstd[j];
    if (task.dbeta != nullptr) task.dbeta[number] += sums.g;
    if (task.constant_statistics) sums = {};
    const double weight = task.gamma == nullptr ? 1.0 : static_cast<double>(task.gamma[number]);
    to[j] = gradient<T>(mean[j], rstd[j], nest.centred ? sums.g : 0.0, sums.gx, static_cast<double>(nest.O * nest.I),
                        weight);
  }
  if (task.dx == nullptr) return;
  // Backwards: what was read last is still in cache.
  for (int64_t o = nest.O; o-- > 0;) {
    for (int64_t j = 0; j < width; ++j) {
      write_dx_any<T, Weight::kOne>(task, origin + o * pitch + j * nest.I, task.gamma, nest.I, to[j]);
    }
  }
}

// gamma changes within the statistic.
template <class T>
HWY_INLINE void backward_pieces(const RowsBackward<T>& task, int64_t b, int64_t k, double mean, double rstd) {
  const Nest& nest = task.nest;
  const int64_t origin = b * nest.O * nest.K * nest.I + k * nest.I;
  const int64_t pitch = nest.K * nest.I;
  SumTree tree;
  for (int64_t o = 0; o < nest.O; ++o) {
    const int64_t segment = origin + o * pitch;
    // Without a gamma nothing cuts the segment, so its sums do not depend on who asks for dgamma or in what pieces.
    if (task.gamma == nullptr) {
      tree.push(piece_sums<T, Weight::kOne>(task.dy + segment, task.x + segment, task.gamma, nest.I, mean));
      if (task.dgamma == nullptr && task.dbeta == nullptr) continue;
    }
    for_pieces(nest, affine_base(nest, b, o, k), [&](int64_t i, int64_t n, int64_t number, bool along) NORMA_LAMBDA {
      const int64_t at = segment + i;
      if (along) {
        if (task.gamma != nullptr) {
          tree.push(piece_sums<T, Weight::kAlong>(task.dy + at, task.x + at, task.gamma + number, n, mean));
        }
        add_along(task.dy + at, task.x + at, n, mean, rstd, task.dgamma == nullptr ? nullptr : task.dgamma + number,
                  task.dbeta == nullptr ? nullptr : task.dbeta + number);
      } else {
        const Sums piece = piece_sums<T, Weight::kOne>(task.dy + at, task.x + at, task.gamma, n, mean);
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
      const int64_t at = origin + o * pitch + i;
      if (task.gamma == nullptr) {
        write_dx_any<T, Weight::kOne>(task, at, task.gamma, n, to);
      } else if (along) {
        write_dx_any<T, Weight::kAlong>(task, at, task.gamma + number, n, to);
      } else {
        write_dx_any<T, Weight::kSame>(task, at, task.gamma + number, n, to);
      }
    });
  }
}

inline constexpr int64_t kRowBlock = 8;

// Adds a register of T's to f64 sums in memory.
template <class T, class V>
HWY_INLINE void add_to(V v, double* sums, int64_t count) {
  if (count == kVector<T>) {
    Lanes wide;
    clear(wide);
    add_widened<T>(wide, 0, v);
    for (int64_t p = 0; p * kWide < kVector<T>; ++p) {
      double* const to = sums + p * kWide;
      hn::StoreU(hn::Add(hn::LoadU(D64(), to), wide.part[p]), D64(), to);
    }
    return;
  }
  HWY_ALIGN Compute<T> value[kVector<T>];
  hn::Store(v, Registers<T>(), value);
  for (int64_t i = 0; i < count; ++i) sums[i] += static_cast<double>(value[i]);
}

// Rows [first, first + count), count <= kRowBlock, with gamma (if any) along the row.
template <class T, bool kStreaming>
HWY_INLINE void backward_row_block(const RowsBackward<T>& task, int64_t first, int64_t count) {
  const int64_t I = task.nest.I;
  const Registers<T> d;
  const Compute<T>* gamma = task.gamma == nullptr ? nullptr : task.gamma + task.nest.affine_b(first);
  Gradient<T> to[kRowBlock];
  Compute<T> offset[kRowBlock];  // xhat = (x - shift) * rstd + offset
  Compute<T> rstd[kRowBlock];
  // All sums before any coefficient: the rows' chains of additions overlap.
  Sums sums[kRowBlock] = {};
  if (!task.constant_statistics && task.dx != nullptr) {
    for (int64_t r = 0; r < count; ++r) {
      const T* dy = task.dy + (first + r) * I;
      const T* x = task.x + (first + r) * I;
      const double mean = task.mean == nullptr ? 0.0 : task.mean[first + r];
      sums[r] = gamma == nullptr ? piece_sums<T, Weight::kOne>(dy, x, gamma, I, mean)
                                 : piece_sums<T, Weight::kAlong>(dy, x, gamma, I, mean);
    }
  }
  for (int64_t r = 0; r < count; ++r) {
    const double mean = task.mean == nullptr ? 0.0 : task.mean[first + r];
    const double inverse = task.rstd[first + r];
    to[r] = gradient<T>(mean, inverse, task.nest.centred ? sums[r].g : 0.0, sums[r].gx, static_cast<double>(I), 1.0);
    rstd[r] = static_cast<Compute<T>>(inverse);
    offset[r] = static_cast<Compute<T>>(-(mean - static_cast<double>(to[r].shift)) * inverse);
  }
  // Copies: a store to dx might alias the task's own fields.
  const T* const dy = task.dy + first * I;
  const T* const x = task.x + first * I;
  T* const dx = task.dx == nullptr ? nullptr : task.dx + first * I;
  double* const dgamma = task.dgamma == nullptr ? nullptr : task.dgamma + task.nest.affine_b(first);
  double* const dbeta = task.dbeta == nullptr ? nullptr : task.dbeta + task.nest.affine_b(first);
  // kCount registers of columns; four together give each row's memory a burst of its own.
  const auto tile = [&]<int64_t kCount>(std::integral_constant<int64_t, kCount>, int64_t i, auto load, auto store,
                                        int64_t lanes) NORMA_LAMBDA {
    hn::Vec<decltype(d)> sum_gx[kCount];
    hn::Vec<decltype(d)> sum_g[kCount];
    hn::Vec<decltype(d)> weight[kCount];
    for (int64_t c = 0; c < kCount; ++c) {
      sum_gx[c] = sum_g[c] = hn::Zero(d);
      weight[c] = gamma == nullptr ? hn::Set(d, Compute<T>{1}) : load(gamma + i + c * kVector<T>);
    }
    for (int64_t r = 0; r < count; ++r) {
      const auto shift = hn::Set(d, to[r].shift);
      for (int64_t c = 0; c < kCount; ++c) {
        const int64_t at = r * I + i + c * kVector<T>;
        const auto g = load(dy + at);
        const auto v = hn::Sub(load(x + at), shift);
        sum_gx[c] = hn::MulAdd(g, hn::MulAdd(v, hn::Set(d, rstd[r]), hn::Set(d, offset[r])), sum_gx[c]);
        sum_g[c] = hn::Add(sum_g[c], g);
        if (dx != nullptr) {
          const auto u = hn::Sub(hn::Mul(g, weight[c]), hn::Set(d, to[r].mean_g));
          store(hn::Mul(hn::NegMulAdd(v, hn::Set(d, to[r].slope), u), hn::Set(d, to[r].scale)), dx + at);
        }
      }
    }
    for (int64_t c = 0; c < kCount; ++c) {
      if (dgamma != nullptr) add_to<T>(sum_gx[c], dgamma + i + c * kVector<T>, lanes);
      if (dbeta != nullptr) add_to<T>(sum_g[c], dbeta + i + c * kVector<T>, lanes);
    }
  };
  constexpr std::integral_constant<int64_t, 1> kOne;
  constexpr std::integral_constant<int64_t, 4> kFour;
  const auto load = [&](const auto* p) NORMA_LAMBDA { return load_vector(d, p); };
  const auto store = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_vector<kStreaming>(v, d, p); };
  int64_t i = 0;
  for (; i + 4 * kVector<T> <= I; i += 4 * kVector<T>) tile(kFour, i, load, store, kVector<T>);
  for (; i + kVector<T> <= I; i += kVector<T>) tile(kOne, i, load, store, kVector<T>);
  if (i < I) {
    const int64_t left = I - i;
    const auto load_last = [&](const auto* p) NORMA_LAMBDA { return load_tail(d, p, left, hn::Zero(d)); };
    const auto store_last = [&](hn::Vec<decltype(d)> v, T* p) NORMA_LAMBDA { store_tail(v, d, p, left); };
    tile(kOne, i, load_last, store_last, left);
  }
}

template <class T>
void rows_backward(const RowsBackward<T>& task, int64_t first, int64_t last) noexcept {
  const Nest& nest = task.nest;
  const IndexMap& along = nest.affine_i;
  const bool contiguous_rows = nest.O == 1 && nest.K == 1 && nest.affine_b.stride == 0;
  if (contiguous_rows && along.stride != 0 && along.div == 1 && along.mod == nest.I) {
    // A row's two tensors stay in L2 from the sums to dx.
    constexpr int64_t kBlockElements = 32768;
    int64_t rows = kBlockElements / nest.I;
    rows = rows < 1 ? 1 : rows > kRowBlock ? kRowBlock : rows;
    const bool aligned =
        reinterpret_cast<std::uintptr_t>(task.dx) % 64 == 0 && static_cast<std::uint64_t>(nest.I) * sizeof(T) % 64 == 0;
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
              [&](int64_t b, int64_t k, int64_t width) NORMA_LAMBDA { backward_same(task, b, k, width); });
    return;
  }
  for (int64_t s = first; s < last; ++s) {
    const double mean = task.mean == nullptr ? 0.0 : task.mean[s];
    backward_pieces(task, s / nest.K, s % nest.K, mean, task.rstd[s]);
  }
}

template <class T>
void fill_rows_backward(RowKernels<T>& table) {
  table.backward = rows_backward<T>;
}
template void fill_rows_backward(RowKernels<NORMA_STORAGE>&);

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
