// y = gamma * xhat + beta on a contiguous piece, xhat = (x - shift) * scale + offset. Included once per instruction
// set.
//
// The mean is a Compute<T> and a remainder, shift + low, so that x - mean loses nothing however far the mean is:
// x - shift is exact where it matters, and offset = -low * rstd carries the rest.
#if defined(NORMA_CPU_APPLY_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_APPLY_INL_H
#undef NORMA_CPU_APPLY_INL_H
#else
#define NORMA_CPU_APPLY_INL_H
#endif

#include "cpu/activation-inl.h"
#include "cpu/kernels.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

template <class T>
struct Affine {
  using C = Compute<T>;
  C shift;
  C scale;
  C offset;
};

// With a gamma and beta of the whole piece folded in.
template <class T>
HWY_INLINE Affine<T> coefficients(double mean, double low, double rstd, double gamma, double beta) {
  using C = Compute<T>;
  const C shift = static_cast<C>(mean);
  const double rest = (mean - static_cast<double>(shift)) + low;
  const double scale = rstd * gamma;
  return {shift, static_cast<C>(scale), static_cast<C>(beta - rest * scale)};
}

// gamma, beta: per element, or null (and then not looked at). `follow`: what is done to y before it is stored. `ahead`:
// elements from x to what will be read after it, 0 if that is in cache.
template <class T, bool kGamma, bool kBeta, bool kStreaming, bool kAhead, class F>
HWY_INLINE void apply_piece_here(const T* x, T* y, std::int64_t n, const Affine<T>& affine, const Compute<T>* gamma,
                                 const Compute<T>* beta, std::int64_t ahead, const F& follow) {
  const Registers<T> d;
  const auto shift = hn::Set(d, affine.shift);
  const auto scale = hn::Set(d, affine.scale);
  const auto offset = hn::Set(d, affine.offset);
  const auto finish = [&](hn::Vec<decltype(d)> v, hn::Vec<decltype(d)> g, hn::Vec<decltype(d)> b) NORMA_LAMBDA {
    v = hn::MulAdd(hn::Sub(v, shift), scale, offset);
    if constexpr (kGamma && kBeta) return hn::MulAdd(v, g, b);
    if constexpr (kGamma) return hn::Mul(v, g);
    if constexpr (kBeta) return hn::Add(v, b);
    return v;
  };
  const auto partial = [&](std::int64_t i, std::int64_t count) NORMA_LAMBDA {
    const auto zero = hn::Zero(d);
    auto g = zero;
    auto b = zero;
    if constexpr (kGamma) g = load_tail(d, gamma + i, count, zero);
    if constexpr (kBeta) b = load_tail(d, beta + i, count, zero);
    const auto v = finish(load_tail(d, x + i, count, zero), g, b);
    store_tail(follow.tail(d, v, i, count), d, y + i, count);
  };
  std::int64_t i = 0;
  if constexpr (kStreaming) {
    i = head_of(y, n);
    if (i > 0) partial(0, i);
  }
  for (; i + kVector<T> <= n; i += kVector<T>) {
    auto g = hn::Zero(d);
    auto b = g;
    if constexpr (kAhead) fetch_ahead(x + i, ahead);
    if constexpr (kGamma) g = hn::LoadU(d, gamma + i);
    if constexpr (kBeta) b = hn::LoadU(d, beta + i);
    store_vector<kStreaming>(follow(d, finish(load_vector(d, x + i), g, b), i), d, y + i);
  }
  if (i < n) partial(i, n - i);
}

// Not a copy at every call: there is much to follow.
template <class T, bool kGamma, bool kBeta, bool kStreaming, bool kAhead, class F>
HWY_NOINLINE void apply_piece_apart(const T* x, T* y, std::int64_t n, const Affine<T>& affine, const Compute<T>* gamma,
                                    const Compute<T>* beta, std::int64_t ahead, const F& follow) {
  apply_piece_here<T, kGamma, kBeta, kStreaming, kAhead>(x, y, n, affine, gamma, beta, ahead, follow);
}

template <class T, bool kGamma, bool kBeta, bool kStreaming, bool kAhead = kStreaming, class F>
HWY_INLINE void apply_piece(const T* x, T* y, std::int64_t n, const Affine<T>& affine, const Compute<T>* gamma,
                            const Compute<T>* beta, std::int64_t ahead, const F& follow) {
  if constexpr (std::is_same_v<F, Plain>) {
    apply_piece_here<T, kGamma, kBeta, kStreaming, kAhead>(x, y, n, affine, gamma, beta, ahead, follow);
  } else {
    apply_piece_apart<T, kGamma, kBeta, kStreaming, kAhead>(x, y, n, affine, gamma, beta, ahead, follow);
  }
}

