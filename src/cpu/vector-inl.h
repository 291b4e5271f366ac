// Loads, tails and the virtual lanes that all kernels share. Included once per instruction set.
//
// Virtual lanes. A sum runs in kLanes = 16 lanes of f64 on every instruction set (as 2, 4, 8 or 16 registers), element
// i of a segment goes to lane i % 16, and the lanes are added in one fixed tree. So the order of a reduction depends on
// the sizes alone, and every instruction set with FMA gives the same bits, and so do those without, among themselves.
#if defined(NORMA_CPU_VECTOR_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_VECTOR_INL_H
#undef NORMA_CPU_VECTOR_INL_H
#else
#define NORMA_CPU_VECTOR_INL_H
#endif

#include <hwy/cache_control.h>
#include <hwy/highway.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "cpu/kernels.h"
#include "cpu/short-inl.h"

// A lambda's body is compiled for the instruction set around it, and always inline: out of line it would hand
// vectors over through memory.
#ifndef NORMA_LAMBDA
#define NORMA_LAMBDA HWY_ATTR __attribute__((always_inline))
#endif

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D64 = hn::ScalableTag<double>;
using V64 = hn::Vec<D64>;
// The floats that widen to one register of f64.
using Narrow = hn::Rebind<float, D64>;

inline constexpr std::int64_t kLanes = 16;
inline constexpr std::int64_t kWide = static_cast<std::int64_t>(HWY_LANES(double));  // lanes of one f64 register
inline constexpr std::int64_t kParts = kLanes / kWide;
// The registers that elements of T are computed in.
template <class T>
using Registers = hn::ScalableTag<Compute<T>>;
// Elements of T that fill one.
template <class T>
inline constexpr std::int64_t kVector = static_cast<std::int64_t>(HWY_LANES(Compute<T>));

// T's as the registers of D hold them, from p.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_vector(D d, const T* p) {
  if constexpr (kShort<T>) {
    return widen_short<T>(d, hn::LoadU(Bits16<D>(), bits_of(p)));
  } else {
    return hn::LoadU(d, p);
  }
}

template <class T>
HWY_INLINE V64 load_wide(const T* p) {
  if constexpr (std::is_same_v<T, double>) {
    return hn::LoadU(D64(), p);
  } else {
    return hn::PromoteTo(D64(), load_vector(Narrow(), p));
  }
}

// The first `count` < lanes elements of p as they lie; the lanes beyond are `fill`. Reads nothing beyond.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_first(D d, const T* p, std::int64_t count, hn::Vec<D> fill) {
  // AVX2 has no masked load of 16-bit elements, and Highway's in its place reads all.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  if constexpr (HWY_TARGET == HWY_AVX3 || sizeof(T) >= 4) {
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(count));
    return hn::IfThenElse(mask, hn::MaskedLoad(mask, d, p), fill);
  }
#endif
  HWY_ALIGN T buffer[hn::MaxLanes(D())];
  hn::Store(fill, d, buffer);
  std::memcpy(buffer, p, static_cast<std::size_t>(count) * sizeof(T));
  return hn::Load(d, buffer);
}

template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store_first(hn::Vec<D> v, D d, T* p, std::int64_t count) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  if constexpr (HWY_TARGET == HWY_AVX3 || sizeof(T) >= 4) {
    hn::BlendedStore(v, hn::FirstN(d, static_cast<std::size_t>(count)), d, p);
    return;
  }
#endif
  HWY_ALIGN T buffer[hn::MaxLanes(D())];
  hn::Store(v, d, buffer);
  std::memcpy(p, buffer, static_cast<std::size_t>(count) * sizeof(T));
}

// As load_vector, with `count` < lanes elements from memory and `fill` beyond.
template <class D, class T>
HWY_INLINE hn::Vec<D> load_tail(D d, const T* p, std::int64_t count, hn::Vec<D> fill) {
  if constexpr (kShort<T>) {
    const Bits16<D> bits;
    const auto v = widen_short<T>(d, load_first(bits, bits_of(p), count, hn::Zero(bits)));
    return hn::IfThenElse(hn::FirstN(d, static_cast<std::size_t>(count)), v, fill);
  } else {
    return load_first(d, p, count, fill);
  }
}

