#include "lab/study/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <set>
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

Plan::Plan(const Study& study, const std::string& code_version)
    : study_(study), code_version_(code_version), trials_of_(study.parts.size()) {
  for (std::size_t p = 0; p < study_.parts.size(); ++p) add_part(p);
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    tuned_by_.push_back(tuned_by(c));
    final_keys_.push_back(trial_at({c, false, 0, 0}).key);
    tuning_keys_.push_back(trial_at({c, true, 0, 0}).key);
    kinds_.push_back(trial_at({c, false, 0, 0}).kind);
  }
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    if (tuned_by_[c] == c) add_tuning(c, part_of(cells_[c]).learning_rates);
  }
}

void Plan::add_part(std::size_t part) {
  const StudySpec& spec = study_.parts[part];
  for (std::size_t m = 0; m < spec.models.size(); ++m) {
    for (const std::string& arm : spec.models[m].arms) {
      const bool uses_batch = find_arm(arm)->uses_batch;
      const auto batches = uses_batch ? spec.normalization_batches : std::vector<std::int64_t>{0};
      for (const std::int64_t batch : batches) {
        Cell cell;
        cell.part = part;
        cell.model = m;
        cell.arm = arm;
        cell.normalization_batch = batch;
        cell.final.resize(static_cast<std::size_t>(spec.seeds));
        cells_.push_back(std::move(cell));
      }
    }
  }
}

std::vector<Cell> Plan::cells_of(std::size_t part) const {
  std::vector<Cell> found;
  std::copy_if(cells_.begin(), cells_.end(), std::back_inserter(found),
               [part](const Cell& cell) { return cell.part == part; });
  return found;
}

std::size_t Plan::tuned_by(std::size_t c) const {
  const Cell& cell = cells_[c];
  const std::string& arm = part_of(cell).rate_of;
  if (arm.empty()) return c;
  std::size_t found = c;
  for (std::size_t other = 0; other < cells_.size(); ++other) {
    const Cell& candidate = cells_[other];
    if (candidate.part == cell.part && candidate.model == cell.model && candidate.arm == arm) found = other;
  }
  return found;
}

PlannedTrial Plan::trial_at(const Place& place) const {
  const Cell& cell = cells_[place.cell];
  const StudySpec& spec = part_of(cell);
  const StudyModel& model = spec.models[cell.model];
  TrialSpec trial;
  trial.data = spec.data;
  trial.model = model.spec;
  trial.training = spec.training;
  trial.training.learning_rate = place.learning_rate;
  trial.arm = cell.arm;
  trial.normalization_batch = cell.normalization_batch;
  trial.groups = find_arm(cell.arm)->uses_groups ? model.groups : 0;
  trial.seed = (place.tuning ? StudySpec::kFirstTuningSeed : StudySpec::kFirstSeed) + place.seed;
  trial.tuning = place.tuning;
  if (!place.tuning) {
    trial.shifts = spec.shifts;
    trial.probes = spec.probes;
  }
  const DataSpec& data = spec.data;
  return {trial_key(trial, code_version_), trial,
          fmt::format("{} {} {} {} {} {}", data.name, data.view, data.train, trial.model.name, trial.training.sgd_batch,
                      trial.training.epochs)};
}

// All rates stand in the grid before any trial is added: one may be finished already.
void Plan::add_tuning(std::size_t cell, const std::vector<double>& learning_rates) {
  const auto seeds = static_cast<std::size_t>(part_of(cells_[cell]).tuning_seeds);
  auto& tuning = cells_[cell].tuning;
  for (const double rate : learning_rates) {
    TuningPoint point;
    point.learning_rate = rate;
    point.validation_errors.resize(seeds);
    const auto at = std::find_if(tuning.begin(), tuning.end(), [&](const auto& p) { return p.learning_rate > rate; });
    tuning.insert(at, point);
  }
  for (const double rate : learning_rates) {
    for (std::size_t seed = 0; seed < seeds; ++seed) add({cell, true, rate, seed});
  }
}

void Plan::add(const Place& place) {
  PlannedTrial trial = trial_at(place);
  if (results_.contains(trial.key)) late_.emplace_back(place, trial.key);
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
  results_[key] = result;
  if (result.status != TrialStatus::kCrashed && std::isfinite(result.seconds)) {
    Spent& spent = spent_[kinds_[found->second.front().cell]];
    ++spent.trials;
    spent.seconds += result.seconds;
  }
  for (const Place& place : found->second) late_.emplace_back(place, key);
  // Serving may plan further trials, and some of those may be finished already.
  while (!late_.empty()) {
    const auto [place, of] = late_.front();
    late_.pop_front();
    trials_of_[cells_[place.cell].part].insert(of);
    serve(place, results_.at(of));
  }
}

