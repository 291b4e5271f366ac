// The oracle itself: against numbers worked out by hand, against the library's own account of who shares with whom, and
// against data that would expose cancellation.
#include "reference/reference.h"

#include <gmock/gmock.h>

#include <cmath>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/compare.h"
#include "reference/exam.h"

namespace norma {
namespace {

using reference::Case;
using reference::Values;
using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;

TEST(Sharing, IsToldAlikeByTheLibraryAndTheOracle) {
  for (const Case& c : reference::all_cases()) {
    SCOPED_TRACE(c.name);
    const reference::Sharing shared = reference::sharing(c.descriptor, c.shape);
    ASSERT_EQ(shared.statistics, statistics_shape(c.descriptor, c.shape).elements());
    ASSERT_EQ(shared.parameters, affine_shape(c.descriptor, c.shape).elements());
    std::vector<std::int64_t> members(static_cast<std::size_t>(shared.statistics), 0);
    bool alike = true;
    reference::for_each_index(c.shape, [&](const auto& index, std::int64_t i) {
      const std::int64_t statistic = shared.statistic[static_cast<std::size_t>(i)];
      ++members[static_cast<std::size_t>(statistic)];
      alike = alike && statistic_of(c.descriptor, c.shape, index) == statistic;
    });
    EXPECT_TRUE(alike);
    EXPECT_THAT(members, Each(normalized_size(c.descriptor, c.shape)));
  }
}

TEST(Sharing, OfBatchNormIsOneFeatureOverAllSamplesAndSpace) {
  const reference::Sharing shared = reference::sharing(batch_norm(), {2, 3, 2});
  EXPECT_THAT(shared.statistic, ElementsAre(0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2));
  EXPECT_EQ(shared.parameter, shared.statistic);
}

TEST(Sharing, OfLayerNormIsAllFeaturesOfOneSample) {
  const reference::Sharing shared = reference::sharing(layer_norm(2), {2, 3, 2});
  EXPECT_THAT(shared.statistic, ElementsAre(0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1));
  EXPECT_THAT(shared.parameter, ElementsAre(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5));
}

TEST(Sharing, OfGroupNormIsAPartOfTheFeaturesOfOneSample) {
  const reference::Sharing shared = reference::sharing(group_norm(2), {2, 4, 1});
  EXPECT_THAT(shared.statistic, ElementsAre(0, 0, 1, 1, 2, 2, 3, 3));
  EXPECT_THAT(shared.parameter, ElementsAre(0, 1, 2, 3, 0, 1, 2, 3));
}

TEST(Oracle, NormalizesOneToFourAsByHand) {
  // mean 2.5, variance 1.25.
  const auto result = reference::forward(layer_norm(1, 0), {1, 4}, {1, 2, 3, 4}, {}, {});
  const double s = std::sqrt(1.25);
  EXPECT_THAT(result.y, ElementsAre(DoubleEq(-1.5 / s), DoubleEq(-0.5 / s), DoubleEq(0.5 / s), DoubleEq(1.5 / s)));
  EXPECT_THAT(result.mean, ElementsAre(2.5));
  EXPECT_THAT(result.rstd, ElementsAre(DoubleEq(1 / s)));
}

TEST(Oracle, AddsEpsUnderTheRoot) {
  // Variance 1 and eps 3: sqrt(4).
  const auto result = reference::forward(batch_norm(3), {2, 1}, {-1, 1}, {4}, {10});
  EXPECT_THAT(result.y, ElementsAre(8, 12));
}

TEST(Oracle, TakesTheRootOfTheMeanSquareWhereNotCentred) {
  // Mean of squares 25.
  const auto result = reference::forward(rms_norm(1, 0), {1, 2}, {1, 7}, {}, {});
  EXPECT_THAT(result.y, ElementsAre(DoubleEq(0.2), DoubleEq(1.4)));
  EXPECT_THAT(result.mean, ElementsAre(0));
}

TEST(Oracle, LosesNothingAtAMean1e15StandardDeviationsAway) {
  const auto near = reference::forward(layer_norm(1, 0), {1, 5}, {0, 1, 2, 3, 5}, {}, {});
  const auto far = reference::forward(layer_norm(1, 0), {1, 5}, {1e15, 1e15 + 1, 1e15 + 2, 1e15 + 3, 1e15 + 5}, {}, {});
  EXPECT_EQ(far.y, near.y);
}

TEST(Oracle, GivesTheGradientWorkedOutByHand) {
  // x = (0, 2): mean 1, variance 1, eps 0, so dx = g - mean(g) - xhat mean(g xhat) with xhat = (-1, 1). For two values
  // that is always zero; with eps = 3 rstd = 1/2, xhat = (-1/2, 1/2), g = (1, 0): mean 1/2, mean(g xhat) = -1/4,
  // dx = 1/2 (1 - 1/2 - 1/8, 0 - 1/2 + 1/8).
  const auto plain = reference::backward(layer_norm(1, 0), {1, 2}, {5, -3}, {0, 2}, {});
  EXPECT_THAT(plain.dx, Each(DoubleNear(0, 1e-18)));
  const auto damped = reference::backward(layer_norm(1, 3), {1, 2}, {1, 0}, {0, 2}, {});
  EXPECT_THAT(damped.dx, ElementsAre(DoubleEq(0.1875), DoubleEq(-0.1875)));
  EXPECT_THAT(damped.dgamma, ElementsAre(DoubleEq(-0.5), DoubleEq(0)));
  EXPECT_THAT(damped.dbeta, ElementsAre(1, 0));
}

// By hand: of {1, garbage, 3, 5} with eps 1/3, mean 3, squares 8, variance 8/3, rstd 1/sqrt(3).
TEST(Reference, LeavesOutWhatIsMasked) {
  const Descriptor d = batch_norm(1.0 / 3);
  const Shape shape{4, 1};
  const reference::Mask mask{1, 0, 1, 1};
  const Values x{1, NAN, 3, 5}, dy{1, NAN, 0, 0};
  const reference::Moments moments = reference::statistics(d, shape, x, mask);
  EXPECT_EQ(moments.count[0], 3);
  EXPECT_DOUBLE_EQ(moments.mean[0], 3);
  EXPECT_DOUBLE_EQ(moments.m2[0], 8);
  const reference::Forward out = reference::forward(d, shape, x, {}, {10}, mask);
  EXPECT_DOUBLE_EQ(out.y[0], 10 - 2 / std::sqrt(3));
  EXPECT_EQ(out.y[1], 0);
  const reference::Gradients gradients = reference::backward(d, shape, dy, x, {}, mask);
  EXPECT_EQ(gradients.dx[1], 0);
  // rstd (dy - mean dy - normalized mean(dy normalized)), normalized = -2/sqrt(3) at the first.
  EXPECT_DOUBLE_EQ(gradients.dx[0], (1 - 1.0 / 3 - 4.0 / 9) / std::sqrt(3));
  EXPECT_DOUBLE_EQ(gradients.dgamma[0], -2 / std::sqrt(3));
  EXPECT_DOUBLE_EQ(gradients.dbeta[0], 1);
  EXPECT_EQ(reference::forward(d, shape, x, {}, {}, {0, 0, 0, 0}).rstd[0], 0);
}

TEST(Exam, FindsAnErrorOfAFewUnits) {
  // The same exam, taken by the library and by the library with one number nudged.
  const Case c = reference::few_cases().front();
  const reference::Exam exam(c, {});
  EXPECT_LE(exam.run(reference::Operation::kForward).error, 4);
  reference::Subject nudged;
  nudged.forward = [](const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta,
                      TensorView y, TensorView mean, TensorView rstd, MaskView mask, const Fusion& fusion) {
    forward(descriptor, x, gamma, beta, y, mean, rstd, mask, fusion);
    static_cast<float*>(y.data())[7] += 0x1p-18F;
  };
  EXPECT_GT(exam.run(reference::Operation::kForward, {}, nudged).error, 4);
}

TEST(Exam, FindsAWritePastTheEnd) {
  const Case c = reference::few_cases().front();
  reference::Subject careless;
  careless.forward = [](const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta,
                        TensorView y, TensorView mean, TensorView rstd, MaskView mask, const Fusion& fusion) {
    forward(descriptor, x, gamma, beta, y, mean, rstd, mask, fusion);
    static_cast<float*>(y.data())[y.shape().elements()] = 0;
  };
  EXPECT_TRUE(std::isinf(reference::Exam(c, {}).run(reference::Operation::kForward, {}, careless).error));
}

TEST(Comparison, CountsUnitsOfRoundoffOfTheDataType) {
  EXPECT_EQ(reference::largest_error({1 + 0x1p-23}, {1}, {1}, DType::kFloat32), 2);
  EXPECT_EQ(reference::largest_error({1 + 0x1p-52}, {1}, {2}, DType::kFloat64), 1);
  EXPECT_TRUE(std::isinf(reference::largest_error({NAN}, {1}, {1}, DType::kFloat32)));
  EXPECT_TRUE(std::isinf(reference::largest_error({1}, {1, 2}, {1}, DType::kFloat32)));
  EXPECT_TRUE(std::isinf(reference::largest_error({1e-30}, {0}, {0}, DType::kFloat32)));
  EXPECT_EQ(reference::largest_error({INFINITY, NAN}, {INFINITY, NAN}, {1, 1}, DType::kFloat32), 0);
}

}  // namespace
}  // namespace norma