template <class D, class T>
HWY_INLINE void store_tail(hn::Vec<D> v, D d, T* p, std::int64_t count) {
  if constexpr (kShort<T>) {
    store_first(narrow_short<T>(d, v), Bits16<D>(), bits_of(p), count);
  } else {
    store_first(v, d, p, count);
  }
}

// As load_wide, with `count` (possibly <= 0) of the lanes from memory and `fill` beyond.
template <class T>
HWY_INLINE V64 load_wide_tail(const T* p, std::int64_t count, V64 fill) {
  if (count >= kWide) return load_wide(p);
  if (count <= 0) return fill;
  if constexpr (std::is_same_v<T, double>) {
    return load_tail(D64(), p, count, fill);
  } else {
    const Narrow d;
    const V64 v = hn::PromoteTo(D64(), load_tail(d, p, count, hn::Zero(d)));
    return hn::IfThenElse(hn::FirstN(D64(), static_cast<std::size_t>(count)), v, fill);
  }
}

// Sixteen f64 lanes.
struct Lanes {
  V64 part[kParts];
};

// body(p) for p from 0 to kCount - 1, each a constant: only then does GCC hold an array of registers in registers.
template <std::int64_t kCount = kParts, std::int64_t kFirst = 0, class Body>
HWY_INLINE void for_parts(const Body& body) {
  if constexpr (kFirst < kCount) {
    body(std::integral_constant<std::int64_t, kFirst>());
    for_parts<kCount, kFirst + 1>(body);
  }
}

HWY_INLINE void clear(Lanes& lanes) {
  for_parts([&](auto p) NORMA_LAMBDA { lanes.part[p] = hn::Zero(D64()); });
}

// lanes += a register of T's, widened; `at`: the register's first lane.
template <class T>
HWY_INLINE void add_widened(Lanes& lanes, std::int64_t at, hn::Vec<Registers<T>> v) {
  const std::int64_t p = at / kWide;
  if constexpr (std::is_same_v<T, double>) {
    lanes.part[p] = hn::Add(lanes.part[p], v);
  } else {
#if HWY_TARGET == HWY_SCALAR
    lanes.part[p] = hn::Add(lanes.part[p], hn::PromoteTo(D64(), v));
#else
    const Narrow half;
    lanes.part[p] = hn::Add(lanes.part[p], hn::PromoteTo(D64(), hn::LowerHalf(half, v)));
    lanes.part[p + 1] = hn::Add(lanes.part[p + 1], hn::PromoteTo(D64(), hn::UpperHalf(half, v)));
#endif
  }
}

// `count` f64 lanes of p (others 0), and back; nothing where count is 0 or less.
HWY_INLINE V64 load_part(const double* p, int64_t count) {
  return load_wide_tail(p, count, hn::Zero(D64()));
}

HWY_INLINE void store_part(V64 v, double* p, int64_t count) {
  if (count >= kWide) {
    hn::StoreU(v, D64(), p);
  } else if (count > 0) {
    store_tail(v, D64(), p, count);
  }
}

// f64 as f32, infinite where it is too large: Highway 1.0.3's scalar DemoteTo stops at the largest finite f32.
HWY_INLINE hn::Vec<Narrow> demote(V64 v) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(Narrow(), static_cast<float>(hn::GetLane(v)));
#else
  return hn::DemoteTo(Narrow(), v);
#endif
}

// v as Compute<T> holds it, in f64.
template <class T>
HWY_INLINE V64 rounded(V64 v) {
  if constexpr (std::is_same_v<T, double>) {
    return v;
  } else {
    return hn::PromoteTo(D64(), demote(v));
  }
}

// The same as C's, f32 or f64.
template <class C>
HWY_INLINE void store_narrow(V64 v, C* p, int64_t count) {
  if constexpr (std::is_same_v<C, double>) {
    store_part(v, p, count);
  } else if (count >= kWide) {
    hn::StoreU(demote(v), Narrow(), p);
  } else if (count > 0) {
    store_tail(demote(v), Narrow(), p, count);
  }
}

