// The training loop of a trial as one writes it against libtorch: its own layers (torch::nn), its own optimizers, the
// same samples, steps and evaluations. What the lab's trials are timed beside.
#pragma once

#include "lab/data/dataset.h"
#include "lab/trial/spec.h"

namespace norma::bench {

struct LoopResult {
  double first_loss = 0, last_loss = 0;  // training, nats
  double validation_error = 1;
};

// spec: an "mlp" or "cnn" of the arms "batch" and "layer", an "lstm" of "none" and "layer", a post-norm "transformer"
// of "layer". Throws std::invalid_argument for any other.
LoopResult direct_loop(const lab::TrialSpec& spec, const lab::Dataset& data);

}  // namespace norma::bench
