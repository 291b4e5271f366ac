// What a study is where its file does not say: the one place for it, next to docs/studies.md.
//
// A study of four lines (a name and a data file) trains a small MLP with and without normalization. Sizes of the parts
// are share_out()'s (lab/data/dataset.h); what ListOps and text are by default stands with them (lab/data).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace norma::lab {

inline std::vector<std::string> default_arms() {
  return {"none", "batch", "layer", "rms"};
}
// Normalization batches: the SGD batch alone. Where the file names neither arms nor contrasts, this is the primary one.
inline constexpr const char* kDefaultContrast = "a = 'batch'\nb = 'layer'\n";
inline constexpr const char* kDefaultModel = "kind = 'mlp'\ndepth = 2\nwidth = 64\n";

inline constexpr std::int64_t kDefaultSeeds = 10, kDefaultTuningSeeds = 2, kDefaultWiden = 2;

inline constexpr std::int64_t kDefaultSgdBatch = 32, kDefaultEpochs = 30;
inline constexpr const char* kDefaultOptimizer = "sgd";
inline constexpr const char* kDefaultSchedule = "cosine";
inline constexpr double kDefaultMomentum = 0.9;
inline std::vector<double> default_learning_rates(const std::string& optimizer) {
  if (optimizer == "adam") return {0.0003, 0.001, 0.003, 0.01, 0.03};
  return {0.003, 0.01, 0.03, 0.1, 0.3};
}

}  // namespace norma::lab
