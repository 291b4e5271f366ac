// The modules: options, state and shape checks; the computation is norma_torch/ops.h's.
#include "norma_torch/nn.h"

#include <torch/nn/init.h>

#include <limits>
#include <ostream>
#include <sstream>
#include <string>

#include "norma/tensor.h"

namespace norma::nn {
namespace {

std::string text(const at::Tensor& x) {
  std::ostringstream out;
  out << x.sizes();
  return out.str();
}

void check_rank(const at::Tensor& x, std::int64_t low, std::int64_t high, const char* operation, const char* expected) {
  if (x.dim() < low || x.dim() > high) {
    throw Error(std::string("[") + operation + "] x: expected " + expected + ", got shape " + text(x));
  }
}

void check_features(const at::Tensor& x, std::int64_t axis, std::int64_t features, const char* operation) {
  if (x.size(axis) != features) {
    throw Error(std::string("[") + operation + "] x: expected " + std::to_string(features) + " features in axis " +
                std::to_string(axis) + ", got shape " + text(x));
  }
}

// The last axes of x must be normalized_shape.
void check_last(const at::Tensor& x, at::IntArrayRef normalized_shape, const char* operation) {
  const auto axes = static_cast<std::int64_t>(normalized_shape.size());
  if (axes == 0 || x.dim() < axes || x.sizes().slice(static_cast<std::size_t>(x.dim() - axes)) != normalized_shape) {
    std::ostringstream out;
    out << "[" << operation << "] x: expected the last axes " << normalized_shape << ", got shape " << x.sizes();
    throw Error(out.str());
  }
}

// weight of ones and bias of zeros, registered under torch's names; undefined where not wanted.
void register_affine(torch::nn::Module& module, at::Tensor& weight, at::Tensor* bias, at::IntArrayRef sizes,
                     bool wanted) {
  const auto make = [&](const char* name) {
    return module.register_parameter(name, wanted ? torch::empty(sizes) : at::Tensor(), wanted);
  };
  weight = make("weight");
  if (bias != nullptr) *bias = make("bias");
}

void reset_affine(at::Tensor& weight, at::Tensor* bias) {
  if (weight.defined()) torch::nn::init::ones_(weight);
  if (bias != nullptr && bias->defined()) torch::nn::init::zeros_(*bias);
}

template <class Options>
void print(std::ostream& stream, const char* name, std::size_t dimensions, const Options& options) {
  stream << std::boolalpha << "norma::nn::" << name;
  if (dimensions > 0) stream << dimensions << "d";
  stream << "(" << options.num_features() << ", eps=" << options.eps() << ", affine=" << options.affine()
         << ", track_running_stats=" << options.track_running_stats() << ")";
}

}  // namespace

// -------------------------------------------------------------------------------------------------------- BatchNorm

template <std::size_t D, class Derived>
void BatchNormBase<D, Derived>::_check_input_dim(const at::Tensor& x) {
  if constexpr (D == 1) {
    check_rank(x, 2, 3, "batch_norm", "(N,C) or (N,C,L)");
  } else {
    check_rank(x, 4, 4, "batch_norm", "(N,C,H,W)");
  }
}

template <std::size_t D, class Derived>
at::Tensor BatchNormBase<D, Derived>::forward(const at::Tensor& x) {
  _check_input_dim(x);
  check_features(x, 1, this->options.num_features(), "batch_norm");
  // A batch of no samples says nothing: it does not count.
  const bool counts = this->is_training() && this->options.track_running_stats() && x.numel() > 0 &&
                      this->num_batches_tracked.defined();
  double momentum = this->options.momentum().value_or(0.0);
  if (counts && !this->options.momentum().has_value()) {
    momentum = 1.0 / (1.0 + static_cast<double>(this->num_batches_tracked.template item<std::int64_t>()));
  }
  const bool training = this->is_training() || !this->options.track_running_stats();
  at::Tensor y = batch_norm_grouped(x, normalization_batch(x.size(0)), this->weight, this->bias, this->running_mean,
                                    this->running_var, training, momentum, this->options.eps());
  // Only now: a batch that was refused has left no trace.
  if (counts) {
    torch::NoGradGuard no_grad;
    this->num_batches_tracked += 1;
  }
  return y;
}

template <std::size_t D, class Derived>
void BatchNormBase<D, Derived>::pretty_print(std::ostream& stream) const {
  print(stream, "BatchNorm", D, this->options);
}

GhostBatchNormImpl::GhostBatchNormImpl(const GhostBatchNormOptions& given)
    : BatchNormBase(torch::nn::BatchNormOptions(given.num_features())
                        .eps(given.eps())
                        .momentum(given.momentum())
                        .affine(given.affine())
                        .track_running_stats(given.track_running_stats())),
      normalization_batch_(given.normalization_batch()) {
  if (normalization_batch_ < 1) {
    throw Error("[batch_norm] normalization_batch: expected at least 1, got " + std::to_string(normalization_batch_));
  }
}

void GhostBatchNormImpl::_check_input_dim(const at::Tensor& x) {
  check_rank(x, 2, 4, "batch_norm", "(N,C), (N,C,L) or (N,C,H,W)");
}

void GhostBatchNormImpl::pretty_print(std::ostream& stream) const {
  stream << "norma::nn::GhostBatchNorm(" << options.num_features() << ", normalization_batch=" << normalization_batch_
         << ", eps=" << options.eps() << ")";
}

// ----------------------------------------------------------------------------------------------------- InstanceNorm

template <std::size_t D, class Derived>
void InstanceNormBase<D, Derived>::_check_input_dim(const at::Tensor& x) {
  check_rank(x, D + 1, D + 2, "instance_norm", D == 1 ? "(N,C,L) or (C,L)" : "(N,C,H,W) or (C,H,W)");
}

// With running statistics, training moves them by the mean over the samples: the normalization batch is one sample.
template <std::size_t D, class Derived>
at::Tensor InstanceNormBase<D, Derived>::forward(const at::Tensor& x) {
  _check_input_dim(x);
  if (x.dim() == D + 1) return forward(x.unsqueeze(0)).squeeze(0);
  check_features(x, 1, this->options.num_features(), "instance_norm");
  if (!this->is_training() && this->options.track_running_stats()) {
    return normalize_with(x, this->weight, this->bias, this->running_mean, this->running_var,
                          batch_normalization(x.dim(), this->options.eps()));
  }
  const std::int64_t values = x.numel() == 0 ? 0 : x.numel() / (x.size(0) * x.size(1));
  if (values == 1) {
    throw Error("[instance_norm] expected more than one value per statistic in training, got x of shape " + text(x));
  }
  auto [y, mean, rstd] = normalize(x, this->weight, this->bias, instance_normalization(x.dim(), this->options.eps()));
  if (this->options.track_running_stats() && values > 0) {
    update_running_(this->running_mean, this->running_var, mean, rstd, this->options.eps(), values,
                    this->options.momentum());
  }
  return y;
}

template <std::size_t D, class Derived>
void InstanceNormBase<D, Derived>::pretty_print(std::ostream& stream) const {
  print(stream, "InstanceNorm", D, this->options);
}

template class BatchNormBase<0, GhostBatchNormImpl>;
template class BatchNormBase<1, BatchNorm1dImpl>;
template class BatchNormBase<2, BatchNorm2dImpl>;
template class InstanceNormBase<1, InstanceNorm1dImpl>;
template class InstanceNormBase<2, InstanceNorm2dImpl>;

// ------------------------------------------------------------------------------------------------ LayerNorm, RMSNorm

LayerNormImpl::LayerNormImpl(const torch::nn::LayerNormOptions& options_) : options(options_) {
  reset();
}

void LayerNormImpl::reset() {
  register_affine(*this, weight, &bias, options.normalized_shape(), options.elementwise_affine());
  reset_parameters();
}

void LayerNormImpl::reset_parameters() {
  reset_affine(weight, &bias);
}

at::Tensor LayerNormImpl::forward(const at::Tensor& x) {
  check_last(x, options.normalized_shape(), "layer_norm");
  const auto axes = static_cast<std::int64_t>(options.normalized_shape().size());
  return std::get<0>(normalize(x, weight, bias, layer_normalization(x.dim(), axes, options.eps())));
}

void LayerNormImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "norma::nn::LayerNorm(" << at::IntArrayRef(options.normalized_shape())
         << ", eps=" << options.eps() << ", elementwise_affine=" << options.elementwise_affine() << ")";
}

