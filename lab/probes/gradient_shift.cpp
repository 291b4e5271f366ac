// Internal covariate shift as Santurkar et al. 2018 (definition 2.1) measure it: of a layer, the gradient G of its
// weight at an update, and the gradient G' that it would have had with the layers in front of it already updated, on
// the same minibatch.
//
//   gradient_shift         ||G - G'|| / ||G||
//   gradient_shift_cosine  1 - cos(G, G')
//
// Means over the updates looked at and over the layers with at least one layer in front of them.
#include "lab/probes/probe_list.h"

namespace norma::lab {
namespace {

class GradientShift final : public Probe {
 public:
  void updated(const Update& update) override {
    const auto& parameters = update.network.parameters();
    const auto& layer_of = update.network.layer_of();
    WeightsKept weights(update.network);
    std::vector<at::Tensor> after;
    for (const at::Tensor& parameter : parameters) after.push_back(parameter.detach().clone());
    for (std::size_t i = 0; i < parameters.size(); ++i) weights.set(i, update.before[i]);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (is_weight(update.network, i) && layer_of[i] > 0 && update.gradients[i].defined()) compare(update, i);
      // From here on this layer counts as one in front.
      const bool last_of_layer = i + 1 == parameters.size() || layer_of[i + 1] != layer_of[i];
      for (std::size_t j = 0; last_of_layer && j <= i; ++j) {
        if (layer_of[j] == layer_of[i]) weights.set(j, after[j]);
      }
    }
  }

  void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) override {
    static_cast<void>(network);
    static_cast<void>(batcher);
    measures["gradient_shift"] = distance_.value();
    measures["gradient_shift_cosine"] = cosine_.value();
  }

 private:
  static bool is_weight(const Network& network, std::size_t parameter) {
    return network.parameters()[parameter].is_same(network.weights()[network.layer_of()[parameter]]);
  }

  void compare(const Update& update, std::size_t parameter) {
    const at::Tensor now = gradients_of(loss_of(update), {update.network.parameters()[parameter]})[0];
    const at::Tensor& was = update.gradients[parameter];
    const double norm = was.norm().item<double>(), other = now.norm().item<double>();
    if (!(norm > 0) || !(other > 0)) return;  // no direction
    distance_.add((now - was).norm().item<double>() / norm);
    cosine_.add(1 - (now * was).sum().item<double>() / norm / other);
  }

  Mean distance_, cosine_;
};

}  // namespace

std::unique_ptr<Probe> make_gradient_shift() {
  return std::make_unique<GradientShift>();
}

}  // namespace norma::lab
