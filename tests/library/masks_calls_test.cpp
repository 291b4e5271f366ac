// What a mask leaves of each statistic: how many elements, what is merged by them, and when they are too few.
#include <gmock/gmock.h>

#include <limits>

#include "norma/norma.h"
#include "reference/cases.h"

namespace norma {
namespace {

using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(MaskCounts, AreThoseOfEachStatistic) {
  const std::vector<std::uint8_t> bytes{1, 1, 1, 1, 0, 0, 0, 0, 0};  // 3 samples of 3 steps
  const MaskView mask(bytes.data(), {3, 1, 3});
  const Shape shape{3, 2, 3};
  EXPECT_THAT(valid_counts(batch_norm(), shape, mask), ElementsAre(4, 4));
  EXPECT_THAT(valid_counts(instance_norm(), shape, mask), ElementsAre(3, 3, 1, 1, 0, 0));
  EXPECT_THAT(valid_counts(group_norm(1), shape, mask), ElementsAre(6, 2, 0));
  EXPECT_THAT(valid_counts(batch_norm(), shape, {}), ElementsAre(9, 9));
  Descriptor over_features = layer_norm();
  over_features.statistics = Axes::of({1});
  EXPECT_THAT(valid_counts(over_features, shape, mask), ElementsAre(2, 2, 2, 2, 0, 0, 0, 0, 0));
  EXPECT_THROW(valid_counts(batch_norm(), shape, {bytes.data(), {3, 3}}), Error);
}

TEST(MaskCounts, OfStatisticsAreReturnedWhereTheyAgree) {
  const std::vector<std::uint8_t> bytes{1, 1, 0, 1, 0, 0};
  const MaskView mask(bytes.data(), {2, 1, 3});
  const Tensor x(normal(12, 1), DType::kFloat32, {2, 2, 3});
  Tensor a(DType::kFloat64, {2}), b(DType::kFloat64, {2}), c(DType::kFloat64, {2, 2}), d(DType::kFloat64, {2, 2});
  EXPECT_EQ(statistics(batch_norm(), x.view(), a.view(), b.view(), mask), 3);
  EXPECT_EQ(statistics(instance_norm(), x.view(), c.view(), d.view(), mask), -1);
}

TEST(MaskCounts, MergeStatisticByStatistic) {
  // {1, 2, 3} and {7}; nothing and {5}; {4} and nothing.
  std::vector<double> mean{2, 99, 4}, m2{2, 99, 0};
  std::vector<double> other_mean{7, 5, kNan}, other_m2{0, 0, kNan};
  std::vector<std::int64_t> counts{3, 0, 1};
  const std::vector<std::int64_t> others{1, 1, 0};
  merge(counts, {mean.data(), {3}}, {m2.data(), {3}}, others, {other_mean.data(), {3}}, {other_m2.data(), {3}});
  EXPECT_THAT(counts, ElementsAre(4, 1, 1));
  EXPECT_THAT(mean, ElementsAre(3.25, 5, 4));
  EXPECT_THAT(m2, ElementsAre(20.75, 0, 0));
  const auto merged = [&](std::vector<std::int64_t> a, const std::vector<std::int64_t>& b) {
    merge(a, {mean.data(), {3}}, {m2.data(), {3}}, b, {other_mean.data(), {3}}, {other_m2.data(), {3}});
  };
  EXPECT_THROW(merged({1, 2}, others), Error);
  EXPECT_THROW(merged(counts, {1}), Error);
  EXPECT_THROW(merged(counts, {1, 1, -1}), Error);
  EXPECT_THAT(mean, ElementsAre(3.25, 5, 4)) << "half-written";
}

// Two groups of 2 and 4 values: means 10 and 4, biased variances 1 and 3. All values: mean (2*10 + 4*4) / 6 = 6;
// squares about their own group's mean 2 + 12 of 1 + 3 degrees of freedom.
TEST(RunningStatistics, WeighGroupsByTheirCounts) {
  std::vector<double> mean{10, 4}, variance{1, 3}, running_mean{0}, running_var{0};
  const std::vector<std::int64_t> counts{2, 4};
  const auto move = [&](const RunningConvention& convention, double momentum) {
    running_mean = running_var = {0};
    update_running(convention, momentum, counts, ConstTensorView(mean.data(), {2, 1}),
                   ConstTensorView(variance.data(), {2, 1}), {running_mean.data(), {1}}, {running_var.data(), {1}});
  };
  move(kTorch, 1);
  EXPECT_DOUBLE_EQ(running_mean[0], 6);
  EXPECT_DOUBLE_EQ(running_var[0], 14.0 / 4);
  move(kOnnx, 0);
  EXPECT_DOUBLE_EQ(running_var[0], 14.0 / 6);
}

TEST(RunningStatistics, OfGroupsRefuseWhatDoesNotFit) {
  std::vector<double> mean{10, 4}, variance{1, 3}, running{7};
  const auto move = [&](const std::vector<std::int64_t>& counts, const Shape& shape) {
    update_running(kTorch, 0.1, counts, ConstTensorView(mean.data(), shape), ConstTensorView(variance.data(), shape),
                   {running.data(), {1}}, {running.data(), {1}});
  };
  EXPECT_THAT([&] { move({2, 1}, {2, 1}); }, ThrowsMessage<Error>(HasSubstr("at least 2 values")));
  EXPECT_THAT([&] { move({2, 2}, {2}); }, ThrowsMessage<Error>(AllOf(HasSubstr("mean"), HasSubstr("(2, 1)"))));
  EXPECT_THAT([&] { move({}, {2, 1}); }, ThrowsMessage<Error>(HasSubstr("counts")));
  EXPECT_THAT(running, Each(7.0));
}

void forward_masked(const Descriptor& d, const Shape& shape, MaskView mask) {
  const Tensor x(normal(shape.elements(), 1), DType::kFloat32, shape);
  Tensor y(DType::kFloat32, shape);
  const std::vector<std::byte> before = y.bytes();
  try {
    forward(d, x.view(), {}, {}, y.view(), {}, {}, mask);
  } catch (const Error&) {
    EXPECT_EQ(y.bytes(), before) << "half-written";
    throw;
  }
}

TEST(MaskErrors, SayWhichStatisticHasTooFewValues) {
  const std::vector<std::uint8_t> one{0, 1, 0, 0, 0, 0};
  const std::vector<std::uint8_t> none(6, 0);
  const Shape shape{2, 4, 3};
  EXPECT_THAT(
      [&] {
        forward_masked(batch_norm(), shape, {one.data(), {2, 1, 3}});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("[batch_norm] mask"), HasSubstr("got 1 for statistic 0 of (4)"))));
  EXPECT_THAT(
      [&] {
        forward_masked(batch_norm(), shape, {none.data(), {2, 1, 3}});
      },
      ThrowsMessage<Error>(HasSubstr("got 0 for statistic 0")));
  // A feature without a valid value, among others that have some.
  const std::vector<std::uint8_t> feature{1, 1, 0, 1};
  EXPECT_THAT(
      [&] {
        forward_masked(batch_norm(), shape, {feature.data(), {1, 4, 1}});
      },
      ThrowsMessage<Error>(HasSubstr("got 0 for statistic 2")));
}

// Of a sample of its own, that is no mistake: padding. A single value gives beta, as without a mask.
TEST(MaskErrors, AreNoneForASampleThatIsAllPadding) {
  const Shape shape{2, 2, 3};
  const Tensor x(normal(12, 1), DType::kFloat32, shape);
  const Tensor beta(Values{5, 6}, DType::kFloat32, {2});
  Tensor y(DType::kFloat32, shape);
  Tensor mean(DType::kFloat64, {2, 2}), rstd(DType::kFloat64, {2, 2});
  const std::vector<std::uint8_t> bytes{0, 1, 0, 0, 0, 0};
  forward(instance_norm(), x.view(), {}, beta.view(), y.view(), mean.view(), rstd.view(), {bytes.data(), {2, 1, 3}});
  EXPECT_THAT(y.values(), ElementsAre(0, 5, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT((Values{mean.values()[2], mean.values()[3]}), Each(0.0));
  EXPECT_THAT((Values{rstd.values()[2], rstd.values()[3]}), Each(0.0));
}

TEST(MaskErrors, NameShapesMemoryAndStridesThatDoNotFit) {
  const std::vector<std::uint8_t> bytes(64, 1);
  const Shape shape{2, 4, 3};
  for (const Shape& wrong : {Shape{2, 3}, Shape{2, 1, 4}, Shape{2, 4, 3, 1}, Shape{}, Shape{0, 1, 3}, Shape{3, 1, 3}}) {
    EXPECT_THAT(
        [&] {
          forward_masked(batch_norm(), shape, {bytes.data(), wrong});
        },
        ThrowsMessage<Error>(
            AllOf(HasSubstr("[batch_norm] mask"), HasSubstr("(2, 4, 3)"), HasSubstr("got " + wrong.to_string()))));
  }
  EXPECT_THAT(
      [&] {
        forward_masked(batch_norm(), shape, {nullptr, {2, 1, 3}});
      },
      ThrowsMessage<Error>(HasSubstr("null pointer")));
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t stride : {kHuge, -kHuge, std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_THAT(
        [&] {
          forward_masked(batch_norm(), shape, {bytes.data(), {2, 1, 3}, {stride, 0, 1}});
        },
        ThrowsMessage<Error>(HasSubstr("63 bits")));
  }
  EXPECT_THAT(
      [&] {
        forward_masked(group_norm(2), shape, {bytes.data(), {2, 4, 1}});
      },
      ThrowsMessage<Error>(HasSubstr("groups")));
}

TEST(MaskErrors, AreNoneForEmptyTensors) {
  const std::uint8_t* nothing = nullptr;
  EXPECT_NO_THROW(forward_masked(batch_norm(), {0, 5, 9}, {nothing, {0, 1, 9}}));
  EXPECT_NO_THROW(forward_masked(layer_norm(), {3, 0}, {nothing, {3, 0}}));
  EXPECT_THAT(valid_counts(batch_norm(), {0, 2, 9}, {nothing, {0, 1, 9}}), ElementsAre(0, 0));
}

}  // namespace
}  // namespace norma
