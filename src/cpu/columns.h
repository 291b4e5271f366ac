// How the work of the column kernels is cut, shared by forward and backward.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/pairwise.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"

namespace norma::cpu {

// Pieces of rows cost more than a second sweep through L3, if there are enough batches for the threads, and one of so
// many bytes stays there.
inline constexpr std::int64_t kManyBatches = 4;
inline constexpr std::int64_t kSharedBytes = std::int64_t{8} << 20;

// How the columns of a nest are cut: its K, or, where I is short, K * I, of which each `group` of neighbours has one
// statistic.
struct ColumnCut {
  ColumnCut(const plan::Plan& plan, std::int64_t element_bytes);
  std::int64_t tasks() const { return whole ? blocks : batches * slabs; }
  int threads(const plan::Plan& plan, std::size_t element_bytes) const;
  // Calls body(block) for the blocks of a share: from the last to the first, since who wrote x ended there and has left
  // that in the caches, but forwards within runs that are long enough for the prefetchers.
  template <class Body>
  void from_the_end(Share share, const Body& body) const {
    for (std::int64_t end = share.last; end > share.first; end -= run) {
      for (std::int64_t block = std::max(end - run, share.first); block < end; ++block) body(block);
    }
  }

  // A share of the columns, in whole groups.
  Share groups_of(Share groups) const { return {groups.first * group, groups.last * group}; }

  std::int64_t columns;  // of one b
  std::int64_t group;
  std::int64_t blocks;   // of rows, a statistic
  bool whole;            // all threads on all of x, stage by stage; otherwise slab by slab
  bool wide;             // slabs of whole rows, whose second sweep reads from L3
  std::int64_t width;    // columns a slab
  std::int64_t slabs;    // a batch
  std::int64_t batches;  // B
  std::int64_t run;      // blocks that are swept forwards together
};

// The arrays that one thread needs to merge the blocks of a slab as a binary tree: `fields` arrays of `width` columns
// for every level.
class ColumnTree {
 public:
  ColumnTree(double* memory, std::int64_t fields, std::int64_t width)
      : memory_(memory), fields_(fields), width_(width) {}
  static std::int64_t levels(std::int64_t blocks) { return std::bit_width(static_cast<std::uint64_t>(blocks)) + 1; }
  static std::int64_t size(std::int64_t blocks, std::int64_t fields, std::int64_t width) {
    return levels(blocks) * fields * width;
  }
  double* at(std::int64_t level, std::int64_t field) const { return memory_ + (level * fields_ + field) * width_; }
  // Block by block: compute(level, block) fills a level, merge(level, count_a, count_b) puts level + 1 into it, both
  // counted in blocks. The result is on level 0.
  template <class Compute, class Merge>
  void run(std::int64_t blocks, const Compute& compute, const Merge& merge) const {
    std::array<std::int64_t, kPairwiseLevels> held{};
    std::size_t depth = 0;
    const auto pop = [&] {
      --depth;
      merge(static_cast<std::int64_t>(depth) - 1, held[depth - 1], held[depth]);
      held[depth - 1] += held[depth];
    };
    for (std::int64_t block = 0; block < blocks; ++block) {
      compute(static_cast<std::int64_t>(depth), block);
      held[depth++] = 1;
      for (std::int64_t n = block; (n & 1) != 0; n >>= 1) pop();
    }
    while (depth > 1) pop();  // NOLINT(bugprone-infinite-loop): pop lowers depth
  }

 private:
  double* memory_;
  std::int64_t fields_;
  std::int64_t width_;
};

// Rows of columns as they lie: all of them, or those in a list (under a mask).
class ColumnRows {
 public:
  explicit ColumnRows(const std::int64_t* list) : list_(list) {}
  bool all() const { return list_ == nullptr; }
  // Calls body(first, last) for the runs of neighbours among the listed rows number `first` to `last`.
  template <class Body>
  void for_runs(std::int64_t first, std::int64_t last, const Body& body) const {
    if (all()) {
      body(first, last);
      return;
    }
    while (first < last) {
      std::int64_t end = first + 1;
      while (end < last && list_[end] == list_[end - 1] + 1) ++end;
      body(list_[first], list_[first] + end - first);
      first = end;
    }
  }

  template <class T>
  struct Block {
    const T* data;
    std::int64_t pitch;
  };
  // Elements of the buffer that `block` wants.
  std::int64_t buffer_size(std::int64_t rows, std::int64_t width) const {
    return all() ? 0 : std::min(rows, kColumnBlock) * width;
  }
  // `count` rows from number `first`, `width` columns of x, where they are, or side by side in the buffer.
  template <class T>
  Block<T> block(const T* x, std::int64_t pitch, std::int64_t first, std::int64_t count, std::int64_t width,
                 T* buffer) const {
    if (all()) return {x + first * pitch, pitch};
    if (list_[first + count - 1] - list_[first] == count - 1) return {x + list_[first] * pitch, pitch};
    for (std::int64_t row = 0; row < count; ++row) {
      std::copy_n(x + list_[first + row] * pitch, width, buffer + row * width);
    }
    return {buffer, width};
  }

 private:
  const std::int64_t* list_;
};

// gamma or beta for every column, where it is one for a group.
template <class T>
class GroupedAffine {
 public:
  GroupedAffine(const plan::Plan& plan, const Compute<T>* given)
      : copy_(given != nullptr && plan.affine_i.stride == 0 ? plan.K * plan.I : 0), data_(given) {
    if (copy_.data() == nullptr) return;
    for (std::int64_t k = 0; k < plan.K; ++k) std::fill_n(copy_.data() + k * plan.I, plan.I, given[k]);
    data_ = copy_.data();
  }
  const Compute<T>* data() const { return data_; }

 private:
  Scratch<Compute<T>> copy_;
  const Compute<T>* data_;
};

// What y is made with, column by column.
template <class T>
struct ColumnCoefficients {
  explicit ColumnCoefficients(std::int64_t columns) : shift(columns), scale(columns), offset(columns) {}
  Scratch<Compute<T>> shift, scale, offset;
};

// What is fused after the normalization, from (b, 0, k) on.
template <class T>
void follow(ColumnsForward<T>& task, const ForwardCall<T>& call, std::int64_t b, std::int64_t k) {
  if (!call.is_fused) return;
  const Fused<T>& fused = call.fused;
  if (fused.after != nullptr) task.after = fused.after + fused.after_at.at(b, 0, k);
  task.after_pitch = fused.after_at.o;
  task.activation = fused.activation;
}

// Fused before it: x + before of `count` rows from (b, o, k) on.
template <class T>
void add_up_before(const ColumnKernels<T>& kernels, const ForwardCall<T>& call, std::int64_t b, std::int64_t k,
                   std::int64_t o, std::int64_t count, std::int64_t width) {
  if (!call.is_fused || call.fused.before == nullptr) return;
  const Fused<T>& fused = call.fused;
  kernels.add(call.x + call.x_at.at(b, o, k), call.x_at.o, fused.before + fused.before_at.at(b, o, k),
              fused.before_at.o, fused.sum + fused.sum_at.at(b, o, k), fused.sum_at.o, count, width);
}

// The moments of all rows of a slab: mean, low and m2 are fields 0 to 2 of the tree's level 0. `buffer`: of
// buffer_size.
template <class T>
void column_moments(const ColumnKernels<T>& kernels, const T* x, std::int64_t rows, std::int64_t pitch,
                    std::int64_t width, bool centred, ColumnSweep how, const ColumnTree& tree, const ColumnRows& listed,
                    T* buffer);

}  // namespace norma::cpu
