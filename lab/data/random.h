// The lab's own random numbers: the same on every machine and compiler, which std::shuffle and the standard
// distributions are not.
//
// SplitMix64 (Steele, Lea & Flood 2014): state += golden ratio, then a mix of the state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace norma::lab {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += kStep);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  // As if so many numbers had been taken.
  void skip(std::uint64_t count) { state_ += count * kStep; }

  // Uniform in [0, bound), without bias: values that would favour the small ones are drawn again. bound > 0.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t reject = (0 - bound) % bound;  // 2^64 mod bound
    std::uint64_t value = next();
    while (value < reject) value = next();
    return value % bound;
  }

  // Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11U) * 0x1p-53; }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15U;

  std::uint64_t state_;
};

// 0, ..., count-1 in random order (Fisher & Yates, from the end).
inline std::vector<std::int64_t> permutation(std::int64_t count, std::uint64_t seed) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  Random random(seed);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

}  // namespace norma::lab
