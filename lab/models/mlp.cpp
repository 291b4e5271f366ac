// MLP: depth x [Linear -> norm -> activation] -> Linear. "linear" is an MLP without activations.
//
// With residual connections each layer whose input is as wide as its output adds its input: x + branch(f(x)).
// `gain` scales the initial weights of the hidden layers, not those of the last.
#include "lab/error.h"
#include "lab/models/network.h"
#include "lab/models/weights.h"

namespace norma::lab {
namespace {

class Mlp final : public Network {
 public:
  Mlp(const TrialSpec& trial, const Dataset& data) : activation_(activation_named(trial.model.activation)) {
    const ModelSpec& model = trial.model;
    if (model.depth < 0 || (model.depth > 0 && model.width < 1)) {
      throw InputError("an MLP needs a depth of 0 or more and a width above 0");
    }
    std::int64_t features = data.features();
    for (std::int64_t i = 0; i < model.depth; ++i) {
      Layer layer;
      layer.weight = initial_weights({model.width, features}, activation_, model.gain, trial.seed, layers_.size());
      layer.normalization = make_arm({.trial = trial, .features = model.width, .rank = 2});
      layer.residual = features == model.width && (model.residual == "skip" || layer.normalization->adds_residual());
      if (!layer.normalization->absorbs_bias()) layer.bias = initial_bias(model.width);
      add(layer.weight, layer.bias, layer.normalization.get());
      layers_.push_back(std::move(layer));
      features = model.width;
    }
    last_weight_ = initial_weights({data.classes, features}, Activation::kNone, 1, trial.seed, layers_.size());
    last_bias_ = initial_bias(data.classes);
    add(last_weight_, last_bias_, nullptr);
  }

  at::Tensor forward(const Batch& batch, Pass pass) override {
    at::Tensor x = batch.x.flatten(1);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const at::Tensor before = at::linear(x, layer.weight, layer.bias);
      const at::Tensor after = layer.normalization->forward(before, pass);
      if (pass.observer != nullptr) pass.observer->saw(i, before, after);
      const at::Tensor out = activate(activation_, after);
      x = layer.residual ? x + layer.normalization->branch(out) : out;
    }
    return at::linear(x, last_weight_, last_bias_);
  }

 private:
  struct Layer {
    at::Tensor weight, bias;
    std::unique_ptr<ArmLayer> normalization;
    bool residual = false;
  };

  Activation activation_;
  std::vector<Layer> layers_;
  at::Tensor last_weight_, last_bias_;
};

}  // namespace

std::unique_ptr<Network> make_mlp(const TrialSpec& trial, const Dataset& data) {
  return std::make_unique<Mlp>(trial, data);
}

}  // namespace norma::lab
