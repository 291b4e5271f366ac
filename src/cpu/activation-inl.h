// Activations on a register, and what follows a normalized register before it is stored. Included once per instruction
// set.
#if defined(NORMA_CPU_ACTIVATION_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_ACTIVATION_INL_H
#undef NORMA_CPU_ACTIVATION_INL_H
#else
#define NORMA_CPU_ACTIVATION_INL_H
#endif

#include <hwy/contrib/math/math-inl.h>

#include <cmath>

#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// sigmoid(v) and 1 - sigmoid(v), each to its own last places: the difference would lose the second where it is small.
// Of exp(-|v|), which does not overflow and is 0 far out, where the one is 1 and the other 0.
template <class D>
struct SigmoidAndRest {
  hn::Vec<D> sigmoid, rest;
};
template <class D>
HWY_INLINE SigmoidAndRest<D> sigmoid_and_rest(D d, hn::Vec<D> v) {
  const auto one = hn::Set(d, 1);
  const auto power = hn::Exp(d, hn::Neg(hn::Abs(v)));
  const auto large = hn::Div(one, hn::Add(one, power));
  const auto small = hn::Mul(power, large);
  const auto negative = hn::Lt(v, hn::Zero(d));
  return {hn::IfThenElse(negative, small, large), hn::IfThenElse(negative, large, small)};
}

template <class D>
HWY_INLINE hn::Vec<D> sigmoid(D d, hn::Vec<D> v) {
  return sigmoid_and_rest(d, v).sigmoid;
}

// Phi(v), the normal distribution. In f32 erfc's Chebyshev fit of Press et al., Numerical Recipes 6.2. The fit itself
// is good to 1.2e-7 of the value; evaluated in f32, the exponent's rounding makes the relative error grow as about v^2
// 2^-24 (1e-6 at -5, 8e-6 at -13), of a value that is next to nothing there. In f64 the C library's, lane by lane.
template <class D>
HWY_INLINE hn::Vec<D> normal_distribution(D d, hn::Vec<D> v) {
  using C = hn::TFromD<D>;
  if constexpr (std::is_same_v<C, double>) {
    HWY_ALIGN double lane[hn::MaxLanes(D())];
    hn::Store(v, d, lane);
    for (double& value : lane) value = 0.5 * std::erfc(-value * 0.70710678118654752440);
    return hn::Load(d, lane);
  } else {
    const auto one = hn::Set(d, 1.0F);
    const auto z = hn::Mul(hn::Abs(v), hn::Set(d, 0.70710678118654752440F));
    const auto t = hn::Div(one, hn::MulAdd(z, hn::Set(d, 0.5F), one));
    constexpr float kFit[] = {0.17087277F,  -0.82215223F, 1.48851587F, -1.13520398F, 0.27886807F,
                              -0.18628806F, 0.09678418F,  0.37409196F, 1.00002368F,  -1.26551223F};
    auto p = hn::Set(d, kFit[0]);
    for (std::size_t n = 1; n < 10; ++n) p = hn::MulAdd(p, t, hn::Set(d, kFit[n]));
    const auto tail = hn::Mul(hn::Mul(t, hn::Set(d, 0.5F)), hn::Exp(d, hn::NegMulAdd(z, z, p)));
    return hn::IfThenElse(hn::Lt(v, hn::Zero(d)), tail, hn::Sub(one, tail));
  }
}

inline constexpr double kTanhScale = 1.5957691216057307117597842;  // 2 sqrt(2/pi)
inline constexpr double kTanhCube = 0.044715;
// A v^2 beyond which tanh is 1 in f64 too, to the last place of 1 - tanh.
inline constexpr double kTanhFlat = 1024;

// 2 sqrt(2/pi) (v + 0.044715 v^3): tanh(u) = 2 sigmoid(2u) - 1.
template <class D>
HWY_INLINE hn::Vec<D> tanh_argument(D d, hn::Vec<D> v) {
  using C = hn::TFromD<D>;
  const auto square = hn::Mul(v, v);
  return hn::Mul(hn::Mul(v, hn::Set(d, static_cast<C>(kTanhScale))),
                 hn::MulAdd(square, hn::Set(d, static_cast<C>(kTanhCube)), hn::Set(d, C{1})));
}

// The smooth ones out of line: a hundred copies of Exp would stand in the sweeps.
template <class C>
HWY_NOINLINE hn::Vec<hn::ScalableTag<C>> activate_smooth(hn::Vec<hn::ScalableTag<C>> v, Activation activation) {
  const hn::ScalableTag<C> d;
  if (activation == Activation::kGelu) return hn::Mul(v, normal_distribution(d, v));
  return hn::Mul(v, sigmoid(d, activation == Activation::kSilu ? v : tanh_argument(d, v)));
}

