// The public door: what a caller's mistake says, that nothing is written then, and what empty sizes give.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels_support.h"

namespace norma {
namespace {

template <class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class Door : public ::testing::Test {
 protected:
  std::vector<float> x_ = std::vector<float>(24, 1.0F);
  std::vector<float> y_ = std::vector<float>(24, -7.0F);
  std::vector<float> small_ = std::vector<float>(24, 1.0F);
  std::vector<double> wide_ = std::vector<double>(24, 1.0);

  std::string forward_says(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, TensorView y,
                           TensorView mean = {}) {
    const std::string said = message_of([&] { forward(descriptor, x, gamma, {}, y, mean, {}); });
    EXPECT_EQ(std::ranges::count(y_, -7.0F), 24) << "written to before the error: " << said;
    return said;
  }
  ConstTensorView x(const Shape& shape, Layout layout = Layout::kChannelsFirst) const {
    return {x_.data(), shape, layout};
  }
  TensorView y(const Shape& shape, Layout layout = Layout::kChannelsFirst) { return {y_.data(), shape, layout}; }
};

TEST_F(Door, NamesOperationExpectedAndGiven) {
  EXPECT_EQ(forward_says(layer_norm(), x({4, 6}), ConstTensorView(small_.data(), Shape{5}), y({4, 6})),
            "[layer_norm] gamma: expected shape (6), got (5)");
  EXPECT_EQ(forward_says(layer_norm(), x({4, 6}), {}, y({6, 4})), "[layer_norm] y: expected shape (4, 6), got (6, 4)");
  EXPECT_EQ(forward_says(layer_norm(), x({4, 6}), ConstTensorView(wide_.data(), Shape{6}), y({4, 6})),
            "[layer_norm] gamma: expected f32, got f64");
  EXPECT_EQ(forward_says(layer_norm(), x({4, 6}), {}, {}),
            "[layer_norm] y: expected a tensor of shape (4, 6), got none");
  EXPECT_EQ(forward_says(layer_norm(), {}, {}, y({4, 6})), "[layer_norm] x: expected a tensor, got none");
  EXPECT_EQ(forward_says(batch_norm(), x({24}), {}, y({24})), "[batch_norm] axis 1: expected -1 to 0 for rank 1");
  EXPECT_EQ(forward_says(batch_norm(), x({4, 6}), {}, y({4, 6}), TensorView(small_.data(), Shape{4})),
            "[batch_norm] mean: expected shape (6), got (4)");
}

TEST_F(Door, RefusesNullPointersAndStrangeStrides) {
  const ConstTensorView null(static_cast<const float*>(nullptr), Shape{4, 6});
  EXPECT_EQ(forward_says(layer_norm(), null, {}, y({4, 6})),
            "[layer_norm] x: expected memory of shape (4, 6), got a null pointer");
  const ConstTensorView strided(x_.data(), DType::kFloat32, Shape{2, 6}, Strides{12, 2});
  EXPECT_EQ(forward_says(layer_norm(), strided, {}, y({2, 6})),
            "[layer_norm] x: expected strides of one layout, channels first or last, its innermost axis contiguous, "
            "got strides (12, 2)");
  EXPECT_EQ(forward_says(batch_norm(), x({2, 3, 2, 2}), {}, y({2, 3, 2, 2}, Layout::kChannelsLast)),
            "[batch_norm] y: expected the layout of x (strides (12, 4, 2, 1)), got strides (12, 1, 6, 3)");
}

TEST_F(Door, RefusesDescriptorsThatDoNotFit) {
  EXPECT_EQ(forward_says(group_norm(4), x({4, 6}), {}, y({4, 6})),
            "[group_norm] groups: expected a divisor of the 6 channels, got 4");
  EXPECT_EQ(forward_says(group_norm(0), x({4, 6}), {}, y({4, 6})), "[group_norm] groups: expected >= 1, got 0");
  EXPECT_EQ(forward_says(layer_norm(1, -1.0), x({4, 6}), {}, y({4, 6})),
            "[layer_norm] eps: expected a finite number >= 0, got -1");
  EXPECT_THAT(forward_says(layer_norm(1, std::nan("")), x({4, 6}), {}, y({4, 6})), ::testing::HasSubstr("eps"));
  EXPECT_THAT(forward_says(layer_norm(3), x({4, 6}), {}, y({4, 6})), ::testing::HasSubstr("[layer_norm] axis -3"));
}

TEST_F(Door, RefusesOneValuePerBatchStatisticInTraining) {
  EXPECT_EQ(forward_says(batch_norm(), x({1, 24}), {}, y({1, 24})),
            "[batch_norm] x: expected more than 1 value per statistic in training, got 1 of shape (1, 24)");
  // Alone in its statistic by choice of axes, not for want of a batch: beta.
  forward(layer_norm(), x({24, 1}), {}, {}, y({24, 1}), {}, {});
  EXPECT_EQ(std::ranges::count(y_, 0.0F), 24);
}

TEST_F(Door, GivesEmptyResultsForSizesOfZero) {
  const ConstTensorView none(static_cast<const float*>(nullptr), Shape{0, 3, 2, 2});
  const TensorView nowhere(static_cast<float*>(nullptr), Shape{0, 3, 2, 2});
  const TensorView three(y_.data(), Shape{3});
  forward(batch_norm(), none, {}, {}, nowhere, three, {});
  EXPECT_EQ(y_[0], 0.0F);
  const ConstTensorView statistic(small_.data(), Shape{3});
  std::vector<float> dgamma(3, 5.0F);
  backward(batch_norm(), none, none, {}, statistic, statistic, nowhere, TensorView(dgamma.data(), Shape{3}), {});
  EXPECT_THAT(dgamma, ::testing::Each(0.0F));
  std::vector<double> mean(3, 5.0), m2(3, 5.0);
  EXPECT_EQ(statistics(batch_norm(), none, TensorView(mean.data(), Shape{3}), TensorView(m2.data(), Shape{3})), 0);
  EXPECT_THAT(m2, ::testing::Each(0.0));
}

// What a descriptor and a shape come to is kept between calls, in fewer places than there are kinds here: it must be
// nobody else's.
TEST(Calls, OfMoreKindsThanAreKeptAreToldApart) {
  const Descriptor last_two{.name = "two", .statistics = Axes::last(2), .affine = Axes::last(1)};
  const Descriptor by_hand{.name = "hand", .statistics = Axes::of({1}), .affine = Axes::of({1})};
  const std::vector<Descriptor> descriptors = {
      layer_norm(), layer_norm(1, 0.5), layer_norm(2), rms_norm(),    last_two,       by_hand,
      batch_norm(), batch_norm(0.5),    group_norm(2), group_norm(3), instance_norm()};
  const std::vector<Shape> shapes = {{6, 6, 6}, {6, 6, 6, 1}, {6, 6}, {6, 36}, {36, 6}};
  std::vector<std::string> first;
  for (int round = 0; round < 3; ++round) {
    std::size_t at = 0;
    for (const Descriptor& descriptor : descriptors) {
      for (const Shape& shape : shapes) {
        for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
          testing::Problem<float> problem(descriptor, shape, layout, 7);
          std::vector<float> y(problem.elements(), -7.0F);
          const std::string said = message_of([&] {
            forward(descriptor, problem.view(problem.x), problem.affine_view(problem.gamma),
                    problem.affine_view(problem.beta), TensorView(y.data(), shape, layout), {}, {});
          });
          if (round == 0) first.push_back(said);
          ASSERT_EQ(said, first[at++]);
          if (said != "no error") continue;
          problem.solve();
          for (std::size_t i = 0; i < y.size(); ++i) {
            ASSERT_NEAR(y[i], static_cast<double>(problem.y[i]), 1e-5)
                << descriptor.name << ' ' << shape.to_string() << ", round " << round;
          }
        }
      }
    }
  }
}

TEST(Isa, RefusesUnknownAndMissingNames) {
  EXPECT_THAT(message_of([] { force_isa("avx1024"); }), ::testing::HasSubstr("got \"avx1024\""));
  const std::string before = current_isa();
  EXPECT_EQ(before, available_isas().front());
  EXPECT_EQ(available_isas().back().empty(), false);
}

TEST(Statistics, MergeToThoseOfTheWhole) {
  // Unequal counts, and none at all.
  const std::vector<double> data{3, 5, 8, 1e9, 1e9 + 1, 2, 7, 7, 7};
  const Descriptor all{.name = "all", .statistics = Axes::of({0})};
  const auto of = [&](std::size_t first, std::size_t last, double& mean, double& m2) {
    return statistics(all, ConstTensorView(data.data() + first, Shape{static_cast<std::int64_t>(last - first)}),
                      TensorView(&mean, Shape{}), TensorView(&m2, Shape{}));
  };
  double whole_mean = 0, whole_m2 = 0;
  of(0, 9, whole_mean, whole_m2);
  double mean = 0, m2 = 0;
  std::int64_t count = 0;
  for (const auto& [first, last] : {std::pair{0, 2}, {2, 2}, {2, 7}, {7, 9}}) {
    double other_mean = 0, other_m2 = 0;
    const std::int64_t other =
        of(static_cast<std::size_t>(first), static_cast<std::size_t>(last), other_mean, other_m2);
    count = merge(count, TensorView(&mean, Shape{}), TensorView(&m2, Shape{}), other,
                  ConstTensorView(&other_mean, Shape{}), ConstTensorView(&other_m2, Shape{}));
  }
  EXPECT_EQ(count, 9);
  EXPECT_NEAR(mean, whole_mean, 1e-15 * whole_mean);
  EXPECT_NEAR(m2, whole_m2, 1e-15 * whole_m2);
}

TEST(RunningStatistics, FollowTheConventionByName) {
  const double mean = 2.0, variance = 3.0;
  const auto updated = [&](const RunningConvention& convention, std::int64_t count) {
    double running_mean = 10.0, running_var = 20.0;
    update_running(convention, convention.momentum, count, ConstTensorView(&mean, Shape{}),
                   ConstTensorView(&variance, Shape{}), TensorView(&running_mean, Shape{}),
                   TensorView(&running_var, Shape{}));
    return std::pair{running_mean, running_var};
  };
  EXPECT_NEAR(updated(running_convention("torch"), 4).first, 0.9 * 10 + 0.1 * 2, 1e-14);
  EXPECT_NEAR(updated(running_convention("torch"), 4).second, 0.9 * 20 + 0.1 * 3 * 4 / 3, 1e-14);
  EXPECT_NEAR(updated(running_convention("onnx"), 4).second, 0.9 * 20 + 0.1 * 3, 1e-14);
  EXPECT_NEAR(updated(running_convention("keras"), 4).second, 0.99 * 20 + 0.01 * 3, 1e-14);
  EXPECT_EQ(message_of([] { running_convention("caffe"); }),
            "[running_convention] name: expected torch, onnx or keras, got \"caffe\"");
  EXPECT_THAT(message_of([&] { updated(kTorch, 1); }), ::testing::HasSubstr("[update_running] count"));
  EXPECT_THAT(message_of([&] { updated(kOnnx, 1); }), "no error");
}

}  // namespace
}  // namespace norma
