// Elements that count or do not, a bit each: as a mask of lanes, and what counts packed side by side. Included once per
// instruction set.
#if defined(NORMA_CPU_VALID_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_VALID_INL_H
#undef NORMA_CPU_VALID_INL_H
#else
#define NORMA_CPU_VALID_INL_H
#endif

#include <bit>
#include <cstring>

#include "cpu/kernels.h"
#include "cpu/set_bits.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// The lanes of D whose low bits are set.
template <class D>
HWY_INLINE hn::Mask<D> lanes_of(D d, std::uint32_t bits) {
  std::uint8_t bytes[8] = {};  // Highway may read so many
  const std::uint64_t wide = bits;
  std::memcpy(bytes, &wide, sizeof(bytes));
  return hn::LoadMaskBits(d, bytes);
}

// The 32 bits from bit i on.
HWY_INLINE std::uint32_t bits_at(const std::uint64_t* words, std::int64_t i) {
  const auto bit = static_cast<std::uint64_t>(i);
  std::uint64_t bits = 0;
  std::memcpy(&bits, reinterpret_cast<const char*>(words) + bit / 8, sizeof(bits));
  return static_cast<std::uint32_t>(bits >> (bit % 8));
}

// What follows a normalized register: zeros where nothing counts.
struct Valid {
  const std::uint64_t* words;
  std::int64_t first;  // the piece's first bit

  HWY_INLINE Valid at(std::int64_t i) const { return {words, first + i}; }
  template <class D>
  HWY_INLINE hn::Vec<D> operator()(D d, hn::Vec<D> v, std::int64_t i) const {
    return hn::IfThenElseZero(lanes_of(d, bits_at(words, first + i)), v);
  }
  template <class D>
  HWY_INLINE hn::Vec<D> tail(D d, hn::Vec<D> v, std::int64_t i, std::int64_t /*count*/) const {
    return (*this)(d, v, i);
  }
};

// v's lanes that have a bit side by side, from the first on; what is in the lanes behind does not matter. Highway's own
// function copies its table to the stack in every call (1.0.3, GCC 12).
template <class D>
HWY_INLINE hn::Vec<D> compress(D d, hn::Vec<D> v, std::uint32_t bits) {
#if HWY_TARGET == HWY_SCALAR
  (void)d;
  (void)bits;
  return v;
#else
  constexpr std::uint32_t kLast = static_cast<std::uint32_t>(hn::MaxLanes(D())) - 1;
  if constexpr (kLast > 7) {
    return hn::Compress(v, lanes_of(d, bits));
  } else {
    const hn::RebindToUnsigned<D> u;
    using U = hn::TFromD<decltype(u)>;
    const auto shifts = hn::Mul(hn::Iota(u, 0), hn::Set(u, U{4}));
    const auto lanes = hn::And(hn::Shr(hn::Set(u, kSetBits[bits]), shifts), hn::Set(u, U{kLast}));
    return hn::TableLookupLanes(v, hn::IndicesFromVec(d, lanes));
  }
#endif
}

// The valid ones of x's n elements, `to` and a register beyond being there; how many they are. Bit i of `words` is x's
// first.
template <class T>
HWY_INLINE std::int64_t pack_valid(const T* x, const std::uint64_t* words, std::int64_t i, std::int64_t n, T* to) {
  const Registers<T> d;
  constexpr std::uint32_t kAll = (std::uint32_t{1} << kVector<T>)-1;
  constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t kTogether = 32;
  T* const start = to;
  std::int64_t at = 0;
  for (; at + kTogether <= n; at += kTogether) {
    for (std::int64_t q = 0; q < kTogether; q += kLine) {
      fetch_ahead(x + at + q, kAheadBytes / static_cast<std::int64_t>(sizeof(T)));
    }
    std::uint32_t bits = bits_at(words, i + at);
    // Masks are made of long runs, as a rule.
    if (bits == 0) continue;
    if (bits == ~std::uint32_t{0}) {
      std::memcpy(to, x + at, kTogether * sizeof(T));
      to += kTogether;
      continue;
    }
    for (std::int64_t q = 0; q < kTogether; q += kVector<T>) {
      const std::uint32_t here = bits & kAll;
      store_vector<false>(compress(d, load_vector(d, x + at + q), here), d, to);
      to += std::popcount(here);
      bits >>= kVector<T>;
    }
  }
  std::uint32_t bits = bits_at(words, i + at);
  for (; at < n; at += kVector<T>) {
    const std::int64_t left = n - at;
    const auto v = left >= kVector<T> ? load_vector(d, x + at) : load_tail(d, x + at, left, hn::Zero(d));
    const std::uint32_t here = bits & (left >= kVector<T> ? kAll : (std::uint32_t{1} << left) - 1);
    store_vector<false>(compress(d, v, here), d, to);
    to += std::popcount(here);
    bits >>= kVector<T>;
  }
  return to - start;
}

// What a block packs to, with the register beyond.
template <class T>
inline constexpr std::int64_t kPackedBlock = kBlock + kVector<T>;

// The pixels of `valid` side by side: where they are, if they are, or in the buffer.
template <class T>
HWY_INLINE const T* packed(const T* x, std::int64_t pitch, const ValidBlock& valid, T* buffer) {
  const auto [plane, pixel] = valid.first;
  if (plane == valid.last.plane && valid.last.pixel - pixel == valid.count) return x + plane * pitch + pixel;
  T* to = buffer;
  for (std::int64_t p = plane; p <= valid.last.plane; ++p) {
    const std::int64_t first = p == plane ? pixel : 0;
    const std::int64_t end = p == valid.last.plane ? valid.last.pixel : valid.pixels;
    if (first < end) to += pack_valid(x + p * pitch + first, valid.words + p * valid.step, first, end - first, to);
  }
  return buffer;
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_VALID_INL_H
