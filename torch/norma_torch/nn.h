// Normalization layers for libtorch, on libnorma's kernels. Drop-in for torch::nn's: the same options, the same names
// in the state dict (weight, bias, running_mean, running_var, num_batches_tracked), so that a module saved by one loads
// into the other. See norma_torch/ops.h for memory formats, types and gradients.
//
// Differences from torch: InstanceNorm in training refuses a single value per statistic whatever the batch size (torch
// looks at the batch too); RMSNorm follows newer torch's (torch 1.13 has none); GhostBatchNorm is new.
#pragma once

#include "norma_torch/ops.h"  // before torch's own, as it says there

#include <torch/nn/cloneable.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/options/batchnorm.h>
#include <torch/nn/options/instancenorm.h>
#include <torch/nn/options/normalization.h>
#include <torch/nn/pimpl.h>

#include <vector>

namespace norma::nn {

// torch's base of BatchNorm and InstanceNorm owns options, parameters, buffers and their resets; what is computed is
// ours.
template <std::size_t D, class Derived>
class BatchNormBase : public torch::nn::NormImplBase<D, Derived, torch::nn::BatchNormOptions> {
 public:
  using torch::nn::NormImplBase<D, Derived, torch::nn::BatchNormOptions>::NormImplBase;
  at::Tensor forward(const at::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

 protected:
  // How many samples of a batch of this size share statistics.
  virtual std::int64_t normalization_batch(std::int64_t batch) const { return batch; }
  void _check_input_dim(const at::Tensor& x) override;
};

// (N,C) or (N,C,L).
class BatchNorm1dImpl : public BatchNormBase<1, BatchNorm1dImpl> {
 public:
  using BatchNormBase::BatchNormBase;
};
TORCH_MODULE(BatchNorm1d);

// (N,C,H,W).
class BatchNorm2dImpl : public BatchNormBase<2, BatchNorm2dImpl> {
 public:
  using BatchNormBase::BatchNormBase;
};
TORCH_MODULE(BatchNorm2d);

struct GhostBatchNormOptions {
  GhostBatchNormOptions(std::int64_t num_features, std::int64_t normalization_batch)
      : num_features_(num_features), normalization_batch_(normalization_batch) {}
  TORCH_ARG(std::int64_t, num_features);
  // How many consecutive samples share statistics; it must divide every training batch.
  TORCH_ARG(std::int64_t, normalization_batch);
  TORCH_ARG(double, eps) = 1e-5;
  TORCH_ARG(c10::optional<double>, momentum) = 0.1;
  TORCH_ARG(bool, affine) = true;
  TORCH_ARG(bool, track_running_stats) = true;
};

// BatchNorm whose normalization batch is set apart from the SGD batch: (N,C), (N,C,L) or (N,C,H,W). The running
// statistics move once a step, by the mean over the step's groups; evaluation uses them and takes any batch. The state
// is BatchNorm's.
class GhostBatchNormImpl : public BatchNormBase<0, GhostBatchNormImpl> {
 public:
  explicit GhostBatchNormImpl(const GhostBatchNormOptions& options);
  void pretty_print(std::ostream& stream) const override;

 protected:
  std::int64_t normalization_batch(std::int64_t) const override { return normalization_batch_; }
  void _check_input_dim(const at::Tensor& x) override;

 private:
  std::int64_t normalization_batch_;
};
TORCH_MODULE(GhostBatchNorm);

template <std::size_t D, class Derived>
class InstanceNormBase : public torch::nn::NormImplBase<D, Derived, torch::nn::InstanceNormOptions> {
 public:
  using torch::nn::NormImplBase<D, Derived, torch::nn::InstanceNormOptions>::NormImplBase;
  at::Tensor forward(const at::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

 protected:
  void _check_input_dim(const at::Tensor& x) override;
};

// (N,C,L), or (C,L) for one sample.
class InstanceNorm1dImpl : public InstanceNormBase<1, InstanceNorm1dImpl> {
 public:
  using InstanceNormBase::InstanceNormBase;
};
TORCH_MODULE(InstanceNorm1d);

// (N,C,H,W), or (C,H,W) for one sample.
class InstanceNorm2dImpl : public InstanceNormBase<2, InstanceNorm2dImpl> {
 public:
  using InstanceNormBase::InstanceNormBase;
};
TORCH_MODULE(InstanceNorm2d);

// Over the last axes, which have the sizes `normalized_shape`.
class LayerNormImpl : public torch::nn::Cloneable<LayerNormImpl> {
 public:
  explicit LayerNormImpl(std::vector<std::int64_t> normalized_shape)
      : LayerNormImpl(torch::nn::LayerNormOptions(std::move(normalized_shape))) {}
  explicit LayerNormImpl(const torch::nn::LayerNormOptions& options_);
  void reset() override;
  void reset_parameters();
  at::Tensor forward(const at::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  torch::nn::LayerNormOptions options;
  at::Tensor weight, bias;  // of the shape normalized_shape; undefined without elementwise_affine
};
TORCH_MODULE(LayerNorm);

// (N,C,...), C a multiple of num_groups.
class GroupNormImpl : public torch::nn::Cloneable<GroupNormImpl> {
 public:
  GroupNormImpl(std::int64_t num_groups, std::int64_t num_channels)
      : GroupNormImpl(torch::nn::GroupNormOptions(num_groups, num_channels)) {}
  explicit GroupNormImpl(const torch::nn::GroupNormOptions& options_);
  void reset() override;
  void reset_parameters();
  at::Tensor forward(const at::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  torch::nn::GroupNormOptions options;
  at::Tensor weight, bias;  // (C); undefined without affine
};
TORCH_MODULE(GroupNorm);

// As torch.nn.RMSNorm of torch 2.4 and later.
struct RMSNormOptions {
  RMSNormOptions(std::vector<std::int64_t> normalized_shape)  // NOLINT(google-explicit-constructor): as torch's options
      : normalized_shape_(std::move(normalized_shape)) {}
  TORCH_ARG(std::vector<std::int64_t>, normalized_shape);
  // None: the distance from 1 to the next number of the type that x is computed in, f32 for bf16 and f16.
  TORCH_ARG(c10::optional<double>, eps) = c10::nullopt;
  TORCH_ARG(bool, elementwise_affine) = true;
};

// x / sqrt(mean(x^2) + eps) over the last axes, times weight.
class RMSNormImpl : public torch::nn::Cloneable<RMSNormImpl> {
 public:
  explicit RMSNormImpl(std::vector<std::int64_t> normalized_shape)
      : RMSNormImpl(RMSNormOptions(std::move(normalized_shape))) {}
  explicit RMSNormImpl(const RMSNormOptions& options_);
  void reset() override;
  void reset_parameters();
  at::Tensor forward(const at::Tensor& x);
  void pretty_print(std::ostream& stream) const override;

  RMSNormOptions options;
  at::Tensor weight;  // of the shape normalized_shape; undefined without elementwise_affine
};
TORCH_MODULE(RMSNorm);

}  // namespace norma::nn
