// Parts of a reduction, merged as a binary tree in the order they come: an error grows with the logarithm of their
// number, and the tree depends on that number alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace norma::cpu {

// 2^40 blocks and more.
inline constexpr int kPairwiseLevels = 48;

// kMerge(a, b) puts the union in a.
template <class Part, void (*kMerge)(Part& a, const Part& b)>
class Pairwise {
 public:
  void push(const Part& part) {
    stack_[depth_++] = part;
    for (std::int64_t n = pushed_++; (n & 1) != 0; n >>= 1) pop();
  }
  Part total() {
    if (depth_ == 0) return Part{};
    while (depth_ > 1) pop();
    return stack_[0];
  }

 private:
  void pop() {
    kMerge(stack_[depth_ - 2], stack_[depth_ - 1]);
    --depth_;
  }
  std::array<Part, kPairwiseLevels> stack_;
  std::size_t depth_ = 0;
  std::int64_t pushed_ = 0;
};

// The same tree over parts 0 .. count-1 that the caller holds: merge(a, b, step) puts b into a, which holds the parts
// from a up to b = a + step.
template <class Merge>
void pairwise(std::int64_t count, const Merge& merge) {
  for (std::int64_t step = 1; step < count; step *= 2) {
    for (std::int64_t a = 0; a + step < count; a += 2 * step) merge(a, a + step, step);
  }
}

}  // namespace norma::cpu
