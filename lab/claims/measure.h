// A claim's contrasts, measured, and the rule that turns them into a verdict.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lab/claims/claim.h"
#include "lab/claims/values.h"
#include "lab/statistics/bootstrap.h"
#include "lab/study/plan.h"

namespace norma::lab {

enum class Standing : std::uint8_t { kShown, kRefuted, kOpen, kNotMeasured };

struct MeasuredContrast {
  std::int64_t seeds = 0;
  // a minus b: the mean over seeds, or the median where a value is infinite. Of Reduce::kEach the part furthest from 0.
  Interval effect;
  std::vector<Interval> all;  // of Reduce::kEach every part's; otherwise the effect alone
  bool median = false;
  double effect_size = 0, p_a_better = 0;
  double p_toward = 1, p_against = 1;  // one-sided: that it is as claimed, that it is the other way round
  double p = 1;                        // two-sided: twice the smaller
  double p_holm = 1;
  Reached reached_a, reached_b;  // of measures to a target; no trials elsewhere
  // Whether at every model that it takes at least one side beats the majority baseline, by more than two standard
  // errors of the test part: errors of networks that have not learned decide nothing.
  bool learned = true;
  Standing standing = Standing::kNotMeasured;
};

MeasuredContrast measure(const Plan& plan, const ClaimSpec& claim, const ClaimContrast& contrast);
// The same between these cells; not of Reduce::kEach.
MeasuredContrast measure_between(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b,
                                 const ClaimContrast& contrast);
// The same from differences, a minus b, one a seed; `items`: the interval over seeds and test items, where there is
// one.
MeasuredContrast measure_differences(const std::vector<double>& differences, const ClaimContrast& contrast,
                                     std::optional<Interval> items = std::nullopt);

// Sets p_holm over these and each one's standing. Shown: p_holm is below 5%, the one-sided p says as claimed, and the
// interval lies wholly on the claimed side of 0 (of "same": every interval wholly within the margin). Refuted: the same
// the other way round (of "same": an interval wholly outside the margin). What has not learned stays open.
void judge(const std::vector<const ClaimContrast*>& contrasts, const std::vector<MeasuredContrast*>& measured);

enum class ClaimVerdict : std::uint8_t { kSupported, kQualified, kContradicted, kInconclusive };

// The rule. `exact`: whether all exact checks hold, if the claim has any and they are measured; `primary`: of the
// primary contrast, if it has one; `qualified`: whether a qualifier holds.
//   an exact check fails: contradicted
//   no primary contrast: supported, or qualified
//   the primary is shown: supported, or qualified; refuted: contradicted, or qualified where exact checks hold
//   otherwise: inconclusive
// What the literature expects has no part in it.
ClaimVerdict verdict_of(std::optional<bool> exact, std::optional<Standing> primary, bool qualified);
const char* verdict_name(ClaimVerdict verdict);
const char* standing_name(Standing standing);

// Of the median where a value is infinite, otherwise of the mean: by bootstrap, or that of the sign-flip test where few
// distinct values leave too many resamples without any spread.
Interval interval_over_seeds(const std::vector<double>& values, const BootstrapOptions& options = {});

// The interval of a median from the order of the values, of at least 95% whatever their distribution; NaN ends with
// fewer than six of them.
Interval median_interval(std::vector<double> values);

}  // namespace norma::lab