template <class T, bool kStreaming, bool kAhead = kStreaming, class F>
HWY_INLINE void apply_any(const T* x, T* y, std::int64_t n, const Affine<T>& affine, const Compute<T>* gamma,
                          const Compute<T>* beta, std::int64_t ahead, const F& follow) {
  if (gamma != nullptr && beta != nullptr) {
    apply_piece<T, true, true, kStreaming, kAhead>(x, y, n, affine, gamma, beta, ahead, follow);
  } else if (gamma != nullptr) {
    apply_piece<T, true, false, kStreaming, kAhead>(x, y, n, affine, gamma, beta, ahead, follow);
  } else if (beta != nullptr) {
    apply_piece<T, false, true, kStreaming, kAhead>(x, y, n, affine, gamma, beta, ahead, follow);
  } else {
    apply_piece<T, false, false, kStreaming, kAhead>(x, y, n, affine, gamma, beta, ahead, follow);
  }
}

// Cuts a segment of I elements where gamma changes: piece(first, length, number) with gamma's number at `first`, which
// counts on along the piece if `along`, and is the same for all of it otherwise.
template <class Piece>
HWY_INLINE void for_pieces(const Nest& nest, std::int64_t base, Piece piece) {
  const IndexMap& map = nest.affine_i;
  if (map.stride == 0) {
    piece(std::int64_t{0}, nest.I, base, false);
  } else if (map.div == 1) {
    for (std::int64_t i = 0; i < nest.I; i += map.mod) piece(i, map.mod, base, true);
  } else {
    std::int64_t number = 0;
    for (std::int64_t i = 0; i < nest.I; i += map.div) {
      piece(i, map.div, base + number, false);
      number = number + 1 == map.mod ? 0 : number + 1;
    }
  }
}

// Does one gamma serve the whole statistic?
HWY_INLINE bool one_gamma(const Nest& nest) {
  return nest.affine_o.stride == 0 && nest.affine_i.stride == 0;
}

// A statistic's segments lie K*I apart; short ones are taken kMostSlab neighbouring statistics at a time, so that
// memory is read in pieces of a few KiB. `tensors`: how many the slab's share of L2 holds.
inline constexpr std::int64_t kMostSlab = 16;

HWY_INLINE std::int64_t slab_of(const Nest& nest, std::size_t element_bytes, std::int64_t tensors) {
  constexpr std::int64_t kPieceBytes = 4096;
  constexpr std::int64_t kCacheBytes = 512 << 10;
  if (nest.O == 1 || nest.K == 1 || nest.O * nest.K * nest.I <= kNearElements) return 1;
  const std::int64_t segment = nest.I * static_cast<std::int64_t>(element_bytes);
  const std::int64_t wanted = (kPieceBytes + segment - 1) / segment;
  const std::int64_t fits = kCacheBytes / (segment * nest.O * tensors);
  const std::int64_t slab = wanted < fits ? wanted : fits;
  return slab < 1 ? 1 : slab > kMostSlab ? kMostSlab : slab;
}

// Cuts the statistics [first, last) in slabs that stay within one b: body(b, k, width, is it the last?).
template <class Body>
HWY_INLINE void for_slabs(const Nest& nest, std::int64_t first, std::int64_t last, std::int64_t slab, Body body) {
  for (std::int64_t s = first; s < last;) {
    const std::int64_t k = s % nest.K;
    std::int64_t width = nest.K - k < slab ? nest.K - k : slab;
    width = last - s < width ? last - s : width;
    body(s / nest.K, k, width, s + width == last);
    s += width;
  }
}

// Elements from a slab of `width` statistics at k to the slab after it, if a call is beyond the core's caches and two
// slabs fit them; otherwise 0. `element_bytes`: of all tensors that are read.
HWY_INLINE std::int64_t next_slab(const Nest& nest, const Pitch& at, std::size_t element_bytes, std::int64_t k,
                                  std::int64_t width) {
  constexpr std::int64_t kMostBytes = 256 << 10;
  const auto bytes = static_cast<std::int64_t>(element_bytes);
  if (nest.B * nest.O * nest.K * nest.I * bytes <= 2 * kMostBytes) return 0;
  if (nest.O * width * nest.I * bytes > kMostBytes) return 0;
  return k + width < nest.K ? width * at.k : at.b - k * at.k;
}

HWY_INLINE std::int64_t affine_base(const Nest& nest, std::int64_t b, std::int64_t o, std::int64_t k) {
  return nest.affine_b(b) + nest.affine_o(o) + nest.affine_k(k);
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_APPLY_INL_H
