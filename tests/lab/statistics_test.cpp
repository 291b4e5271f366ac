// Statistics against answers known by hand or from the literature.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "lab/data/random.h"
#include "lab/statistics/bootstrap.h"
#include "lab/statistics/distributions.h"
#include "lab/statistics/paired.h"

namespace norma::lab {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using Counts = std::vector<std::int64_t>;

// All 2^n choices, one by one.
double brute_force_p(const Counts& d) {
  const std::int64_t observed = std::abs(std::accumulate(d.begin(), d.end(), std::int64_t{0}));
  std::int64_t reached = 0;
  for (std::uint64_t signs = 0; signs < (std::uint64_t{1} << d.size()); ++signs) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < d.size(); ++i) sum += ((signs >> i) & 1U) != 0 ? d[i] : -d[i];
    reached += std::abs(sum) >= observed ? 1 : 0;
  }
  return static_cast<double>(reached) / std::pow(2.0, static_cast<double>(d.size()));
}

TEST(SignFlip, GivesTwoOverTwoToTheNWhenAllSeedsAgree) {
  EXPECT_DOUBLE_EQ(sign_flip_p(Counts{5, 3, 8, 1, 2, 9, 4, 4, 7, 6}), 2.0 / 1024);
  EXPECT_DOUBLE_EQ(sign_flip_p(Counts{-5, -3, -8}), 2.0 / 8);
  EXPECT_DOUBLE_EQ(sign_flip_p(Counts{7}), 1);
}

TEST(SignFlip, IsOneWithoutADifference) {
  EXPECT_DOUBLE_EQ(sign_flip_p(Counts{0, 0, 0}), 1);
  EXPECT_DOUBLE_EQ(sign_flip_p(Counts{3, -3}), 1);
  EXPECT_DOUBLE_EQ(sign_flip_p(Counts{}), 1);
}

