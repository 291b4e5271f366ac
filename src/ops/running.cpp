// Statistics that outlive a call: merging them, and running averages.
#include <cmath>

#include "cpu/kernels.h"
#include "ops/door.h"

namespace norma {
namespace {

// Both of one shape, dense, f32 or f64.
void check_pair(const char* operation, const char* name, const ConstTensorView& view, const ConstTensorView& like) {
  if (!view.present()) ops::fail(operation, name, "a tensor of shape " + like.shape().to_string(), "none");
  if (view.shape() != like.shape()) {
    ops::fail(operation, name, "shape " + like.shape().to_string(), view.shape().to_string());
  }
  if (view.shape().elements() == 0) return;
  if (view.data() == nullptr) ops::fail(operation, name, "memory", "a null pointer");
  const Strides expected = dense_strides(view.shape(), Layout::kChannelsFirst);
  for (int axis = 0; axis < view.shape().rank(); ++axis) {
    const auto at = static_cast<std::size_t>(axis);
    if (view.shape()[axis] > 1 && view.strides()[at] != expected[at]) {
      ops::fail(operation, name, "dense strides",
                "stride " + std::to_string(view.strides()[at]) + " on axis " + std::to_string(axis));
    }
  }
}

double at(const ConstTensorView& view, std::int64_t n) {
  return view.dtype() == DType::kFloat64 ? static_cast<const double*>(view.data())[n]
                                         : static_cast<double>(static_cast<const float*>(view.data())[n]);
}

void set(const TensorView& view, std::int64_t n, double value) {
  ops::with_type(view.dtype(), [&]<class T>(T) { static_cast<T*>(view.data())[n] = static_cast<T>(value); });
}

}  // namespace

std::int64_t merge(std::int64_t count, TensorView mean, TensorView m2, std::int64_t other_count,
                   ConstTensorView other_mean, ConstTensorView other_m2) {
  if (!mean.present()) ops::fail("merge", "mean", "a tensor", "none");
  check_pair("merge", "mean", mean, mean);
  check_pair("merge", "m2", m2, mean);
  check_pair("merge", "other_mean", other_mean, mean);
  check_pair("merge", "other_m2", other_m2, mean);
  if (count < 0) ops::fail("merge", "count", ">= 0", std::to_string(count));
  if (other_count < 0) ops::fail("merge", "other_count", ">= 0", std::to_string(other_count));
  std::int64_t total = 0;
  if (__builtin_add_overflow(count, other_count, &total)) {
    ops::fail("merge", "other_count", "a union of at most 2^63-1 values",
              std::to_string(count) + " and " + std::to_string(other_count));
  }
  if (other_count == 0) return total;
  for (std::int64_t n = 0; n < mean.shape().elements(); ++n) {
    cpu::Moments a{static_cast<double>(count), at(mean, n), 0.0, at(m2, n)};
    const cpu::Moments b{static_cast<double>(other_count), at(other_mean, n), 0.0, at(other_m2, n)};
    if (count == 0) {
      a = b;
    } else {
      cpu::merge_moments(a, b);
    }
    set(mean, n, a.mean + a.low);
    set(m2, n, a.m2);
  }
  return total;
}

const RunningConvention& running_convention(std::string_view name) {
  for (const RunningConvention* convention : {&kTorch, &kOnnx, &kKeras}) {
    if (name == convention->name) return *convention;
  }
  throw Error("[running_convention] name: expected torch, onnx or keras, got \"" + std::string(name) + "\"");
}

void update_running(const RunningConvention& convention, double momentum, std::int64_t count, ConstTensorView mean,
                    ConstTensorView variance, TensorView running_mean, TensorView running_var) {
  constexpr const char* kName = "update_running";
  if (!mean.present()) ops::fail(kName, "mean", "a tensor", "none");
  check_pair(kName, "mean", mean, mean);
  check_pair(kName, "variance", variance, mean);
  check_pair(kName, "running_mean", running_mean, mean);
  check_pair(kName, "running_var", running_var, mean);
  if (!(momentum >= 0 && momentum <= 1)) ops::fail(kName, "momentum", "0 to 1", std::to_string(momentum));
  const std::int64_t least = convention.unbiased_variance ? 2 : 1;
  if (count < least) {
    ops::fail(
        kName, "count",
        "at least " + std::to_string(least) + " values per statistic under the convention \"" + convention.name + "\"",
        std::to_string(count));
  }
  const double weight = convention.momentum_weighs_new ? momentum : 1.0 - momentum;
  const double n = static_cast<double>(count);
  const double unbias = convention.unbiased_variance ? n / (n - 1.0) : 1.0;
  for (std::int64_t i = 0; i < mean.shape().elements(); ++i) {
    // One infinite batch would stay in the average for good.
    if (!std::isfinite(at(mean, i)) || !std::isfinite(at(variance, i))) continue;
    const double old_mean = at(running_mean, i);
    const double old_var = at(running_var, i);
    set(running_mean, i, (1.0 - weight) * old_mean + weight * at(mean, i));
    set(running_var, i, (1.0 - weight) * old_var + weight * (at(variance, i) * unbias));
  }
}

}  // namespace norma
