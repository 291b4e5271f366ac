// Data that broke other systems (the numbers are those of the project's list of traps), on every instruction set.
#include <gmock/gmock.h>

#include <cmath>
#include <optional>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/compare.h"
#include "reference/exam.h"
#include "reference/reference.h"

namespace norma {
namespace {

using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::Each;

struct Result {
  Values y, mean, rstd;
};

Result forward_of(const Descriptor& descriptor, const Tensor& x, const Shape& shape, DType dtype,
                  const Values& gamma = {}, const Values& beta = {}) {
  const Shape parameters = affine_shape(descriptor, shape);
  const Values ones(static_cast<std::size_t>(parameters.elements()), 1);
  const Tensor g(gamma.empty() ? ones : gamma, dtype, parameters);
  const Tensor b(beta.empty() ? ones : beta, dtype, parameters);
  Tensor y(dtype, shape);
  Tensor mean(DType::kFloat64, statistics_shape(descriptor, shape));
  Tensor rstd(DType::kFloat64, statistics_shape(descriptor, shape));
  forward(descriptor, x.view(), gamma.empty() ? ConstTensorView() : g.view(),
          beta.empty() ? ConstTensorView() : b.view(), y.view(), mean.view(), rstd.view());
  EXPECT_TRUE(y.guards_intact() && mean.guards_intact() && rstd.guards_intact());
  return {y.values(), mean.values(), rstd.values()};
}

// On every instruction set: y within the contract's units of roundoff of the oracle's (4 in f32, 8 in f64, where sums
// have no wider type), on the inputs as the data type holds them.
void expect_exact(const Descriptor& descriptor, const Shape& shape, const Values& values, DType dtype,
                  std::optional<double> units = std::nullopt) {
  const double limit = units.value_or(reference::allowed_error(reference::Operation::kForward, dtype));
  const Tensor x(values, dtype, shape);
  const Values want = reference::forward(descriptor, shape, x.values(), {}, {}).y;
  const Values scale = reference::forward_scale(descriptor, shape, x.values(), {}, {});
  for (const std::string& isa : available_isas()) {
    force_isa(isa);
    const Values y = forward_of(descriptor, x, shape, dtype).y;
    EXPECT_LE(reference::largest_error(y, want, scale, dtype), limit)
        << descriptor.name << " " << shape.to_string() << ", " << isa << ", " << name_of(dtype);
  }
  force_isa("");
}

void expect_exact_in_all(const Descriptor& descriptor, const Shape& shape, const Values& values) {
  for (const DType dtype : kDTypes) expect_exact(descriptor, shape, values, dtype);
}

double variance_of(const Values& y) {
  double mean = 0;
  for (const double value : y) mean += value / static_cast<double>(y.size());
  double m2 = 0;
  for (const double value : y) m2 += (value - mean) * (value - mean);
  return m2 / static_cast<double>(y.size());
}

// Trap 1: LN of randn(5,4)+2000, output variance 48,426.
TEST(HostileData, AMeanOf2000LeavesVarianceOne) {
  const Shape shape{5, 4};
  const Values values = normal(20, 1, 2000, 1);
  expect_exact_in_all(layer_norm(), shape, values);
  const Values y = forward_of(layer_norm(), Tensor(values, DType::kFloat32, shape), shape, DType::kFloat32).y;
  EXPECT_NEAR(variance_of(y), 1, 1e-3);
}

// Trap 2: LN and GN of 100 +- 0.01 with N = 32768, variance 0.
TEST(HostileData, SmallDeviationsOfManyValuesAreSeen) {
  const Shape shape{2, 32768};
  const Values values = normal(2L * 32768, 2, 100, 0.01);
  for (const Descriptor& descriptor : {layer_norm(1, 1e-12), group_norm(1, 1e-12)}) {
    expect_exact_in_all(descriptor, shape, values);
    const Values y = forward_of(descriptor, Tensor(values, DType::kFloat32, shape), shape, DType::kFloat32).y;
    EXPECT_NEAR(variance_of(y), 1, 1e-3);
  }
}

// Trap 3: LN of [40000..40003], [80000..80003] gave NaN.
TEST(HostileData, FourNeighboursFarFromZeroAreNormalized) {
  const Shape shape{2, 4};
  const Values values{40000, 40001, 40002, 40003, 80000, 80001, 80002, 80003};
  expect_exact_in_all(layer_norm(1, 0), shape, values);
  const Values y = forward_of(layer_norm(1, 0), Tensor(values, DType::kFloat32, shape), shape, DType::kFloat32).y;
  EXPECT_NEAR(y[0], -1.5 / std::sqrt(1.25), 1e-6);
  EXPECT_EQ(y[0], y[4]);
}

// Traps 4 and 15: LN of a constant 1234 (256 values) gave NaN; a constant row is exactly beta, with gradient zero.
TEST(HostileData, AConstantRowGivesExactlyBetaAndNoGradient) {
  for (const double constant : {1234.0, 0.1, -3e7, 1e-30, 0.0}) {
    for (const std::int64_t length : {1, 2, 3, 17, 256, 1000}) {
      for (const DType dtype : kDTypes) {
        if (dtype == DType::kFloat16 && std::abs(constant) > 65504) continue;
        const Shape shape{3, length};
        const Values gamma = normal(length, 3, 1, 5);
        const Tensor beta(normal(length, 4), dtype, Shape{length});
        const Tensor x(Values(static_cast<std::size_t>(3 * length), constant), dtype, shape);
        const Result result = forward_of(layer_norm(), x, shape, dtype, gamma, beta.values());
        for (std::size_t i = 0; i < result.y.size(); ++i) {
          ASSERT_EQ(result.y[i], beta.values()[i % static_cast<std::size_t>(length)]) << constant << ", " << length;
        }
        const Tensor mean(result.mean, dtype, Shape{3});
        const Tensor rstd(result.rstd, DType::kFloat64, Shape{3});
        const Tensor mean64(result.mean, DType::kFloat64, Shape{3});
        const Tensor dy(Values(result.y.size(), 2.0), dtype, shape);
        Tensor dx(dtype, shape);
        Tensor dgamma(dtype, Shape{length});
        backward(layer_norm(), dy.view(), x.view(), {}, mean64.view(), rstd.view(), dx.view(), dgamma.view(), {});
        EXPECT_THAT(dgamma.values(), Each(0.0)) << constant << ", " << length;
        EXPECT_THAT(dx.values(), Each(0.0)) << constant << ", " << length;
      }
    }
  }
}

// Trap 4 in columns: a feature that never changes.
TEST(HostileData, AConstantFeatureGivesExactlyBeta) {
  for (const double constant : {1234.0, 0.1, 1e10}) {
    const Shape shape{37, 5};
    const Values beta{1, -2, 3, 0.25, 0};
    const Tensor x(Values(185, constant), DType::kFloat32, shape);
    const Values y = forward_of(batch_norm(), x, shape, DType::kFloat32, normal(5, 5), beta).y;
    for (std::size_t i = 0; i < y.size(); ++i) ASSERT_EQ(y[i], beta[i % 5]);
  }
}

// Trap 5: SIMD wrong at mean 1000 where scalar was right.
TEST(HostileData, EveryInstructionSetIsRightAtAMeanOf1000) {
  for (const std::int64_t length : {5, 16, 33, 1000}) {
    expect_exact_in_all(layer_norm(), {4, length}, normal(4 * length, 6, 1000, 0.5));
    expect_exact_in_all(batch_norm(), {length, 9}, normal(9 * length, 7, 1000, 0.5));
  }
}

// Trap 7: negative variance.
TEST(HostileData, NearlyConstantDataNeverHasANegativeVariance) {
  for (std::uint64_t seed = 1; seed < 200; ++seed) {
    const Tensor x(normal(3L * 65, seed, 3e7, 1), DType::kFloat32, {3, 65});
    Tensor mean(DType::kFloat64, {3});
    Tensor m2(DType::kFloat64, {3});
    statistics(layer_norm(), x.view(), mean.view(), m2.view());
    const reference::Moments want = reference::statistics(layer_norm(), {3, 65}, x.values());
    for (std::size_t row = 0; row < 3; ++row) {
      EXPECT_GE(m2.values()[row], 0);
      EXPECT_NEAR(m2.values()[row], want.m2[row], 1e-6 * want.m2[row]);
    }
  }
}

// Trap 8: LN of 16 values near 1449 gave NaN on a GPU.
TEST(HostileData, SixteenValuesNear1449AreNormalized) {
  expect_exact_in_all(layer_norm(), {1, 16}, normal(16, 8, 1449, 1e-3));
}

// Trap 9: values near 1e30 gave zeros or NaN, as did |x| > 1.84e19, whose square is past f32.
TEST(HostileData, SquaresPastTheRangeOfF32AreNoTrouble) {
  for (const double size : {1e19, 1.9e19, 1e30, 1e38}) {
    for (const std::int64_t length : {4, 100}) {
      expect_exact(layer_norm(), {3, length}, normal(3 * length, 9, 0, size), DType::kFloat32);
      expect_exact(rms_norm(), {3, length}, normal(3 * length, 10, 0, size), DType::kFloat32);
      expect_exact(batch_norm(), {length, 3}, normal(3 * length, 11, 0, size), DType::kFloat32);
    }
  }
}

TEST(HostileData, TinyValuesAreNormalizedWhereEpsLetsThem) {
  for (const double size : {1e-20, 1e-30, 1e-38}) {
    expect_exact(layer_norm(1, 0), {3, 100}, normal(300, 12, 0, size), DType::kFloat32);
    expect_exact(rms_norm(1, 0), {3, 100}, normal(300, 13, 0, size), DType::kFloat32);
  }
  expect_exact(layer_norm(1, 0), {3, 100}, normal(300, 14, 0, 1e-140), DType::kFloat64);
}

// The measure of the numerics contract: a mean up to 1e7 standard deviations away in f32. (Beyond 2^24 neighbouring
// floats are more than one standard deviation apart.)
TEST(HostileData, AMean1e7StandardDeviationsAwayCostsNothingInF32) {
  for (const double mean : {1e1, 1e3, 1e5, 1e6, 1e7, -1e7}) {
    for (const std::int64_t length : {7, 64, 1000}) {
      expect_exact(layer_norm(), {3, length}, normal(3 * length, 15, mean, 1), DType::kFloat32);
      expect_exact(batch_norm(), {length, 19}, normal(19 * length, 16, mean, 1), DType::kFloat32);
      expect_exact(group_norm(2), {2, 4, length}, normal(8 * length, 17, mean, 1), DType::kFloat32);
    }
  }
}

// And up to 1e15 in f64.
TEST(HostileData, AMean1e15StandardDeviationsAwayCostsNothingInF64) {
  for (const double mean : {1e1, 1e5, 1e9, 1e12, 1e15}) {
    for (const std::int64_t length : {7, 64, 1000}) {
      expect_exact(layer_norm(), {3, length}, normal(3 * length, 18, mean, 1), DType::kFloat64);
      // Measured 18 at 1e15: the mean itself is known to an eighth of a standard deviation before it is corrected.
      expect_exact(batch_norm(), {length, 19}, normal(19 * length, 19, mean, 1), DType::kFloat64, mean < 1e15 ? 8 : 32);
    }
  }
}

// Trap 14: eps in the wrong place passes unless it is large. Trap 26: eps ignored.
TEST(HostileData, LargeEpsStandsUnderTheRoot) {
  for (const double eps : {0.1, 10.0}) {
    for (const Descriptor& descriptor : {layer_norm(1, eps), rms_norm(1, eps), batch_norm(eps)}) {
      expect_exact_in_all(descriptor, {6, 20}, normal(120, 20));
    }
    const Values y =
        forward_of(layer_norm(1, eps), Tensor({-1, 1}, DType::kFloat64, {1, 2}), {1, 2}, DType::kFloat64).y;
    EXPECT_NEAR(y[1], 1 / std::sqrt(1 + eps), 1e-15);
  }
}

// Trap 11 for f32: a row of zeros with a tiny eps, and with none.
TEST(HostileData, AZeroRowWithATinyEpsGivesZero) {
  for (const double eps : {1e-12, 1e-45, 0.0}) {
    for (const Descriptor& descriptor : {layer_norm(1, eps), rms_norm(1, eps)}) {
      const Tensor x(Values(20, 0.0), DType::kFloat32, {2, 10});
      EXPECT_THAT(forward_of(descriptor, x, {2, 10}, DType::kFloat32).y, Each(0.0)) << descriptor.name << " " << eps;
    }
    const Tensor x(Values(20, 3.0), DType::kFloat32, {10, 2});
    EXPECT_THAT(forward_of(batch_norm(eps), x, {10, 2}, DType::kFloat32).y, Each(0.0)) << eps;
  }
}

TEST(HostileData, ANanStaysInTheSetThatHoldsIt) {
  Values values = normal(5L * 40, 21);
  values[40 + 7] = NAN;
  values[3 * 40 + 39] = INFINITY;
  const Tensor x(values, DType::kFloat32, {5, 40});
  const Values y = forward_of(layer_norm(), x, {5, 40}, DType::kFloat32).y;
  for (std::size_t i = 0; i < y.size(); ++i) {
    EXPECT_TRUE(i / 40 == 3 || std::isnan(y[i]) == (i / 40 == 1)) << i;
  }
}

// Exact data: integers whose mean, variance and root are exact leave no room for any error.
TEST(ExactData, GivesExactResults) {
  // x = 7 +- 4 in turn: mean 7, variance 16, eps 9: y = +-4/5... times gamma 5, plus beta.
  for (const std::int64_t length : {2, 8, 16, 34, 128, 1000}) {
    for (const DType dtype : kDTypes) {
      Values x;
      for (std::int64_t i = 0; i < 3 * length; ++i) x.push_back(7 + (i % 2 == 0 ? 4 : -4));
      const Shape shape{3, length};
      const Values beta = Values(static_cast<std::size_t>(length), 2);
      const Result result = forward_of(layer_norm(1, 0), Tensor(x, dtype, shape), shape, dtype,
                                       Values(static_cast<std::size_t>(length), 8), beta);
      EXPECT_THAT(result.mean, Each(7.0));
      EXPECT_THAT(result.rstd, Each(0.25));
      for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(result.y[i], x[i] > 7 ? 10 : -6) << length;
    }
  }
}

TEST(ExactData, GivesExactGradientsOfGammaAndBeta) {
  // xhat = +-1 and whole dy: dgamma and dbeta are whole numbers below 2^24, exact in any order. They differ, so a swap
  // would show (trap 27).
  const std::int64_t rows = 1001;
  const std::int64_t features = 130;
  Values x;
  Values dy;
  Values dgamma(static_cast<std::size_t>(features), 0);
  Values dbeta(static_cast<std::size_t>(features), 0);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t i = 0; i < features; ++i) {
      const double sign = (row + i) % 2 == 0 ? 1 : -1;
      x.push_back(100 + 3 * sign);
      dy.push_back(static_cast<double>((row * 7 + i * 3) % 11 - 4));
      dgamma[static_cast<std::size_t>(i)] += sign * dy.back();
      dbeta[static_cast<std::size_t>(i)] += dy.back();
    }
  }
  const Shape shape{rows, features};
  for (const DType dtype : kDTypes) {
    const Tensor x_tensor(x, dtype, shape);
    const Tensor dy_tensor(dy, dtype, shape);
    const Tensor mean(Values(static_cast<std::size_t>(rows), 100), DType::kFloat64, {rows});
    const Tensor rstd(Values(static_cast<std::size_t>(rows), 1.0 / 3), DType::kFloat64, {rows});
    const DType sums = is_short(dtype) ? DType::kFloat32 : dtype;  // which hold these numbers
    Tensor dgamma_tensor(sums, {features});
    Tensor dbeta_tensor(sums, {features});
    backward(layer_norm(1, 0), dy_tensor.view(), x_tensor.view(), {}, mean.view(), rstd.view(), {},
             dgamma_tensor.view(), dbeta_tensor.view());
    EXPECT_EQ(dgamma_tensor.values(), dgamma);
    EXPECT_EQ(dbeta_tensor.values(), dbeta);
  }
}