// Fisher's analysis of Darwin's maize (The Design of Experiments, 1935, section 21): 15 pairs, in eighths of an inch;
// 863 of the 2^15 sums are at least as large as the observed 314, so the two-sided p is 2 x 863 / 32768.
TEST(SignFlip, GivesFishersAnswerForDarwinsMaize) {
  const Counts maize{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
  EXPECT_DOUBLE_EQ(sign_flip_p(maize), 2 * 863.0 / 32768);
}

TEST(SignFlip, AgreesWithAllChoicesOneByOne) {
  Random random(3);
  for (std::size_t n = 1; n <= 14; ++n) {
    Counts d;
    for (std::size_t i = 0; i < n; ++i) d.push_back(static_cast<std::int64_t>(random.below(13)) - 5);
    EXPECT_DOUBLE_EQ(sign_flip_p(d), brute_force_p(d)) << n;
  }
}

TEST(SignFlip, IsExactAtTwentyNineSeedsAndCloseAboveForty) {
  EXPECT_DOUBLE_EQ(sign_flip_p(Counts(29, 3)), std::pow(2.0, -28));
  // 50 seeds, sum 10 of +-1: P(|S| >= 10) of a walk of 50 steps, by the binomial distribution.
  Counts d(50, 1);
  for (std::size_t i = 0; i < 20; ++i) d[i] = -1;
  double tail = 0;
  for (int k = 30; k <= 50; ++k)
    tail += std::exp(std::lgamma(51) - std::lgamma(k + 1) - std::lgamma(51 - k) - 50 * std::log(2));
  EXPECT_NEAR(sign_flip_p(d), 2 * tail, 0.002);  // a million draws: sd 0.0004
}

TEST(SignFlipInterval, HoldsWhatTheTestDoesNotRefuse) {
  const std::vector<double> six{1, 2, 3, 4, 5, 6};
  const Interval found = sign_flip_interval(six);
  EXPECT_EQ(found.mean, 3.5);
  // Only if all six lie on one side is 1/64 below 2.5%: the ends are the least and the most.
  EXPECT_NEAR(found.low, 1, 1e-9);
  EXPECT_NEAR(found.high, 6, 1e-9);
  EXPECT_TRUE(std::isnan(sign_flip_interval(std::vector<double>{1, 2, 3, 4, 5}).low));
  // Student's of these ten is [2.11, 5.09].
  const Interval ten = sign_flip_interval(std::vector<double>{3.1, 4.2, 1.0, 5.5, 2.2, 6.3, 3.0, 0.4, 4.9, 5.4});
  EXPECT_NEAR(ten.low, 2.11, 0.2);
  EXPECT_NEAR(ten.high, 5.09, 0.2);
}

TEST(Holm, GivesTheTextbookAnswer) {
  // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") is 0.03 0.06 0.06 0.02.
  EXPECT_THAT(
      holm(std::vector{0.01, 0.04, 0.03, 0.005}),
      ElementsAre(DoubleNear(0.03, 1e-12), DoubleNear(0.06, 1e-12), DoubleNear(0.06, 1e-12), DoubleNear(0.02, 1e-12)));
  EXPECT_THAT(holm(std::vector{0.9, 0.8}), ElementsAre(1, 1));
  EXPECT_THAT(holm(std::vector<double>{}), ElementsAre());
}

TEST(EffectSize, IsTheCorrectedMeanOverTheStandardDeviation) {
  // Mean 3, sd sqrt(2.5), n = 5: d_z = 1.8974, J = 1 - 3/15 = 0.8.
  EXPECT_NEAR(effect_size(Counts{1, 2, 3, 4, 5}), 0.8 * 3 / std::sqrt(2.5), 1e-12);
  EXPECT_DOUBLE_EQ(effect_size(Counts{0, 0, 0}), 0);
  EXPECT_TRUE(std::isnan(effect_size(Counts{4, 4, 4})));
  EXPECT_TRUE(std::isnan(effect_size(Counts{1, 2})));
}

TEST(ProbabilityABetter, CountsTiesHalf) {
  EXPECT_DOUBLE_EQ(probability_a_better(Counts{-1, -2, 0, 5}), 0.625);
  EXPECT_TRUE(std::isnan(probability_a_better(Counts{})));
}

SeedItems grid(std::int64_t seeds, std::int64_t items, auto&& value) {
  SeedItems found{.seeds = seeds, .items = items, .values = {}};
  for (std::int64_t s = 0; s < seeds; ++s) {
    for (std::int64_t i = 0; i < items; ++i) found.values.push_back(static_cast<std::int16_t>(value(s, i)));
  }
  return found;
}

Interval interval(const SeedItems& sample, std::int64_t resamples = 2000) {
  BootstrapOptions options;
  options.resamples = resamples;
  return intervals(std::span(&sample, 1), options).front();
}

SeedItems difference(SeedItems sample) {
  sample.least = -1;
  return sample;
}

// Nobody was wrong on 20 items: by Clopper and Pearson the error is at most 1 - 0.025^(1/20).
TEST(Bootstrap, AllowsForErrorsThatHappenNotToBeThere) {
  const SeedItems none = grid(5, 20, [](auto, auto) { return 0; });
  const double most = 1 - std::pow(0.025, 1.0 / 20);
  EXPECT_EQ(interval(none).mean, 0);
  EXPECT_EQ(interval(none).low, 0);
  EXPECT_NEAR(interval(none).high, most, 1e-9);
  EXPECT_NEAR(interval(difference(none)).low, -most, 1e-9);
  EXPECT_NEAR(interval(difference(none)).high, most, 1e-9);
  EXPECT_EQ(interval(difference(none)).p, 1);
}

// All five seeds failed on everything: the sixth need not; the rate of failures is at least 0.025^(1/5).
TEST(Bootstrap, AllowsForSeedsThatDoNotFail) {
  const SeedItems all = grid(5, 20, [](auto, auto) { return 1; });
  const double least = std::pow(0.025, 1.0 / 5);
  EXPECT_NEAR(interval(all).low, least, 1e-9);
  EXPECT_EQ(interval(all).high, 1);
  EXPECT_NEAR(interval(difference(all)).low, 2 * least - 1, 1e-9);
}

// A slope, say: 3 times one error minus 2 times another, which no seed made on 20 items.
TEST(Bootstrap, KnowsHowFarWeighedDifferencesCanReach) {
  SeedItems none = grid(5, 20, [](auto, auto) { return 0; });
  none.least = -2;
  none.most = 3;
  const double share = 1 - std::pow(0.025, 1.0 / 20);
  EXPECT_NEAR(interval(none).low, -2 * share, 1e-9);
  EXPECT_NEAR(interval(none).high, 3 * share, 1e-9);
}

// One item of 900 wrong at one seed of ten: no resample knows how far that may reach, but not to 100%.
TEST(Bootstrap, HasAnEndWhereNearlyNobodyIsWrong) {
  const Interval rare = interval(grid(10, 900, [](auto s, auto i) { return s == 3 && i == 70 ? 1 : 0; }));
  EXPECT_GT(rare.high, 1 - std::pow(0.025, 1.0 / 900) - 1e-9);
  EXPECT_LT(rare.high, 0.01);
  // Three seeds of ten wholly wrong: by seeds.
  const Interval failed = interval(grid(10, 900, [](auto s, auto) { return s < 3 ? 1 : 0; }));
  EXPECT_LE(failed.high, 0.6525);  // Clopper and Pearson for 3 of 10: 6.67% to 65.25%
  EXPECT_GE(failed.low, 0.0667);
}

TEST(Bootstrap, IsNeverSurerInItsPThanInItsInterval) {
  Random random(9);
  int sure = 0;
  for (int i = 0; i < 40; ++i) {
    const auto value = [&](auto, auto) { return random.below(10) == 0 ? 1 : random.below(11) == 0 ? -1 : 0; };
    const Interval found = interval(difference(grid(10, 200, value)));
    const bool small = found.p < 0.05;
    EXPECT_TRUE(!small || found.low > 0 || found.high < 0) << found.p;
    sure += small ? 1 : 0;
  }
  EXPECT_GT(sure, 5);
  EXPECT_LT(sure, 35);
}

TEST(Student, HasTheTablesTails) {
  EXPECT_NEAR(student_p(2.262157, 9), 0.05, 1e-6);
  EXPECT_NEAR(student_p(-3.249836, 9), 0.01, 1e-6);
  EXPECT_NEAR(student_p(1.959964, 1e9), 0.05, 1e-6);
  EXPECT_DOUBLE_EQ(student_p(0, 9), 1);
}

TEST(Proportion, HasClopperAndPearsonsEnds) {
  // R: binom.test(3, 10)$conf.int is 0.06673951 0.65245285.
  EXPECT_NEAR(proportion_lower(3, 10, 0.025), 0.06673951, 1e-8);
  EXPECT_NEAR(proportion_upper(3, 10, 0.025), 0.65245285, 1e-8);
  EXPECT_EQ(proportion_lower(0, 10, 0.025), 0);
  EXPECT_EQ(proportion_upper(10, 10, 0.025), 1);
  EXPECT_NEAR(proportion_upper(0, 900, 0.025), 1 - std::pow(0.025, 1.0 / 900), 1e-12);
}

// Two sets of items, one nearly all right and one nearly all wrong: what lies between the sets is no chance.
TEST(Bootstrap, DrawsFromEachStratumByItself) {
  Random random(5);
  SeedItems sample =
      grid(10, 400, [&](auto, std::int64_t item) { return random.uniform() < (item < 200 ? 0.05 : 0.95) ? 1 : 0; });
  const Interval mixed = interval(sample);
  sample.strata = {200, 200};
  const Interval apart = interval(sample);
  EXPECT_EQ(apart.mean, mixed.mean);
  EXPECT_GT(mixed.high - mixed.low, 0.07);  // standard error of 400 coins: 0.025
  EXPECT_LT(apart.high - apart.low, 0.04);  // of the seeds' own noise: below 0.01
  EXPECT_GT(apart.high - apart.low, 0.005);
}

TEST(Bootstrap, SaysNothingOfOneSeed) {
  const Interval one = interval(grid(1, 20, [](auto, auto i) { return i % 2; }));
  EXPECT_EQ(one.mean, 0.5);
  EXPECT_TRUE(std::isnan(one.low));
  EXPECT_TRUE(std::isnan(one.high));
}

TEST(Bootstrap, TurnsWithTheSignAndRepeatsItself) {
  Random random(5);
  const SeedItems a = difference(grid(8, 50, [&](auto, auto) { return random.below(4) == 0 ? 1 : 0; }));
  SeedItems minus = a;
  for (auto& value : minus.values) value = static_cast<std::int16_t>(-value);
  const Interval x = interval(a), y = interval(minus), again = interval(a);
  EXPECT_NEAR(x.low, -y.high, 1e-12);
  EXPECT_NEAR(x.high, -y.low, 1e-12);
  EXPECT_EQ(x.low, again.low);
  EXPECT_LT(x.low, x.mean);
  EXPECT_GT(x.high, x.mean);
}

TEST(Bootstrap, SeesTheSpreadOfItemsAsWellAsOfSeeds) {
  // All seeds alike: what is left is the spread of 100 items of mean 0.3, se sqrt(0.21 / 99) = 0.0461.
  const Interval items = interval(grid(10, 100, [](auto, auto i) { return i < 30 ? 1 : 0; }), 10000);
  EXPECT_NEAR(items.high - items.low, 2 * 1.98 * 0.0461, 0.02);
  // All items alike: the spread of 10 seeds of which 3 are wrong. Student's t says 0.3 +- 2.26 x 0.153; Clopper and
  // Pearson, who are the limit here, say 0.067 to 0.652.
  const Interval seeds = interval(grid(10, 100, [](auto s, auto) { return s < 3 ? 1 : 0; }), 10000);
  EXPECT_NEAR(seeds.low, 0.0667, 0.01);
  EXPECT_NEAR(seeds.high, 0.6525, 1e-4);
}

// Resample by resample, from the one generator, as the words of bootstrap.h have it; bit by bit, whatever way the
// library goes through them and on how many cores.
TEST(SeedInterval, IsThatOfResamplesOneByOne) {
  const std::vector<double> values{0.25, 0.5, 0.125, 0.75, 0.3, 0.45, 0.05};
  const auto n = static_cast<double>(values.size());
  const BootstrapOptions options{.resamples = 1001};
  Random random(options.seed);
  std::vector<double> t;
  const auto moments = [&](const std::vector<int>& weights) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
    const double mean = sum / n;
    for (std::size_t i = 0; i < values.size(); ++i) squares += weights[i] * (values[i] - mean) * (values[i] - mean);
    return std::pair{mean, std::sqrt(squares / (n - 1) / n)};
  };
  const auto [mean, error] = moments(std::vector<int>(values.size(), 1));
  for (int r = 0; r < 1001; ++r) {
    std::vector<int> weights(values.size(), 0);
    for (std::size_t drawn = 0; drawn < values.size();) {
      const std::uint64_t bits = random.next();
      ++weights[((bits >> 32U) * values.size()) >> 32U];
      if (++drawn < values.size()) ++weights[((bits & 0xffffffffU) * values.size()) >> 32U], ++drawn;
    }
    const auto [own_mean, own_error] = moments(weights);
    t.push_back(own_error > 0 ? (own_mean - mean) / own_error : std::copysign(INFINITY, own_mean - mean));
  }
  std::sort(t.begin(), t.end());  // 1,001: both quantiles are values, but for how 0.025 is rounded
  for (int call = 0; call < 2; ++call) {
    const Interval found = seed_interval(values, options);
    EXPECT_EQ(found.mean, mean);
    EXPECT_DOUBLE_EQ(found.low, mean - t[975] * error);
    EXPECT_DOUBLE_EQ(found.high, mean - t[25] * error);
  }
}

