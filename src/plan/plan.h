// Descriptor + shape + layout -> loop nest: the only code that knows axes. A pure function.
//
// Axes of size 1 are dropped, neighbours in memory of equal kind are merged, and every norm is four runs of memory
//
//     [B kept][O reduced][K kept][I reduced]
//
// of which any may be 1. Statistics are numbered in memory order, s = b*K + k; the gamma that the element (b,o,k,i)
// takes is number affine_b(b) + affine_o(o) + affine_k(k) + affine_i(i), also in memory order. Both orders are the
// logical ones for almost every norm; where they are not, Order says where each number lies in the caller's array.
//
// Axes by hand may give more runs than four, or a gamma index that is no such sum. Then `direct` is false, and the
// caller gathers x into [B][I] (kept, then reduced) by `kept_axes` and `reduced_axes`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "norma/descriptor.h"

namespace norma::plan {

// A split axis 1 counts twice.
inline constexpr int kMaxAxes = kMaxRank + 1;

// ((index / div) % mod) * stride.
struct IndexMap {
  std::int64_t div = 1;
  std::int64_t mod = 1;
  std::int64_t stride = 0;
  std::int64_t operator()(std::int64_t index) const {
    if (stride == 0) return 0;
    // A division costs more than a short row's work.
    const std::int64_t number = div == 1 ? index : index / div;
    return (number < mod ? number : number % mod) * stride;
  }
  // Does every index up to `size` have a value of its own?
  bool injective(std::int64_t size) const { return size == 1 || (stride != 0 && div == 1 && mod >= size); }
};

// A walk over axes, outermost first: index n -> offset, as digits times strides.
struct Order {
  int axes = 0;
  std::array<std::int64_t, kMaxAxes> size{};
  std::array<std::int64_t, kMaxAxes> stride{};
  bool identity = true;  // offset(n) == n

  void push(std::int64_t axis_size, std::int64_t axis_stride);
  // Sets `identity`; after the last push.
  void close();
  std::int64_t elements() const;
  std::int64_t offset(std::int64_t n) const;
};

// How one tensor lies: elements from one b, o and k to the next. Along i it is dense, along k too where I is 1.
struct Pitch {
  std::int64_t b = 0, o = 0, k = 0;
  std::int64_t at(std::int64_t at_b, std::int64_t at_o, std::int64_t at_k) const {
    return at_b * b + at_o * o + at_k * k;
  }
};

struct Plan {
  std::int64_t B = 1, O = 1, K = 1, I = 1;
  bool direct = true;
  IndexMap affine_b, affine_o, affine_k, affine_i;
  std::int64_t affine_size = 1;
  Order statistics_order;  // memory number -> offset in the logical row-major array
  Order affine_order;      // likewise for gamma and beta
  double eps = 0;
  bool centred = true;

  // For the gathered path: offsets in x, and gamma's number along the same walks.
  Order kept_axes, reduced_axes, kept_affine, reduced_affine;

  std::int64_t statistics() const { return B * K; }
  std::int64_t normalized() const { return O * I; }
  std::int64_t elements() const { return B * O * K * I; }
  bool rows() const { return I > 1; }
  Pitch dense() const { return {O * K * I, K * I, I}; }

  // The axes of B, O, K and I, outermost first: what a tensor's strides are held against.
  struct Axis {
    int logical = 0;
    std::int64_t size = 1;
    std::int64_t steps = 1;  // of the logical axis, from one to the next
    int run = 0;             // 0 to 3: B, O, K, I
  };
  std::array<Axis, kMaxAxes> axes{};
  std::size_t axis_count = 0;
};

// The pitch of a tensor of x's shape with these strides; nothing where a run of the (direct) plan is none in this
// tensor.
std::optional<Pitch> pitch_of(const Plan& plan, const Strides& strides);

// x: no size of zero. strides: dense in one of the layouts.
Plan make_plan(const Descriptor& descriptor, const Shape& x, const Strides& strides);

}  // namespace norma::plan
