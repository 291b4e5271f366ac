// What the tests and `norma verify` run through: normalizations and shapes that reach every way through the kernels,
// seeded data, and tensors that own their memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "norma/descriptor.h"
#include "reference/reference.h"
#include "reference/tensor.h"

namespace norma::reference {

struct Case {
  std::string name;  // "batch_norm (4, 16, 4, 4)"
  Descriptor descriptor;
  Shape shape;
};

// Every norm and some made by hand, at lengths around the vector widths (1, V-1, V, V+1, 4V+3).
std::vector<Case> all_cases();
// One of each kind, small: a fraction of the time.
std::vector<Case> few_cases();

// Sets of axes, as bits, along which a mask of such a case may vary: the samples; samples and positions, the features
// being axis 1 or the last; and every axis.
std::vector<std::uint32_t> mask_axes(const Case& problem);

// A mask that varies along some axes of x, with memory of its own. About seven elements in ten count; where a statistic
// is shared over the batch, at least two of it (as long as there are masks of which that is true).
class PositionMask {
 public:
  PositionMask(const Case& problem, std::uint32_t axes, std::uint64_t seed);
  MaskView view() const { return {bytes_.data(), shape_}; }
  // One entry for every element of x.
  const Mask& elements() const { return elements_; }

 private:
  void draw(const Shape& x, std::uint64_t seed);
  std::vector<std::uint8_t> bytes_;
  Shape shape_;
  Mask elements_;
};

// Puts at the masked places what must not matter: NaN, infinities and numbers near the largest.
void spoil(Values& values, const Mask& mask);

// Normally distributed, from the seed alone.
Values normal(std::int64_t count, std::uint64_t seed, double mean = 0, double sigma = 1);

// A tensor with memory of its own, between two guards that tell whether someone wrote past its ends.
class Tensor {
 public:
  // `misalign`: elements by which the data starts after an address that is a multiple of 64.
  Tensor(DType dtype, const Shape& shape, Layout layout = Layout::kChannelsFirst, int misalign = 0);
  Tensor(const Values& values, DType dtype, const Shape& shape, Layout layout = Layout::kChannelsFirst,
         int misalign = 0);
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  TensorView view();
  ConstTensorView view() const;
  // In logical order, widened.
  Values values() const { return read(view()); }
  // The bytes as they lie in memory, to compare bits.
  std::vector<std::byte> bytes() const;
  bool guards_intact() const;

 private:
  std::vector<std::byte> memory_;
  std::size_t offset_ = 0;
  std::size_t size_ = 0;  // bytes
  DType dtype_;
  Shape shape_;
  Layout layout_;
};

}  // namespace norma::reference
