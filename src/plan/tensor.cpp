// Shapes and strides of the public tensor views.
#include "norma/tensor.h"

namespace norma {

Shape::Shape(std::span<const std::int64_t> sizes) {
  if (sizes.size() > kMaxRank) {
    throw Error("[shape] expected at most " + std::to_string(kMaxRank) + " axes, got " + std::to_string(sizes.size()));
  }
  rank_ = static_cast<int>(sizes.size());
  bool empty = false;
  for (int axis = 0; axis < rank_; ++axis) {
    const std::int64_t size = sizes[static_cast<std::size_t>(axis)];
    if (size < 0) {
      throw Error("[shape] axis " + std::to_string(axis) + ": expected a size >= 0, got " + std::to_string(size));
    }
    sizes_[static_cast<std::size_t>(axis)] = size;
    empty = empty || size == 0;
  }
  if (empty) {
    // The other sizes alone may overflow.
    elements_ = 0;
    return;
  }
  for (const std::int64_t size : sizes) {
    if (__builtin_mul_overflow(elements_, size, &elements_)) {
      throw Error("[shape] expected at most 2^63-1 elements, got " + to_string());
    }
  }
}

std::string Shape::to_string() const {
  std::string text = "(";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string((*this)[axis]);
  }
  return text + ")";
}

Strides dense_strides(const Shape& shape, Layout layout) {
  Strides strides{};
  const int rank = shape.rank();
  if (shape.elements() == 0) return strides;
  std::int64_t stride = 1;
  const bool channels_last = layout == Layout::kChannelsLast && rank > 2;
  if (channels_last) {
    strides[1] = 1;
    stride = shape[1];
  }
  for (int axis = rank - 1; axis >= 0; --axis) {
    if (channels_last && axis == 1) continue;
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  return strides;
}

}  // namespace norma
