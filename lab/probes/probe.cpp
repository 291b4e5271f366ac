#include "lab/probes/probe.h"

#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "lab/error.h"
#include "lab/probes/probe_list.h"
#include "lab/training/loss.h"

namespace norma::lab {

std::unique_ptr<Probe> make_probe(const std::string& name, const TrialSpec& trial) {
  if (name == "gradient_shift") return make_gradient_shift();
  if (name == "moment_shift") return make_moment_shift();
  if (name == "smoothness") return make_smoothness();
  if (name == "norms") return make_norms();
  if (name == "statistics_gap") return make_statistics_gap(trial.training.sgd_batch);
  if (name == "sample_coupling") return make_sample_coupling();
  if (name == "invariance") return make_invariance();
  throw InputError("unknown probe '" + name + "'");
}

at::Tensor logits_of(const Update& update, const Batch& batch, Observer* observer) {
  Random noise = update.noise;
  return update.network.forward(
      batch, {.training = true, .progress = update.progress, .noise = &noise, .watching = true, .observer = observer});
}

at::Tensor loss_of(const Update& update, Observer* observer) {
  return cross_entropy(logits_of(update, update.samples.batch, observer), update.samples.labels);
}

std::vector<at::Tensor> gradients_of(const at::Tensor& loss, const std::vector<at::Tensor>& parameters) {
  auto gradients = torch::autograd::grad({loss}, parameters, {}, c10::nullopt, false, /*allow_unused=*/true);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = at::zeros_like(parameters[i]);
  }
  return gradients;
}

WeightsKept::WeightsKept(Network& network) : network_(network) {
  for (const at::Tensor& parameter : network.parameters()) kept_.push_back(parameter.detach().clone());
}

WeightsKept::~WeightsKept() {
  for (std::size_t i = 0; i < kept_.size(); ++i) set(i, kept_[i]);
}

void WeightsKept::set(std::size_t index, const at::Tensor& value) {
  network_.parameters()[index].detach().copy_(value);
}

double finite_or_worst(double value) {
  return std::isfinite(value) ? value : std::numeric_limits<double>::infinity();
}

double Mean::value() const {
  return count_ == 0 ? std::numeric_limits<double>::quiet_NaN() : sum_ / static_cast<double>(count_);
}

}  // namespace norma::lab
