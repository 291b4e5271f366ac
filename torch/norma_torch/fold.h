// BatchNorm in evaluation, folded into the convolution or linear layer before it (norma/fold.h).
#pragma once

#include "norma_torch/ops.h"

namespace norma {

// The weight and the bias, which a layer without one gets, of one layer that computes what the norm makes of the
// layer's output; of the weight's type, and no part of a graph:
//
//     auto [weight, bias] = norma::fold_batch_norm(conv->weight, conv->bias, norm->weight, norm->bias,
//                                                  norm->running_mean, norm->running_var, norm->options.eps());
//
// bias, gamma and beta may be absent or undefined. A transposed convolution has its output channels on axis 1: pass
// that and its number of groups.
std::tuple<at::Tensor, at::Tensor> fold_batch_norm(const at::Tensor& weight, const OptionalTensor& bias,
                                                   const OptionalTensor& gamma, const OptionalTensor& beta,
                                                   const at::Tensor& mean, const at::Tensor& variance, double eps,
                                                   int output_axis = 0, std::int64_t groups = 1);

}  // namespace norma
