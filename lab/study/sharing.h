// How many values stand behind a statistic: one value says nothing, and what trains refuses it, trial after trial. The
// study file is held against it beforehand.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "lab/trial/spec.h"

namespace norma::lab {

// The widths that norms see in a model: neurons, channels, or what a recurrent cell normalizes at once.
std::vector<std::int64_t> widths_of(const ModelSpec& model);

// Where a statistic of the arm has the fewest values in the model. `shape` is of a sample, as in Dataset; null: not
// known, and so taken to have positions enough, if the kind of model sees any.
struct Sharing {
  std::string_view arm;
  std::int64_t normalization_batch = 1;  // if it shares over the batch
  std::int64_t groups = 1;               // of the arm "group"; divides the widths
  const std::array<std::int64_t, 3>* shape = nullptr;
};
std::int64_t fewest_values(const ModelSpec& model, const Sharing& sharing);

}  // namespace norma::lab
