#include "lab/study/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "lab/models/arm_list.h"

namespace norma::lab {
namespace {

// Where the grid has one rate only, the step to the next: half a power of ten.
constexpr double kLoneStep = 3.1622776601683795;

// Three significant digits: rates that people can quote, and the same on every machine.
double rounded(double rate) {
  return std::strtod(fmt::format("{:.3g}", rate).c_str(), nullptr);
}

}  // namespace

bool TuningPoint::complete() const {
  return std::all_of(validation_errors.begin(), validation_errors.end(), [](const auto& e) { return e.has_value(); });
}

double TuningPoint::mean() const {
  double sum = 0;
  int count = 0;
  for (const auto& error : validation_errors) {
    if (error) sum += *error;
    if (error) ++count;
  }
  return count == 0 ? 1 : sum / count;
}

Plan::Plan(const StudySpec& spec, const std::string& code_version) : spec_(spec), code_version_(code_version) {
  for (std::size_t m = 0; m < spec_.models.size(); ++m) {
    for (const std::string& arm : spec_.models[m].arms) {
      const bool uses_batch = find_arm(arm)->uses_batch;
      const auto batches = uses_batch ? spec_.normalization_batches : std::vector<std::int64_t>{0};
      for (const std::int64_t batch : batches) {
        Cell cell;
        cell.model = m;
        cell.arm = arm;
        cell.normalization_batch = batch;
        cell.final.resize(static_cast<std::size_t>(spec_.seeds));
        cells_.push_back(std::move(cell));
      }
    }
  }
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    shares_.push_back(places_.contains(trial_at({c, true, spec_.learning_rates.front(), 0}).key));
    for (const double rate : spec_.learning_rates) add_tuning(c, rate);
  }
}

PlannedTrial Plan::trial_at(const Place& place) const {
  const Cell& cell = cells_[place.cell];
  const StudyModel& model = spec_.models[cell.model];
  TrialSpec trial;
  trial.data = spec_.data;
  trial.model = model.spec;
  trial.training = spec_.training;
  trial.training.learning_rate = place.learning_rate;
  trial.arm = cell.arm;
  trial.normalization_batch = cell.normalization_batch;
  trial.groups = find_arm(cell.arm)->uses_groups ? model.groups : 0;
  trial.seed = (place.tuning ? StudySpec::kFirstTuningSeed : StudySpec::kFirstSeed) + place.seed;
  trial.tuning = place.tuning;
  if (!place.tuning) {
    trial.shifts = spec_.shifts;
    trial.probes = spec_.probes;
  }
  return {trial_key(trial, code_version_), trial};
}

void Plan::add_tuning(std::size_t cell, double learning_rate) {
  TuningPoint point;
  point.learning_rate = learning_rate;
  point.validation_errors.resize(static_cast<std::size_t>(spec_.tuning_seeds));
  auto& tuning = cells_[cell].tuning;
  const auto at =
      std::find_if(tuning.begin(), tuning.end(), [&](const TuningPoint& p) { return p.learning_rate > learning_rate; });
  tuning.insert(at, point);
  for (std::size_t seed = 0; seed < point.validation_errors.size(); ++seed) {
    add({cell, true, learning_rate, seed});
  }
}

// Cells that share their trials are served together, so they add the next ones together too: none of these can be
// finished before all places are known.
void Plan::add(const Place& place) {
  PlannedTrial trial = trial_at(place);
  std::vector<Place>& places = places_[trial.key];
  if (places.empty()) (place.tuning ? ready_tuning_ : ready_final_).push_back(std::move(trial));
  places.push_back(place);
}

std::optional<PlannedTrial> Plan::next() {
  for (auto* ready : {&ready_tuning_, &ready_final_}) {
    if (ready->empty()) continue;
    PlannedTrial trial = std::move(ready->front());
    ready->pop_front();
    return trial;
  }
  return std::nullopt;
}

void Plan::finished(const std::string& key, const TrialResult& result) {
  const auto found = places_.find(key);
  if (found == places_.end()) throw std::logic_error("a result of a trial that was not planned");
  ++done_;
  if (!found->second.front().tuning) ++done_final_;
  for (const Place& place : found->second) serve(place, result);
}

void Plan::serve(const Place& place, const TrialResult& result) {
  Cell& cell = cells_[place.cell];
  if (!place.tuning) {
    cell.final[place.seed] = result;
    return;
  }
  const auto point = std::find_if(cell.tuning.begin(), cell.tuning.end(),
                                  [&](const TuningPoint& p) { return p.learning_rate == place.learning_rate; });
  // A trial that diverged or crashed, or whose error is no number, counts as the worst value.
  const bool counts = result.status == TrialStatus::kOk && std::isfinite(result.validation_error);
  point->validation_errors[place.seed] = counts ? result.validation_error : 1.0;
  const bool tuned = std::all_of(cell.tuning.begin(), cell.tuning.end(), [](const auto& p) { return p.complete(); });
  if (tuned) choose(place.cell);
}

void Plan::choose(std::size_t c) {
  Cell& cell = cells_[c];
  // Of equals the lowest rate: min_element takes the first.
  const auto best = std::min_element(cell.tuning.begin(), cell.tuning.end(),
                                     [](const auto& a, const auto& b) { return a.mean() < b.mean(); });
  const bool lowest = best == cell.tuning.begin();
  const bool highest = best == cell.tuning.end() - 1;
  const double rate = best->learning_rate;
  if (widen(c, lowest, highest)) return;
  cell.learning_rate = rate;
  cell.at_edge = lowest || highest;
  for (std::size_t seed = 0; seed < cell.final.size(); ++seed) add({c, false, rate, seed});
}

// Adds the next rate below the grid, above it, or both; false if the study allows no more. A step so small that its
// rate rounds back into the grid, or one that leaves what a double can hold, is no step.
bool Plan::widen(std::size_t c, bool down, bool up) {
  Cell& cell = cells_[c];
  if (cell.widened >= spec_.widen) return false;
  const auto& tuning = cell.tuning;
  const double first = tuning.front().learning_rate, last = tuning.back().learning_rate;
  const bool lone = tuning.size() == 1;
  const double below = rounded(first / (lone ? kLoneStep : tuning[1].learning_rate / first));
  const double above = rounded(last * (lone ? kLoneStep : last / tuning[tuning.size() - 2].learning_rate));
  const bool lower = down && below > 0 && below < first;
  const bool higher = up && above > last && std::isfinite(above);
  if (!lower && !higher) return false;
  ++cell.widened;
  if (lower) add_tuning(c, below);
  if (higher) add_tuning(c, above);
  return true;
}

std::int64_t Plan::planned() const {
  std::int64_t count = 0;
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    const Cell& cell = cells_[c];
    if (shares_[c]) continue;
    count += static_cast<std::int64_t>(cell.tuning.size()) * spec_.tuning_seeds + spec_.seeds;
  }
  return count;
}

}  // namespace norma::lab