template <class C>
HWY_NOINLINE hn::Vec<hn::ScalableTag<C>> slope_smooth(hn::Vec<hn::ScalableTag<C>> v, Activation activation) {
  const hn::ScalableTag<C> d;
  const auto one = hn::Set(d, C{1});
  if (activation == Activation::kGelu) {
    const auto density = hn::Mul(hn::Exp(d, hn::Mul(hn::Mul(v, v), hn::Set(d, C{-0.5}))),
                                 hn::Set(d, static_cast<C>(0.39894228040143267794)));
    return hn::MulAdd(v, density, normal_distribution(d, v));
  }
  if (activation == Activation::kSilu) {
    const auto [s, rest] = sigmoid_and_rest(d, v);
    return hn::Mul(s, hn::MulAdd(v, rest, one));
  }
  const auto [s, rest] = sigmoid_and_rest(d, tanh_argument(d, v));
  // Far out s or rest is 0, and must not meet an infinity.
  const auto square = hn::Min(hn::Mul(v, v), hn::Set(d, static_cast<C>(kTanhFlat)));
  const auto inner = hn::Mul(hn::MulAdd(square, hn::Set(d, static_cast<C>(3 * kTanhCube)), one),
                             hn::Set(d, static_cast<C>(kTanhScale)));
  return hn::MulAdd(hn::Mul(hn::Mul(v, s), rest), inner, s);
}

template <class D>
HWY_INLINE hn::Vec<D> activate(D d, hn::Vec<D> v, Activation activation) {
  if (activation == Activation::kNone) return v;
  // NaN stays NaN.
  if (activation == Activation::kRelu) return hn::IfThenElse(hn::Le(v, hn::Zero(d)), hn::Zero(d), v);
  return activate_smooth<hn::TFromD<D>>(v, activation);
}

// v's slope times dy.
template <class D>
HWY_INLINE hn::Vec<D> gate_by_slope(D d, hn::Vec<D> dy, hn::Vec<D> v, Activation activation) {
  if (activation == Activation::kNone) return dy;
  if (activation == Activation::kRelu) return hn::IfThenElse(hn::Le(v, hn::Zero(d)), hn::Zero(d), dy);
  return hn::Mul(dy, slope_smooth<hn::TFromD<D>>(v, activation));
}

// Nothing follows.
struct Plain {
  HWY_INLINE Plain at(std::int64_t /*i*/) const { return {}; }
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D /*d*/, hn::Vec<D> v, std::int64_t /*i*/) const {
    return v;
  }
  template <class D>
  HWY_INLINE hn::Vec<D> tail(D /*d*/, hn::Vec<D> v, std::int64_t /*i*/, std::int64_t /*count*/) const {
    return v;
  }
};

// activation(v + after), or dy * activation'(v + after). Pointers are to the piece's first element.
template <class T>
struct Follow {
  const T* after;
  const T* dy;
  Activation activation;

  HWY_INLINE Follow at(std::int64_t i) const {
    return {after == nullptr ? after : after + i, dy == nullptr ? dy : dy + i, activation};
  }
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, hn::Vec<D> v, std::int64_t i) const {
    if (after != nullptr) v = hn::Add(v, load_vector(d, after + i));
    return dy == nullptr ? activate(d, v, activation) : gate_by_slope(d, load_vector(d, dy + i), v, activation);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> tail(D d, hn::Vec<D> v, std::int64_t i, std::int64_t count) const {
    const auto zero = hn::Zero(d);
    if (after != nullptr) v = hn::Add(v, load_tail(d, after + i, count, zero));
    return dy == nullptr ? activate(d, v, activation)
                         : gate_by_slope(d, load_tail(d, dy + i, count, zero), v, activation);
  }
};

// to = a + b.
template <class T>
HWY_INLINE void add_piece(const T* a, const T* b, T* to, std::int64_t n) {
  const Registers<T> d;
  std::int64_t i = 0;
  for (; i + kVector<T> <= n; i += kVector<T>) {
    store_vector<false>(hn::Add(load_vector(d, a + i), load_vector(d, b + i)), d, to + i);
  }
  if (i == n) return;
  const auto zero = hn::Zero(d);
  store_tail(hn::Add(load_tail(d, a + i, n - i, zero), load_tail(d, b + i, n - i, zero)), d, to + i, n - i);
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_ACTIVATION_INL_H
