// The operations under a mask: the valid elements are packed into dense tensors, the operations on those run, and the
// results go back to where the elements lie. Inference takes every element by itself, packs nothing, and clears what is
// masked. Arguments are checked.
#pragma once

#include <initializer_list>

#include "norma/ops.h"
#include "ops/packing.h"

namespace norma::ops::masked {

void forward(const Packing& packing, const ConstTensorView& x, const ConstTensorView& gamma,
             const ConstTensorView& beta, const TensorView& y, const TensorView& mean, const TensorView& rstd,
             const Fusion& fusion);
void statistics(const Packing& packing, const ConstTensorView& x, const TensorView& mean, const TensorView& m2);
void backward(const Packing& packing, const ConstTensorView& dy, const ConstTensorView& x, const ConstTensorView& gamma,
              const ConstTensorView& mean, const ConstTensorView& rstd, const TensorView& dx, const TensorView& dgamma,
              const TensorView& dbeta, const FusionGradient& fusion);
// Zeros where the mask leaves nothing.
void clear(const Packing& packing, std::initializer_list<const TensorView*> outputs);
void inference_backward(const Packing& packing, const ConstTensorView& dy, const ConstTensorView& x,
                        const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& variance,
                        const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta,
                        const FusionGradient& fusion);

}  // namespace norma::ops::masked
