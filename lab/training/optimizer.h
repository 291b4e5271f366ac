// SGD with momentum and Adam, each update one pass over the parameters.
//
//   SGD:  v = momentum v + g;  w -= rate v                                      (torch's convention)
//   Adam: m = 0.9 m + 0.1 g;  s = 0.999 s + 0.001 g^2;  w -= rate m' / (sqrt(s') + 1e-8), m' and s' without their bias
//         towards 0 (Kingma & Ba 2015)
//
// The rate rises in a line over the first `warmup` updates; then it stays, or follows half a cosine to 0 after the
// last. Where the norm of all gradients together is above `clip`, they are scaled to it (Pascanu et al. 2013).
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

  // One update; gradients in the order of the parameters, contiguous or not; undefined: zero.
  void step(const std::vector<at::Tensor>& gradients);
  // Of the update to come.
  double learning_rate() const;

 private:
  // What the gradients are multiplied by.
  float shrink(const std::vector<at::Tensor>& gradients) const;

  std::vector<at::Tensor> parameters_;
  std::vector<std::vector<float>> first_, second_;  // v, or m and s
  bool adam_ = false, cosine_ = false;
  double rate_, momentum_, clip_;
  std::int64_t step_ = 0, warmup_, total_steps_;
};

}  // namespace norma::lab
