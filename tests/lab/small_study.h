// A study small enough for tests: one MLP, two normalization batches, three seeds.
#pragma once

#include "lab/results/results.h"
#include "lab/store/store.h"
#include "lab/study/study.h"
#include "lab/trial/version.h"

namespace norma::testing {

inline lab::StudyFile small_study() {
  return {"small.toml", R"(name = "small"
arms = ["none", "batch", "layer"]
normalization_batches = [2, 16]
seeds = 3
[data]
source = "optdigits"
train = 64
validation = 50
test = 100
[training]
sgd_batch = 16
epochs = 2
optimizer = "sgd"
momentum = 0.9
schedule = "cosine"
[tuning]
learning_rates = [0.01, 0.03, 0.1]
seeds = 2
widen = 1
[[model]]
kind = "mlp"
depth = 1
width = 16
[[contrast]]
a = "batch"
b = "layer"
)",
          ""};
}

// The study of one part that this file is.
inline lab::StudySpec small_spec() {
  const lab::StudyFile file = small_study();
  lab::StudySpec spec = lab::parse_study(file).parts.front();
  lab::attach_data(spec);
  return spec;
}

// A study of this one part.
inline lab::Study whole(const lab::StudySpec& spec) {
  return {.name = spec.name, .question = spec.question, .size = "", .parts = {spec}, .claims = {}};
}

inline lab::Store small_store(const std::string& folder) {
  lab::StudyRecord record;
  record.file = small_study();
  lab::Study study = lab::parse_study(record.file);
  record.data = lab::attach_all_data(study);
  record.identity = lab::study_identity(study);
  record.code_version = lab::code_version();
  record.started = lab::utc_now();
  return lab::Store::open_or_create(folder, record);
}

}  // namespace norma::testing
