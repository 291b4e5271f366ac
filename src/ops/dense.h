// The operations on dense tensors whose arguments are checked: the plan is made and run. `layout` is that of x and of
// what lies like it; mean, rstd, dgamma and dbeta may be in f64 whatever x is.
#pragma once

#include "norma/ops.h"
#include "plan/plan.h"

namespace norma::ops::dense {

inline plan::Plan plan_of(const Descriptor& descriptor, const ConstTensorView& x, Layout layout) {
  return plan::make_plan(descriptor, x.shape(), dense_strides(x.shape(), layout));
}

void forward(const Descriptor& descriptor, Layout layout, const ConstTensorView& x, const ConstTensorView& gamma,
             const ConstTensorView& beta, const TensorView& y, const TensorView& mean, const TensorView& rstd);
void inference(const Descriptor& descriptor, Layout layout, const ConstTensorView& x, const ConstTensorView& gamma,
               const ConstTensorView& beta, const ConstTensorView& mean, const ConstTensorView& variance,
               const TensorView& y);
void statistics(const Descriptor& descriptor, Layout layout, const ConstTensorView& x, const TensorView& mean,
                const TensorView& m2);
void backward(const Descriptor& descriptor, Layout layout, const ConstTensorView& dy, const ConstTensorView& x,
              const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& rstd,
              const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta);
void inference_backward(const Descriptor& descriptor, Layout layout, const ConstTensorView& dy,
                        const ConstTensorView& x, const ConstTensorView& gamma, const ConstTensorView& mean,
                        const ConstTensorView& variance, const TensorView& dx, const TensorView& dgamma,
                        const TensorView& dbeta);

}  // namespace norma::ops::dense
