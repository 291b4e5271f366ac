#include "lab/training/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "lab/error.h"
#include "lab/training/update_loops.h"

namespace norma::lab {

Optimizer::Optimizer(const TrainingSpec& spec, const std::vector<at::Tensor>& parameters, std::int64_t total_steps)
    : parameters_(parameters),
      rate_(spec.learning_rate),
      momentum_(spec.momentum),
      clip_(spec.clip),
      warmup_(std::min(spec.warmup, total_steps)),
      total_steps_(total_steps) {
  if (spec.optimizer != "sgd" && spec.optimizer != "adam") {
    throw InputError("unknown optimizer '" + spec.optimizer + "'");
  }
  if (spec.schedule != "constant" && spec.schedule != "cosine") {
    throw InputError("unknown schedule '" + spec.schedule + "'");
  }
  adam_ = spec.optimizer == "adam";
  cosine_ = spec.schedule == "cosine";
  for (const at::Tensor& parameter : parameters_) {
    const auto count = static_cast<std::size_t>(parameter.numel());
    first_.emplace_back(count);
    second_.emplace_back(adam_ ? count : 0);
  }
}

double Optimizer::learning_rate() const {
  if (step_ < warmup_) return rate_ * static_cast<double>(step_ + 1) / static_cast<double>(warmup_);
  if (!cosine_) return rate_;
  const double done = static_cast<double>(step_ - warmup_) / static_cast<double>(total_steps_ - warmup_);
  return rate_ * 0.5 * (1 + std::cos(std::numbers::pi * done));
}

float Optimizer::shrink(const std::vector<at::Tensor>& gradients) const {
  if (clip_ <= 0) return 1;
  double squares = 0;
  for (const at::Tensor& gradient : gradients) {
    if (gradient.defined()) squares += at::dot(gradient.flatten(), gradient.flatten()).item<double>();
  }
  const double norm = std::sqrt(squares);
  return norm > clip_ ? static_cast<float>(clip_ / norm) : 1;
}

void Optimizer::step(const std::vector<at::Tensor>& gradients) {
  const float scale = shrink(gradients);
  const auto rate = static_cast<float>(learning_rate());
  ++step_;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor gradient = gradients[i].defined() ? gradients[i].contiguous() : at::zeros_like(parameters_[i]);
    float* w = parameters_[i].data_ptr<float>();
    const float* g = gradient.data_ptr<float>();
    if (adam_) {
      step_adam(w, g, first_[i].data(), second_[i].data(), gradient.numel(), rate, scale, static_cast<double>(step_));
    } else {
      step_sgd(w, g, first_[i].data(), gradient.numel(), rate, static_cast<float>(momentum_), scale);
    }
  }
}

}  // namespace norma::lab