// sums[0 .. count) (+)= v, widened.
template <class T>
HWY_INLINE void add_register(hn::Vec<Registers<T>> v, bool set, double* sums, int64_t count) {
  if (count == kVector<T>) {
    Lanes wide;
    clear(wide);
    add_widened<T>(wide, 0, v);
    for_parts<kVector<T> / kWide>([&](auto p) NORMA_LAMBDA {
      double* const to = sums + p * kWide;
      hn::StoreU(set ? wide.part[p] : hn::Add(hn::LoadU(D64(), to), wide.part[p]), D64(), to);
    });
    return;
  }
  HWY_ALIGN Compute<T> value[kVector<T>];
  hn::Store(v, Registers<T>(), value);
  for (int64_t i = 0; i < count; i += kWide) {
    V64 sum = load_wide(value + i);
    if (!set) sum = hn::Add(load_part(sums + i, count - i), sum);
    store_part(sum, sums + i, count - i);
  }
}

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE double sum_register(V64 v) {
  return hn::GetLane(v);
}
#else
template <class D>
HWY_INLINE double sum_halves(D /*d*/, hn::Vec<D> v) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    return hn::GetLane(v);
  } else {
    const hn::Half<D> half;
    return sum_halves(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}
HWY_INLINE double sum_register(V64 v) {
  return sum_halves(D64(), v);
}
#endif

// The fixed tree: lane j + lane j+8, then +4, +2, +1. First as far as one register.
template <std::int64_t kHalf = kParts / 2>
HWY_INLINE V64 to_register(Lanes lanes) {
  if constexpr (kHalf == 0) {
    return lanes.part[0];
  } else {
    for_parts<kHalf>([&](auto p) NORMA_LAMBDA { lanes.part[p] = hn::Add(lanes.part[p], lanes.part[p + kHalf]); });
    return to_register<kHalf / 2>(lanes);
  }
}
HWY_INLINE double sum_of(const Lanes& lanes) {
  return sum_register(to_register(lanes));
}

// sum_register of kWide registers that lie one after the other, together.
HWY_INLINE V64 sums_of_registers(const double* p) {
  const D64 d;
  const auto at = [&](std::int64_t r) NORMA_LAMBDA { return hn::Load(d, p + r * kWide); };
#if HWY_TARGET == HWY_SCALAR
  return at(0);
#else
  // Two rows' registers make one of half sums, and so on: every level adds the halves that sum_halves adds.
  const auto blocks = [&](V64 a, V64 b)
                          NORMA_LAMBDA { return hn::Add(hn::InterleaveLower(d, a, b), hn::InterleaveUpper(d, a, b)); };
  if constexpr (kWide == 2) {
    return blocks(at(0), at(1));
  } else {
    const auto halves = [&](std::int64_t r, std::int64_t s) NORMA_LAMBDA {
      return hn::Add(hn::ConcatLowerLower(d, at(s), at(r)), hn::ConcatUpperUpper(d, at(s), at(r)));
    };
    if constexpr (kWide == 4) {
      return blocks(halves(0, 2), halves(1, 3));
    } else {
      const auto quarters = [&](V64 a, V64 b) NORMA_LAMBDA {
        return hn::Add(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a),
                       hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)));
      };
      return blocks(quarters(halves(0, 4), halves(2, 6)), quarters(halves(1, 5), halves(3, 7)));
    }
  }
#endif
}

// Stores y as T's, past the caches if Streaming.
template <bool Streaming, class D, class T>
HWY_INLINE void store_vector(hn::Vec<D> v, D d, T* p) {
  if constexpr (kShort<T>) {
    const Bits16<D> bits;
    // Nothing streams less than 16 bytes.
    if constexpr (Streaming && hn::MaxLanes(bits) >= 8) {
      hn::Stream(narrow_short<T>(d, v), bits, bits_of(p));
    } else {
      hn::StoreU(narrow_short<T>(d, v), bits, bits_of(p));
    }
  } else if constexpr (Streaming) {
    hn::Stream(v, d, p);
  } else {
    hn::StoreU(v, d, p);
  }
}

