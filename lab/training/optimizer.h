// SGD with momentum and Adam, each update one pass over the parameters.
//
//   SGD:  v = momentum v + g;  w -= rate v                                      (torch's convention)
//   Adam: m = 0.9 m + 0.1 g;  s = 0.999 s + 0.001 g^2;  w -= rate m' / (sqrt(s') + 1e-8), m' and s' without their bias
//         towards 0 (Kingma & Ba 2015)
//
// No weight decay, on anything.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "lab/trial/spec.h"

namespace norma::lab {

class Optimizer {
 public:
  // The parameters are contiguous f32. Throws InputError for an unknown optimizer or schedule.
  Optimizer(const TrainingSpec& spec, const std::vector<at::Tensor>& parameters, std::int64_t total_steps);

  // One update; gradients in the order of the parameters, contiguous or not.
  void step(const std::vector<at::Tensor>& gradients);
  // Of the update to come: constant, or from the given rate along half a cosine to 0 after the last.
  double learning_rate() const;

 private:
  void step_sgd(float* w, const float* g, float* v, std::int64_t count, float rate) const;
  void step_adam(float* w, const float* g, float* m, float* s, std::int64_t count, float rate, double steps) const;

  std::vector<at::Tensor> parameters_;
  std::vector<std::vector<float>> first_, second_;  // v, or m and s
  bool adam_ = false, cosine_ = false;
  double rate_, momentum_;
  std::int64_t step_ = 0, total_steps_;
};

}  // namespace norma::lab
