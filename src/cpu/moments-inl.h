// Moments of a block of memory: the centred sums behind every statistic. Included once per instruction set.
//
// f32. One pass: with a shift s that is an element of the block, d = x - s, S1 = sum d and S2 = sum d^2 in f64, then
// mean = s + S1/n and M2 = S2 - S1^2/n. The subtraction is harmless here. Since s is one of the block's n elements,
// (s - mean)^2 <= M2, so S2 = M2 + n (s - mean)^2 <= (n+1) M2: the cancellation costs at most a factor n+1 = 4097 on
// f64's 2^-53, 37 bits remain at worst, and f32 keeps 24. (The naive E[x^2]-mean^2 has no such bound: there the shift
// is 0, which may lie any number of sigmas away.) d is exact or rounded in f64, 29 bits below f32's.
//
// bf16, f16. As f32, with four differences and four squares added up in f32 before they are widened, for a third of the
// arithmetic: memory is half as long in coming. The shift is the mean of (up to) sixteen elements of the block. What
// f32 loses of S2 is about 2^-19 of M2 at worst as long as S2 <= 16 M2, where y keeps 8 or 11 bits. A block that begins
// with outliers, or whose squares leave f32's range (bf16's may), is summed again as f32's are (short_sums.h).
//
// f64. Corrected two-pass on the block, which is then in cache: m = s + sum(x - s)/n, then e = x - m, E1 = sum e,
// E2 = sum e^2: mean = m + E1/n in two words, M2 = E2 - E1^2/n.
//
// Blocks hold at most kBlock elements and merge as a binary tree (Chan, Golub & LeVeque 1979), so an error hardly grows
// with the length. Not centred: s = 0 and the mean stays 0; M2 is the sum of squares, all of one sign.
#if defined(NORMA_CPU_MOMENTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_MOMENTS_INL_H
#undef NORMA_CPU_MOMENTS_INL_H
#else
#define NORMA_CPU_MOMENTS_INL_H
#endif

#include "cpu/kernels.h"
#include "cpu/pairwise.h"
#include "cpu/short_sums.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

// Elements that one lane's chain of additions covers before it is folded into an outer sum: short chains keep the
// rounding of f64 sums near a unit.
inline constexpr std::int64_t kChain = 16 * kLanes;

// a += x - shift, b += its square: of kLanes elements, lane by lane, and of `count` of them. Lanes past the end count
// as shift itself, which adds exactly zero.
template <class T>
HWY_INLINE void add_lanes(const T* x, V64 shift, Lanes& a, Lanes& b) {
  // x * 1 - shift rounds as x - shift does, and leaves the adders to the sums.
  const V64 one = hn::Set(D64(), 1.0);
  for_parts([&](auto p) NORMA_LAMBDA {
    const V64 d = hn::MulSub(load_wide(x + p * kWide), one, shift);
    a.part[p] = hn::Add(a.part[p], d);
    b.part[p] = hn::MulAdd(d, d, b.part[p]);
  });
}
template <class T>
HWY_INLINE void add_lanes_tail(const T* x, std::int64_t count, V64 shift, Lanes& a, Lanes& b) {
  for_parts([&](auto p) NORMA_LAMBDA {
    const V64 d = hn::Sub(load_wide_tail(x + p * kWide, count - p * kWide, shift), shift);
    a.part[p] = hn::Add(a.part[p], d);
    b.part[p] = hn::MulAdd(d, d, b.part[p]);
  });
}

HWY_INLINE void add_chain(const Lanes& chain, Lanes& sum) {
  for_parts([&](auto p) NORMA_LAMBDA { sum.part[p] = hn::Add(sum.part[p], chain.part[p]); });
}

// s1 += sum of (x - shift), s2 += sum of (x - shift)^2 over n elements.
template <class T>
HWY_INLINE void add_wide(const T* x, std::int64_t n, V64 shift, Lanes& s1, Lanes& s2) {
  for (std::int64_t first = 0; first < n; first += kChain) {
    const std::int64_t end = n - first < kChain ? n : first + kChain;
    Lanes a;
    Lanes b;
    clear(a);
    clear(b);
    std::int64_t i = first;
    for (; i + kLanes <= end; i += kLanes) add_lanes(x + i, shift, a, b);
    if (i < end) add_lanes_tail(x + i, end - i, shift, a, b);
    add_chain(a, s1);
    add_chain(b, s2);
  }
}

