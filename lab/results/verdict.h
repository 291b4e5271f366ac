// The verdict: words that follow from the numbers by rule, so that a colleague can quote them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/statistics/bootstrap.h"

namespace norma::lab {

enum class Outcome : std::uint8_t { kABetter, kBBetter, kNoDifference, kNotMeasured };

// The level that p must be below for an outcome.
constexpr double kLevel = 0.05;

// a is better if its error is lower, the corrected p is below kLevel and the interval of the difference leaves out 0;
// likewise b. Without seeds: not measured.
Outcome outcome_of(const Interval& difference, double p_holm, std::int64_t seeds);
// "a better", "b better", "no difference shown"; "not measured".
const char* outcome_name(Outcome outcome);

// One primary contrast, measured.
struct Finding {
  std::string model;                     // "MLP"; as in "on this MLP"
  std::string a, b;                      // labels of the arms
  std::int64_t normalization_batch = 0;  // 0: neither arm shares over the batch
  Interval error_a, error_b;
  Outcome outcome = Outcome::kNotMeasured;
};

struct Verdict {
  std::string headline;
  std::vector<std::string> sentences;
};

// Findings of one model and pair of arms stand together, by ascending normalization batch. Where a loses is told as
// "at K and below" if a loses at every tested normalization batch up to K and at none above, else as a list.
Verdict verdict(const std::vector<Finding>& findings);

// "31.2% [28.0, 35.1]", "31.2%" without an interval.
std::string percent(const Interval& error);

}  // namespace norma::lab
