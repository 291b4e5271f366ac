// BatchNorm (Ioffe & Szegedy 2015) over normalization batches of consecutive samples, with running averages for
// evaluation that move once a step.
#include "lab/models/arm.h"
#include "norma_torch/ops.h"

namespace norma::lab {
namespace {

class BatchNorm final : public ArmLayer {
 public:
  explicit BatchNorm(const ArmContext& context) : normalization_batch_(context.trial.normalization_batch) {
    gamma_ = at::ones({context.features}, at::kFloat).requires_grad_();
    beta_ = at::zeros({context.features}, at::kFloat).requires_grad_();
    running_ = {at::zeros({context.features}, at::kFloat), at::ones({context.features}, at::kFloat)};
  }

  at::Tensor forward(const at::Tensor& x, const Pass& pass) override {
    return batch_norm_grouped(x, normalization_batch_, gamma_, beta_, running_.mean, running_.variance, pass.training,
                              kArmMomentum, kArmEps);
  }
  void append_parameters(std::vector<at::Tensor>& parameters) const override {
    parameters.push_back(gamma_);
    parameters.push_back(beta_);
  }
  RunningStatistics* running() override { return &running_; }

 private:
  std::int64_t normalization_batch_;
  at::Tensor gamma_, beta_;
  RunningStatistics running_;
};

}  // namespace

std::unique_ptr<ArmLayer> make_batch(const ArmContext& context) {
  return std::make_unique<BatchNorm>(context);
}

}  // namespace norma::lab
