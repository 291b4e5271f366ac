// How often a family of comparisons in which nothing differs is said to show a difference: by the rule that the
// verdicts follow, and by less. docs/adr/0003-intervals.md carries the figures that this prints.
//
// Of 2,000 families of a true error rate of 5% fewer than one run in a thousand has more than 131 that err, 6.6%: that
// is what these tests allow (of 5,000: 299, 6.0%). NORMA_EXPERIMENTS=10 makes ten thousand of each kind.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "lab/claims/measure.h"
#include "lab/statistics/bootstrap.h"
#include "lab/statistics/paired.h"
#include "simulation.h"

namespace norma::lab {
namespace {

using namespace simulation;

constexpr double kAllowed = 0.05;

// A family as the study quick has it: two models, an arm at five normalization batches against one other arm.
constexpr int kModels = 2, kBatches = 5, kContrasts = kModels * kBatches;

std::vector<std::int64_t> wrong_by_seed(const std::vector<std::int16_t>& answers) {
  std::vector<std::int64_t> sums;
  for (auto row = answers.begin(); row != answers.end(); row += kItems) {
    sums.push_back(std::accumulate(row, row + kItems, std::int64_t{0}));
  }
  return sums;
}

struct FamilyErrors {
  Count sign_flip;  // Holm's correction of that test alone
  Count interval;   // and an interval that leaves out 0
  Count both;       // Holm's correction of the larger p, and the interval: the rule
};

// Holm's correction refuses anything if and only if it refuses the smallest p, so what the sign-flip test alone leaves
// open in all contrasts needs no resamples: the rule asks for more.
void count(std::vector<SeedItems>& differences, std::uint64_t seed, FamilyErrors& errors) {
  std::vector<double> by_seeds;
  for (const SeedItems& one : differences) by_seeds.push_back(sign_flip_p(wrong_by_seed(one.values)));
  const std::vector<double> alone = holm(by_seeds);
  std::vector<SeedItems> in_question;
  std::vector<double> p, p_alone;
  for (std::size_t k = 0; k < differences.size(); ++k) {
    if (!(kContrasts * by_seeds[k] < kAllowed) && !(alone[k] < kAllowed)) continue;
    in_question.push_back(std::move(differences[k]));
    p.push_back(by_seeds[k]);
    p_alone.push_back(alone[k]);
  }
  BootstrapOptions options;
  options.resamples = 1000;
  options.seed = seed;
  const std::vector<Interval> found = intervals(in_question, options);
  bool interval = false, both = false;
  for (std::size_t k = 0; k < found.size(); ++k) {
    const bool leaves_out_0 = found[k].low > 0 || found[k].high < 0;
    interval = interval || leaves_out_0;
    both = both || (leaves_out_0 && kContrasts * std::max(p[k], found[k].p) < kAllowed);
  }
  errors.sign_flip.add(!found.empty());
  errors.interval.add(interval);
  errors.both.add(both);
}

void expect_family_errs_rarely(const std::string& name, const Arm& arm) {
  constexpr std::int64_t kSeeds = 10;
  Normal normal(4711);
  FamilyErrors errors;
  for (const int all = experiments(2000); errors.both.of < all;) {
    const Values items = numbers(kItems, normal);
    std::vector<SeedItems> differences;
    for (int model = 0; model < kModels; ++model) {
      const SeedItems other = sample(arm, kSeeds, items, normal);
      for (int batch = 0; batch < kBatches; ++batch) {
        differences.push_back(sample(arm, kSeeds, items, normal));
        differences.back().least = -1;
        auto& values = differences.back().values;
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = static_cast<std::int16_t>(values[i] - other.values[i]);
        }
      }
    }
    count(differences, static_cast<std::uint64_t>(errors.both.of), errors);
  }
  std::printf("%-40s sign-flip %4.1f%%, and interval %4.1f%%, both tests %4.1f%% (at most %.1f%%)\n", name.c_str(),
              100 * errors.sign_flip.share(), 100 * errors.interval.share(), 100 * errors.both.share(),
              100 * proportion_upper(errors.both.held, errors.both.of, 0.025));
  EXPECT_FALSE(errors.both.shown_above(kAllowed)) << name;
  EXPECT_LE(errors.both.share(), kAllowed) << name;
}

TEST(FamilyError, OfTestErrorsIsAtMostFivePercent) {
  expect_family_errs_rarely("items alike for all arms", {.error = 0.04, .of_seeds = 0.1});
  expect_family_errs_rarely("arms with items of their own", {.error = 0.04, .of_seeds = 0.1, .own = 1});
  expect_family_errs_rarely("arms with mostly items of their own", {.error = 0.04, .of_seeds = 0.1, .own = 3});
  expect_family_errs_rarely("items of their own, noisy seeds", {.error = 0.04, .of_seeds = 0.5, .own = 1});
  expect_family_errs_rarely("one seed in five collapses",
                            {.error = 0.04, .of_seeds = 0.1, .own = 0.5, .collapses = 0.2});
}

// Ten claims of which none holds, of measures with one value a seed: a difference of an arm's value and of another's of
// the same distribution. What two claims compare with is the same arm.
struct Kind {
  const char* name;
  std::function<double(Normal&)> value;
};

// Of the two one-sided p.
double smaller_p(Values differences) {
  if (std::accumulate(differences.begin(), differences.end(), 0.0) < 0) {
    for (double& one : differences) one = -one;
  }
  return sign_flip_above_p(differences, 0);
}

// Whether the two-sided p is above 0.5% without counting: a sum of random signs has a fourth moment of at most three
// times its variance squared, so |sum| > t sd in at least (1 - t^2)^2 / 3 of all signs (Paley & Zygmund 1932).
bool surely_open(const Values& differences) {
  double sum = 0, squares = 0;
  for (const double one : differences) {
    sum += one;
    squares += one * one;
  }
  return sum * sum < 0.87 * squares;
}

TEST(FamilyError, OfTenClaimsIsAtMostFivePercent) {
  const std::vector<Kind> kinds{{"normal", [](Normal& normal) { return normal(); }},
                                {"cubes of normals", [](Normal& normal) { return std::pow(normal(), 3); }},
                                {"log-normal", [](Normal& normal) { return std::exp(normal()); }},
                                {"counts with many ties", [](Normal& normal) { return std::round(normal()); }},
                                {"one seed in five collapses",
                                 [](Normal& normal) { return 0.1 * normal() + (normal.uniform() < 0.2 ? 1.0 : 0.0); }}};
  constexpr std::size_t kClaims = 10;
  const ClaimContrast of;
  for (const std::size_t seeds : {10U, 29U}) {
    for (const auto& [name, value] : kinds) {
      if (seeds == 29 && std::string(name) != "log-normal") continue;  // of so many signs the sums take long
      Normal normal(7);
      Count tests, rule;
      for (const int all = experiments(seeds == 10 ? 5000 : 2000); rule.of < all;) {
        std::vector<Values> differences;
        for (std::size_t claim = 0; claim < kClaims; claim += 2) {
          Values a(seeds), b(seeds);
          for (std::size_t s = 0; s < seeds; ++s) {
            const double other = value(normal);
            a[s] = value(normal) - other;
            b[s] = value(normal) - other;
          }
          differences.push_back(std::move(a));
          differences.push_back(std::move(b));
        }
        std::vector<double> p;
        for (const Values& one : differences) p.push_back(seeds > 20 && surely_open(one) ? 1 : 2 * smaller_p(one));
        const std::vector<double> corrected = holm(p);
        const bool refuses = *std::min_element(corrected.begin(), corrected.end()) < kAllowed;
        tests.add(refuses);
        if (!refuses) {  // the rule asks for more
          rule.add(false);
          continue;
        }
        std::vector<MeasuredContrast> measured(kClaims);
        for (std::size_t claim = 0; claim < kClaims; ++claim) {
          if (p[claim] < kAllowed) measured[claim] = measure_differences(differences[claim], of);
        }
        std::vector<MeasuredContrast*> family;
        for (MeasuredContrast& one : measured) family.push_back(&one);
        judge(std::vector<const ClaimContrast*>(kClaims, &of), family);
        rule.add(std::any_of(measured.begin(), measured.end(), [](const MeasuredContrast& one) {
          return one.standing == Standing::kShown || one.standing == Standing::kRefuted;
        }));
      }
      std::printf("ten claims, %-28s %2ld seeds sign-flip %.2f%%, rule %.2f%% (at most %.2f%%)\n", name,
                  static_cast<long>(seeds), 100 * tests.share(), 100 * rule.share(),
                  100 * proportion_upper(rule.held, rule.of, 0.025));
      EXPECT_FALSE(tests.shown_above(kAllowed)) << name << ", " << seeds;
      EXPECT_FALSE(rule.shown_above(kAllowed)) << name << ", " << seeds;
    }
  }
}

}  // namespace
}  // namespace norma::lab
