// Statistics that merge, statistics that run, and the reference data sets of NIST.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/nist.h"
#include "reference/reference.h"

namespace norma {
namespace {

using reference::digits;
using reference::NistSet;
using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Moments {
  std::int64_t count = 0;
  std::vector<double> mean, m2;
};

TensorView view_of(std::vector<double>& values) {
  return {values.data(), Shape{static_cast<std::int64_t>(values.size())}};
}

Moments moments_of(const std::vector<double>& x, std::int64_t features) {
  Moments moments{0, std::vector<double>(static_cast<std::size_t>(features)),
                  std::vector<double>(static_cast<std::size_t>(features))};
  const Shape shape{static_cast<std::int64_t>(x.size()) / features, features};
  moments.count =
      statistics(batch_norm(), ConstTensorView(x.data(), shape), view_of(moments.mean), view_of(moments.m2));
  return moments;
}

void merge_into(Moments& to, Moments from) {
  to.count = merge(to.count, view_of(to.mean), view_of(to.m2), from.count, view_of(from.mean), view_of(from.m2));
}

// Trap 30: unequal counts.
TEST(Merge, OfUnequalCountsIsTheStatisticsOfAll) {
  const std::int64_t features = 3;
  const Values x = normal(101 * features, 1, 50, 2);
  const Moments all = moments_of(x, features);
  for (const std::int64_t cut : {1, 2, 17, 50, 99, 100}) {
    const auto at = x.begin() + static_cast<std::ptrdiff_t>(cut * features);
    Moments merged = moments_of({x.begin(), at}, features);
    merge_into(merged, moments_of({at, x.end()}, features));
    EXPECT_EQ(merged.count, 101);
    for (std::size_t f = 0; f < 3; ++f) {
      EXPECT_NEAR(merged.mean[f], all.mean[f], 8 * 0x1p-53 * 50);      // a few units of the mean
      EXPECT_NEAR(merged.m2[f], all.m2[f], 32 * 0x1p-53 * all.m2[f]);  // and of a sum of squares
    }
  }
}

TEST(Merge, OfTwoSetsByHand) {
  // {1, 2, 3} and {7}: mean 13/4, squares about it 81/16 + 25/16 + 1/16 + 225/16 = 332/16.
  Moments moments{3, {2}, {2}};
  merge_into(moments, {1, {7}, {0}});
  EXPECT_EQ(moments.count, 4);
  EXPECT_THAT(moments.mean, ElementsAre(DoubleEq(3.25)));
  EXPECT_THAT(moments.m2, ElementsAre(DoubleEq(20.75)));
}

TEST(Merge, WithAnEmptySetChangesNothing) {
  Moments moments{3, {2}, {2}};
  merge_into(moments, {0, {1e300}, {1e300}});
  EXPECT_EQ(moments.count, 3);
  EXPECT_THAT(moments.mean, ElementsAre(2));
  EXPECT_THAT(moments.m2, ElementsAre(2));
  Moments empty{0, {-5}, {99}};
  merge_into(empty, {3, {2}, {2}});
  EXPECT_EQ(empty.count, 3);
  EXPECT_THAT(empty.mean, ElementsAre(2));
  EXPECT_THAT(empty.m2, ElementsAre(2));
}

// Trap 22: counts of INT64_MIN and INT64_MAX.
TEST(Merge, OfCountsThatCannotBeIsAnError) {
  Moments moments{3, {2}, {2}};
  for (const std::int64_t count :
       {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_THROW(merge_into(moments, {count, {1}, {1}}), Error) << count;
    Moments broken{count, {1}, {1}};
    EXPECT_THROW(merge_into(broken, {3, {2}, {2}}), Error) << count;
  }
  EXPECT_THAT(moments.mean, ElementsAre(2));
}

// Numbers by hand: batch mean 10, biased variance 4 of 5 values, so M2 = 20 and the unbiased variance is 5.
TEST(RunningStatistics, FollowTorch) {
  std::vector<double> mean{10}, variance{4}, running_mean{2}, running_var{1};
  update_running(kTorch, kTorch.momentum, 5, view_of(mean), view_of(variance), view_of(running_mean),
                 view_of(running_var));
  EXPECT_THAT(running_mean, ElementsAre(DoubleEq(0.9 * 2 + 0.1 * 10)));
  EXPECT_THAT(running_var, ElementsAre(DoubleEq(0.9 * 1 + 0.1 * 5)));
}

TEST(RunningStatistics, FollowOnnx) {
  std::vector<double> mean{10}, variance{4}, running_mean{2}, running_var{1};
  update_running(kOnnx, kOnnx.momentum, 5, view_of(mean), view_of(variance), view_of(running_mean),
                 view_of(running_var));
  EXPECT_THAT(running_mean, ElementsAre(DoubleEq(0.9 * 2 + 0.1 * 10)));
  EXPECT_THAT(running_var, ElementsAre(DoubleEq(0.9 * 1 + 0.1 * 4)));
}

TEST(RunningStatistics, FollowKeras) {
  std::vector<double> mean{10}, variance{4}, running_mean{2}, running_var{1};
  update_running(kKeras, kKeras.momentum, 5, view_of(mean), view_of(variance), view_of(running_mean),
                 view_of(running_var));
  EXPECT_THAT(running_mean, ElementsAre(DoubleEq(0.99 * 2 + 0.01 * 10)));
  EXPECT_THAT(running_var, ElementsAre(DoubleEq(0.99 * 1 + 0.01 * 4)));
}

TEST(RunningStatistics, TakeMomentumToItsEnds) {
  std::vector<double> mean{10}, variance{4}, running_mean{2}, running_var{1};
  update_running(kTorch, 0, 5, view_of(mean), view_of(variance), view_of(running_mean), view_of(running_var));
  EXPECT_THAT(running_mean, ElementsAre(2));
  EXPECT_THAT(running_var, ElementsAre(1));
  update_running(kTorch, 1, 5, view_of(mean), view_of(variance), view_of(running_mean), view_of(running_var));
  EXPECT_THAT(running_mean, ElementsAre(10));
  EXPECT_THAT(running_var, ElementsAre(DoubleEq(5)));
}

// Trap 28: biased and unbiased mixed. Conventions differ by exactly count / (count - 1).
TEST(RunningStatistics, AreUnbiasedWhereTheConventionSaysSo) {
  EXPECT_TRUE(running_convention("torch").unbiased_variance);
  EXPECT_FALSE(running_convention("onnx").unbiased_variance);
  EXPECT_FALSE(running_convention("keras").unbiased_variance);
  EXPECT_TRUE(running_convention("torch").momentum_weighs_new);
  EXPECT_FALSE(running_convention("onnx").momentum_weighs_new);
  EXPECT_FALSE(running_convention("keras").momentum_weighs_new);
  EXPECT_EQ(running_convention("keras").eps, 1e-3);
}

TEST(RunningStatistics, KnowThreeConventionsAndSayWhich) {
  EXPECT_THAT(
      [] { running_convention("pytorch"); },
      ThrowsMessage<Error>(AllOf(HasSubstr("torch"), HasSubstr("onnx"), HasSubstr("keras"), HasSubstr("pytorch"))));
}

// Trap 18: one value per statistic made running_var NaN.
TEST(RunningStatistics, StayAsTheyWereWhenOneValueHasNoUnbiasedVariance) {
  for (const std::int64_t count : {std::int64_t{1}, std::int64_t{0}, std::int64_t{-3}}) {
    std::vector<double> mean{10}, variance{0}, running_mean{2}, running_var{1};
    EXPECT_THROW(update_running(kTorch, 0.1, count, view_of(mean), view_of(variance), view_of(running_mean),
                                view_of(running_var)),
                 Error)
        << count;
    EXPECT_THAT(running_mean, ElementsAre(2));
    EXPECT_THAT(running_var, ElementsAre(1));
  }
}

// Trap 28: one infinite batch poisons the running statistics.
TEST(RunningStatistics, AreNotPoisonedByOneInfiniteBatch) {
  std::vector<double> mean{kInfinity, 10, NAN, 10}, variance{NAN, 4, 4, kInfinity}, running_mean{2, 2, 2, 2},
      running_var{1, 1, 1, 1};
  update_running(kTorch, 0.1, 5, view_of(mean), view_of(variance), view_of(running_mean), view_of(running_var));
  EXPECT_THAT(running_mean, ElementsAre(2, DoubleEq(2.8), 2, 2));
  EXPECT_THAT(running_var, ElementsAre(1, DoubleEq(1.4), 1, 1));
}

// The mean and the standard deviation (n-1) that `statistics` finds.
struct Summary {
  double mean, deviation;
};

Summary summarize(const std::vector<double>& x) {
  const Moments moments = moments_of(x, 1);
  return {moments.mean[0], std::sqrt(moments.m2[0] / static_cast<double>(moments.count - 1))};
}

// One of those that are generated.
const NistSet& nist(const std::string& name) {
  static const std::vector<NistSet> sets = reference::generated_nist_sets();
  return *std::ranges::find(sets, name, &NistSet::name);
}

// The digits asked for are what the f64 inputs allow ("ceiling"), less one tenth for its own rounding.
void check(const NistSet& set, double least_digits_of_mean, double least_digits) {
  const Summary found = summarize(set.x);
  EXPECT_GE(digits(found.mean, set.mean), least_digits_of_mean) << set.name;
  EXPECT_GE(digits(found.deviation, set.deviation), least_digits) << set.name;
}

TEST(Nist, NumAcc1HasFifteenDigits) {
  check(nist("NumAcc1"), 15, 15);
}
TEST(Nist, NumAcc2HasFifteenDigits) {
  check(nist("NumAcc2"), 14.9, 14.9);
}
TEST(Nist, NumAcc3HasNineDigitsAndAHalf) {
  check(nist("NumAcc3"), 14.9, 9.4);
}
TEST(Nist, NumAcc4HasEightDigits) {
  check(nist("NumAcc4"), 14.9, 8.2);
}
TEST(Nist, PiDigitsHasFifteenDigits) {
  const Values& x = nist("PiDigits").x;
  ASSERT_THAT(Values(x.begin(), x.begin() + 8), ElementsAre(3, 1, 4, 1, 5, 9, 2, 6));
  check(nist("PiDigits"), 14.9, 14.4);  // the certified value has 15 digits itself
}

std::filesystem::path shared_folder() {
  const char* named = std::getenv("NORMA_SHARED");
  return named != nullptr ? std::filesystem::path(named) : std::filesystem::path(NORMA_SOURCE_DIR) / ".." / "shared";
}

void check_file(const std::string& name, double least_digits) {
  const auto set = reference::read_nist_set(shared_folder() / "data" / "nist", name);
  if (!set) GTEST_SKIP() << name << ".csv is not here; the environment variable NORMA_SHARED may name its folder";
  check(*set, 14.4, least_digits);
}

TEST(Nist, LewHasFifteenDigits) {
  check_file("Lew", 14.4);
}
TEST(Nist, LotteryHasFifteenDigits) {
  check_file("Lottery", 14.4);
}
TEST(Nist, MavroHasThirteenDigits) {
  check_file("Mavro", 13.0);
}
TEST(Nist, MichelsoHasThirteenDigitsAndAHalf) {
  check_file("Michelso", 13.6);
}

// In f32, NumAcc3 leaves E[x^2] - mean^2 nothing; against exact arithmetic on the rounded inputs all digits remain.
TEST(Nist, NumAcc3InF32KeepsSevenDigits) {
  const Values& x = nist("NumAcc3").x;
  const Shape shape{static_cast<std::int64_t>(x.size()), 1};
  const Tensor rounded(x, DType::kFloat32, shape);
  Tensor mean(DType::kFloat32, {1});
  Tensor m2(DType::kFloat32, {1});
  statistics(batch_norm(), rounded.view(), mean.view(), m2.view());
  const reference::Moments exact = reference::statistics(batch_norm(), shape, rounded.values());
  EXPECT_GE(digits(m2.values()[0], exact.m2[0]), 7.2);  // 2^-24 is 7.2 digits
}

}  // namespace
}  // namespace norma
