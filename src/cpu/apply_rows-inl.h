// y of whole statistics, in the row kernels' loop nest. Included once per instruction set.
#if defined(NORMA_CPU_APPLY_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_APPLY_ROWS_INL_H
#undef NORMA_CPU_APPLY_ROWS_INL_H
#else
#define NORMA_CPU_APPLY_ROWS_INL_H
#endif

#include "cpu/apply-inl.h"
#include "cpu/kernels.h"
#include "cpu/valid-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// The row of statistic s, where a statistic is a row.
template <class Task>
HWY_INLINE int64_t row_of(const Task& task, int64_t s) {
  return task.rows == nullptr ? s : task.rows[s];
}

// F is Plain, Valid or Follow<T>.
template <class F, class T>
HWY_INLINE F follow_of(const RowsForward<T>& task, int64_t b, int64_t o, int64_t k) {
  if constexpr (std::is_same_v<F, Plain>) {
    return {};
  } else if constexpr (std::is_same_v<F, Valid>) {
    return {task.valid.segment(b, o, k), 0};
  } else {
    const Fused<T>& fused = task.fused;
    return {fused.after == nullptr ? nullptr : fused.after + fused.after_at.at(b, o, k),
            fused.dy == nullptr ? nullptr : fused.dy + fused.dy_at.at(b, o, k), fused.activation};
  }
}

// The segment that is normalized: x's, or x + before, which is added up into `sum` here unless that was done before
// (`again`).
template <class T, class F>
HWY_INLINE const T* add_before(const RowsForward<T>& task, int64_t b, int64_t o, int64_t k, bool again) {
  const T* const x = task.x + task.x_at.at(b, o, k);
  if constexpr (std::is_same_v<F, Follow<T>>) {
    const Fused<T>& fused = task.fused;
    if (fused.before != nullptr) {
      T* const sum = fused.sum + fused.sum_at.at(b, o, k);
      if (!again) add_piece(x, fused.before + fused.before_at.at(b, o, k), sum, task.nest.I);
      return sum;
    }
  }
  return x;
}

// Where the segments lie that are normalized, once they are added up.
template <class T>
struct Source {
  const T* x;
  Pitch at;
};

template <class F, class T>
HWY_INLINE Source<T> source_of(const RowsForward<T>& task) {
  if constexpr (std::is_same_v<F, Follow<T>>) {
    if (task.fused.before != nullptr) return {task.fused.sum, task.fused.sum_at};
  }
  return {task.x, task.x_at};
}

// x + before of `width` neighbouring statistics, where there is a before.
template <class F, class T>
HWY_INLINE void add_all_before(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width) {
  if constexpr (std::is_same_v<F, Follow<T>>) {
    if (task.fused.before == nullptr) return;
    for (int64_t o = 0; o < task.nest.O; ++o) {
      for (int64_t j = 0; j < width; ++j) add_before<T, F>(task, b, o, k + j, false);
    }
  }
}

// y of one statistic; `ahead` as in apply_piece, `again` as in add_before. Out of line, as much here is: a copy at
// every call doubles what there is to compile.
template <class T, bool kStreaming, class F>
HWY_NOINLINE void apply_statistic(const RowsForward<T>& task, int64_t b, int64_t k, double mean, double low,
                                  double rstd, bool again, int64_t ahead) {
  const Nest& nest = task.nest;
  const bool affine = task.gamma != nullptr || task.beta != nullptr;
  const Affine<T> plain = coefficients<T>(mean, low, rstd, 1.0, 0.0);
  for (int64_t o = 0; o < nest.O; ++o) {
    const T* const x = add_before<T, F>(task, b, o, k, again);
    T* const y = task.y + task.y_at.at(b, o, k);
    const F follow = follow_of<F>(task, b, o, k);
    if (!affine) {
      apply_piece<T, false, false, kStreaming>(x, y, nest.I, plain, nullptr, nullptr, ahead, follow);
      continue;
    }
    for_pieces(nest, affine_base(nest, b, o, k), [&](int64_t i, int64_t n, int64_t number, bool along) NORMA_LAMBDA {
      const Compute<T>* gamma = task.gamma == nullptr ? nullptr : task.gamma + number;
      const Compute<T>* beta = task.beta == nullptr ? nullptr : task.beta + number;
      if (along) {
        apply_any<T, kStreaming>(x + i, y + i, n, plain, gamma, beta, ahead, follow.at(i));
      } else {
        const Affine<T> folded =
            coefficients<T>(mean, low, rstd, gamma == nullptr ? 1.0 : *gamma, beta == nullptr ? 0.0 : *beta);
        apply_piece<T, false, false, kStreaming>(x + i, y + i, n, folded, nullptr, nullptr, ahead, follow.at(i));
      }
    });
  }
}

template <class T, class F>
HWY_INLINE void apply_statistic_any(const RowsForward<T>& task, int64_t b, int64_t k, double mean, double low,
                                    double rstd, bool again, int64_t ahead) {
  if (task.stream) {
    apply_statistic<T, true, F>(task, b, k, mean, low, rstd, again, ahead);
  } else {
    apply_statistic<T, false, F>(task, b, k, mean, low, rstd, again, ahead);
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
template <class T, bool kStreaming, bool kAhead, class F>
HWY_NOINLINE void apply_slab(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, Segments segments,
                             int64_t ahead, const Affine<T>* to) {
  const Nest& nest = task.nest;
  const int64_t count = segments.last - segments.first;
  for (int64_t step = 0; step < count; ++step) {
    const int64_t o = segments.again ? segments.last - 1 - step : segments.first + step;
    for (int64_t j = 0; j < width; ++j) {
      apply_piece<T, false, false, kStreaming, kAhead>(add_before<T, F>(task, b, o, k + j, segments.again),
                                                       task.y + task.y_at.at(b, o, k + j), nest.I, to[j], nullptr,
                                                       nullptr, ahead, follow_of<F>(task, b, o, k + j));
    }
  }
}

template <class T, class F>
HWY_INLINE void apply_slab_any(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, Segments segments,
                               int64_t ahead, const Affine<T>* to) {
  if (task.stream) {
    apply_slab<T, true, true, F>(task, b, k, width, segments, ahead, to);
  } else if (ahead != 0) {
    apply_slab<T, false, true, F>(task, b, k, width, segments, ahead, to);
  } else {
    apply_slab<T, false, false, F>(task, b, k, width, segments, 0, to);
  }
}

template <class T>
HWY_INLINE Affine<T> slab_coefficients(const RowsForward<T>& task, int64_t b, int64_t k, double mean, double low,
                                       double rstd) {
  const int64_t number = affine_base(task.nest, b, 0, k);
  return coefficients<T>(mean, low, rstd, task.gamma == nullptr ? 1.0 : static_cast<double>(task.gamma[number]),
                         task.beta == nullptr ? 0.0 : static_cast<double>(task.beta[number]));
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_APPLY_ROWS_INL_H
