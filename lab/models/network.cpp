#include "lab/models/network.h"

#include "lab/error.h"

namespace norma::lab {

void Network::add(const at::Tensor& weight, const at::Tensor& bias, ArmLayer* normalization) {
  weights_.push_back(weight);
  parameters_.push_back(weight);
  if (bias.defined()) parameters_.push_back(bias);
  if (normalization == nullptr) return;
  normalization->append_parameters(parameters_);
  normalizations_.push_back(normalization);
}

std::unique_ptr<Network> make_network(const TrialSpec& trial, const Dataset& data) {
  const std::string& kind = trial.model.kind;
  if (kind == "mlp") return make_mlp(trial, data);
  if (kind == "cnn") return make_cnn(trial, data);
  throw InputError("unknown kind of model '" + kind + "'");
}

}  // namespace norma::lab