TEST(Random, SkipsAsIfItHadTaken) {
  Random taken(7), skipped(7);
  for (int i = 0; i < 1000; ++i) taken.next();
  skipped.skip(1000);
  EXPECT_EQ(skipped.next(), taken.next());
}

TEST(SeedInterval, AgreesWithStudentWhereTheSeedsAreMany) {
  std::vector<double> values;
  Random random(2);
  for (int i = 0; i < 200; ++i) values.push_back(random.uniform());
  const Interval found = seed_interval(values);
  // sd of the uniform 0.2887, se 0.0204, t 1.97.
  EXPECT_NEAR(found.high - found.low, 2 * 1.97 * 0.0204, 0.004);
  EXPECT_TRUE(std::isnan(seed_interval(std::vector<double>{}).mean));
  EXPECT_EQ(seed_interval(std::vector{0.1, 0.1, 0.1}).high, 0.1);
  EXPECT_TRUE(std::isnan(seed_interval(std::vector{0.1}).low));
}

// Of ten values nine are alike: what rounding leaves of the spread of a resample that drew those alone is none.
TEST(SeedInterval, TakesNoRoundingForSpread) {
  std::vector<double> values(10, std::log2(140));  // a mean of these is not quite log2(140)
  values[4] = 6;
  const Interval found = seed_interval(values);
  EXPECT_FALSE(found.low < 0) << found.low;  // or there is none
  EXPECT_FALSE(found.high > 10) << found.high;
}

}  // namespace
}  // namespace norma::lab
