// CNN: [3x3 convolution -> norm -> activation (-> 2x2 max-pooling)] for each of `channels` -> Linear
//
// The Linear sees every position: on 8x8 digits a mean over space in front of it left the arms undertrained (6% error
// in the time in which this reaches 3%).
//
// Pooling comes after every convolution but the first, and after the first too in images of 16 or more a side, as long
// as 2 or more positions a side are left.
#include <algorithm>

#include "lab/error.h"
#include "lab/models/max_pool.h"
#include "lab/models/network.h"
#include "lab/models/weights.h"

namespace norma::lab {
namespace {

class Cnn final : public Network {
 public:
  Cnn(const TrialSpec& trial, const Dataset& data) : activation_(activation_named(trial.model.activation)) {
    if (trial.model.channels.empty()) throw InputError("a CNN needs at least one convolution");
    std::int64_t in = data.shape[0], height = data.shape[1], width = data.shape[2];
    const bool large = std::min(height, width) >= 16;
    for (const std::int64_t out : trial.model.channels) {
      if (out < 1) throw InputError("a convolution needs at least one channel");
      Layer layer;
      layer.weight = initial_weights({out, in, 3, 3}, activation_, trial.model.gain, trial.seed, layers_.size());
      layer.normalization = make_arm({.trial = trial, .features = out, .rank = 4});
      if (!layer.normalization->absorbs_bias()) layer.bias = initial_bias(out);
      layer.pool = (!layers_.empty() || large) && std::min(height, width) >= 4;
      if (layer.pool) {
        height /= 2;
        width /= 2;
      }
      add(layer.weight, layer.bias, layer.normalization.get());
      layers_.push_back(std::move(layer));
      in = out;
    }
    last_weight_ =
        initial_weights({data.classes, in * height * width}, Activation::kNone, 1, trial.seed, layers_.size());
    last_bias_ = initial_bias(data.classes);
    add(last_weight_, last_bias_, nullptr);
  }

  at::Tensor forward(const Batch& batch, Pass pass) override {
    at::Tensor x = batch.x;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const at::Tensor before = at::conv2d(x, layer.weight, layer.bias, 1, 1);
      const at::Tensor after = layer.normalization->forward(before, pass);
      if (pass.observer != nullptr) pass.observer->saw(i, before, after);
      x = activate(activation_, after);
      if (layer.pool) x = max_pool(x);
    }
    return at::linear(x.flatten(1), last_weight_, last_bias_);
  }

 private:
  struct Layer {
    at::Tensor weight, bias;
    std::unique_ptr<ArmLayer> normalization;
    bool pool = false;
  };

  Activation activation_;
  std::vector<Layer> layers_;
  at::Tensor last_weight_, last_bias_;
};

}  // namespace

std::unique_ptr<Network> make_cnn(const TrialSpec& trial, const Dataset& data) {
  return std::make_unique<Cnn>(trial, data);
}

}  // namespace norma::lab
