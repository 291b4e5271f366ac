// dx of a piece of a statistic, from the coefficients of gradient-inl.h. Included once per instruction set.
#if defined(NORMA_CPU_WRITE_DX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_WRITE_DX_INL_H
#undef NORMA_CPU_WRITE_DX_INL_H
#else
#define NORMA_CPU_WRITE_DX_INL_H
#endif

#include "cpu/activation-inl.h"
#include "cpu/gradient-inl.h"
#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// `ahead` and `follow` as in apply_piece.
template <class T, Weight kWeight, bool kStreaming, bool kAhead, class F = Plain>
HWY_INLINE void write_dx(const T* dy, const T* x, const Compute<T>* gamma, T* dx, int64_t n, const Gradient<T>& to,
                         int64_t ahead, const F& follow = {}) {
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
    const auto v = finish(load_tail(d, dy + i, count, zero), load_tail(d, x + i, count, zero), w);
    store_tail(follow.tail(d, v, i, count), d, dx + i, count);
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
    store_vector<kStreaming>(follow(d, finish(load_vector(d, dy + i), load_vector(d, x + i), w), i), d, dx + i);
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

// Out of line: inlined wherever it is called it is a third of what there is to compile.
template <class T, Weight kWeight>
HWY_NOINLINE void write_dx_any(const RowsBackward<T>& task, const Where& at, int64_t i, const Compute<T>* gamma,
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

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_WRITE_DX_INL_H
