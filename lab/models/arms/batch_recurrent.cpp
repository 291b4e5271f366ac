// Recurrent BatchNorm (Cooijmans et al. 2017): W_x x, W_h h and the cell are normalized apart, with statistics of their
// own at every time step, one gamma from 0.1 for all steps, and a beta at the cell alone (the gates have their bias).
#include "lab/models/arms/batch_norm.h"

namespace norma::lab {
namespace {

constexpr double kGamma = 0.1;

// W_x x of all steps at once: (N,T,C) as N samples of T * C features, so that each step has its own statistics.
class AllSteps final : public ArmLayer {
 public:
  explicit AllSteps(const ArmContext& context)
      : batch_({.trial = context.trial, .features = context.steps * context.features, .rank = 2}, {.shift = false}) {
    gamma_ = at::full({context.features}, kGamma, at::kFloat).requires_grad_();
  }

  at::Tensor forward(const at::Tensor& x, const Pass& pass) override {
    return batch_.forward(x.reshape({x.size(0), -1}), pass).view(x.sizes()) * gamma_;
  }
  void append_parameters(std::vector<at::Tensor>& parameters) const override { parameters.push_back(gamma_); }
  bool absorbs_bias() const override { return false; }
  RunningStatistics* running() override { return batch_.running(); }
  void begin_estimate() override { batch_.begin_estimate(); }
  void end_estimate() override { batch_.end_estimate(); }

 private:
  BatchNorm batch_;  // its own gamma stays 1: it is no parameter
  at::Tensor gamma_;
};

class OneStep final : public BatchNorm {
 public:
  using BatchNorm::BatchNorm;
  bool absorbs_bias() const override { return false; }
};

}  // namespace

std::unique_ptr<ArmLayer> make_batch_recurrent(const ArmContext& context) {
  if (context.site == Site::kInput) return std::make_unique<AllSteps>(context);
  return std::make_unique<OneStep>(context, BatchNorm::Options{.gamma = kGamma, .shift = context.site == Site::kCell});
}

}  // namespace norma::lab
