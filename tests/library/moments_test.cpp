// Statistics that merge, statistics that run, and the reference data sets of NIST.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/reference.h"

namespace norma {
namespace {

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

// Correct decimal digits, at most 15 (the certified values have no more).
double digits(double found, double certified) {
  if (found == certified) return 15;
  return std::min(15.0, -std::log10(std::fabs(found - certified) / std::fabs(certified)));
}

// NIST StRD NumAcc2 to 4: a centre, then the centre -0.1 and +0.1 in turn, 1000 times.
std::vector<double> num_acc(double centre, double low, double high) {
  std::vector<double> x{centre};
  for (int i = 0; i < 500; ++i) {
    x.push_back(low);
    x.push_back(high);
  }
  return x;
}

// Rabinowitz & Wagon 1995: decimal digits of pi, one by one.
std::vector<double> pi_digits(std::size_t count) {
  std::vector<double> found;
  std::vector<std::int64_t> remainders(count * 4, 2);
  std::int64_t held = -1;
  std::size_t nines = 0;
  while (found.size() <= count + 5) {
    std::int64_t carry = 0;
    for (std::size_t i = remainders.size(); i-- > 0;) {
      const auto odd = static_cast<std::int64_t>(2 * i + 1);
      const std::int64_t value = remainders[i] * 10 + carry * static_cast<std::int64_t>(i + 1);
      if (i == 0) {
        remainders[0] = value % 10;
        carry = value / 10;
      } else {
        remainders[i] = value % odd;
        carry = value / odd;
      }
    }
    if (carry == 9) {
      ++nines;
      continue;
    }
    const std::int64_t overflow = carry / 10;
    if (held >= 0) found.push_back(static_cast<double>(held + overflow));
    found.insert(found.end(), nines, overflow > 0 ? 0.0 : 9.0);
    nines = 0;
    held = carry % 10;
  }
  found.resize(count);
  return found;
}

// The digits asked for are what the f64 inputs allow ("ceiling"), less one tenth for its own rounding.
TEST(Nist, NumAcc1HasFifteenDigits) {
  const Summary found = summarize({10000001, 10000003, 10000002});
  EXPECT_GE(digits(found.mean, 10000002), 15);
  EXPECT_GE(digits(found.deviation, 1), 15);
}

TEST(Nist, NumAcc2HasFifteenDigits) {
  const Summary found = summarize(num_acc(1.2, 1.1, 1.3));
  EXPECT_GE(digits(found.mean, 1.2), 14.9);
  EXPECT_GE(digits(found.deviation, 0.1), 14.9);
}

TEST(Nist, NumAcc3HasNineDigitsAndAHalf) {
  EXPECT_GE(digits(summarize(num_acc(1000000.2, 1000000.1, 1000000.3)).deviation, 0.1), 9.4);
}

TEST(Nist, NumAcc4HasEightDigits) {
  EXPECT_GE(digits(summarize(num_acc(10000000.2, 10000000.1, 10000000.3)).deviation, 0.1), 8.2);
}

TEST(Nist, PiDigitsHasFifteenDigits) {
  std::vector<double> x = pi_digits(5000);
  // The data set has a 3 for digit 957, which is an 8; the certified values are those of the data set.
  ASSERT_EQ(x[956], 8);
  x[956] = 3;
  ASSERT_THAT(std::vector<double>(x.begin(), x.begin() + 8), ElementsAre(3, 1, 4, 1, 5, 9, 2, 6));
  const Summary found = summarize(x);
  EXPECT_GE(digits(found.mean, 4.53480000000000), 14.9);
  EXPECT_GE(digits(found.deviation, 2.86733906028871), 14.4);  // the certified value has 15 digits itself
}

std::filesystem::path shared_folder() {
  const char* named = std::getenv("NORMA_SHARED");
  return named != nullptr ? std::filesystem::path(named) : std::filesystem::path(NORMA_SOURCE_DIR) / ".." / "shared";
}

// A file of NIST StRD: two certified values in the comments, then a value a line.
void check_file(const std::string& name, double least_digits) {
  const std::filesystem::path path = shared_folder() / "data" / "nist" / (name + ".csv");
  std::ifstream file(path);
  if (!file) GTEST_SKIP() << name << ".csv is not here; the environment variable NORMA_SHARED may name its folder";
  double mean = NAN;
  double deviation = NAN;
  std::vector<double> x;
  for (std::string line; std::getline(file, line);) {
    const std::string value = line.substr(line.find(',') + 1);
    if (line.starts_with("# certified mean")) {
      mean = std::stod(value);
    } else if (line.starts_with("# certified standard deviation")) {
      deviation = std::stod(value);
    } else if (!line.starts_with("#") && !line.empty()) {
      x.push_back(std::stod(line));
    }
  }
  const Summary found = summarize(x);
  EXPECT_GE(digits(found.mean, mean), 14.4);
  EXPECT_GE(digits(found.deviation, deviation), least_digits) << found.deviation;
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
  const std::vector<double> x = num_acc(1000000.2, 1000000.1, 1000000.3);
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
