#include "lab/results/targets.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lab/claims/measure.h"
#include "lab/claims/values.h"
#include "lab/results/cells.h"

namespace norma::lab {
namespace {

using nlohmann::json;

// Empty while trials are missing.
std::vector<TrialResult> all_of(const Cell& cell) {
  std::vector<TrialResult> trials;
  for (const auto& result : cell.final) {
    if (!result) return {};
    trials.push_back(*result);
  }
  return trials;
}

json median_json(const std::vector<double>& values) {
  return interval_json(median_interval(values), 0, std::numeric_limits<double>::infinity());
}

}  // namespace

std::vector<std::optional<Target>> targets_of(const StudySpec& spec, const std::vector<Cell>& cells) {
  std::vector<std::optional<Target>> targets(spec.models.size());
  for (std::size_t model = 0; model < spec.models.size(); ++model) {
    const std::vector<std::string>& arms = spec.models[model].arms;
    if (arms.empty()) continue;
    std::string arm = arms.front();
    for (const char* usual : {"layer", "none"}) {
      if (std::find(arms.begin(), arms.end(), usual) != arms.end()) arm = usual;
    }
    for (const Cell& cell : cells) {
      if (cell.model != model || cell.arm != arm) continue;
      const std::vector<TrialResult> trials = all_of(cell);
      if (!trials.empty() && !trials.front().curve.empty()) targets[model] = Target{arm, target_error(trials)};
    }
  }
  return targets;
}

json target_json(const std::optional<Target>& target) {
  if (!target) return nullptr;
  return {{"arm", target->arm}, {"validation_error", number(target->validation_error)}};
}

json to_target_json(const Cell& cell, const std::optional<Target>& target) {
  const std::vector<TrialResult> trials = all_of(cell);
  if (!target || trials.empty()) return nullptr;
  std::vector<double> steps, seconds;
  for (const TrialResult& trial : trials) {
    steps.push_back(time_to_target(trial, target->validation_error, false));
    seconds.push_back(time_to_target(trial, target->validation_error, true));
  }
  const auto reached = std::count_if(steps.begin(), steps.end(), [](double step) { return std::isfinite(step); });
  return {{"reached", reached}, {"steps", median_json(steps)}, {"seconds", median_json(seconds)}};
}

}  // namespace norma::lab
