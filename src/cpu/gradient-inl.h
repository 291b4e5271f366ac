// What a row's gradient is made of: the sums of g and of g * (x - mean), and the coefficients of dx. Included once per
// instruction set.
#if defined(NORMA_CPU_GRADIENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_GRADIENT_INL_H
#undef NORMA_CPU_GRADIENT_INL_H
#else
#define NORMA_CPU_GRADIENT_INL_H
#endif

#include "cpu/kernels.h"
#include "cpu/pairwise.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// How gamma meets dy on a piece.
enum class Weight { kOne, kSame, kAlong };

// What dx needs: dx = ((g - mean_g) - (x - shift) * slope) * scale.
template <class T>
struct Gradient {
  using C = Compute<T>;
  C shift;
  C mean_g;
  C slope;
  C scale;
};

// sum_g and sum_gx are over g and g * (x - mean); both 0 for constant statistics.
template <class T>
HWY_INLINE Gradient<T> gradient(double mean, double rstd, double sum_g, double sum_gx, double n, double weight) {
  using C = Compute<T>;
  const C shift = static_cast<C>(mean);
  const double slope = rstd * rstd * sum_gx / n;
  const double rest = mean - static_cast<double>(shift);
  return {shift, static_cast<C>(sum_g / n - rest * slope), static_cast<C>(slope), static_cast<C>(rstd * weight)};
}

using SumTree = Pairwise<Sums, add_sums>;

// Sums of g and of g * (x - shift), shift = mean rounded to Compute<T>. In f64, lane by lane; of f32 four products at a
// time are added in f32 first, which costs a unit or two of each four and saves most of the widening. Four equal g's
// add up exactly.
template <class T, Weight kWeight>
class Products {
  using C = Compute<T>;

 public:
  HWY_INLINE void start(double mean, const C* gamma) {
    shift_ = hn::Set(D(), static_cast<C>(mean));
    gamma_ = gamma;
    rest_ = mean - static_cast<double>(static_cast<C>(mean));
    clear(g_);
    clear(gx_);
    if constexpr (kWeight == Weight::kSame) same_ = hn::Set(D(), *gamma);
  }

  HWY_INLINE void add(const T* dy, const T* x, int64_t n) {
    constexpr int64_t kFour = std::is_same_v<T, double> ? kLanes : 4 * kLanes;
    int64_t i = 0;
    for (; i + kFour <= n; i += kFour) {
      for_parts<kLanes / kVector<T>>([&](auto part) NORMA_LAMBDA {
        constexpr int64_t q = decltype(part)::value * kVector<T>;
        if constexpr (std::is_same_v<T, double>) {
          one(dy, x, gamma_, i + q, q);
        } else {
          four(dy, x, i + q, q);
        }
      });
    }
    for (; i + kLanes <= n; i += kLanes) {
      for_parts<kLanes / kVector<T>>([&](auto part) NORMA_LAMBDA {
        constexpr int64_t q = decltype(part)::value * kVector<T>;
        one(dy, x, gamma_, i + q, q);
      });
    }
    if (i < n) last(dy + i, x + i, i, n - i);
  }

  // A register of each sum, to be added up by sums_of_registers; gx is then still about the rounded mean.
  HWY_INLINE void registers(double* g, double* gx) const {
    hn::Store(to_register(g_), D64(), g);
    hn::Store(to_register(gx_), D64(), gx);
  }

  HWY_INLINE Sums sums() const {
    const double g = sum_of(g_);
    return {g, sum_of(gx_) - rest_ * g};
  }

 private:
  using D = Registers<T>;
  using V = hn::Vec<D>;

  HWY_INLINE V weighted(const T* dy, const C* gamma, int64_t at) const {
    const V v = load_vector(D(), dy + at);
    if constexpr (kWeight == Weight::kSame) return hn::Mul(v, same_);
    if constexpr (kWeight == Weight::kAlong) return hn::Mul(v, hn::LoadU(D(), gamma + at));
    return v;
  }
  HWY_INLINE void accumulate(V g, V gx, int64_t lane) {
    add_widened<T>(g_, lane, g);
    add_widened<T>(gx_, lane, gx);
  }
  HWY_INLINE void one(const T* dy, const T* x, const C* gamma, int64_t at, int64_t lane) {
    const V g = weighted(dy, gamma, at);
    accumulate(g, hn::Mul(g, hn::Sub(load_vector(D(), x + at), shift_)), lane);
  }
  HWY_INLINE void four(const T* dy, const T* x, int64_t at, int64_t lane) {
    const V g0 = weighted(dy, gamma_, at);
    const V g1 = weighted(dy, gamma_, at + kLanes);
    const V g2 = weighted(dy, gamma_, at + 2 * kLanes);
    const V g3 = weighted(dy, gamma_, at + 3 * kLanes);
    V p = hn::Mul(g0, hn::Sub(load_vector(D(), x + at), shift_));
    V q = hn::Mul(g1, hn::Sub(load_vector(D(), x + at + kLanes), shift_));
    p = hn::MulAdd(g2, hn::Sub(load_vector(D(), x + at + 2 * kLanes), shift_), p);
    q = hn::MulAdd(g3, hn::Sub(load_vector(D(), x + at + 3 * kLanes), shift_), q);
    accumulate(hn::Add(hn::Add(g0, g1), hn::Add(g2, g3)), hn::Add(p, q), lane);
  }
  // The last `count` < kLanes elements. Lanes past the end: g = 0.
  HWY_INLINE void last(const T* dy, const T* x, int64_t done, int64_t count) {
    const V zero = hn::Zero(D());
    for (int64_t q = 0; q < count; q += kVector<T>) {
      const int64_t lanes = count - q < kVector<T> ? count - q : kVector<T>;
      V g = load_tail(D(), dy + q, lanes, zero);
      if constexpr (kWeight == Weight::kSame) g = hn::Mul(g, same_);
      if constexpr (kWeight == Weight::kAlong) g = hn::Mul(g, load_tail(D(), gamma_ + done + q, lanes, zero));
      const V d = hn::Sub(load_tail(D(), x + q, lanes, shift_), shift_);
      accumulate(g, hn::Mul(g, d), q);
    }
  }

  V shift_;
  V same_;
  const C* gamma_;
  double rest_;
  Lanes g_;
  Lanes gx_;
};

template <class T, Weight kWeight>
HWY_INLINE Sums piece_sums(const T* dy, const T* x, const Compute<T>* gamma, int64_t n, double mean) {
  Products<T, kWeight> products;
  products.start(mean, gamma);
  products.add(dy, x, n);
  return products.sums();
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_GRADIENT_INL_H