// Streaming stores are not in order with what a thread stores afterwards, such as that it is done.
HWY_INLINE void finish_stores(bool streamed) {
  if (streamed) hwy::FlushStream();
}

// Tensors of so many elements are in L2 anyway.
inline constexpr std::int64_t kNearElements = 65536;

// Bytes of a row up to which four are swept together.
inline constexpr std::int64_t kShortRow = 1024;

// How far ahead of its use far memory is asked for: two such distances fit L1 beside the sums.
inline constexpr std::int64_t kAheadBytes = 8 << 10;

// The same in whole rows of a piece `width` wide, in multiples of `group`.
template <class T>
HWY_INLINE std::int64_t rows_ahead(std::int64_t width, std::int64_t group) {
  const std::int64_t rows = kAheadBytes / (width * static_cast<std::int64_t>(sizeof(T)));
  return rows < group ? group : rows / group * group;
}

// Elements, where long rows are swept one after another.
template <class T>
inline constexpr std::int64_t kAheadInOrder = 2 * kAheadBytes / static_cast<std::int64_t>(sizeof(T));

// A prefetch may run past the tensor's end: nothing is read.
template <class T>
HWY_INLINE void fetch_ahead(const T* p, std::int64_t distance) {
  const auto bytes = static_cast<std::uintptr_t>(distance) * sizeof(T);
  const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(p) + bytes;
  hwy::Prefetch(reinterpret_cast<const char*>(at));  // NOLINT(performance-no-int-to-ptr)
}

// Asks for n elements from p + distance on ahead of their use: no hardware prefetcher follows from one piece of memory
// to the next.
template <class T>
HWY_INLINE void prefetch(const T* p, std::int64_t distance, std::int64_t n) {
  constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(T));
  for (std::int64_t i = 0; i < n; i += kLine) fetch_ahead(p, distance + i);
}

// What a sweep over groups of rows will read, asked for in the order of memory: a sweep that takes several rows at once
// reads several places in turn, which neither the prefetchers nor the memory's open pages follow.
template <class T>
class Ahead {
 public:
  // From x + distance on, `width` of every `pitch` elements.
  HWY_INLINE Ahead(const T* x, std::int64_t distance, std::int64_t pitch, std::int64_t width)
      : at_(reinterpret_cast<std::uintptr_t>(x) + static_cast<std::uintptr_t>(distance) * sizeof(T)),
        skip_((pitch - width) * static_cast<std::int64_t>(sizeof(T))),
        row_(width * static_cast<std::int64_t>(sizeof(T))),
        left_(row_) {}

  // The next so many elements.
  template <std::int64_t kElements>
  HWY_INLINE void fetch() {
    for (std::int64_t line = 0; line < kElements * static_cast<std::int64_t>(sizeof(T)) / kLineBytes; ++line) {
      hwy::Prefetch(reinterpret_cast<const char*>(at_));  // NOLINT(performance-no-int-to-ptr)
      at_ += kLineBytes;
      left_ -= kLineBytes;
      if (left_ <= 0 && skip_ != 0) {
        at_ += static_cast<std::uintptr_t>(left_ + skip_);
        left_ = row_;
      }
    }
  }

 private:
  static constexpr std::int64_t kLineBytes = 64;
  std::uintptr_t at_;
  std::int64_t skip_;
  std::int64_t row_;
  std::int64_t left_;
};

// Elements before p is aligned to a vector, at most n.
template <class T>
HWY_INLINE std::int64_t head_of(const T* p, std::int64_t n) {
  constexpr std::uintptr_t kBytes = static_cast<std::uintptr_t>(kVector<T>) * sizeof(T);
  const auto over = reinterpret_cast<std::uintptr_t>(p) % kBytes;
  if (over == 0) return 0;
  const auto head = static_cast<std::int64_t>((kBytes - over) / sizeof(T));
  return head < n ? head : n;
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_VECTOR_INL_H
