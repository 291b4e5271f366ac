#include "lab/claims/measure.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lab/claims/values.h"
#include "lab/results/verdict.h"
#include "lab/statistics/paired.h"

namespace norma::lab {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

double difference(double a, double b) {
  // Both infinitely bad: no difference between them.
  return a == b ? 0 : a - b;
}

double two_sided(const MeasuredContrast& measured) {
  return std::min(1.0, 2 * std::min(measured.p_toward, measured.p_against));
}

std::vector<double> differences_of(const SeedValues& a, const SeedValues& b) {
  std::vector<double> found;
  for (std::size_t seed = 0; seed < std::min(a.size(), b.size()); ++seed) {
    if (a[seed] && b[seed]) found.push_back(difference(*a[seed], *b[seed]));
  }
  return found;
}

// What is lost by a measure without a worse side: as far from what is claimed as can be, on either side.
Unknown against(const ClaimContrast& contrast, bool side_a) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool high = side_a == (contrast.direction != Direction::kAHigher);
  return {.lost = high ? kInfinity : -kInfinity};
}

// Of such a measure: nobody knows what a lost trial would have come to, so it counts against the claim; but it does not
// show the opposite either. For that, it counts as the claim would have it.
void count_lost(std::vector<double> differences, const ClaimContrast& contrast, MeasuredContrast& found) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double best = contrast.direction == Direction::kSame     ? 0
                      : contrast.direction == Direction::kALower ? -kInfinity
                                                                 : kInfinity;
  for (double& d : differences) d = std::isinf(d) ? best : d;
  found.p_against = std::max(found.p_against, measure_differences(differences, contrast).p_against);
  found.p = two_sided(found);
}

// Of a target: how often it is reached, and as sure as the less sure of both ways to count it where it is not.
void count_never_reached(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b,
                         const ClaimContrast& contrast, MeasuredContrast& found) {
  found.reached_a = reached_target(plan, a, contrast);
  found.reached_b = reached_target(plan, b, contrast);
  const MeasuredContrast worst =
      measure_differences(differences_of(side_values(plan, a, contrast, {.never = Never::kBeyond}),
                                         side_values(plan, b, contrast, {.never = Never::kBeyond})),
                          contrast);
  found.p_toward = std::max(found.p_toward, worst.p_toward);
  found.p_against = std::max(found.p_against, worst.p_against);
  found.p = two_sided(found);
}

// Every part of side a on its own against side b: all must be as claimed, any one may be the other way round.
MeasuredContrast each(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b,
                      const ClaimContrast& contrast) {
  MeasuredContrast whole;
  std::vector<MeasuredContrast> parts;
  for (const Spot& spot : a) parts.push_back(measure_between(plan, {spot}, b, contrast));
  if (parts.empty()) return whole;
  whole = *std::max_element(parts.begin(), parts.end(), [](const auto& x, const auto& y) {
    return std::abs(x.effect.mean) < std::abs(y.effect.mean);
  });
  whole.all.clear();
  whole.p_toward = 0;
  whole.p_against = 1;
  for (const MeasuredContrast& part : parts) {
    whole.seeds = std::min(whole.seeds, part.seeds);
    whole.learned = whole.learned && part.learned;
    whole.all.push_back(part.effect);
    whole.p_toward = std::max(whole.p_toward, part.p_toward);
    whole.p_against = std::min(whole.p_against, part.p_against);
  }
  whole.p_against = std::min(1.0, whole.p_against * static_cast<double>(parts.size()));
  whole.p = two_sided(whole);
  return whole;
}

bool as_claimed(const Interval& interval, const ClaimContrast& contrast) {
  switch (contrast.direction) {
    case Direction::kALower:
      return interval.mean < 0 && interval.high < 0;
    case Direction::kAHigher:
      return interval.mean > 0 && interval.low > 0;
    case Direction::kSame:
      return interval.low > -contrast.margin && interval.high < contrast.margin;
  }
  return false;
}

bool other_way(const Interval& interval, const ClaimContrast& contrast) {
  switch (contrast.direction) {
    case Direction::kALower:
      return interval.mean > 0 && interval.low > 0;
    case Direction::kAHigher:
      return interval.mean < 0 && interval.high < 0;
    case Direction::kSame:
      return interval.low > contrast.margin || interval.high < -contrast.margin;
  }
  return false;
}

Standing standing_of(const MeasuredContrast& measured, const ClaimContrast& contrast) {
  if (measured.seeds == 0) return Standing::kNotMeasured;
  if (!measured.learned || !(measured.p_holm < kLevel)) return Standing::kOpen;
  const auto& all = measured.all;
  const bool toward = measured.p_toward < measured.p_against;
  if (toward && std::all_of(all.begin(), all.end(), [&](const auto& i) { return as_claimed(i, contrast); })) {
    return Standing::kShown;
  }
  if (!toward && std::any_of(all.begin(), all.end(), [&](const auto& i) { return other_way(i, contrast); })) {
    return Standing::kRefuted;
  }
  return Standing::kOpen;
}

}  // namespace

Interval interval_over_seeds(const std::vector<double>& values, const BootstrapOptions& options) {
  if (std::any_of(values.begin(), values.end(), [](double v) { return !std::isfinite(v); })) {
    return median_interval(values);
  }
  const Interval found = seed_interval(values, options);
  return std::isfinite(found.low) && std::isfinite(found.high) ? found : sign_flip_interval(values);
}