// Traps 16 and 19: a batch of 65,536 and more; dgamma for 129 features of more than 65,536 rows.
TEST(LargeBatch, OfMoreThan65536RowsSumsEveryRowIntoDgamma) {
  const std::int64_t rows = 65600;
  const std::int64_t features = 129;
  const Shape shape{rows, features};
  std::vector<float> x(static_cast<std::size_t>(rows * features));
  std::vector<float> dy(x.size());
  std::vector<double> mean(static_cast<std::size_t>(rows), 2);
  std::vector<double> rstd(static_cast<std::size_t>(rows), 0.5);
  std::vector<float> dgamma(static_cast<std::size_t>(features));
  std::vector<float> dbeta(dgamma.size());
  std::vector<double> want_dgamma(dgamma.size(), 0);
  std::vector<double> want_dbeta(dgamma.size(), 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = i % 3 == 0 ? 4.0F : 0.0F;  // normalized +-1
    dy[i] = static_cast<float>(i % 7) - 2.0F;
    want_dgamma[i % 129] += (i % 3 == 0 ? 1 : -1) * static_cast<double>(dy[i]);
    want_dbeta[i % 129] += static_cast<double>(dy[i]);
  }
  backward(layer_norm(), {dy.data(), shape}, {x.data(), shape}, {}, {mean.data(), Shape{rows}},
           {rstd.data(), Shape{rows}}, {}, {dgamma.data(), Shape{features}}, {dbeta.data(), Shape{features}});
  EXPECT_EQ(Values(dgamma.begin(), dgamma.end()), want_dgamma);
  EXPECT_EQ(Values(dbeta.begin(), dbeta.end()), want_dbeta);
}

TEST(LargeBatch, OfMoreThan65536SamplesIsNormalizedInEveryNorm) {
  expect_exact(layer_norm(), {70000, 3}, normal(210000, 22, 5, 1), DType::kFloat32);
  expect_exact(batch_norm(), {70000, 3}, normal(210000, 23, 5, 1), DType::kFloat32);
  expect_exact(instance_norm(), {70000, 1, 3}, normal(210000, 24, 5, 1), DType::kFloat32);
  expect_exact(group_norm(2), {70000, 2, 2}, normal(280000, 25, 5, 1), DType::kFloat32);
}

}  // namespace
}  // namespace norma
