// The usual normalizations by name, and BatchNorm with its running statistics.
#include <string>

#include "norma/error.h"
#include "norma_torch/ops.h"

namespace norma {
namespace {

at::DimVector all_but_channels(std::int64_t rank) {
  at::DimVector axes;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    if (axis != 1) axes.push_back(axis);
  }
  return axes;
}

at::DimVector from(std::int64_t first, std::int64_t rank) {
  at::DimVector axes;
  for (std::int64_t axis = first; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

std::string text(at::IntArrayRef sizes) {
  std::string out = "(";
  for (const std::int64_t size : sizes) out += (out.size() > 1 ? ", " : "") + std::to_string(size);
  return out + ")";
}

}  // namespace

Normalization batch_normalization(std::int64_t rank, double eps, std::int64_t batch_groups) {
  return {.statistics = all_but_channels(rank),
          .affine = {1},
          .groups = 1,
          .batch_groups = batch_groups,
          .eps = eps,
          .centred = true,
          .name = "batch_norm"};
}

Normalization layer_normalization(std::int64_t rank, std::int64_t axes, double eps) {
  return {.statistics = from(rank - axes, rank),
          .affine = from(rank - axes, rank),
          .groups = 1,
          .batch_groups = 1,
          .eps = eps,
          .centred = true,
          .name = "layer_norm"};
}

Normalization channel_normalization(double eps) {
  return {.statistics = {1},
          .affine = {1},
          .groups = 1,
          .batch_groups = 1,
          .eps = eps,
          .centred = true,
          .name = "channel_norm"};
}

Normalization group_normalization(std::int64_t rank, std::int64_t groups, double eps) {
  return {.statistics = from(1, rank),
          .affine = {1},
          .groups = groups,
          .batch_groups = 1,
          .eps = eps,
          .centred = true,
          .name = "group_norm"};
}

Normalization instance_normalization(std::int64_t rank, double eps) {
  return {.statistics = from(2, rank),
          .affine = {1},
          .groups = 1,
          .batch_groups = 1,
          .eps = eps,
          .centred = true,
          .name = "instance_norm"};
}

Normalization rms_normalization(std::int64_t rank, std::int64_t axes, double eps) {
  Normalization how = layer_normalization(rank, axes, eps);
  how.centred = false;
  how.name = "rms_norm";
  return how;
}

at::Tensor batch_norm_grouped(const at::Tensor& x, std::int64_t normalization_batch, const OptionalTensor& gamma,
                              const OptionalTensor& beta, const OptionalTensor& running_mean,
                              const OptionalTensor& running_var, bool training, double momentum, double eps,
                              const OptionalTensor& mask) {
  if (x.dim() < 2) throw Error("[batch_norm] x: expected (N,C,...), got shape " + text(x.sizes()));
  const auto given = [](const OptionalTensor& t) { return t.has_value() && t->defined(); };
  if (given(mask) && mask->dim() == x.dim() && mask->size(1) != 1) {
    throw Error("[batch_norm] mask: expected one value for all features, got shape " + text(mask->sizes()));
  }
  if (!training) {
    if (!given(running_mean) || !given(running_var)) {
      throw Error("[batch_norm] evaluation needs running_mean and running_var");
    }
    return normalize_with(x, gamma, beta, running_mean, *running_var, batch_normalization(x.dim(), eps), mask);
  }
  if (x.numel() == 0) return std::get<0>(normalize(x, gamma, beta, batch_normalization(x.dim(), eps), mask));

  if (normalization_batch < 1 || x.size(0) % normalization_batch != 0) {
    throw Error("[batch_norm] normalization_batch: expected a divisor of the batch, " + std::to_string(x.size(0)) +
                " samples, got " + std::to_string(normalization_batch));
  }
  const std::int64_t parts = x.size(0) / normalization_batch;
  const std::int64_t count = x.numel() / x.size(1) / parts;
  if (count < 2) {
    throw Error("[batch_norm] expected more than one value per statistic in training, got x of shape " +
                text(x.sizes()) + " in normalization batches of " + std::to_string(normalization_batch));
  }
  const Normalization how = batch_normalization(x.dim(), eps, parts);
  auto [y, mean, rstd] = normalize(x, gamma, beta, how, mask);
  if (given(running_mean) && given(running_var)) {
    at::DimVector counts{count};
    if (given(mask)) {
      const at::Tensor valid = valid_counts(x, how, mask);
      counts.resize(static_cast<std::size_t>(parts));
      // The same for all features.
      for (std::size_t part = 0; part < counts.size(); ++part) {
        counts[part] = valid.data_ptr<std::int64_t>()[static_cast<std::int64_t>(part) * x.size(1)];
      }
    }
    at::Tensor moved_mean = *running_mean, moved_var = *running_var;
    update_running_(moved_mean, moved_var, mean, rstd, eps, counts, momentum);
  }
  return y;
}

}  // namespace norma
