#include "lab/results/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "lab/data/dataset.h"
#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/statistics/blocks.h"

namespace norma::lab {
namespace {

using nlohmann::json;

// Appends one trial's wrongness.
void append_wrong(const TrialResult& result, std::int64_t items, std::vector<std::int16_t>& values) {
  const auto count = static_cast<std::size_t>(items);
  if (result.status != TrialStatus::kOk) {
    values.insert(values.end(), count, std::int16_t{1});
    return;
  }
  if (result.test_wrong.size() != count) {
    throw InputError(fmt::format("a stored trial has {} test items, expected {}", result.test_wrong.size(), count));
  }
  for (const char c : result.test_wrong) values.push_back(c == '1' ? 1 : 0);
}

double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<const TrialResult*> measured(const Cell& cell) {
  std::vector<const TrialResult*> trials;
  for (const auto& result : cell.final) {
    if (result) trials.push_back(&*result);
  }
  return trials;
}

json trials_json(const Cell& cell) {
  json list = json::array();
  for (std::size_t seed = 0; seed < cell.final.size(); ++seed) {
    if (!cell.final[seed]) continue;
    const TrialResult& result = *cell.final[seed];
    const bool ok = result.status == TrialStatus::kOk;
    json trial = {{"seed", StudySpec::kFirstSeed + seed},
                  {"status", status_name(result.status)},
                  {"error", ok ? number(result.test_error) : json(1.0)},
                  {"validation_error", ok ? number(result.validation_error) : json(1.0)},
                  {"steps", result.steps},
                  {"seconds", number(result.seconds)}};
    if (!ok) trial["reason"] = result.reason;
    list.push_back(std::move(trial));
  }
  return list;
}

// At every step of the longest curve: the loss over the trials that have one there, the validation error over all, with
// 1 for a trial that ended before.
json curve_json(const StudySpec& spec, const std::vector<const TrialResult*>& trials) {
  json curve = json::array();
  // There are hundreds of points, and what is drawn of them is a band.
  constexpr BootstrapOptions kDrawn{.resamples = 2000};
  const auto longest = std::max_element(trials.begin(), trials.end(),
                                        [](const auto* a, const auto* b) { return a->curve.size() < b->curve.size(); });
  if (longest == trials.end()) return curve;
  for (std::size_t point = 0; point < (*longest)->curve.size(); ++point) {
    std::vector<double> losses, errors;
    for (const TrialResult* trial : trials) {
      const bool there = point < trial->curve.size();
      const double loss = there ? trial->curve[point].train_loss : std::numeric_limits<double>::quiet_NaN();
      const double error = there ? trial->curve[point].validation_error : 1;
      if (std::isfinite(loss)) losses.push_back(loss);
      errors.push_back(std::isfinite(error) ? error : 1);
    }
    const std::int64_t step = (*longest)->curve[point].step;
    curve.push_back(
        {{"step", step},
         {"samples", step * spec.training.sgd_batch},
         {"train_loss", interval_json(seed_interval(losses, kDrawn), 0, std::numeric_limits<double>::infinity())},
         {"validation_error", interval_json(seed_interval(errors, kDrawn), 0, 1)}});
  }
  return curve;
}

// Each measure over the trials that have it as a number.
json measures_json(const std::vector<const TrialResult*>& trials) {
  std::map<std::string, std::vector<double>> values;
  for (const TrialResult* trial : trials) {
    for (const auto& [name, value] : trial->measures) {
      if (std::isfinite(value)) values[name].push_back(value);
    }
  }
  constexpr double kAny = std::numeric_limits<double>::infinity();
  json measures = json::object();
  for (const auto& [name, of_seeds] : values) {
    measures[name] = interval_json(seed_interval(of_seeds), -kAny, kAny);
    measures[name]["n"] = of_seeds.size();
    // What diverged, or came to no finite number, is in no mean: it must not be forgotten there.
    measures[name]["lost"] = trials.size() - of_seeds.size();
  }
  return measures;
}

json cell_json(const StudySpec& spec, const Cell& cell, const std::optional<Interval>& error,
               const std::optional<Target>& target) {
  const auto trials = measured(cell);
  const auto count = [&](TrialStatus status) {
    return std::count_if(trials.begin(), trials.end(), [&](const auto* t) { return t->status == status; });
  };
  std::vector<double> seconds;
  for (const TrialResult* trial : trials) {
    if (trial->status == TrialStatus::kOk) seconds.push_back(trial->seconds);
  }
  json tuning = json::array();
  for (const TuningPoint& point : cell.tuning) {
    const bool begun = std::any_of(point.validation_errors.begin(), point.validation_errors.end(),
                                   [](const auto& e) { return e.has_value(); });
    tuning.push_back(
        {{"learning_rate", point.learning_rate}, {"validation_error", begun ? number(point.mean()) : json(nullptr)}});
  }
  return {{"model", spec.models[cell.model].spec.name},
          {"arm", cell.arm},
          {"normalization_batch", cell.normalization_batch > 0 ? json(cell.normalization_batch) : json(nullptr)},
          {"learning_rate", cell.learning_rate ? json(*cell.learning_rate) : json(nullptr)},
          {"at_edge", cell.at_edge},
          {"leaks", leaks(spec.models[cell.model].spec.kind, *find_arm(cell.arm), predicts_next(spec.data))},
          {"n", trials.size()},
          {"diverged", count(TrialStatus::kDiverged)},
          {"crashed", count(TrialStatus::kCrashed)},
          {"error", error ? interval_json(*error, 0, 1) : json(nullptr)},
          {"measures", measures_json(trials)},
          {"to_target", to_target_json(cell, target)},
          {"trials", trials_json(cell)},
          {"seconds", number(median(seconds))},
          {"curve", curve_json(spec, trials)},
          {"tuning", std::move(tuning)}};
}

}  // namespace

json number(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

json interval_json(const Interval& interval, double least, double most) {
  // NaN stays NaN in both.
  const auto cut = [&](double value) { return value < least ? least : value > most ? most : value; };
  return {{"mean", number(interval.mean)}, {"low", number(cut(interval.low))}, {"high", number(cut(interval.high))}};
}

std::vector<std::int16_t> wrong_items(const TrialResult& result, std::int64_t items) {
  std::vector<std::int16_t> values;
  append_wrong(result, items, values);
  return values;
}

SeedItems wrongness(const Cell& cell, std::int64_t items) {
  SeedItems found;
  found.items = items;
  for (const auto& result : cell.final) {
    if (!result) continue;
    append_wrong(*result, items, found.values);
    ++found.seeds;
  }
  return found;
}

PairedItems paired(const Cell& a, const Cell& b, std::int64_t items) {
  PairedItems found;
  found.items.items = items;
  found.items.least = -1;
  std::vector<std::int16_t> of_a, of_b;
  for (std::size_t seed = 0; seed < a.final.size(); ++seed) {
    if (!a.final[seed] || !b.final[seed]) continue;
    of_a.clear();
    of_b.clear();
    append_wrong(*a.final[seed], items, of_a);
    append_wrong(*b.final[seed], items, of_b);
    std::int64_t difference = 0;
    for (std::size_t i = 0; i < of_a.size(); ++i) {
      const auto d = static_cast<std::int16_t>(of_a[i] - of_b[i]);
      found.items.values.push_back(d);
      difference += d;
    }
    found.differences.push_back(difference);
    ++found.items.seeds;
  }
  return found;
}

std::vector<std::optional<Interval>> cell_errors(const std::vector<Cell>& cells, std::int64_t items) {
  std::vector<SeedItems> samples;
  std::vector<std::size_t> owners;
  for (std::size_t c = 0; c < cells.size(); ++c) {
    SeedItems sample = wrongness(cells[c], items);
    if (sample.seeds == 0) continue;
    samples.push_back(std::move(sample));
    owners.push_back(c);
  }
  const std::vector<Interval> found = intervals(samples);
  std::vector<std::optional<Interval>> errors(cells.size());
  for (std::size_t i = 0; i < owners.size(); ++i) {
    Interval interval = found[i];
    interval.low = std::isnan(interval.low) ? interval.low : std::clamp(interval.low, 0.0, 1.0);
    interval.high = std::isnan(interval.high) ? interval.high : std::clamp(interval.high, 0.0, 1.0);
    errors[owners[i]] = interval;
  }
  return errors;
}

json cells_section(const StudySpec& spec, const std::vector<Cell>& cells,
                   const std::vector<std::optional<Interval>>& errors,
                   const std::vector<std::optional<Target>>& targets) {
  std::vector<json> section(cells.size());
  in_blocks(static_cast<std::int64_t>(cells.size()), [&](std::int64_t first, std::int64_t end) {
    for (auto c = static_cast<std::size_t>(first); c < static_cast<std::size_t>(end); ++c) {
      section[c] = cell_json(spec, cells[c], errors[c], targets[cells[c].model]);
    }
  });
  return section;
}

}  // namespace norma::lab