// The same of 4 kLanes elements of a short type, in f32 by fours.
template <class T>
HWY_INLINE void add_fours(const T* x, hn::Vec<Registers<T>> shift, Lanes& s1, Lanes& s2) {
  const Registers<T> d;
  const auto at = [&](std::int64_t i) NORMA_LAMBDA { return hn::Sub(load_vector(d, x + i), shift); };
  for_parts<kLanes / kVector<T>>([&](auto part) NORMA_LAMBDA {
    constexpr std::int64_t q = decltype(part)::value * kVector<T>;
    const auto d0 = at(q);
    const auto d1 = at(q + kLanes);
    const auto d2 = at(q + 2 * kLanes);
    const auto d3 = at(q + 3 * kLanes);
    const auto a = hn::MulAdd(d1, d1, hn::Mul(d0, d0));
    const auto b = hn::MulAdd(d3, d3, hn::Mul(d2, d2));
    add_widened<T>(s1, q, hn::Add(hn::Add(d0, d1), hn::Add(d2, d3)));
    add_widened<T>(s2, q, hn::Add(a, b));
  });
}

// Likewise of short types, in f32 by fours.
template <class T>
HWY_INLINE void add_short(const T* x, std::int64_t n, float about, Lanes& s1, Lanes& s2) {
  const Registers<T> d;
  const auto shift = hn::Set(d, about);
  const auto at = [&](std::int64_t i) NORMA_LAMBDA { return hn::Sub(load_vector(d, x + i), shift); };
  std::int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) add_fours(x + i, shift, s1, s2);
  // By constants: an index that is none would put the sums in memory.
  for (; i < n; i += kLanes) {
    for_parts<kLanes / kVector<T>>([&](auto part) NORMA_LAMBDA {
      constexpr std::int64_t q = decltype(part)::value * kVector<T>;
      const std::int64_t left = n - i - q;
      if (left <= 0) return;
      const auto v = left >= kVector<T> ? at(i + q) : hn::Sub(load_tail(d, x + i + q, left, shift), shift);
      add_widened<T>(s1, q, v);
      add_widened<T>(s2, q, hn::Mul(v, v));
    });
  }
}

template <class T>
HWY_INLINE void add_shifted(const T* x, std::int64_t n, double shift, Lanes& s1, Lanes& s2) {
  if constexpr (kShort<T>) {
    add_short(x, n, static_cast<float>(shift), s1, s2);
  } else {
    add_wide(x, n, hn::Set(D64(), shift), s1, s2);
  }
}

// What is subtracted from the elements of a block that begins with n contiguous ones.
template <class T>
HWY_INLINE double block_shift(const T* x, std::int64_t n) {
  if constexpr (!kShort<T>) {
    return static_cast<double>(x[0]);
  } else {
    const Registers<T> d;
    const std::int64_t count = n < kLanes ? n : kLanes;
    Lanes sum;
    clear(sum);
    for_parts<kLanes / kVector<T>>([&](auto part) NORMA_LAMBDA {
      constexpr std::int64_t q = decltype(part)::value * kVector<T>;
      const std::int64_t left = count - q;
      if (left <= 0) return;
      add_widened<T>(sum, q, left >= kVector<T> ? load_vector(d, x + q) : load_tail(d, x + q, left, hn::Zero(d)));
    });
    // Of infinite data nothing else is finite either.
    return static_cast<double>(static_cast<float>(sum_of(sum) / static_cast<double>(count)));
  }
}

// The sums of a block about `shift` as f32's are taken.
template <class T>
HWY_NOINLINE void wide_sums(const T* x, std::int64_t segments, std::int64_t pitch, std::int64_t n, double shift,
                            double& first, double& second) {
  Lanes s1;
  Lanes s2;
  clear(s1);
  clear(s2);
  for (std::int64_t segment = 0; segment < segments; ++segment) {
    add_wide(x + segment * pitch, n, hn::Set(D64(), shift), s1, s2);
  }
  first = sum_of(s1);
  second = sum_of(s2);
}

// The sums of a block about a shift: of its differences, and of their squares.
struct ShiftedSums {
  double shift;
  double first;
  double second;
};

// f32's first pass, f64's second.
template <class T>
HWY_INLINE Moments finish_block(double count, const ShiftedSums& sums, bool centred) {
  if (!centred) return {count, 0.0, 0.0, sums.second};
  const double part = sums.first / count;
  const double m2 = sums.second - sums.first * part;
  if constexpr (std::is_same_v<T, double>) return {count, sums.shift, part, m2};
  return {count, sums.shift + part, 0.0, m2};
}