RMSNormImpl::RMSNormImpl(const RMSNormOptions& options_) : options(options_) {
  reset();
}

void RMSNormImpl::reset() {
  register_affine(*this, weight, nullptr, options.normalized_shape(), options.elementwise_affine());
  reset_parameters();
}

void RMSNormImpl::reset_parameters() {
  reset_affine(weight, nullptr);
}

at::Tensor RMSNormImpl::forward(const at::Tensor& x) {
  check_last(x, options.normalized_shape(), "rms_norm");
  const auto axes = static_cast<std::int64_t>(options.normalized_shape().size());
  const double unit =
      x.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  return std::get<0>(normalize(x, weight, {}, rms_normalization(x.dim(), axes, options.eps().value_or(unit))));
}

void RMSNormImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "norma::nn::RMSNorm(" << at::IntArrayRef(options.normalized_shape())
         << ", elementwise_affine=" << options.elementwise_affine() << ")";
}

// -------------------------------------------------------------------------------------------------------- GroupNorm

GroupNormImpl::GroupNormImpl(const torch::nn::GroupNormOptions& options_) : options(options_) {
  reset();
}

void GroupNormImpl::reset() {
  if (options.num_groups() < 1 || options.num_channels() % options.num_groups() != 0) {
    throw Error("[group_norm] num_groups: expected a divisor of " + std::to_string(options.num_channels()) +
                " channels, got " + std::to_string(options.num_groups()));
  }
  register_affine(*this, weight, &bias, {options.num_channels()}, options.affine());
  reset_parameters();
}

void GroupNormImpl::reset_parameters() {
  reset_affine(weight, &bias);
}

at::Tensor GroupNormImpl::forward(const at::Tensor& x) {
  check_rank(x, 2, kMaxRank, "group_norm", "(N,C,...)");
  check_features(x, 1, options.num_channels(), "group_norm");
  return std::get<0>(normalize(x, weight, bias, group_normalization(x.dim(), options.num_groups(), options.eps())));
}

void GroupNormImpl::pretty_print(std::ostream& stream) const {
  stream << std::boolalpha << "norma::nn::GroupNorm(" << options.num_groups() << ", " << options.num_channels()
         << ", eps=" << options.eps() << ", affine=" << options.affine() << ")";
}

}  // namespace norma::nn
