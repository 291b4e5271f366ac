// What the verdicts of claims rest on, by the code that they are reached with, on trials that are made up from a known
// truth: slopes over normalization batches, the best of several arms, and equivalence at its very edge.
// docs/adr/0003-intervals.md carries the figures that this prints.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lab/claims/measure.h"
#include "lab/claims/values.h"
#include "lab/statistics/paired.h"
#include "made_up_trials.h"
#include "simulation.h"

namespace norma::lab {
namespace {

using namespace simulation;
using simulation::kItems;

constexpr std::int64_t kValidation = 397;

// An arm's trial of one seed, at its scores on the test items and, if there are any, on those of validation.
TrialResult answered(double luck, const Values& test, const Values& validation, Normal& normal) {
  TrialResult result;
  const auto share = [](const std::vector<std::int16_t>& wrong) {
    return std::accumulate(wrong.begin(), wrong.end(), 0.0) / static_cast<double>(wrong.size());
  };
  const auto wrong = answers(test, {luck}, normal);
  result.test_error = share(wrong);
  for (const std::int16_t one : wrong) result.test_wrong += one != 0 ? '1' : '0';
  if (!validation.empty()) result.validation_error = share(answers(validation, {luck}, normal));
  result.steps = 100;
  result.seconds = 0.6;
  return result;
}

// A study of 900 test items, of these arms at these normalization batches, for its sizes: its trials are made up.
Study study_of(const std::string& arms, const std::string& batches, std::int64_t seeds) {
  return parse_study({"made-up.toml",
                      "name = \"made-up\"\narms = [" + arms + "]\nnormalization_batches = [" + batches +
                          "]\nseeds = " + std::to_string(seeds) + R"(
[data]
source = "optdigits"
train = 64
validation = 397
test = 900
[training]
sgd_batch = 64
epochs = 2
optimizer = "sgd"
schedule = "cosine"
[tuning]
learning_rates = [0.1]
seeds = 1
widen = 0
[[model]]
kind = "cnn"
channels = [4, 8]
[claim]
number = 6
says = "Words."
expects = "Other words."
expected_verdict = "qualified"
[claim.primary]
direction = 'a lower'
a = 'layer'
b = 'batch'
)",
                      ""});
}

// What a contrast takes of one experiment.
struct Taken {
  ScaledItems items;
  std::vector<double> differences;
};

Taken taken(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b, const ClaimContrast& of) {
  Taken found{*difference_items(plan, a, b, of), {}};
  const SeedValues of_a = side_values(plan, a, of), of_b = side_values(plan, b, of);
  for (std::size_t s = 0; s < of_a.size(); ++s) found.differences.push_back(*of_a[s] - *of_b[s]);
  return found;
}

// As measure_between, with fewer resamples, which the experiments share; each alone in its family.
std::vector<MeasuredContrast> measured(std::span<const Taken> experiments, const ClaimContrast& of) {
  constexpr std::size_t kAtOnce = 25;  // what a cache holds
  std::vector<MeasuredContrast> all;
  while (all.size() < experiments.size()) {
    const auto some = experiments.subspan(all.size(), std::min(kAtOnce, experiments.size() - all.size()));
    std::vector<SeedItems> items;
    for (const Taken& one : some) items.push_back(one.items.items);
    const std::vector<Interval> found = intervals(items, {.resamples = 500, .seed = all.size()});
    for (std::size_t i = 0; i < found.size(); ++i) {
      const double scale = some[i].items.scale;
      all.push_back(measure_differences(
          some[i].differences, of,
          Interval{found[i].mean * scale, found[i].low * scale, found[i].high * scale, found[i].p}));
      judge({&of}, {&all.back()});
    }
  }
  return all;
}

ClaimContrast contrast(Direction direction, Reduce reduce = Reduce::kMean, double margin = 0) {
  ClaimContrast of;
  of.direction = direction;
  of.reduce = reduce;
  of.margin = margin;
  return of;
}

void print(const std::string& name, std::int64_t seeds, const Count& covered, double scale, const char* unit) {
  std::printf("%-50s %2ld seeds %5.1f%%, width %.2f %s\n", name.c_str(), static_cast<long>(seeds),
              100 * covered.share(), scale * covered.width / covered.of, unit);
}

// Claim 6: BatchNorm's errors at five normalization batches, of which each seed has its own luck at each.
TEST(CoverageOfClaims, HoldsTheSlopeOverNormalizationBatches) {
  const std::vector<std::int64_t> batches{2, 4, 8, 16, 64};
  struct Case {
    const char* name;
    Values errors;
    double of_seeds, at_two;  // sd of the seeds' luck, and that at normalization batch 2
  };
  for (const std::int64_t seeds : {10, 29}) {
    const Plan plan(study_of("\"batch\", \"layer\"", "2, 4, 8, 16, 64", seeds), "1");
    for (const auto& [name, errors, of_seeds, at_two] :
         {Case{"slope where there is none", {0.04, 0.04, 0.04, 0.04, 0.04}, 0.1, 0.1},
          Case{"slope from 12% to 3%", {0.12, 0.06, 0.05, 0.04, 0.03}, 0.1, 0.3},
          Case{"slope from 60% to 3%, wild seeds at 2", {0.6, 0.1, 0.05, 0.04, 0.03}, 0.2, 1.5}}) {
      const ClaimContrast of = contrast(Direction::kALower, Reduce::kSlope);
      Normal normal(606);
      std::vector<Taken> made;
      double truth = 0;
      for (const int all = experiments(250); static_cast<int>(made.size()) < all;) {
        const Values items = numbers(kItems, normal);
        std::vector<Cell> cells(batches.size() + 1);
        double mean = 0, squares = 0;
        truth = 0;
        for (const std::int64_t batch : batches) mean += std::log2(batch) / static_cast<double>(batches.size());
        for (const std::int64_t batch : batches) squares += std::pow(std::log2(batch) - mean, 2);
        for (std::size_t k = 0; k < cells.size(); ++k) {
          const bool layer = k == batches.size();
          const Arm arm{.error = layer ? 0.04 : errors[k], .of_seeds = k == 0 ? at_two : of_seeds, .own = 0.3};
          cells[k].arm = layer ? "layer" : "batch";
          cells[k].normalization_batch = layer ? 0 : batches[k];
          const Values at = scores(arm, items, normal);
          for (const double own : luck(arm, seeds, normal)) cells[k].final.emplace_back(answered(own, at, {}, normal));
          if (!layer) truth += (std::log2(batches[k]) - mean) / squares * arm.error;
        }
        Spot batch, layer{0, 0, {&cells.back()}};
        for (std::size_t k = 0; k < batches.size(); ++k) batch.cells.push_back(&cells[k]);
        made.push_back(taken(plan, {batch}, {layer}, of));
      }
      Count covered;
      for (const MeasuredContrast& one : measured(made, of)) covered.add(one.effect, truth);
      print(name, seeds, covered, 100, "points a doubling");
      EXPECT_FALSE(covered.shown_below(0.93)) << name;
      EXPECT_FALSE(covered.shown_above(0.97)) << name;
    }
  }
}

// Claims 8 and 9: the best of several arms, chosen by the mean validation error of the very trials whose test error is
// then compared. No test item chooses, but a seed's luck is in both errors: the arm that is chosen is one that was
// lucky. So its test error is too low, by so much as seeds differ; how much that matters is what this counts.
struct Choosing {
  Count covered, lower, higher;  // of the interval; how often `layer` is said to be lower, and higher, than the best
  Values effects;