// Of one block: `segments` pieces of n contiguous elements, `pitch` apart.
template <class T>
HWY_NOINLINE ShiftedSums shifted_sums(const T* x, std::int64_t segments, std::int64_t pitch, std::int64_t n,
                                      bool centred) {
  const double count = static_cast<double>(segments * n);
  ShiftedSums sums{centred ? block_shift(x, n) : 0.0, 0.0, 0.0};
  const auto take = [&]() NORMA_LAMBDA {
    Lanes s1;
    Lanes s2;
    clear(s1);
    clear(s2);
    for (std::int64_t segment = 0; segment < segments; ++segment) {
      add_shifted(x + segment * pitch, n, sums.shift, s1, s2);
    }
    sums.first = sum_of(s1);
    sums.second = sum_of(s2);
  };
  take();
  if (!short_sums_hold<T>(count, sums.first, sums.second, centred)) {
    wide_sums(x, segments, pitch, n, sums.shift, sums.first, sums.second);
  }
  if constexpr (std::is_same_v<T, double>) {
    if (centred) {
      sums.shift += sums.first / count;
      take();
    }
  }
  return sums;
}

template <class T>
HWY_INLINE Moments block_moments(const T* x, std::int64_t segments, std::int64_t pitch, std::int64_t n, bool centred) {
  return finish_block<T>(static_cast<double>(segments * n), shifted_sums(x, segments, pitch, n, centred), centred);
}

// Calls block(o, i, segments, length) for the blocks of a statistic of O segments of I elements, in order.
template <class Block>
HWY_INLINE void for_blocks(std::int64_t O, std::int64_t I, Block block) {
  if (O == 1 && I <= kBlock) return block(std::int64_t{0}, std::int64_t{0}, std::int64_t{1}, I);
  const Blocks blocks(O, I);
  const std::int64_t count = blocks.count();
  for (std::int64_t at = 0; at < count; ++at) {
    const Blocks::Block b = blocks[at];
    block(b.o, b.i, b.segments, b.length);
  }
}

// Of one statistic, whose segments are `pitch` apart.
template <class T>
HWY_NOINLINE Moments row_moments(const Nest& nest, const T* x, std::int64_t pitch) {
  Pairwise<Moments, merge_moments> blocks;
  for_blocks(nest.O, nest.I, [&](std::int64_t o, std::int64_t i, std::int64_t segments, std::int64_t n) NORMA_LAMBDA {
    blocks.push(block_moments(x + o * pitch + i, segments, pitch, n, nest.centred));
  });
  Moments total = blocks.total();
  if (total.m2 < 0) total.m2 = 0;
  return total;
}

// The moments of `width` <= kWidth neighbouring statistics at once, each as row_moments gives them; I < kBlock.
template <class T, std::int64_t kWidth>
HWY_NOINLINE void slab_moments(const Nest& nest, const T* x, const Pitch& at, std::int64_t width, Moments* moments) {
  const std::int64_t pitch = at.o;
  Pairwise<Moments, merge_moments> trees[kWidth];
  Lanes s1[kWidth];
  Lanes s2[kWidth];
  double shift[kWidth];
  const auto sums = [&](const T* start, std::int64_t segments) NORMA_LAMBDA {
    for (std::int64_t j = 0; j < width; ++j) {
      clear(s1[j]);
      clear(s2[j]);
    }
    for (std::int64_t segment = 0; segment < segments; ++segment) {
      for (std::int64_t j = 0; j < width; ++j) {
        if (nest.O * pitch > kNearElements) prefetch(start, (segment + 2) * pitch + j * at.k, nest.I);
        add_shifted(start + segment * pitch + j * at.k, nest.I, shift[j], s1[j], s2[j]);
      }
    }
  };
  for_blocks(nest.O, nest.I, [&](std::int64_t o, std::int64_t, std::int64_t segments, std::int64_t n) NORMA_LAMBDA {
    const T* start = x + o * pitch;
    const double count = static_cast<double>(segments * n);
    for (std::int64_t j = 0; j < width; ++j) shift[j] = nest.centred ? block_shift(start + j * at.k, n) : 0.0;
    sums(start, segments);
    if (nest.centred && std::is_same_v<T, double>) {
      for (std::int64_t j = 0; j < width; ++j) shift[j] += sum_of(s1[j]) / count;
      sums(start, segments);
    }
    for (std::int64_t j = 0; j < width; ++j) {
      ShiftedSums total{shift[j], sum_of(s1[j]), sum_of(s2[j])};
      if (!short_sums_hold<T>(count, total.first, total.second, nest.centred)) {
        wide_sums(start + j * at.k, segments, pitch, n, total.shift, total.first, total.second);
      }
      trees[j].push(finish_block<T>(count, total, nest.centred));
    }
  });
  for (std::int64_t j = 0; j < width; ++j) {
    moments[j] = trees[j].total();
    if (moments[j].m2 < 0) moments[j].m2 = 0;
  }
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_MOMENTS_INL_H