bool Plan::same_trials(const Cell& a, const Cell& b) const {
  return final_keys_[static_cast<std::size_t>(&a - cells_.data())] ==
             final_keys_[static_cast<std::size_t>(&b - cells_.data())] &&
         a.learning_rate == b.learning_rate;
}

Spent Plan::spent(const std::vector<std::size_t>& parts) const {
  std::set<std::string> keys;
  for (const std::size_t part : parts) keys.insert(trials_of_[part].begin(), trials_of_[part].end());
  Spent spent;
  for (const std::string& key : keys) {
    const TrialResult& result = results_.at(key);
    spent.trials += 1;
    spent.steps += result.steps;
    if (std::isfinite(result.seconds)) spent.seconds += result.seconds;
  }
  return spent;
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
  const std::size_t tuning_size = cell.tuning.size();  // a lone rate was not chosen at an edge
  for (std::size_t follower = 0; follower < cells_.size(); ++follower) {
    if (tuned_by_[follower] != c) continue;
    Cell& taker = cells_[follower];
    taker.learning_rate = rate;
    taker.at_edge = tuning_size > 1 && (lowest || highest);
    for (std::size_t seed = 0; seed < taker.final.size(); ++seed) add({follower, false, rate, seed});
  }
}

// Adds the next rate below the grid, above it, or both; false if the study allows no more. A step so small that its
// rate rounds back into the grid, or one that leaves what a double can hold, is no step.
bool Plan::widen(std::size_t c, bool down, bool up) {
  Cell& cell = cells_[c];
  if (cell.widened >= part_of(cell).widen) return false;
  const auto& tuning = cell.tuning;
  const double first = tuning.front().learning_rate, last = tuning.back().learning_rate;
  const bool lone = tuning.size() == 1;
  const double below = rounded(first / (lone ? kLoneStep : tuning[1].learning_rate / first));
  const double above = rounded(last * (lone ? kLoneStep : last / tuning[tuning.size() - 2].learning_rate));
  const bool lower = down && below > 0 && below < first;
  const bool higher = up && above > last && std::isfinite(above);
  if (!lower && !higher) return false;
  ++cell.widened;
  std::vector<double> further;
  if (lower) further.push_back(below);
  if (higher) further.push_back(above);
  add_tuning(c, further);
  return true;
}

// Cells with the same grid of the same trials will choose the same rate, and then share final trials if those are the
// same.
std::map<std::string, std::pair<std::size_t, std::size_t>> Plan::finals_to_come() const {
  std::map<std::string, std::pair<std::size_t, std::size_t>> to_come;
  for (std::size_t c = 0; c < cells_.size(); ++c) {
    if (cells_[c].learning_rate) continue;
    const std::size_t tuned = tuned_by_[c];
    std::string same = final_keys_[c] + tuning_keys_[tuned];
    for (const TuningPoint& point : cells_[tuned].tuning) {
      same += fmt::format(",{:.3g}x{}", point.learning_rate, point.validation_errors.size());
    }
    auto& [cell, seeds] = to_come[same];
    cell = c;
    seeds = std::max(seeds, cells_[c].final.size());
  }
  return to_come;
}

// To the trials that are known come the final ones of cells that are not tuned yet.
std::int64_t Plan::planned() const {
  auto count = static_cast<std::int64_t>(places_.size());
  for (const auto& [same, cell] : finals_to_come()) count += static_cast<std::int64_t>(cell.second);
  return count;
}

std::optional<double> Plan::seconds_left() const {
  std::map<std::string, std::int64_t> left;
  for (const auto& [key, places] : places_) {
    if (!results_.contains(key)) ++left[kinds_[places.front().cell]];
  }
  for (const auto& [same, cell] : finals_to_come()) {
    left[kinds_[cell.first]] += static_cast<std::int64_t>(cell.second);
  }
  double seconds = 0;
  for (const auto& [kind, trials] : left) {
    const auto spent = spent_.find(kind);
    if (spent == spent_.end()) return std::nullopt;
    seconds += static_cast<double>(trials) * spent->second.seconds / static_cast<double>(spent->second.trials);
  }
  return seconds;
}

}  // namespace norma::lab
