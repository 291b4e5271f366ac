#include "norma/fold.h"

#include <cmath>
#include <string>

#include "cpu/scratch.h"
#include "ops/door.h"

namespace norma {
namespace {

constexpr const char* kFold = "fold_batch_norm";

bool lies_as(const ConstTensorView& view, Layout layout) {
  const Strides expected = dense_strides(view.shape(), layout);
  for (int axis = 0; axis < view.shape().rank(); ++axis) {
    const auto at = static_cast<std::size_t>(axis);
    if (view.shape()[axis] > 1 && view.strides()[at] != expected[at]) return false;
  }
  return true;
}

void check(const char* name, const ConstTensorView& view, const Shape& shape, bool required) {
  if (!view.present()) {
    if (required) ops::fail(kFold, name, "a tensor of shape " + shape.to_string(), "none");
    return;
  }
  if (view.shape() != shape) ops::fail(kFold, name, "shape " + shape.to_string(), view.shape().to_string());
  if (shape.elements() == 0) return;
  ops::check_memory(kFold, name, view);
  if (!lies_as(view, Layout::kChannelsFirst) && !lies_as(view, Layout::kChannelsLast)) {
    ops::fail(kFold, name, "dense strides, channels first or last", "others");
  }
}

// Which output channel each (axis 0, axis 1) of the weight belongs to.
struct Channels {
  int output_axis;
  std::int64_t groups;
  std::int64_t count;           // of output channels
  std::int64_t inputs_a_group;  // along axis 0, for output_axis 1

  std::int64_t operator()(std::int64_t first, std::int64_t second, std::int64_t outputs) const {
    return output_axis == 0 ? first : first / inputs_a_group * outputs + second;
  }
};

Channels channels_of(const Shape& weight, int output_axis, std::int64_t groups) {
  if (output_axis != 0 && output_axis != 1) {
    ops::fail(kFold, "output_axis", "0 or 1", std::to_string(output_axis));
  }
  if (weight.rank() < 2) ops::fail(kFold, "weight", "2 axes or more", "shape " + weight.to_string());
  if (output_axis == 0) {
    // A convolution's groups do not touch its output channels.
    if (groups < 1) ops::fail(kFold, "groups", ">= 1", std::to_string(groups));
    return {0, 1, weight[0], 1};
  }
  if (groups < 1 || weight[0] % groups != 0) {
    ops::fail(kFold, "groups", "a divisor of the " + std::to_string(weight[0]) + " input channels",
              std::to_string(groups));
  }
  std::int64_t count = 0;
  if (__builtin_mul_overflow(weight[1], groups, &count)) {
    ops::fail(kFold, "groups", "at most 2^63-1 output channels", std::to_string(groups));
  }
  return {1, groups, count, weight[0] / groups};
}

double at(const ConstTensorView& view, std::int64_t n, double absent) {
  if (!view.present()) return absent;
  return ops::with_type(view.dtype(),
                        [&]<class T>(T) { return static_cast<double>(static_cast<const T*>(view.data())[n]); });
}

void set(const TensorView& view, std::int64_t n, double value) {
  ops::with_type(view.dtype(), [&]<class T>(T) { static_cast<T*>(view.data())[n] = static_cast<T>(value); });
}

// Is every element of two tensors of one shape at the same place of the same size?
bool lie_alike(const ConstTensorView& a, const ConstTensorView& b) {
  if (a.dtype() != b.dtype()) return false;
  for (int axis = 0; axis < a.shape().rank(); ++axis) {
    const auto n = static_cast<std::size_t>(axis);
    if (a.shape()[axis] > 1 && a.strides()[n] != b.strides()[n]) return false;
  }
  return true;
}

// One weight after the other, in logical order.
void fold_weight(const ConstTensorView& weight, const TensorView& folded, const Channels& channels,
                 const double* scale) {
  const Shape& shape = weight.shape();
  std::int64_t space = 1;
  for (int axis = 2; axis < shape.rank(); ++axis) space *= shape[axis];
  for (std::int64_t first = 0; first < shape[0]; ++first) {
    for (std::int64_t second = 0; second < shape[1]; ++second) {
      const double factor = scale[channels(first, second, shape[1])];
      for (std::int64_t n = 0; n < space; ++n) {
        std::int64_t from = first * weight.strides()[0] + second * weight.strides()[1];
        std::int64_t to = first * folded.strides()[0] + second * folded.strides()[1];
        std::int64_t rest = n;
        for (int axis = shape.rank() - 1; axis >= 2; --axis) {
          const std::int64_t index = rest % shape[axis];
          rest /= shape[axis];
          from += index * weight.strides()[static_cast<std::size_t>(axis)];
          to += index * folded.strides()[static_cast<std::size_t>(axis)];
        }
        set(folded, to, at(weight, from, 0.0) * factor);
      }
    }
  }
}

}  // namespace

void fold_batch_norm(ConstTensorView weight, ConstTensorView bias, ConstTensorView gamma, ConstTensorView beta,
                     ConstTensorView mean, ConstTensorView variance, double eps, TensorView folded_weight,
                     TensorView folded_bias, int output_axis, std::int64_t groups) {
  if (!weight.present()) ops::fail(kFold, "weight", "a tensor", "none");
  const Channels channels = channels_of(weight.shape(), output_axis, groups);
  const Shape vector{channels.count};
  check("weight", weight, weight.shape(), true);
  check("bias", bias, vector, false);
  check("gamma", gamma, vector, false);
  check("beta", beta, vector, false);
  check("mean", mean, vector, true);
  check("variance", variance, vector, true);
  check("folded_weight", folded_weight, weight.shape(), true);
  check("folded_bias", folded_bias, vector, true);
  if (folded_weight.data() == weight.data() && !lie_alike(weight, folded_weight)) {
    ops::fail(kFold, "folded_weight", "weight's type and strides where it is weight", "others");
  }
  if (!(eps >= 0) || std::isinf(eps)) ops::fail(kFold, "eps", "a finite number >= 0", ops::number_text(eps));
  // All of them before anything is written: folded_bias may be one of the vectors.
  const cpu::Scratch<double> scale(channels.count);
  for (std::int64_t c = 0; c < channels.count; ++c) {
    const double spread = at(variance, c, 0.0) + eps;
    if (!(spread > 0) || std::isinf(spread)) {
      ops::fail(kFold, "variance", "variance + eps finite and above 0",
                ops::number_text(spread) + " for channel " + std::to_string(c));
    }
    scale[c] = at(gamma, c, 1.0) / std::sqrt(spread);
  }
  for (std::int64_t c = 0; c < channels.count; ++c) {
    set(folded_bias, c, (at(bias, c, 0.0) - at(mean, c, 0.0)) * scale[c] + at(beta, c, 0.0));
  }
  if (weight.shape().elements() > 0) fold_weight(weight, folded_weight, channels, scale.data());
}

}  // namespace norma
