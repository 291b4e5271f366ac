// "target" of a model and "to_target" of a cell in the results document: how long each arm took to a validation error
// that one arm sets.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lab/study/plan.h"

namespace norma::lab {

struct Target {
  std::string arm;  // no normalization where the model has it, or else LayerNorm, or else its first arm
  double validation_error = 0;
};

// Of each model: the median over seeds of the best validation error that the arm reaches, at its largest normalization
// batch; nothing while its trials are not all done.
std::vector<std::optional<Target>> targets_of(const StudySpec& spec, const std::vector<Cell>& cells);

nlohmann::json target_json(const std::optional<Target>& target);
// Medians over seeds with their distribution-free intervals; null ends where the target is never reached.
nlohmann::json to_target_json(const Cell& cell, const std::optional<Target>& target);

}  // namespace norma::lab
