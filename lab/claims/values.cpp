#include "lab/claims/values.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "lab/claims/terms.h"

namespace norma::lab {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <typename T>
bool chosen(const std::vector<T>& among, const T& value) {
  return among.empty() || std::find(among.begin(), among.end(), value) != among.end();
}

double error_of(const TrialResult& result, double TrialResult::*error) {
  return result.status == TrialStatus::kOk && std::isfinite(result.*error) ? result.*error : 1;
}

// Of the test part, over the final trials that are done.
std::optional<double> mean_error(const Cell& cell) {
  double sum = 0;
  int count = 0;
  for (const auto& result : cell.final) {
    if (!result) continue;
    sum += error_of(*result, &TrialResult::test_error);
    ++count;
  }
  return count == 0 ? std::nullopt : std::optional(sum / count);
}

double validation_of(const std::vector<const Cell*>& cells) {
  double sum = 0;
  std::size_t count = 0;
  for (const Cell* cell : cells) {
    for (const auto& result : cell->final) {
      if (!result) continue;
      sum += error_of(*result, &TrialResult::validation_error);
      ++count;
    }
  }
  return count == 0 ? kInfinity : sum / static_cast<double>(count);
}

std::vector<const Cell*> cells_at(const Plan& plan, std::size_t part, std::size_t model, const std::string& arm,
                                  const std::vector<std::int64_t>& batches) {
  std::vector<const Cell*> found;
  for (const Cell& cell : plan.cells()) {
    if (cell.part != part || cell.model != model || cell.arm != arm) continue;
    if (cell.normalization_batch == 0 || chosen(batches, cell.normalization_batch)) found.push_back(&cell);
  }
  return found;
}

double best_validation(const TrialResult& result) {
  double best = 1;
  if (result.status != TrialStatus::kOk) return best;
  for (const CurvePoint& point : result.curve) {
    if (std::isfinite(point.validation_error)) best = std::min(best, point.validation_error);
  }
  return best;
}

// Nothing while the arm's trials are not all done.
std::optional<double> target_of(const Plan& plan, const Cell& cell, const std::string& arm) {
  const auto cells = cells_at(plan, cell.part, cell.model, arm, {});
  if (cells.empty()) return std::nullopt;
  std::vector<TrialResult> trials;
  for (const auto& result : cells.back()->final) {
    if (!result) return std::nullopt;
    trials.push_back(*result);
  }
  return target_error(trials);
}

// Nothing if it never gets there.
std::optional<double> log2_to_target(const TrialResult& result, double target) {
  const double steps = time_to_target(result, target, false);
  return std::isfinite(steps) ? std::optional(std::log2(steps)) : std::nullopt;
}

// Steps of the longest training of this model in this part, whatever the arm.
double budget(const Plan& plan, const Cell& cell) {
  double most = 1;
  for (const Cell& other : plan.cells()) {
    if (other.part != cell.part || other.model != cell.model) continue;
    for (const auto& result : other.final) {
      if (result && result->status == TrialStatus::kOk) most = std::max(most, static_cast<double>(result->steps));
    }
  }
  return most;
}

// The median over these trials; nothing if none ran to its end.
std::optional<double> seconds_a_step(const Cell& cell) {
  std::vector<double> seconds;
  for (const auto& result : cell.final) {
    if (!result || result->status != TrialStatus::kOk || result->steps == 0) continue;
    seconds.push_back(result->seconds / static_cast<double>(result->steps));
  }
  const double middle = median_of(seconds);
  return middle > 0 ? std::optional(middle) : std::nullopt;
}

// The same of the slowest arm at this model.
double slowest_step(const Plan& plan, const Cell& cell) {
  double slowest = 0;
  for (const Cell& other : plan.cells()) {
    if (other.part == cell.part && other.model == cell.model) {
      slowest = std::max(slowest, seconds_a_step(other).value_or(0));
    }
  }
  return slowest > 0 ? slowest : 1;
}

// Over the shifts as they are, or with every arm's statistics taken anew where it has any.
double drop_of(const TrialResult& result, std::string shift) {
  constexpr std::string_view kAnew = "/reestimated";
  const double error = error_of(result, &TrialResult::test_error);
  // What is lost counts as the worst there is, and not as what has nothing left to lose.
  if (result.status != TrialStatus::kOk) return 1;
  const bool anew = shift.ends_with(kAnew);
  if (anew) shift.resize(shift.size() - kAnew.size());
  double sum = 0;
  int count = 0;
  for (const auto& [name, plain] : result.measures) {
    if (!name.starts_with("error@") || name.ends_with(kAnew) || (shift != "*" && name != "error@" + shift)) continue;
    const auto own = anew ? result.measures.find(name + std::string(kAnew)) : result.measures.end();
    const double value = own == result.measures.end() ? plain : own->second;
    sum += (std::isfinite(value) ? value : 1) - error;
    ++count;
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / count;
}

// The worst that a measure of a trial's own can come to, whoever claims what; nothing where no side is the worse.
std::optional<double> worst_of(const std::string& measure) {
  if (measure == "train_error" || measure == "error_per_character" || measure.starts_with("error@")) return 1;
  if (measure == "bits_per_character" || measure == "loss_range" || measure == "gradient_change") return kInfinity;
  if (measure.starts_with("statistics_gap")) return kInfinity;
  return std::nullopt;
}

double own_measure(const TrialResult& result, const std::string& measure, double lost) {
  const auto found = result.measures.find(measure);
  const bool there = result.status == TrialStatus::kOk && found != result.measures.end();
  if (there && std::isfinite(found->second)) return found->second;
  return worst_of(measure).value_or(lost);
}

// Everything else that is measured has a worse side of its own.
bool is_own(const ClaimContrast& contrast) {
  const std::string& measure = contrast.measure;
  return measure != "test_error" && measure != "validation_error" && measure != "spread" && measure != "trains" &&
         !to_target(contrast) && !measure.starts_with("drop@");
}

// Whether trials run to their end without this measure: their arm or their model has none.
bool lacks(const Cell& cell, const std::string& measure) {
  bool some = false;
  for (const auto& result : cell.final) {
    if (!result || result->status != TrialStatus::kOk) continue;
    some = true;
    if (result->measures.contains(measure)) return false;
  }
  return some;
}

SeedValues steps_to_target(const Plan& plan, const Cell& cell, const ClaimContrast& contrast, Never never) {
  constexpr double kBeyond = 64;  // doublings: no budget has as many
  const bool seconds = contrast.measure == "log2_seconds_to_target";
  const std::optional<double> target = target_of(plan, cell, contrast.target);
  // A step takes as long as it does in most of the cell's trials: what else ran on the machine decides nothing. Beyond
  // everything all are alike.
  const double slowest = seconds ? std::log2(slowest_step(plan, cell)) : 0;
  const double own = seconds ? std::log2(seconds_a_step(cell).value_or(std::exp2(slowest))) : 0;
  const double at_most = std::log2(budget(plan, cell)) + (never == Never::kBeyond ? kBeyond + slowest : own);
  SeedValues values;
  for (const auto& result : cell.final) {
    std::optional<double> value;
    if (result && target) {
      const auto steps = log2_to_target(*result, *target);
      value = steps ? *steps + own : at_most;
    }
    values.push_back(value);
  }
  return values;
}

SeedValues trains(const Cell& cell, double threshold) {
  if (cell.tuning.empty()) return {};
  SeedValues values;
  for (std::size_t seed = 0; seed < cell.tuning.front().validation_errors.size(); ++seed) {
    double count = 0;
    bool whole = true;
    for (const TuningPoint& point : cell.tuning) {
      whole = whole && point.validation_errors[seed].has_value();
      if (whole && *point.validation_errors[seed] <= threshold) ++count;
    }
    values.push_back(whole ? std::optional<double>(count / static_cast<double>(cell.tuning.size())) : std::nullopt);
  }
  return values;
}

SeedValues spread(const Cell& cell) {
  std::vector<double> errors;
  for (const auto& result : cell.final) {
    if (!result) return SeedValues(cell.final.size());
    errors.push_back(error_of(*result, &TrialResult::test_error));
  }
  const double middle = median_of(errors);
  SeedValues values;
  for (std::size_t seed = 0; seed < errors.size(); ++seed) {
    // An arm that is lost at every seed has no spread, and that must not count in its favour.
    const bool lost = cell.final[seed]->status != TrialStatus::kOk;
    values.emplace_back(lost ? 1 : std::abs(errors[seed] - middle));
  }
  return values;
}

}  // namespace

bool to_target(const ClaimContrast& contrast) {
  return contrast.measure.ends_with("_to_target");
}

bool lost_has_no_side(const ClaimContrast& contrast) {
  return is_own(contrast) && !worst_of(contrast.measure);
}

Reached reached_target(const Plan& plan, const std::vector<Spot>& spots, const ClaimContrast& contrast) {
  Reached found;
  for (const Spot& spot : spots) {
    for (const Cell* cell : spot.cells) {
      const std::optional<double> target = target_of(plan, *cell, contrast.target);
      for (const auto& result : cell->final) {
        if (!result || !target) continue;
        ++found.trials;
        found.reached += log2_to_target(*result, *target) ? 1 : 0;
      }
    }
  }
  return found;
}

double target_error(const std::vector<TrialResult>& trials) {
  std::vector<double> best;
  for (const TrialResult& trial : trials) best.push_back(best_validation(trial));
  return median_of(best);
}

double time_to_target(const TrialResult& result, double target, bool seconds) {
  if (result.status != TrialStatus::kOk) return kInfinity;
  for (const CurvePoint& point : result.curve) {
    if (!(point.validation_error <= target)) continue;
    const auto step = static_cast<double>(point.step);
    return seconds ? result.seconds * step / static_cast<double>(result.steps) : step;
  }
  return kInfinity;
}

double median_of(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  const double upper = values[middle], lower = values[middle - (values.size() % 2 == 0 ? 1 : 0)];
  return lower == upper ? lower : (lower + upper) / 2;  // the same also where both are infinite
}

std::vector<Spot> spots_of(const Plan& plan, const ClaimSpec& claim, const ClaimSide& side) {
  std::vector<Spot> spots;
  const auto& parts = plan.study().parts;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const std::string& name = parts[part].name;
    if (!chosen(claim.parts, name) || !chosen(side.parts, name)) continue;
    for (std::size_t model = 0; model < parts[part].models.size(); ++model) {
      if (!chosen(side.models, parts[part].models[model].spec.name)) continue;
      Spot best{part, model, {}};
      double lowest = kInfinity;
      for (const std::string& arm : side.arms) {
        auto cells = cells_at(plan, part, model, arm, side.normalization_batches);
        if (cells.empty()) continue;
        const double error = validation_of(cells);
        if (best.cells.empty() || error < lowest) {
          best.cells = std::move(cells);
          lowest = error;
        }
      }
      if (!best.cells.empty()) spots.push_back(std::move(best));
    }
  }
  return spots;
}

