// Activation and gradient norms by layer: the root mean square of what each layer hands on behind its normalization,
// and of its weight's gradient, as "activation_rms[0]", "gradient_rms[0]", ... from the input on. Means over the
// updates looked at. A recurrent network is one layer, over all its steps.
#include <cmath>

#include "lab/probes/probe_list.h"

namespace norma::lab {
namespace {

double rms(const at::Tensor& x) {
  return std::sqrt(x.detach().to(at::kDouble).pow(2).mean().item<double>());
}

class Norms final : public Probe {
 public:
  void updated(const Update& update) override {
    const at::NoGradGuard no_grad;
    struct Seen final : Observer {
      void saw(std::size_t layer, const at::Tensor& before, const at::Tensor& after) override {
        static_cast<void>(before);
        if (layer >= to->size()) to->resize(layer + 1);
        (*to)[layer].add(rms(after));
      }
      std::vector<Mean>* to = nullptr;
    } seen;
    seen.to = &activations_;
    loss_of(update, &seen);
    gradients_.resize(update.network.weights().size());
    for (std::size_t i = 0; i < update.gradients.size(); ++i) {
      const std::size_t layer = update.network.layer_of()[i];
      const bool weight = update.network.parameters()[i].is_same(update.network.weights()[layer]);
      if (weight && update.gradients[i].defined()) gradients_[layer].add(rms(update.gradients[i]));
    }
  }

  void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) override {
    static_cast<void>(network);
    static_cast<void>(batcher);
    const auto write = [&](const char* name, const std::vector<Mean>& means) {
      for (std::size_t i = 0; i < means.size(); ++i) {
        measures[std::string(name) + "[" + std::to_string(i) + "]"] = means[i].value();
      }
    };
    write("activation_rms", activations_);
    write("gradient_rms", gradients_);
  }

 private:
  std::vector<Mean> activations_, gradients_;
};

}  // namespace

std::unique_ptr<Probe> make_norms() {
  return std::make_unique<Norms>();
}

}  // namespace norma::lab
