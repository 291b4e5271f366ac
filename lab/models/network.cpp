#include "lab/models/network.h"

#include "lab/error.h"

namespace norma::lab {

void Network::add(const at::Tensor& weight, const at::Tensor& bias, ArmLayer* normalization) {
  weights_.push_back(weight);
  parameters_.push_back(weight);
  if (bias.defined()) parameters_.push_back(bias);
  layer_of_.resize(parameters_.size(), weights_.size() - 1);
  if (normalization != nullptr) add(normalization);
}

void Network::add(ArmLayer* normalization) {
  normalization->append_parameters(parameters_);
  layer_of_.resize(parameters_.size(), weights_.size() - 1);
  normalizations_.push_back(normalization);
}

std::unique_ptr<Network> make_network(const TrialSpec& trial, const Dataset& data) {
  const std::string& kind = trial.model.kind;
  if (kind == "mlp" || kind == "linear") return make_mlp(trial, data);
  if (kind == "cnn" || kind == "resnet") {
    if (data.kind != SampleKind::kImages) throw InputError("a model of kind '" + kind + "' takes images");
    return kind == "cnn" ? make_cnn(trial, data) : make_resnet(trial, data);
  }
  if (kind == "rnn" || kind == "gru" || kind == "lstm") return make_recurrent(trial, data);
  if (kind == "transformer" || kind == "decoder") return make_transformer(trial, data);
  throw InputError("unknown kind of model '" + kind + "'");
}

}  // namespace norma::lab
