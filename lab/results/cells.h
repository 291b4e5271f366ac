// The cells of a study as measured: intervals over seeds and test items, and learning curves.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "lab/results/targets.h"
#include "lab/statistics/bootstrap.h"
#include "lab/study/plan.h"

namespace norma::lab {

// 1 for every test item that the trial got wrong; a trial that diverged or crashed got all of them wrong. Throws
// InputError where it has another number of items.
std::vector<std::int16_t> wrong_items(const TrialResult& result, std::int64_t items);

// Which test items each final trial of a cell got wrong, seed by seed; a seed that is missing is left out. A trial that
// diverged or crashed got all of them wrong. Throws InputError where a trial has another number of items.
SeedItems wrongness(const Cell& cell, std::int64_t items);

// The difference a - b over the seeds that both have.
struct PairedItems {
  SeedItems items;
  std::vector<std::int64_t> differences;  // wrong items of a minus those of b, one a seed
};
PairedItems paired(const Cell& a, const Cell& b, std::int64_t items);

// Intervals of each cell's test error, within 0 and 1; nothing for a cell without final trials.
std::vector<std::optional<Interval>> cell_errors(const std::vector<Cell>& cells, std::int64_t items);

// A number, or null where it is not finite.
nlohmann::json number(double value);
// {"mean", "low", "high"}, cut to [least, most].
nlohmann::json interval_json(const Interval& interval, double least, double most);

// "cells" of the results document.
nlohmann::json cells_section(const StudySpec& spec, const std::vector<Cell>& cells,
                             const std::vector<std::optional<Interval>>& errors,
                             const std::vector<std::optional<Target>>& targets);

}  // namespace norma::lab