  double mean() const {
    return std::accumulate(effects.begin(), effects.end(), 0.0) / static_cast<double>(effects.size());
  }
  // That mean, which is 0 but for the choice, in its standard errors.
  double bias() const {
    double squares = 0;
    for (const double one : effects) squares += (one - mean()) * (one - mean());
    return mean() / std::sqrt(squares) * static_cast<double>(effects.size());
  }
};

Choosing choose_best(int arms, const Arm& arm, std::int64_t seeds) {
  static const std::vector<std::string> names{"batch", "batch_precise", "batch_renorm", "batch_noise", "batch_test"};
  std::string listed = "\"layer\"";
  ClaimSide b;
  for (int k = 0; k < arms; ++k) {
    b.arms.push_back(names[static_cast<std::size_t>(k)]);
    listed += ", \"" + b.arms.back() + "\"";
  }
  const Plan fresh(study_of(listed, "8", seeds), "1");
  const ClaimContrast of = contrast(Direction::kALower);
  ClaimSide a;
  a.arms = {"layer"};
  Normal normal(808);
  std::vector<Taken> made;
  for (const int all = experiments(250); static_cast<int>(made.size()) < all;) {
    const Values test = numbers(kItems, normal), validation = numbers(kValidation, normal);
    std::map<std::string, std::pair<Values, Values>> at;  // scores by arm
    Plan plan = fresh;
    while (const auto trial = plan.next()) {
      auto& [on_test, on_validation] = at[trial->spec.arm];
      if (on_test.empty()) on_test = scores(arm, test, normal);
      if (on_validation.empty()) on_validation = scores(arm, validation, normal);
      plan.finished(trial->key, answered(luck(arm, 1, normal).front(), on_test, on_validation, normal));
    }
    made.push_back(taken(plan, spots_of(plan, {}, a), spots_of(plan, {}, b), of));
  }
  Choosing found;
  for (const MeasuredContrast& one : measured(made, of)) {
    found.covered.add(one.effect, 0);
    found.effects.push_back(one.effect.mean);
    found.lower.add(one.standing == Standing::kShown);
    found.higher.add(one.standing == Standing::kRefuted);
  }
  return found;
}

TEST(CoverageOfClaims, HoldsTheBestOfSeveralArmsAsFarAsSeedsAreAlike) {
  struct Case {
    const char* name;
    Arm arm;
    double least;
  };
  for (const std::int64_t seeds : {10, 29}) {
    for (const int arms : {1, 5}) {
      for (const auto& [name, arm, least] :
           {Case{"items decide", {.error = 0.04, .of_seeds = 0.1, .own = 2}, 0.93},
            Case{"seeds decide", {.error = 0.04, .of_seeds = 0.5, .own = 0.3}, 0.86}}) {
        const Choosing found = choose_best(arms, arm, seeds);
        const std::string what = "best of " + std::to_string(arms) + " arms alike, " + name;
        print(what, seeds, found.covered, 100, "points");
        std::printf("%-50s           said lower %.1f%%, higher %.1f%%, by the choice %.2f points\n", "",
                    100 * found.lower.share(), 100 * found.higher.share(), 100 * found.mean());
        // No item that is compared chooses.
        EXPECT_TRUE(std::abs(found.bias()) < 4 || (arms > 1 && least < 0.93)) << what << ", " << found.bias();
        EXPECT_FALSE(found.covered.shown_below(arms == 1 ? 0.93 : least)) << what << ", " << seeds;
        // That the other side is lower than the best is what the claims say, and the choice counts against that.
        EXPECT_FALSE(found.lower.shown_above(0.025)) << what << ", " << seeds;
      }
    }
  }
}

// "The same" at a true difference of exactly the margin is an error: at most 5% of the two one-sided tests, and of the
// rule, which asks 2.5% of the worse one and the whole interval.
TEST(Equivalence, ErrsInAtMostFivePercentAtItsEdge) {
  struct Case {
    const char* name;
    std::function<double(Normal&)> draw;  // about 0
    double most;                          // of the tests
  };
  const auto skewed = [](Normal& normal) { return std::exp(normal()); };
  const std::vector<Case> cases{
      {"normal", [](Normal& normal) { return normal(); }, 0.05},
      {"difference of two log-normals", [&](Normal& normal) { return skewed(normal) - skewed(normal); }, 0.05},
      {"counts of 10 items",
       [](Normal& normal) {
         double wrong = 0;
         for (int item = 0; item < 10; ++item) wrong += (normal() > 1 ? 1.0 : 0.0) - (normal() > 1 ? 1.0 : 0.0);
         return wrong / 10;
       },
       0.05},
      // No test by signs is exact where the differences lean to one side.
      {"exponential, towards the margin", [](Normal& normal) { return -std::log1p(-normal.uniform()) - 1; }, 0.13},
      {"exponential, away from it", [](Normal& normal) { return 1 + std::log1p(-normal.uniform()); }, 0.05}};
  for (const std::int64_t seeds : {10, 29}) {
    for (const auto& [name, draw, most] : cases) {
      const double margin = seeds == 10 ? 4 : 2.5;  // far enough apart for both edges not to meet
      const ClaimContrast of = contrast(Direction::kSame, Reduce::kMean, margin);
      Normal normal(707);
      Count tests, rule;
      for (const int all = experiments(seeds == 10 ? 5000 : 300); tests.of < all;) {
        std::vector<double> differences;
        for (std::int64_t seed = 0; seed < seeds; ++seed) differences.push_back(margin + draw(normal));
        // Of the two one-sided tests the one of the far edge refuses it always: this one is the larger.
        std::vector<double> negated = differences;
        for (double& d : negated) d = -d;
        const double p = sign_flip_above_p(negated, -margin);
        tests.add(p <= 0.05);
        if (p > 0.025) {  // the rule asks for more
          rule.add(false);
          continue;
        }
        MeasuredContrast one = measure_differences(differences, of);
        judge({&of}, {&one});
        rule.add(one.standing == Standing::kShown);
      }
      std::printf("the same, at the edge: %-32s %2ld seeds tests %.2f%%, rule %.2f%%\n", name, static_cast<long>(seeds),
                  100 * tests.share(), 100 * rule.share());
      EXPECT_FALSE(tests.shown_above(most)) << name << ", " << seeds;
      EXPECT_FALSE(rule.shown_above(0.05)) << name << ", " << seeds;
    }
  }
}

// The same of test errors, over seeds and items.
TEST(Equivalence, OfErrorsErrsInAtMostFivePercentAtItsEdge) {
  const Arm a{.error = 0.055, .of_seeds = 0.1, .own = 0.3}, b{.error = 0.04, .of_seeds = 0.1, .own = 0.3};
  const ClaimContrast of = contrast(Direction::kSame, Reduce::kMean, a.error - b.error);
  for (const std::int64_t seeds : {10, 29}) {
    const Plan plan(study_of("\"layer\", \"batch\"", "8", seeds), "1");
    Normal normal(717);
    std::vector<Taken> made;
    for (const int all = experiments(seeds == 10 ? 1000 : 250); static_cast<int>(made.size()) < all;) {
      const Values items = numbers(kItems, normal);
      std::vector<Cell> cells(2);
      for (const bool first : {true, false}) {
        const Arm& arm = first ? a : b;
        const Values at = scores(arm, items, normal);
        for (const double own : luck(arm, seeds, normal)) {
          cells[first ? 0 : 1].final.emplace_back(answered(own, at, {}, normal));
        }
      }
      made.push_back(taken(plan, {{0, 0, {&cells[0]}}}, {{0, 0, {&cells[1]}}}, of));
    }
    Count tests, rule;
    for (const MeasuredContrast& one : measured(made, of)) {
      tests.add(one.p_toward <= 0.05);
      rule.add(one.standing == Standing::kShown);
    }
    std::printf("the same, at the edge: %-32s %2ld seeds tests %.2f%%, rule %.2f%%\n", "errors of 4 and 5.5%",
                static_cast<long>(seeds), 100 * tests.share(), 100 * rule.share());
    EXPECT_FALSE(rule.shown_above(0.05)) << seeds;
  }
}

}  // namespace
}  // namespace norma::lab
