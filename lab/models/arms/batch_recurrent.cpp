// Recurrent BatchNorm (Cooijmans et al. 2017): W_x x, W_h h and the cell are normalized apart, with statistics of their
// own at every time step, one gamma from 0.1 for all steps, and a beta at the cell alone (the gates have their bias).
#include "lab/models/arms/batch_norm.h"

namespace norma::lab {
namespace {

constexpr double kGamma = 0.1;

// W_x x of all steps at once: (N,T,C) as N samples of T * C features, so that each step has its own statistics. Where
// samples end before others a step's statistics are over those that reach it, so then step by step.
class AllSteps final : public BatchNorm {
 public:
  explicit AllSteps(const ArmContext& context)
      : BatchNorm({.trial = context.trial,
                   .features = context.features,
                   .rank = 2,
                   .site = Site::kHidden,
                   .steps = context.steps},
                  {.gamma = kGamma, .shift = false}) {}

  at::Tensor forward(const at::Tensor& x, const Pass& pass) override {
    Pass each = pass;
    const bool whole = !pass.training || !pass.mask.defined() || pass.mask.all().item<bool>();
    if (whole && x.size(1) == steps()) {
      each.time_step = kAllSteps;
      return BatchNorm::forward(x.reshape({x.size(0), -1}), each).view(x.sizes());
    }
    std::vector<at::Tensor> outputs;
    for (each.time_step = 0; each.time_step < x.size(1); ++each.time_step) {
      outputs.push_back(BatchNorm::forward(x.select(1, each.time_step), each));
    }
    return at::stack(outputs, 1);
  }
  bool absorbs_bias() const override { return false; }
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
