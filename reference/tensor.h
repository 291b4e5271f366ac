// Tensors as the oracle sees them: doubles in logical order (row-major: the last axis fastest), whatever the data
// type and the layout in memory.
#pragma once

#include <cstdint>
#include <vector>

#include "norma/tensor.h"

namespace norma::reference {

using Values = std::vector<double>;

// A view's elements in logical order, widened. Empty if the view is absent.
Values read(const ConstTensorView& view);
// Rounds each value to the view's type. There must be as many as the view has elements.
void write(const Values& values, const TensorView& view);

// Calls `visit(index, position)` for every logical index of the shape, in order; position counts from 0.
template <class Visit>
void for_each_index(const Shape& shape, Visit visit) {
  const std::int64_t elements = shape.elements();
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()), 0);
  for (std::int64_t position = 0; position < elements; ++position) {
    visit(static_cast<const std::vector<std::int64_t>&>(index), position);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      std::int64_t& coordinate = index[static_cast<std::size_t>(axis)];
      if (++coordinate < shape[axis]) break;
      coordinate = 0;
    }
  }
}

}  // namespace norma::reference
