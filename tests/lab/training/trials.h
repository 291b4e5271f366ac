// Trials on optdigits for the tests of what trains: of a fraction of a second each.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lab/data/dataset.h"
#include "lab/trial/spec.h"

namespace norma::lab::test {

inline DataSpec optdigits() {
  DataSpec spec;
  spec.name = spec.source = "optdigits";
  spec.train = 500;
  spec.validation = 397;
  spec.test = 900;
  spec.split_seed = 1;
  return spec;
}

inline TrialSpec mlp_trial(const std::string& arm, std::int64_t normalization_batch = 0) {
  TrialSpec spec;
  spec.data = optdigits();
  spec.model = {.name = "mlp", .kind = "mlp", .depth = 2, .width = 64, .channels = {}, .activation = "relu"};
  spec.training = {
      .sgd_batch = 64, .epochs = 15, .optimizer = "sgd", .momentum = 0.9, .schedule = "cosine", .learning_rate = 0.1};
  spec.arm = arm;
  spec.normalization_batch = normalization_batch;
  spec.groups = arm == "group" ? 4 : 0;
  spec.seed = 1;
  return spec;
}

inline TrialSpec cnn_trial(const std::string& arm, std::int64_t normalization_batch = 0) {
  TrialSpec spec = mlp_trial(arm, normalization_batch);
  spec.model = {.name = "cnn", .kind = "cnn", .depth = 0, .width = 0, .channels = {8, 16}, .activation = "relu"};
  spec.training.epochs = 6;
  return spec;
}

inline TrialSpec lstm_trial(const std::string& kind, const std::string& arm, std::int64_t normalization_batch = 0) {
  TrialSpec spec = mlp_trial(arm, normalization_batch);
  spec.model.kind = kind;
  spec.model.hidden = 8;
  spec.data.view = "rows";
  return spec;
}

inline TrialSpec encoder_trial(const std::string& arm, std::int64_t normalization_batch = 0) {
  TrialSpec spec = lstm_trial("transformer", arm, normalization_batch);
  spec.model.width = 8;
  spec.model.heads = 2;
  spec.model.depth = 1;
  return spec;
}

// Of operations, as tokens with padding.
inline DataSpec listops(std::int64_t depth, std::int64_t arguments = 3) {
  DataSpec spec;
  spec.name = spec.source = "listops";
  spec.depth = depth;
  spec.arguments = arguments;
  spec.min_length = 5;
  spec.max_length = 20;
  spec.train = 300;
  spec.validation = spec.test = 100;
  return spec;
}

inline TrialSpec token_trial(const std::string& arm, std::int64_t normalization_batch = 0) {
  TrialSpec spec = encoder_trial(arm, normalization_batch);
  spec.data = listops(2);
  return spec;
}

// A recurrent network over the same.
inline TrialSpec recurrent_token_trial(const std::string& kind, const std::string& arm,
                                       std::int64_t normalization_batch = 0) {
  TrialSpec spec = token_trial(arm, normalization_batch);
  spec.model.kind = kind;
  return spec;
}

inline const Dataset& data() {
  static const Dataset loaded = load(optdigits());
  return loaded;
}

// Its digits row by row, and the operations.
inline const Dataset& rows() {
  static const Dataset loaded = load(lstm_trial("lstm", "none").data);
  return loaded;
}
inline const Dataset& operations() {
  static const Dataset loaded = load(token_trial("none").data);
  return loaded;
}

// Everything but the time it took.
inline nlohmann::json outcome(nlohmann::json result) {
  result.erase("seconds");
  return result;
}
inline nlohmann::json outcome(const TrialResult& result) {
  return outcome(to_json(result));
}

}  // namespace norma::lab::test
