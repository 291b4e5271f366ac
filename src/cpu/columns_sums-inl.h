// The gradient sums of one block of rows, where every lane owns a column: of g and of g * (x - mean). Included once per
// instruction set.
#if defined(NORMA_CPU_COLUMNS_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_COLUMNS_SUMS_INL_H
#undef NORMA_CPU_COLUMNS_SUMS_INL_H
#else
#define NORMA_CPU_COLUMNS_SUMS_INL_H
#endif

#include "cpu/kernels.h"
#include "cpu/narrow-inl.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// Up to four rows of one register of columns: f32 terms are added in pairs of pairs before they are widened.
template <class T, bool kGamma, class Load>
HWY_INLINE void add_four(const ColumnsBackward<T>& task, int64_t o, int64_t rows, bool sets, int64_t k, int64_t count,
                         double* sum_g, double* sum_gx, Load load) {
  const Registers<T> d;
  const auto shift = load(task.mean_narrow + k);
  const auto g_of = [&](int64_t row) NORMA_LAMBDA {
    const auto g = load(task.dy + row * task.dy_pitch + k);
    if constexpr (!kGamma) return g;
    return hn::Mul(g, hn::Set(d, task.gamma_o[task.affine_o(row)]));
  };
  const auto v_of = [&](int64_t row) NORMA_LAMBDA { return hn::Sub(load(task.x + row * task.x_pitch + k), shift); };
  auto g = g_of(o);
  auto gx = hn::Mul(g, v_of(o));
  if (rows > 1) {
    const auto next = g_of(o + 1);
    g = hn::Add(g, next);
    gx = hn::MulAdd(next, v_of(o + 1), gx);
  }
  if (rows > 2) {
    auto pair = g_of(o + 2);
    auto pair_x = hn::Mul(pair, v_of(o + 2));
    if (rows > 3) {
      const auto next = g_of(o + 3);
      pair = hn::Add(pair, next);
      pair_x = hn::MulAdd(next, v_of(o + 3), pair_x);
    }
    g = hn::Add(g, pair);
    gx = hn::Add(gx, pair_x);
  }
  add_register<T>(g, sets, sum_g + k, count);
  add_register<T>(gx, sets, sum_gx + k, count);
}

template <class T, bool kGamma, bool kFar>
HWY_NOINLINE void sums_of(const ColumnsBackward<T>& task, int64_t first, int64_t last, double* sum_g, double* sum_gx) {
  const Registers<T> d;
  const int64_t whole = task.width / kVector<T> * kVector<T>;
  const int64_t ahead = first + rows_ahead<T>(task.width, 4);
  Ahead<T> next_dy(task.dy, ahead * task.dy_pitch, task.dy_pitch, task.width);
  Ahead<T> next_x(task.x, ahead * task.x_pitch, task.x_pitch, task.width);
  for (int64_t o = first; o < last; o += 4) {
    const int64_t rows = last - o < 4 ? last - o : 4;
    const auto load = [&](const auto* p) NORMA_LAMBDA { return load_vector(d, p); };
    for (int64_t k = 0; k < whole; k += kVector<T>) {
      if constexpr (kFar) {
        next_dy.template fetch<4 * kVector<T>>();
        next_x.template fetch<4 * kVector<T>>();
      }
      add_four<T, kGamma>(task, o, rows, o == first, k, kVector<T>, sum_g, sum_gx, load);
    }
    if (whole < task.width) {
      const int64_t left = task.width - whole;
      const auto load_last = [&](const auto* p) NORMA_LAMBDA { return load_tail(d, p, left, hn::Zero(d)); };
      add_four<T, kGamma>(task, o, rows, o == first, whole, left, sum_g, sum_gx, load_last);
    }
  }
}

// The same sums of a narrow tensor, whose rows lie one directly after the other.
template <class T>
HWY_NOINLINE void sums_narrow(const ColumnsBackward<T>& task, int64_t first, int64_t last, double* sum_g,
                              double* sum_gx) {
  const int64_t width = task.width * kFold;
  const int64_t rows = (last - first) / kFold;
  const int64_t rest = (last - first) % kFold * task.width;
  HWY_ALIGN Compute<T> mean[kFoldedMost];
  HWY_ALIGN double g[kFoldedMost];
  HWY_ALIGN double gx[kFoldedMost];
  fold(task.mean_narrow, task.width, kFold, mean);
  ColumnsBackward<T> folded = task;
  folded.dy += first * task.width;
  folded.x += first * task.width;
  folded.dy_pitch = folded.x_pitch = folded.width = width;
  folded.mean_narrow = mean;
  if (rows == 0) {
    for (int64_t i = 0; i < width; ++i) g[i] = gx[i] = 0.0;
  } else if (task.far) {
    sums_of<T, false, true>(folded, 0, rows, g, gx);
  } else {
    sums_of<T, false, false>(folded, 0, rows, g, gx);
  }
  if (rest > 0) {
    HWY_ALIGN double more_g[kFoldedMost];
    HWY_ALIGN double more_gx[kFoldedMost];
    folded.width = rest;
    sums_of<T, false, false>(folded, rows, rows + 1, more_g, more_gx);
    add_all(more_g, rest, g);
    add_all(more_gx, rest, gx);
  }
  unfold_sums(g, task.width, sum_g);
  unfold_sums(gx, task.width, sum_gx);
}

template <class T>
HWY_NOINLINE void sums_packed(const ColumnsBackward<T>& task, int64_t first, int64_t last, double* sum_g,
                              double* sum_gx) {
  T dy[kColumnBlock * kFold];
  T x[kColumnBlock * kFold];
  pack_rows(task.dy + first * task.dy_pitch, task.dy_pitch, last - first, task.width, dy);
  pack_rows(task.x + first * task.x_pitch, task.x_pitch, last - first, task.width, x);
  ColumnsBackward<T> packed = task;
  packed.dy = dy;
  packed.x = x;
  packed.far = false;
  sums_narrow(packed, 0, last - first, sum_g, sum_gx);
}

template <class T, bool kGamma>
HWY_INLINE void sums_as(const ColumnsBackward<T>& task, int64_t first, int64_t last, double* sum_g, double* sum_gx) {
  if (task.far) {
    sums_of<T, kGamma, true>(task, first, last, sum_g, sum_gx);
  } else {
    sums_of<T, kGamma, false>(task, first, last, sum_g, sum_gx);
  }
}

template <class T>
void columns_sums(const ColumnsBackward<T>& task, int64_t first, int64_t last, double* sum_g, double* sum_gx) noexcept {
  if (task.gamma_o != nullptr) {
    sums_as<T, true>(task, first, last, sum_g, sum_gx);
  } else if (!task.narrow) {
    sums_as<T, false>(task, first, last, sum_g, sum_gx);
  } else if (task.dy_pitch == task.width && task.x_pitch == task.width) {
    sums_narrow(task, first, last, sum_g, sum_gx);
  } else {
    sums_packed(task, first, last, sum_g, sum_gx);
  }
  // From x - shift to x - mean.
  if (std::is_same_v<T, double> || task.mean_wide == nullptr) return;
  for (int64_t k = 0; k < task.width; ++k) {
    sum_gx[k] -= (task.mean_wide[k] - static_cast<double>(task.mean_narrow[k])) * sum_g[k];
  }
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_COLUMNS_SUMS_INL_H