SeedValues cell_values(const Plan& plan, const Cell& cell, const ClaimContrast& contrast, Unknown unknown) {
  const std::string& measure = contrast.measure;
  if (measure == "trains") return trains(cell, contrast.threshold);
  if (measure == "spread") return spread(cell);
  if (to_target(contrast)) return steps_to_target(plan, cell, contrast, unknown.never);
  if (is_own(contrast) && lacks(cell, measure)) return SeedValues(cell.final.size());
  SeedValues values;
  for (const auto& result : cell.final) {
    std::optional<double> value;
    if (!result) {
      value = std::nullopt;
    } else if (measure == "test_error") {
      value = error_of(*result, &TrialResult::test_error);
    } else if (measure == "validation_error") {
      value = error_of(*result, &TrialResult::validation_error);
    } else if (measure.starts_with("drop@")) {
      value = drop_of(*result, measure.substr(5));
    } else {
      value = own_measure(*result, measure, unknown.lost);
    }
    values.push_back(value);
  }
  return values;
}

SeedValues side_values(const Plan& plan, const std::vector<Spot>& spots, const ClaimContrast& contrast,
                       Unknown unknown) {
  SeedValues values;
  std::vector<bool> lost;
  bool first = true;
  for (const Term& term : terms_of(spots, contrast.reduce)) {
    const SeedValues own = cell_values(plan, *term.cell, contrast, unknown);
    if (first) values.assign(own.size(), contrast.reduce == Reduce::kWorst ? -kInfinity : 0.0);
    first = false;
    values.resize(std::min(values.size(), own.size()));
    lost.resize(values.size());
    for (std::size_t seed = 0; seed < values.size(); ++seed) {
      if (!values[seed] || !own[seed]) {
        values[seed] = std::nullopt;
        continue;
      }
      lost[seed] = lost[seed] || (lost_has_no_side(contrast) && std::isinf(*own[seed]));
      if (contrast.reduce == Reduce::kWorst) {
        values[seed] = std::max(*values[seed], *own[seed]);
      } else if (term.weight != 0) {
        *values[seed] += term.weight * *own[seed];
      }
    }
  }
  // What has no worse side counts as said, whatever a weight's sign or a maximum makes of it. So does a slope between
  // two ends that are infinitely bad, which is none.
  for (std::size_t seed = 0; seed < values.size(); ++seed) {
    if (values[seed] && (lost[seed] || std::isnan(*values[seed]))) values[seed] = unknown.lost;
  }
  return values;
}

bool learned(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b) {
  std::map<std::pair<std::size_t, std::size_t>, std::optional<double>> lowest;  // mean error, by part and model
  for (const std::vector<Spot>* side : {&a, &b}) {
    for (const Spot& spot : *side) {
      auto& least = lowest[{spot.part, spot.model}];
      for (const Cell* cell : spot.cells) {
        const std::optional<double> error = mean_error(*cell);
        if (error && (!least || *error < *least)) least = error;
      }
    }
  }
  return std::all_of(lowest.begin(), lowest.end(), [&](const auto& entry) {
    const StudySpec& part = plan.study().parts[entry.first.first];
    if (!part.majority_error || !entry.second || part.data.test == 0) return true;
    const double majority = *part.majority_error;
    const double standard_error = std::sqrt(majority * (1 - majority) / static_cast<double>(part.data.test));
    return *entry.second < majority - 2 * standard_error;
  });
}

}  // namespace norma::lab
