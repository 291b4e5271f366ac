#include "reference/tensor.h"

#include <stdexcept>

namespace norma::reference {
namespace {

// visit(T{}) for the T that `dtype` names.
template <class Visit>
auto with_type(DType dtype, Visit visit) {
  switch (dtype) {
    case DType::kFloat64:
      return visit(double{});
    case DType::kBFloat16:
      return visit(bfloat16{});
    case DType::kFloat16:
      return visit(float16{});
    case DType::kFloat32:
      break;
  }
  return visit(float{});
}

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
    values[static_cast<std::size_t>(position)] = with_type(
        view.dtype(), [&]<class T>(T) { return static_cast<double>(static_cast<const T*>(view.data())[offset]); });
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
    with_type(view.dtype(), [&]<class T>(T) { static_cast<T*>(view.data())[offset] = static_cast<T>(value); });
  });
}

}  // namespace norma::reference
