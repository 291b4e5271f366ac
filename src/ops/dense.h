// The operations on tensors whose arguments are checked and that the kernels can read as they lie (Door::must_copy):
// the plan of x is run. mean, rstd, dgamma and dbeta may be in f64 whatever x is.
#pragma once

#include <algorithm>
#include <optional>

#include "norma/ops.h"
#include "ops/valid_rows.h"
#include "plan/plan.h"

namespace norma::ops::dense {

// The plan of the rows that count.
class PlanOfRows {
 public:
  PlanOfRows(const plan::Plan& plan, const ValidRows* valid) : plan_(plan) {
    if (valid == nullptr) return;
    fewer_ = plan;
    (plan.rows() ? fewer_->B : fewer_->O) = valid->count();
  }
  const plan::Plan& operator()() const { return fewer_ ? *fewer_ : plan_; }

 private:
  const plan::Plan& plan_;
  std::optional<plan::Plan> fewer_;
};

inline const std::int64_t* rows_of(const ValidRows* valid) {
  return valid == nullptr ? nullptr : valid->valid();
}

// The statistics of masked rows; all `count` where no row counts.
inline void clear_masked(const ValidRows* valid, std::int64_t count, double* statistics) {
  if (valid == nullptr || statistics == nullptr) return;
  if (!valid->statistics()) {
    if (valid->count() == 0) std::fill_n(statistics, count, 0.0);
    return;
  }
  for (std::int64_t n = 0; n < valid->masked_count(); ++n) statistics[valid->masked()[n]] = 0.0;
}

// Masked rows of what lies like x.
void clear_masked(const plan::Plan& plan, const ValidRows* valid, const TensorView& view);

// Of what lies like x.
inline plan::Pitch pitch_of(const plan::Plan& plan, const ConstTensorView& view) {
  return view.present() && plan.direct ? plan::pitch_of(plan, view.strides()).value_or(plan.dense()) : plan.dense();
}

void forward(const plan::Plan& all, const ConstTensorView& x, const ConstTensorView& gamma, const ConstTensorView& beta,
             const TensorView& y, const TensorView& mean, const TensorView& rstd, const Fusion& fusion,
             const ValidRows* valid);
void inference(const plan::Plan& all, const ConstTensorView& x, const ConstTensorView& gamma,
               const ConstTensorView& beta, const ConstTensorView& mean, const ConstTensorView& variance,
               const TensorView& y, const Fusion& fusion, const ValidRows* valid);
void statistics(const plan::Plan& all, const ConstTensorView& x, const TensorView& mean, const TensorView& m2,
                const ValidRows* valid);
void backward(const plan::Plan& all, const ConstTensorView& dy, const ConstTensorView& x, const ConstTensorView& gamma,
              const ConstTensorView& mean, const ConstTensorView& rstd, const TensorView& dx, const TensorView& dgamma,
              const TensorView& dbeta, const FusionGradient& fusion, const ValidRows* valid);
void inference_backward(const plan::Plan& all, const ConstTensorView& dy, const ConstTensorView& x,
                        const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& variance,
                        const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta,
                        const FusionGradient& fusion, const ValidRows* valid);

}  // namespace norma::ops::dense
