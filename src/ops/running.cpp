// Statistics that outlive a call: merging them, and running averages.
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "cpu/kernels.h"
#include "ops/door.h"

namespace norma {
namespace {

// Both of one shape, dense, of any type.
void check_pair(const char* operation, const char* name, const ConstTensorView& view, const ConstTensorView& like) {
  if (!view.present()) ops::fail(operation, name, "a tensor of shape " + like.shape().to_string(), "none");
  if (view.shape() != like.shape()) {
    ops::fail(operation, name, "shape " + like.shape().to_string(), view.shape().to_string());
  }
  if (view.shape().elements() == 0) return;
  ops::check_memory(operation, name, view);
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
  return ops::with_type(view.dtype(),
                        [&]<class T>(T) { return static_cast<double>(static_cast<const T*>(view.data())[n]); });
}

void set(const TensorView& view, std::int64_t n, double value) {
  ops::with_type(view.dtype(), [&]<class T>(T) { static_cast<T*>(view.data())[n] = static_cast<T>(value); });
}

void check_counts(const char* operation, const char* name, std::size_t given, std::size_t expected) {
  if (given == expected) return;
  ops::fail(operation, name, std::to_string(expected) + ", one for each statistic", std::to_string(given));
}

void check_sets(const TensorView& mean, const TensorView& m2, const ConstTensorView& other_mean,
                const ConstTensorView& other_m2) {
  if (!mean.present()) ops::fail("merge", "mean", "a tensor", "none");
  check_pair("merge", "mean", mean, mean);
  check_pair("merge", "m2", m2, mean);
  check_pair("merge", "other_mean", other_mean, mean);
  check_pair("merge", "other_m2", other_m2, mean);
}

std::int64_t count_of_union(std::int64_t count, std::int64_t other_count) {
  if (count < 0) ops::fail("merge", "count", ">= 0", std::to_string(count));
  if (other_count < 0) ops::fail("merge", "other_count", ">= 0", std::to_string(other_count));
  std::int64_t total = 0;
  if (__builtin_add_overflow(count, other_count, &total)) {
    ops::fail("merge", "other_count", "a union of at most 2^63-1 values",
              std::to_string(count) + " and " + std::to_string(other_count));
  }
  return total;
}

// Statistic n of the other set into that of the first.
void merge_one(std::int64_t count, const TensorView& mean, const TensorView& m2, std::int64_t other_count,
               const ConstTensorView& other_mean, const ConstTensorView& other_m2, std::int64_t n) {
  if (other_count == 0) return;
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

constexpr const char* kUpdate = "update_running";

// One mean and one variance a group: the groups are the outer axis. Shapes are checked.
void move_running(const RunningConvention& convention, double momentum, std::span<const std::int64_t> counts,
                  const ConstTensorView& mean, const ConstTensorView& variance, const TensorView& running_mean,
                  const TensorView& running_var) {
  if (!(momentum >= 0 && momentum <= 1)) ops::fail(kUpdate, "momentum", "0 to 1", ops::number_text(momentum));
  const std::int64_t least = convention.unbiased_variance ? 2 : 1;
  double values = 0;
  for (const std::int64_t count : counts) {
    values += static_cast<double>(count);
    if (count >= least) continue;
    ops::fail(
        kUpdate, "count",
        "at least " + std::to_string(least) + " values per statistic under the convention \"" + convention.name + "\"",
        std::to_string(count));
  }
  const auto groups = static_cast<double>(counts.size());
  const double weight = convention.momentum_weighs_new ? momentum : 1.0 - momentum;
  const double unbias = convention.unbiased_variance ? values / (values - groups) : 1.0;
  const std::int64_t elements = running_mean.shape().elements();
  for (std::int64_t i = 0; i < elements; ++i) {
    double batch_mean = 0;
    double batch_variance = 0;
    double weights = 0;
    for (std::size_t g = 0; g < counts.size(); ++g) {
      // Relative to the first: equal counts are a plain mean, to the bit.
      const double share = static_cast<double>(counts[g]) / static_cast<double>(counts[0]);
      const std::int64_t n = static_cast<std::int64_t>(g) * elements + i;
      batch_mean += share * at(mean, n);
      batch_variance += share * at(variance, n);
      weights += share;
    }
    batch_mean /= weights;
    batch_variance /= weights;
    // One infinite batch would stay in the average for good.
    if (!std::isfinite(batch_mean) || !std::isfinite(batch_variance)) continue;
    set(running_mean, i, (1.0 - weight) * at(running_mean, i) + weight * batch_mean);
    set(running_var, i, (1.0 - weight) * at(running_var, i) + weight * (batch_variance * unbias));
  }
}

}  // namespace

std::int64_t merge(std::int64_t count, TensorView mean, TensorView m2, std::int64_t other_count,
                   ConstTensorView other_mean, ConstTensorView other_m2) {
  check_sets(mean, m2, other_mean, other_m2);
  const std::int64_t total = count_of_union(count, other_count);
  for (std::int64_t n = 0; n < mean.shape().elements(); ++n) {
    merge_one(count, mean, m2, other_count, other_mean, other_m2, n);
  }
  return total;
}

void merge(std::span<std::int64_t> counts, TensorView mean, TensorView m2, std::span<const std::int64_t> other_counts,
           ConstTensorView other_mean, ConstTensorView other_m2) {
  check_sets(mean, m2, other_mean, other_m2);
  const auto elements = static_cast<std::size_t>(mean.shape().elements());
  check_counts("merge", "counts", counts.size(), elements);
  check_counts("merge", "other_counts", other_counts.size(), elements);
  // All before any is written.
  for (std::size_t n = 0; n < elements; ++n) count_of_union(counts[n], other_counts[n]);
  for (std::size_t n = 0; n < elements; ++n) {
    merge_one(counts[n], mean, m2, other_counts[n], other_mean, other_m2, static_cast<std::int64_t>(n));
    counts[n] += other_counts[n];
  }
}

const RunningConvention& running_convention(std::string_view name) {
  for (const RunningConvention* convention : {&kTorch, &kOnnx, &kKeras}) {
    if (name == convention->name) return *convention;
  }
  throw Error("[running_convention] name: expected torch, onnx or keras, got \"" + std::string(name) + "\"");
}

void update_running(const RunningConvention& convention, double momentum, std::int64_t count, ConstTensorView mean,
                    ConstTensorView variance, TensorView running_mean, TensorView running_var) {
  if (!mean.present()) ops::fail(kUpdate, "mean", "a tensor", "none");
  check_pair(kUpdate, "mean", mean, mean);
  check_pair(kUpdate, "variance", variance, mean);
  check_pair(kUpdate, "running_mean", running_mean, mean);
  check_pair(kUpdate, "running_var", running_var, mean);
  move_running(convention, momentum, {&count, 1}, mean, variance, running_mean, running_var);
}

void update_running(const RunningConvention& convention, double momentum, std::span<const std::int64_t> counts,
                    ConstTensorView mean, ConstTensorView variance, TensorView running_mean, TensorView running_var) {
  if (!running_mean.present()) ops::fail(kUpdate, "running_mean", "a tensor", "none");
  check_pair(kUpdate, "running_mean", running_mean, running_mean);
  check_pair(kUpdate, "running_var", running_var, running_mean);
  if (counts.empty()) ops::fail(kUpdate, "counts", "one for each group", "none");
  const int rank = running_mean.shape().rank();
  if (rank == kMaxRank) ops::fail(kUpdate, "running_mean", "at most 7 axes", std::to_string(rank));
  std::array<std::int64_t, kMaxRank> sizes{static_cast<std::int64_t>(counts.size())};
  std::copy_n(running_mean.shape().sizes().begin(), rank, sizes.begin() + 1);
  const Shape groups(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank) + 1));
  for (const auto& [name, view] : {std::pair("mean", &mean), std::pair("variance", &variance)}) {
    if (!view->present() || view->shape() != groups) {
      ops::fail(kUpdate, name, "shape " + groups.to_string(), view->present() ? view->shape().to_string() : "none");
    }
    check_pair(kUpdate, name, *view, *view);
  }
  move_running(convention, momentum, counts, mean, variance, running_mean, running_var);
}

}  // namespace norma
