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
  // rstd squared may be no number of f64's.
  const double slope = rstd * (rstd * sum_gx / n);
  const double rest = mean - static_cast<double>(shift);
  return {shift, static_cast<C>(sum_g / n - rest * slope), static_cast<C>(slope), static_cast<C>(rstd * weight)};
}

using SumTree = Pairwise<Sums, add_sums>;

// Sums of g and of g * (x - shift), shift = mean rounded to Compute<T>. In f64, lane by lane; of f32 four products at a
// time are added in f32 first, which costs a unit or two of each four and saves most of the widening. Four equal g's
// add up exactly.
// Of kWeight kOne or kAlong.
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
  }

  HWY_INLINE void add(const T* dy, const T* x, int64_t n) {
    constexpr int64_t kStep = std::is_same_v<T, double> ? kLanes : 4 * kLanes;
    int64_t i = 0;
    for (; i + kStep <= n; i += kStep) {
      for_parts<kLanes / kVector<T>>([&](auto part) NORMA_LAMBDA {
        constexpr int64_t q = decltype(part)::value * kVector<T>;
        step(dy + i, x + i, i, q, [](int64_t) NORMA_LAMBDA { return kVector<T>; });
      });
    }
    if (i == n) return;
    const int64_t left = n - i;
    // By constants: an index that is none would put the sums in memory.
    for_parts<kLanes / kVector<T>>([&](auto part) NORMA_LAMBDA {
      constexpr int64_t q = decltype(part)::value * kVector<T>;
      if (q >= left) return;
      step(dy + i, x + i, i, q, [&](int64_t at) NORMA_LAMBDA { return left - at; });
    });
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

  // The register of g at dy + at, and of x - shift, of whose elements `left` are there, if any; the others count as
  // zeros. `done`: elements before dy, of gamma's.
  struct Pair {
    V g, d;
  };
  HWY_INLINE Pair pair(const T* dy, const T* x, int64_t done, int64_t at, int64_t left) const {
    const V zero = hn::Zero(D());
    V g;
    V d;
    V w = zero;
    if (left >= kVector<T>) {
      g = load_vector(D(), dy + at);
      d = hn::Sub(load_vector(D(), x + at), shift_);
      if constexpr (kWeight == Weight::kAlong) w = hn::LoadU(D(), gamma_ + done + at);
    } else if (left > 0) {
      g = load_tail(D(), dy + at, left, zero);
      d = hn::Sub(load_tail(D(), x + at, left, shift_), shift_);
      if constexpr (kWeight == Weight::kAlong) w = load_tail(D(), gamma_ + done + at, left, zero);
    } else {
      return {zero, zero};
    }
    if constexpr (kWeight == Weight::kAlong) g = hn::Mul(g, w);
    return {g, d};
  }
  // Four registers kLanes apart, or one of f64, into the lanes from q on; left(at): elements from dy + at on.
  template <class Left>
  HWY_INLINE void step(const T* dy, const T* x, int64_t done, int64_t q, const Left& left) {
    const Pair a = pair(dy, x, done, q, left(q));
    if constexpr (std::is_same_v<T, double>) {
      add_widened<T>(g_, q, a.g);
      add_widened<T>(gx_, q, hn::Mul(a.g, a.d));
    } else {
      const Pair b = pair(dy, x, done, q + kLanes, left(q + kLanes));
      const Pair c = pair(dy, x, done, q + 2 * kLanes, left(q + 2 * kLanes));
      const Pair e = pair(dy, x, done, q + 3 * kLanes, left(q + 3 * kLanes));
      const V even = hn::MulAdd(c.g, c.d, hn::Mul(a.g, a.d));
      const V odd = hn::MulAdd(e.g, e.d, hn::Mul(b.g, b.d));
      add_widened<T>(g_, q, hn::Add(hn::Add(a.g, b.g), hn::Add(c.g, e.g)));
      add_widened<T>(gx_, q, hn::Add(even, odd));
    }
  }

  V shift_;
  const C* gamma_;
  double rest_;
  Lanes g_;
  Lanes gx_;
};

template <class T, Weight kWeight>
HWY_NOINLINE Sums piece_sums(const T* dy, const T* x, const Compute<T>* gamma, int64_t n, double mean) {
  Products<T, kWeight> products;
  products.start(mean, gamma);
  products.add(dy, x, n);
  return products.sums();
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_GRADIENT_INL_H
