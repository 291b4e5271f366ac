// The contrasts of a study: pairs of arms on one model, at one normalization batch where one of them shares over it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "lab/results/verdict.h"
#include "lab/study/plan.h"

namespace norma::lab {

struct Contrast {
  bool primary = false;
  std::size_t a = 0, b = 0;              // cells
  std::int64_t normalization_batch = 0;  // 0: neither arm shares over the batch
  std::int64_t seeds = 0;                // that both arms have
  Interval difference;                   // error of a minus error of b; its p is of other seeds and test items
  double effect_size = 0, p_a_better = 0;
  double p = 1;       // of the exact sign-flip test: of other seeds on the same test items
  double p_holm = 1;  // of the larger of the two
  Outcome outcome = Outcome::kNotMeasured;
};

// The primary contrasts of a part, then as secondary ones all other pairs of arms if they are wanted. Each is as sure
// as the less sure of its two tests: seeds alone would take arms that do better on these very test items for arms that
// are better. Holm's correction runs over the primary ones, and apart from them over each model's secondary ones; a
// contrast that is not measured yet counts in it, with p = 1.
std::vector<Contrast> contrasts_of(const StudySpec& spec, const std::vector<Cell>& cells, bool secondary);

// "contrasts" of the results document.
nlohmann::json contrasts_section(const StudySpec& spec, const std::vector<Cell>& cells,
                                 const std::vector<Contrast>& contrasts);

// The primary contrasts as the verdict takes them.
std::vector<Finding> findings_of(const StudySpec& spec, const std::vector<Cell>& cells,
                                 const std::vector<Contrast>& contrasts,
                                 const std::vector<std::optional<Interval>>& errors);

}  // namespace norma::lab
