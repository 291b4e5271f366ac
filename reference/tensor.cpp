#include "reference/tensor.h"

#include <stdexcept>

namespace norma::reference {
namespace {

std::int64_t offset_of(const std::vector<std::int64_t>& index, const Strides& strides) {
  std::int64_t offset = 0;
  for (std::size_t axis = 0; axis < index.size(); ++axis) offset += index[axis] * strides[axis];
  return offset;
}

}  // namespace

Values read(const ConstTensorView& view) {
  if (!view.present()) return {};
  Values values(static_cast<std::size_t>(view.shape().elements()));
  for_each_index(view.shape(), [&](const auto& index, std::int64_t position) {
    const std::int64_t offset = offset_of(index, view.strides());
    values[static_cast<std::size_t>(position)] = view.dtype() == DType::kFloat64
                                                     ? static_cast<const double*>(view.data())[offset]
                                                     : double{static_cast<const float*>(view.data())[offset]};
  });
  return values;
}

void write(const Values& values, const TensorView& view) {
  if (static_cast<std::int64_t>(values.size()) != view.shape().elements()) {
    throw std::invalid_argument("reference::write: as many values as the view has elements");
  }
  for_each_index(view.shape(), [&](const auto& index, std::int64_t position) {
    const std::int64_t offset = offset_of(index, view.strides());
    const double value = values[static_cast<std::size_t>(position)];
    if (view.dtype() == DType::kFloat64) {
      static_cast<double*>(view.data())[offset] = value;
    } else {
      static_cast<float*>(view.data())[offset] = static_cast<float>(value);
    }
  });
}

}  // namespace norma::reference
