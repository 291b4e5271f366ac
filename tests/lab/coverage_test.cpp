// The intervals on data whose truth is known: how often those of 95% hold it. docs/adr/0003-intervals.md carries the
// table that this prints; NORMA_EXPERIMENTS=10 makes ten thousand experiments of each kind.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lab/claims/measure.h"
#include "lab/claims/values.h"
#include "lab/statistics/bootstrap.h"
#include "simulation.h"

namespace norma::lab {
namespace {

using namespace simulation;

constexpr std::int64_t kResamples = 500;

SeedItems minus(const SeedItems& a, const SeedItems& b) {
  SeedItems found = a;
  found.least = -1;
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    found.values[i] = static_cast<std::int16_t>(found.values[i] - b.values[i]);
  }
  return found;
}

// `b` null: intervals of a's error; otherwise of the difference.
Count coverage(const std::string& name, std::int64_t seeds, const Arm& a, const Arm* b = nullptr) {
  const int all = experiments(700);
  constexpr int kAtOnce = 50;  // these share the items' draws
  Normal normal(20261124);
  const double truth = a.truth() - (b != nullptr ? b->truth() : 0);
  Count found;
  while (found.of < all) {
    std::vector<SeedItems> samples;
    for (int i = 0; i < kAtOnce; ++i) {
      const Values items = numbers(kItems, normal);
      samples.push_back(sample(a, seeds, items, normal));
      if (b != nullptr) samples.back() = minus(samples.back(), sample(*b, seeds, items, normal));
    }
    BootstrapOptions options;
    options.resamples = kResamples;
    options.seed = static_cast<std::uint64_t>(found.of);
    for (const Interval& interval : intervals(samples, options)) found.add(interval, truth);
  }
  std::printf("%-50s %2ld seeds %5.1f%%, width %.2f points\n", name.c_str(), static_cast<long>(seeds),
              100 * found.share(), 100 * found.width / found.of);
  return found;
}

void expect_covers(const std::string& name, std::int64_t seeds, const Arm& a, const Arm* b = nullptr) {
  const Count found = coverage(name, seeds, a, b);
  EXPECT_FALSE(found.shown_below(0.93)) << name;
  EXPECT_FALSE(found.shown_above(0.97)) << name;
}

TEST(Coverage, OfErrorsIsAsSaid) {
  expect_covers("error 4%, quiet seeds", 10, {.error = 0.04, .of_seeds = 0.1});
  expect_covers("error 4%, noisy seeds", 10, {.error = 0.04, .of_seeds = 0.5});
  expect_covers("error 0.5%", 10, {.error = 0.005, .of_seeds = 0.1});
  expect_covers("error 50%", 10, {.error = 0.5, .of_seeds = 0.5});
  for (const std::int64_t seeds : {10, 29}) {
    expect_covers("error 20%, wild seeds", seeds, {.error = 0.2, .of_seeds = 1.5});
  }
}

TEST(Coverage, OfDifferencesIsAsSaid) {
  const Arm plain{.error = 0.04, .of_seeds = 0.1, .own = 0.5};
  const Arm same = plain, own{.error = 0.04, .of_seeds = 0.1, .own = 1}, alike{.error = 0.04, .of_seeds = 0.1};
  const Arm worse{.error = 0.055, .of_seeds = 0.1, .own = 0.5}, wild{.error = 0.2, .of_seeds = 1, .own = 0.5};
  expect_covers("no difference, items alike for both", 10, alike, &alike);
  expect_covers("no difference", 10, plain, &same);
  expect_covers("no difference, each arm with its own items", 10, own, &own);
  for (const std::int64_t seeds : {10, 29}) {
    expect_covers("difference of 1.5 points", seeds, worse, &plain);
    expect_covers("difference of 16 points, wild seeds", seeds, wild, &plain);
  }
}

// Seeds that collapse to an error near 50% against an arm whose seeds never do: as skewed as an error gets. Where one
// seed in five does, one experiment of ten seeds in nine sees none, and knows nothing of them. Elsewhere the
// proportions of seeds are the limit, and the intervals hold more than they say.
TEST(Coverage, OfDifferencesFallsShortOnlyWhereNoSeedMayKnowOfACollapse) {
  const Arm plain{.error = 0.04, .of_seeds = 0.1, .own = 0.5};
  for (const auto& [name, part, seeds, least] : {std::tuple("one seed in five collapses", 0.2, 10, 0.82),
                                                 std::tuple("half of the seeds collapse", 0.5, 10, 0.92),
                                                 std::tuple("one seed in five collapses", 0.2, 29, 0.92),
                                                 std::tuple("half of the seeds collapse", 0.5, 29, 0.93)}) {
    const Count found = coverage(name, seeds, {.error = 0.04, .of_seeds = 0.1, .own = 0.5, .collapses = part}, &plain);
    EXPECT_GE(found.share(), least) << name << ", " << seeds;
    EXPECT_LE(found.share(), 0.995) << name << ", " << seeds;
  }
}

// Nearly nobody is wrong, or nobody: the interval may only be too wide, and must not be without width or without end.
TEST(Coverage, OfRareErrorsIsAtLeastAsSaid) {
  for (const auto& [name, error] : {std::pair{"error 0.1%", 0.001}, {"error 0.03%", 0.0003}}) {
    const Count found = coverage(name, 10, {.error = error, .of_seeds = 0.1});
    EXPECT_GE(found.share(), 0.93);
    EXPECT_LT(found.width / found.of, 0.01);
  }
}

// What 24 points of a learning curve see of a time, as log2 of its step: the first point behind it, or the budget.
double at_point(double time) {
  constexpr double kPoints = 24, kBudget = 192;
  return std::log2(std::fmin(kBudget, std::ceil(std::fmax(time, 1e-9) * kPoints) / kPoints * kBudget));
}

// The mean of that for a log-normal time, part of the budget.
double mean_at_point(double log_median, double sigma) {
  double mean = 0, below = 0;
  for (int point = 1; point <= 24; ++point) {
    const double upto = point == 24 ? 1 : normal_below((std::log(point / 24.0) - log_median) / sigma);
    mean += (upto - below) * at_point(point / 24.0);
    below = upto;
  }
  return mean;
}

// The spread of a claim: how far each of an arm's values is from their median.
Values spreads(Values values) {
  const double middle = median_of(values);
  for (double& value : values) value = std::abs(value - middle);
  return values;
}

// What one value a seed looks like, of claims whose measure is no error of test items, and the least that 95% intervals
// may hold of its truth. A difference of two arms is symmetric where both have one distribution, however skewed.
struct Kind {
  std::string name;
  std::function<Values(std::int64_t seeds, Normal&)> draw;
  double truth = 0, least = 0.93;
};

Kind each(const std::string& name, const std::function<double(Normal&)>& draw, double truth = 0, double least = 0.93) {
  return {name,
          [draw](std::int64_t seeds, Normal& normal) {
            Values values;
            for (std::int64_t seed = 0; seed < seeds; ++seed) values.push_back(draw(normal));
            return values;
          },
          truth, least};
}

TEST(Coverage, OfOneValueASeedIsAsSaid) {
  const auto skewed = [](Normal& normal) { return std::exp(normal()); };
  const double quick = std::log(0.15), slow = std::log(0.45), sigma = 0.4;
  const std::vector<Kind> kinds{
      each("normal", [](Normal& normal) { return normal(); }),
      each("two normals of different spread", [](Normal& normal) { return normal() - 0.2 * normal(); }),
      each("wrong answers of 10 items",
           [](Normal& normal) {
             double wrong = 0;
             for (int item = 0; item < 10; ++item) wrong += (normal() > 1 ? 1.0 : 0.0) - (normal() > 1 ? 1.0 : 0.0);
             return wrong / 10;
           }),
      each(
          "log2 steps to a target",
          [&](Normal& normal) {
            return at_point(std::exp(quick + sigma * normal())) - at_point(std::exp(slow + sigma * normal()));
          },
          mean_at_point(quick, sigma) - mean_at_point(slow, sigma)),
      each(
          "log2 steps, a third never there",
          [&](Normal& normal) {
            return at_point(std::exp(quick + sigma * normal())) - at_point(std::exp(-0.17 + sigma * normal()));
          },
          mean_at_point(quick, sigma) - mean_at_point(-0.17, sigma)),
      {"spread over seeds",
       [](std::int64_t seeds, Normal& normal) {
         Values a = spreads(numbers(seeds, normal)), b = spreads(numbers(seeds, normal));
         for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
         return a;
       }},
      each(
          "exponential", [](Normal& normal) { return -std::log1p(-normal.uniform()); }, 1),
      // Of tails as heavy as these it falls short, and adr/0003 says so.
      each(
          "difference of two exponentials",
          [](Normal& normal) { return std::log1p(-normal.uniform()) - std::log1p(-normal.uniform()); }, 0, 0.92),
      each(
          "difference of two log-normals", [&](Normal& normal) { return skewed(normal) - skewed(normal); }, 0, 0.89),
      each("log-normal", skewed, std::exp(0.5), 0.91)};
  for (const std::int64_t seeds : {10, 29}) {
    for (const Kind& kind : kinds) {
      Normal normal(20261130);
      Count found;
      for (const int all = experiments(2000); found.of < all;) {
        const Values values = kind.draw(seeds, normal);
        BootstrapOptions options;
        options.resamples = 2 * kResamples;
        options.seed = static_cast<std::uint64_t>(found.of % 100);
        found.add(interval_over_seeds(values, options), kind.truth);
      }
      std::printf("one value a seed: %-32s %2ld seeds %5.1f%%, width %.2f\n", kind.name.c_str(),
                  static_cast<long>(seeds), 100 * found.share(), found.width / found.of);
      EXPECT_FALSE(found.shown_below(kind.least)) << kind.name << ", " << seeds;
      EXPECT_FALSE(found.shown_above(0.97)) << kind.name << ", " << seeds;
    }
  }
}

}  // namespace
}  // namespace norma::lab
