#include "lab/models/arms/per_sample.h"

namespace norma::lab {

PerSample::PerSample(const ArmContext& context, Normalization how) : how_(std::move(how)) {
  gamma_ = at::ones({context.features}, at::kFloat).requires_grad_();
  if (how_.centred) beta_ = at::zeros({context.features}, at::kFloat).requires_grad_();
}

at::Tensor PerSample::forward(const at::Tensor& x, const Pass& pass) {
  static_cast<void>(pass);
  return std::get<0>(normalize(x, gamma_, beta_, how_));
}

void PerSample::append_parameters(std::vector<at::Tensor>& parameters) const {
  parameters.push_back(gamma_);
  if (beta_.defined()) parameters.push_back(beta_);
}

Normalization over_features(const ArmContext& context) {
  return context.rank == 3 ? layer_normalization(3, 1, kArmEps) : channel_normalization(kArmEps);
}

}  // namespace norma::lab
