// What the tests and `norma verify` run through: normalizations and shapes that reach every way through the kernels,
// seeded data, and tensors that own their memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "norma/descriptor.h"
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
