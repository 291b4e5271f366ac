// What the tests of networks over sequences share: data sets of a shape, without samples, and small trials.
#pragma once

#include <torch/torch.h>

#include <string>

#include "trials.h"

namespace norma::lab::test {

inline at::Tensor numbers(at::IntArrayRef sizes, std::uint64_t seed) {
  return torch::randn(sizes, at::make_generator<at::CPUGeneratorImpl>(seed));
}

inline Dataset sequences() {
  Dataset data;
  data.kind = SampleKind::kSequences;
  data.shape = {3, 1, 5};
  data.classes = 4;
  return data;
}

inline Dataset tokens(bool per_position) {
  Dataset data;
  data.kind = SampleKind::kTokens;
  data.shape = {1, 1, 7};
  data.vocabulary = data.classes = 9;
  data.per_position = per_position;
  return data;
}

inline TrialSpec recurrent_trial(const std::string& kind, const std::string& arm, std::int64_t batch = 0) {
  TrialSpec spec = mlp_trial(arm, batch);
  spec.model.kind = kind;
  spec.model.hidden = 6;
  return spec;
}

}  // namespace norma::lab::test
