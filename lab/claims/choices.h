// What to use where: BatchNorm or LayerNorm, for every kind of situation that a study has
// (docs/adr/0004-what-to-use.md).
//
// Situations of one kind have the family of networks, the normalization batch and the order of batches in common. A
// choice is shown for a kind if its mean difference is, over seeds and test items, with Holm's correction over all
// kinds; and if no situation of the kind, by its own interval, speaks for the other.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/claims/measure.h"
#include "lab/claims/situations.h"
#include "lab/study/plan.h"

namespace norma::lab {

enum class Chosen : std::uint8_t { kNeither, kBatch, kLayer };

struct Choice {
  unsigned family = 0;  // of lab/models/arm_list.h
  std::string batches;  // how an epoch's samples become batches
  std::int64_t normalization_batch = 0;
  std::int64_t situations = 0, against = 0;  // against: that speak for the other of what the mean shows
  double least = 0, most = 0;                // over its situations, of the error of BatchNorm less that of LayerNorm
  MeasuredContrast contrast;                 // the mean of that
  Chosen chosen = Chosen::kNeither;
};

// `differences`: of each situation, BatchNorm's error less LayerNorm's. By family, order and normalization batch.
std::vector<Choice> choices_of(const Plan& plan, const std::vector<Situation>& situations,
                               const std::vector<Interval>& differences);

nlohmann::json choices_json(const std::vector<Choice>& choices);

}  // namespace norma::lab
