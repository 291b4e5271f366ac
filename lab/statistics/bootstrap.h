// 95% intervals for a mean over seeds x test items.
//
// Both the seeds and the test items are samples of what could have been, so both are resampled: every resample draws
// n seeds and m items with replacement and takes the mean over their grid (the pigeonhole bootstrap, Owen 2007). The
// interval is studentized: of t* = (mean* - mean) / se*, with se^2 = var(seed means) / n + var(item means) / m, taken
// afresh in every resample. docs/adr/0003-intervals.md has the coverage that chose it over BCa.
//
// Where nobody is wrong, or nearly nobody, the resamples cannot know how large the error may be: no end lies further
// out than Clopper and Pearson's of the same proportion (distributions.h), and without any spread theirs is the
// interval.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace norma::lab {

struct Interval {
  double mean = 0;
  // NaN where there is no interval: a single seed.
  double low = 0, high = 0;
  // Two-sided p of the hypothesis that the mean is 0: the larger of two. One is the level at which the studentized
  // interval would reach 0; far out in its tails, where a correction for many comparisons looks, that alone is too
  // sure. The other is Student's, with Satterthwaite's degrees of freedom (1946) for a variance of two parts. 1 without
  // an interval, 0 where all values are the same but not 0.
  double p = 1;
};

// n seeds x m items, seed by seed: the wrongness of one arm (0, 1) or a difference of two (-1, 0, 1).
struct SeedItems {
  std::int64_t seeds = 0, items = 0;
  std::vector<std::int16_t> values;
  int least = 0, most = 1;  // what a value can be: of a difference of two arms -1 to 1
  // Sizes of sets of items that were drawn apart, one behind the other; empty: they are one set. A resample draws as
  // many from each, and the variance of the items is that within the sets.
  std::vector<std::int64_t> strata{};
};

struct BootstrapOptions {
  std::int64_t resamples = 10'000;
  std::uint64_t seed = 20261123;
  double level = 0.95;
};

// One interval for each; all have the same items, in the same strata, which are resampled for all alike.
// Cost: resamples x items x (seeds + 1) for each.
std::vector<Interval> intervals(std::span<const SeedItems> samples, const BootstrapOptions& options = {});

// The same for one value a seed (a loss, an error at a step): seeds alone are resampled. Values that are not finite
// make the result NaN; so few seeds that a tail would be infinite make the interval NaN. Values that are all the same
// have an interval without width: it says that these seeds agree, not that every other one must. Nothing here knows how
// far such a value could lie off, as intervals() does; a sign-flip test beside it counts the seeds.
Interval seed_interval(std::span<const double> values, const BootstrapOptions& options = {});

}  // namespace norma::lab
