// What a claim's contrast is computed from: one value a seed for each side, out of the cells of the study.
#pragma once

#include <limits>
#include <optional>
#include <vector>

#include "lab/claims/claim.h"
#include "lab/statistics/bootstrap.h"
#include "lab/study/plan.h"

namespace norma::lab {

// A value for every seed; nothing where a trial that it takes is missing, or has no such measure.
using SeedValues = std::vector<std::optional<double>>;

// The cells of one arm at one model of one part.
struct Spot {
  std::size_t part = 0, model = 0;
  std::vector<const Cell*> cells;  // by normalization batch
};

// The spots of a side among the claim's parts. Of several arms the one with the lowest mean validation error over the
// side's normalization batches stands at each model: test data choose nothing.
std::vector<Spot> spots_of(const Plan& plan, const ClaimSpec& claim, const ClaimSide& side);

// The measure of a cell at each seed. A trial that diverged or crashed has the worst value of the measure, whatever is
// claimed of it: an error, a rise or a spread of 1, a target never reached, infinitely many bits, an infinite gap and
// the roughest loss there is. What has no worse side (a shift, a norm) counts against the claim. The measures are
//   "test_error", "validation_error"
//   "spread": how far the test error is from its median over seeds
//   "log2_steps_to_target", "log2_seconds_to_target": to the first point of the curve whose validation error is at most
//     the median over seeds of the best one that the target's arm reaches; if there is none, as `never` says. Seconds
//     are steps times the median over seeds of the cell's seconds a step, probes and evaluation included
//   "trains": the part of the learning-rate grid on which the validation error is at most the threshold; its seeds are
//     those of tuning
//   "drop@SHIFT": "error@SHIFT" minus the test error; "drop@*": the mean over all shifts; with "/reestimated" behind it
//     an arm that has running statistics has them taken anew on shifted training inputs
//   anything else: of the trial's own measures, by name; nothing where its arm or its model has no such measure.
//
// A target that is never reached: training ends at its budget, and nobody knows when it would have come. Counted as the
// whole budget (of the model's longest training) the value is the least that it can be, and the mean over seeds is that
// within the budget. Counted as further than any other it is the worst. What is claimed must hold for both.
enum class Never : std::uint8_t { kAtTheBudget, kBeyond };
// What counts for what nobody knows: a target never reached, and what is lost by a measure without a worse side.
struct Unknown {
  Never never = Never::kAtTheBudget;
  double lost = std::numeric_limits<double>::infinity();
};
SeedValues cell_values(const Plan& plan, const Cell& cell, const ClaimContrast& contrast, Unknown unknown = {});

// The side's value at each seed, by the contrast's way to reduce (kEach as kMean).
SeedValues side_values(const Plan& plan, const std::vector<Spot>& spots, const ClaimContrast& contrast,
                       Unknown unknown = {});

bool to_target(const ClaimContrast& contrast);
// Whether neither a high nor a low value of the measure is the worse.
bool lost_has_no_side(const ClaimContrast& contrast);

// How many of a side's final trials reach the target.
struct Reached {
  std::int64_t reached = 0, trials = 0;
};
Reached reached_target(const Plan& plan, const std::vector<Spot>& spots, const ClaimContrast& contrast);

// Side a minus side b as a grid of seeds x test items, times `scale`, where the test error is reduced by whole weights;
// nothing elsewhere. Parts of different test items are strata.
struct ScaledItems {
  SeedItems items;
  double scale = 1;
};
std::optional<ScaledItems> difference_items(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b,
                                            const ClaimContrast& contrast);

// Whether among these cells of both sides every model has one whose mean test error is below the majority baseline's by
// more than two standard errors of so many test items. Models without a baseline or without a final trial count as if.
bool learned(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b);

// What the target is: the median over seeds of the best validation error on the way, 1 for a trial that is lost.
double target_error(const std::vector<TrialResult>& trials);
// Updates, or seconds, to the first point of the curve whose validation error is at most the target; infinite if there
// is none.
double time_to_target(const TrialResult& result, double target, bool seconds);

double median_of(std::vector<double> values);

}  // namespace norma::lab
