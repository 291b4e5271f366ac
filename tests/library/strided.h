// Tensors whose rows are further apart than they are long, with memory of their own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <tuple>
#include <vector>

#include "norma/tensor.h"
#include "reference/cases.h"
#include "reference/tensor.h"

namespace norma::testing {

// Strides of this layout with `gap` elements left out after every full run of the `inner` innermost axes.
inline Strides strides_with(const Shape& shape, Layout layout, int inner, std::int64_t gap) {
  std::vector<int> order;  // innermost first
  for (int axis = shape.rank() - 1; axis >= 0; --axis) order.push_back(axis);
  if (layout == Layout::kChannelsLast && shape.rank() > 2) {
    order.erase(std::find(order.begin(), order.end(), 1));
    order.insert(order.begin(), 1);
  }
  Strides strides{};
  std::int64_t stride = 1;
  for (std::size_t n = 0; n < order.size(); ++n) {
    if (static_cast<int>(n) == inner) stride += gap;
    strides[static_cast<std::size_t>(order[n])] = stride;
    stride *= shape[order[n]];
  }
  return strides;
}

// A tensor with such strides from a cache line on, whose gaps, and what is around it, must stay as they are.
class Strided {
 public:
  Strided(const reference::Values& values, DType dtype, const Shape& shape, const Strides& strides)
      : dtype_(dtype), shape_(shape), strides_(strides) {
    std::int64_t reach = 1;
    for (int axis = 0; axis < shape.rank(); ++axis)
      reach += (shape[axis] - 1) * strides[static_cast<std::size_t>(axis)];
    memory_.assign(static_cast<std::size_t>(reach) * size_of(dtype) + 3 * kGuard, std::byte{0xA5});
    offset_ = 2 * kGuard - reinterpret_cast<std::uintptr_t>(memory_.data()) % kGuard;
    reference::write(values, view());
    before_ = memory_;
  }
  Strided(const Strided&) = delete;
  Strided& operator=(const Strided&) = delete;

  TensorView view() { return {memory_.data() + offset_, dtype_, shape_, strides_}; }
  reference::Values values() { return reference::read(view()); }
  bool gaps_intact() {
    // With the elements put back as they were, nothing may be left that differs.
    std::vector<std::byte> now = memory_;
    reference::for_each_index(shape_, [&](const auto& index, std::int64_t) {
      std::int64_t at = 0;
      for (std::size_t axis = 0; axis < index.size(); ++axis) at += index[axis] * strides_[axis];
      const std::size_t byte = offset_ + static_cast<std::size_t>(at) * size_of(dtype_);
      std::memcpy(now.data() + byte, before_.data() + byte, size_of(dtype_));
    });
    return now == before_;
  }

 private:
  static constexpr std::size_t kGuard = 64;
  DType dtype_;
  Shape shape_;
  Strides strides_;
  std::size_t offset_ = 0;
  std::vector<std::byte> memory_, before_;
};

// reference::normal, which takes longer than what is tested with it.
inline const reference::Values& remembered_normal(std::int64_t count, std::uint64_t seed, double mean = 0,
                                                  double sigma = 1) {
  static std::map<std::tuple<std::int64_t, std::uint64_t, double, double>, reference::Values> known;
  auto& values = known[{count, seed, mean, sigma}];
  if (values.empty()) values = reference::normal(count, seed, mean, sigma);
  return values;
}

}  // namespace norma::testing
