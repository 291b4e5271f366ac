// Every normalization as a torch operator, on libnorma's kernels: registered with torch's dispatcher under "norma::"
// (CPU and autograd), and as the C++ functions below, which call through it.
//
// Tensors: f32, f64, bf16 or f16 on the CPU. Channels-first and channels-last memory formats are both taken as they
// lie, and the output and the gradient keep the input's; an input that is dense in neither is made contiguous first.
// gamma, beta and the running statistics have x's type, or f32 where that is bf16 or f16. The statistics of a batch are
// saved in f64: they are few, and they carry the accuracy of the backward pass and of the running variance.
//
// Gradients: of any order, in training (`normalize`) and with given statistics (`normalize_with`). The first is the
// kernels'; from the second on they are composed of torch's own operators, in f64 whatever x is, and slower.
//
// Errors: norma::Error, or c10::Error where torch itself finds the mistake.
#pragma once

// First: otherwise Clang, in C++20, meets std::vector<IValue> inside torch 1.13's headers before IValue is complete.
#include <ATen/core/ivalue.h>

#include <ATen/ATen.h>
#include <c10/util/Optional.h>

#include <cstdint>
#include <tuple>

namespace norma {

using OptionalTensor = c10::optional<at::Tensor>;

// norma::Descriptor (norma/descriptor.h) in torch's types.
struct Normalization {
  at::DimVector statistics;  // the axes that share statistics
  at::DimVector affine;      // the axes that own gamma and beta
  std::int64_t groups = 1;   // parts of axis 1 with statistics of their own (GroupNorm)
  // Parts of axis 0 with statistics of their own: consecutive samples form a normalization batch, set apart from the
  // SGD batch. More than one needs axis 0 in `statistics`.
  std::int64_t batch_groups = 1;
  double eps = 1e-5;
  bool centred = true;
  const char* name = "normalize";  // for error messages only
};

// x of this rank. BatchNorm, in `batch_groups` normalization batches.
Normalization batch_normalization(std::int64_t rank, double eps, std::int64_t batch_groups = 1);
Normalization layer_normalization(std::int64_t rank, std::int64_t axes, double eps);
// LayerNorm over axis 1 alone, at each position of an image or a sequence in channels-first order.
Normalization channel_normalization(double eps);
Normalization group_normalization(std::int64_t rank, std::int64_t groups, double eps);
Normalization instance_normalization(std::int64_t rank, double eps);
Normalization rms_normalization(std::int64_t rank, std::int64_t axes, double eps);

// A mask says which samples and positions count: bool or uint8, any strides, of x's rank with every axis of x's size or
// 1; or without the axis of the features, where a single axis owns gamma and beta: (N,T) for sequences as (N,T,C) or
// (N,C,T), (N,H,W) for images. What is masked enters no statistic, whatever its value; y and the gradient are 0 there.
// See norma/ops.h.

// y, mean and rstd from x's own statistics; only y is differentiable. mean, rstd: f64, of the shape that
// norma::statistics_shape gives, with the normalization batches as a first axis if there are several.
std::tuple<at::Tensor, at::Tensor, at::Tensor> normalize(const at::Tensor& x, const OptionalTensor& gamma,
                                                         const OptionalTensor& beta, const Normalization& how,
                                                         const OptionalTensor& mask = {});

// y from given statistics, which are constants to the gradient. mean may be absent if not centred.
at::Tensor normalize_with(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                          const OptionalTensor& mean, const at::Tensor& variance, const Normalization& how,
                          const OptionalTensor& mask = {});

// How many values are behind each statistic of `normalize`, of the same shape.
at::Tensor valid_counts(const at::Tensor& x, const Normalization& how, const OptionalTensor& mask);

// Moves running_mean and running_var (C) towards a batch's statistics by torch's convention: running = (1 - momentum)
// * running + momentum * batch, with the unbiased variance. mean and rstd are `normalize`'s, (C) or (groups, C), each
// taken over counts[group] values (a single count: over as many in every group). Several groups move the running
// statistics once: the mean by the mean over the groups' means and the variance by that over their unbiased variances,
// where counts differ weighed by them (norma::update_running).
void update_running_(at::Tensor& running_mean, at::Tensor& running_var, const at::Tensor& mean, const at::Tensor& rstd,
                     double eps, at::IntArrayRef counts, double momentum);

// BatchNorm over normalization batches of `normalization_batch` consecutive samples ("ghost batches") with one gamma
// and beta, in one call. x: (N,C,...), N a multiple of normalization_batch. The running statistics, if given, move once
// a step. With training = false: normalizes with the running statistics, and the size of the batch is free. A mask is
// the same for all features: (N,...) or (N,1,...). In training every group needs more than one valid value a feature.
at::Tensor batch_norm_grouped(const at::Tensor& x, std::int64_t normalization_batch, const OptionalTensor& gamma,
                              const OptionalTensor& beta, const OptionalTensor& running_mean,
                              const OptionalTensor& running_var, bool training, double momentum, double eps,
                              const OptionalTensor& mask = {});

}  // namespace norma