Interval median_interval(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const double middle = median_of(values);
  const auto n = static_cast<std::int64_t>(values.size());
  // P(at most k of n lie below the median), n fair coins; the interval leaves out k values at each end.
  double tail = 0, choices = std::pow(0.5, static_cast<double>(n));
  std::int64_t out = -1;
  for (std::int64_t k = 0; 2 * k < n; ++k) {
    tail += choices;
    if (2 * tail > 1 - BootstrapOptions{}.level) break;
    out = k;
    choices *= static_cast<double>(n - k) / static_cast<double>(k + 1);
  }
  if (out < 0) return {middle, kNone, kNone};
  return {middle, values[static_cast<std::size_t>(out)], values[static_cast<std::size_t>(n - 1 - out)]};
}

MeasuredContrast measure_differences(const std::vector<double>& differences, const ClaimContrast& contrast,
                                     std::optional<Interval> items) {
  MeasuredContrast found;
  found.seeds = static_cast<std::int64_t>(differences.size());
  if (differences.empty()) return found;
  const auto infinite = [](double d) { return !std::isfinite(d); };
  found.median = std::any_of(differences.begin(), differences.end(), infinite);
  found.effect = items ? *items : interval_over_seeds(differences);
  found.all = {found.effect};
  found.effect_size = effect_size(differences);
  found.p_a_better = probability_a_better(differences);
  std::vector<double> negated = differences;
  for (double& d : negated) d = -d;
  const double above = sign_flip_above_p(differences, 0), below = sign_flip_above_p(negated, 0);
  if (contrast.direction == Direction::kSame) {
    const Equivalence found_same = equivalence(differences, contrast.margin);
    found.p_toward = found_same.p_same;
    found.p_against = found_same.p_outside;
  } else {
    found.p_toward = contrast.direction == Direction::kALower ? below : above;
    found.p_against = contrast.direction == Direction::kALower ? above : below;
    if (items) {
      // Of other test items too: as sure as the less sure of both (docs/adr/0003-intervals.md).
      const bool as_claimed = (items->mean < 0) == (contrast.direction == Direction::kALower);
      const double toward = as_claimed ? items->p / 2 : 1 - items->p / 2;
      found.p_toward = std::max(found.p_toward, toward);
      found.p_against = std::max(found.p_against, 1 - toward);
    }
  }
  found.p = two_sided(found);
  return found;
}

MeasuredContrast measure_between(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b,
                                 const ClaimContrast& contrast) {
  if (a.empty() || b.empty()) return {};
  const auto differences = differences_of(side_values(plan, a, contrast, against(contrast, true)),
                                          side_values(plan, b, contrast, against(contrast, false)));
  std::optional<Interval> interval;
  if (const auto items = difference_items(plan, a, b, contrast); items && items->items.seeds > 0) {
    const Interval scaled = intervals(std::vector{items->items}).front();
    interval = Interval{scaled.mean * items->scale, scaled.low * items->scale, scaled.high * items->scale, scaled.p};
  }
  MeasuredContrast found = measure_differences(differences, contrast, interval);
  if (lost_has_no_side(contrast)) count_lost(differences, contrast, found);
  if (to_target(contrast)) count_never_reached(plan, a, b, contrast, found);
  found.learned = learned(plan, a, b);
  return found;
}

MeasuredContrast measure(const Plan& plan, const ClaimSpec& claim, const ClaimContrast& contrast) {
  const std::vector<Spot> a = spots_of(plan, claim, contrast.a), b = spots_of(plan, claim, contrast.b);
  return contrast.reduce == Reduce::kEach ? each(plan, a, b, contrast) : measure_between(plan, a, b, contrast);
}

void judge(const std::vector<const ClaimContrast*>& contrasts, const std::vector<MeasuredContrast*>& measured) {
  std::vector<double> p;
  for (const MeasuredContrast* one : measured) p.push_back(one->p);
  const std::vector<double> corrected = holm(p);
  for (std::size_t i = 0; i < measured.size(); ++i) {
    measured[i]->p_holm = corrected[i];
    measured[i]->standing = standing_of(*measured[i], *contrasts[i]);
  }
}

ClaimVerdict verdict_of(std::optional<bool> exact, std::optional<Standing> primary, bool qualified) {
  if (exact && !*exact) return ClaimVerdict::kContradicted;
  const ClaimVerdict holds = qualified ? ClaimVerdict::kQualified : ClaimVerdict::kSupported;
  if (!primary) return exact ? holds : ClaimVerdict::kInconclusive;
  if (*primary == Standing::kShown) return holds;
  if (*primary == Standing::kRefuted) return exact ? ClaimVerdict::kQualified : ClaimVerdict::kContradicted;
  return ClaimVerdict::kInconclusive;
}

const char* verdict_name(ClaimVerdict verdict) {
  switch (verdict) {
    case ClaimVerdict::kSupported:
      return "supported";
    case ClaimVerdict::kQualified:
      return "qualified";
    case ClaimVerdict::kContradicted:
      return "contradicted";
    case ClaimVerdict::kInconclusive:
      return "inconclusive";
  }
  return "";
}

const char* standing_name(Standing standing) {
  switch (standing) {
    case Standing::kShown:
      return "shown";
    case Standing::kRefuted:
      return "refuted";
    case Standing::kOpen:
      return "open";
    case Standing::kNotMeasured:
      return "not measured";
  }
  return "";
}

}  // namespace norma::lab
