// BatchNorm in evaluation, folded into the convolution or linear layer before it: one layer where there were two.
#pragma once

#include <cstdint>

#include "norma/tensor.h"

namespace norma {

// The weight and bias of one layer that computes what batch norm with these running statistics makes of the layer's
// output: with scale = gamma / sqrt(variance + eps) of an output channel,
//
//     folded_weight = weight * scale        folded_bias = (bias - mean) * scale + beta
//
//   weight, folded_weight: one shape; dense, in either layout. Linear (out, in) and convolution (out, in/groups, space)
//     have the output channel on axis 0. A transposed convolution (in, out/groups, space) has it on axis 1 and in
//     `groups`: pass 1 and its number of groups.
//   bias, gamma, beta: (out), each may be absent: 0, 1, 0. mean, variance, folded_bias: (out).
// Any mix of data types. Computed in f64 and rounded once to what the result is stored in. In place is allowed:
// folded_weight may be weight (then of its type and strides), and folded_bias any of the vectors.
// Throws Error for shapes that do not fit and for a channel whose variance + eps is not a finite number above 0, and
// has then written nothing.
void fold_batch_norm(ConstTensorView weight, ConstTensorView bias, ConstTensorView gamma, ConstTensorView beta,
                     ConstTensorView mean, ConstTensorView variance, double eps, TensorView folded_weight,
                     TensorView folded_bias, int output_axis = 0, std::int64_t groups = 1);

}  // namespace norma
