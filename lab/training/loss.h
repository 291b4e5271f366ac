// The loss that is trained on: the mean cross-entropy of the labels, in nats; positions without a label count nothing.
#pragma once

#include "lab/data/dataset.h"
#include "lab/training/batches.h"

namespace norma::lab {

// logits: (N,classes) or (N,T,classes); labels to match.
inline at::Tensor cross_entropy(const at::Tensor& logits, const at::Tensor& labels) {
  return at::cross_entropy_loss(logits.flatten(0, -2), labels.flatten(), {}, at::Reduction::Mean, kNoLabel);
}

}  // namespace norma::lab
