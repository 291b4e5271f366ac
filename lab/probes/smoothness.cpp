// How smooth the loss is along the gradient (Santurkar et al. 2018, section 3.1): from the weights before an update,
// steps of 1/2, 1, 2 and 4 times the learning rate against the gradient g, on the same minibatch.
//
//   loss_range       largest - smallest loss over the steps and the start, nats
//   gradient_change  the largest ||g(step) - g|| / ||g||
//
// Means over the updates looked at. Where a step leads out of all bounds the loss is as rough as can be: infinite. To
// leave that update out would make the rougher network the smoother one.
#include <algorithm>
#include <array>
#include <cmath>

#include "lab/probes/probe_list.h"

namespace norma::lab {
namespace {

constexpr std::array kSteps{0.5, 1.0, 2.0, 4.0};

double norm_of(const std::vector<at::Tensor>& tensors) {
  double squares = 0;
  for (const at::Tensor& tensor : tensors) squares += tensor.to(at::kDouble).pow(2).sum().item<double>();
  return std::sqrt(squares);
}

class Smoothness final : public Probe {
 public:
  void updated(const Update& update) override {
    WeightsKept weights(update.network);
    const auto& parameters = update.network.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) weights.set(i, update.before[i]);
    const at::Tensor start = loss_of(update);
    const std::vector<at::Tensor> gradient = gradients_of(start, parameters);
    const double norm = norm_of(gradient);
    if (norm == 0) return;  // no direction
    double lowest = start.item<double>(), highest = lowest, change = std::isfinite(norm) ? 0 : finite_or_worst(norm);
    for (const double step : kSteps) {
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        weights.set(i, update.before[i] - step * update.rate * gradient[i]);
      }
      const at::Tensor there = loss_of(update);
      std::vector<at::Tensor> difference = gradients_of(there, parameters);
      for (std::size_t i = 0; i < difference.size(); ++i) difference[i] = difference[i] - gradient[i];
      const double loss = finite_or_worst(there.item<double>());
      lowest = std::min(lowest, loss);
      highest = std::max(highest, loss);
      change = std::max(change, finite_or_worst(norm_of(difference) / norm));
    }
    range_.add(highest - lowest);
    change_.add(change);
  }

  void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) override {
    static_cast<void>(network);
    static_cast<void>(batcher);
    measures["loss_range"] = range_.value();
    measures["gradient_change"] = change_.value();
  }

 private:
  Mean range_, change_;
};

}  // namespace

std::unique_ptr<Probe> make_smoothness() {
  return std::make_unique<Smoothness>();
}

}  // namespace norma::lab
