// What must hold between the operations whatever the numbers: one norm as a case of another, invariances, and sums that
// are known. No oracle here: these would stand even if it were wrong.
#include <gmock/gmock.h>

#include <cmath>

#include "norma/norma.h"
#include "reference/cases.h"

namespace norma {
namespace {

using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::Pointwise;

constexpr double kRoundoff32 = 0x1p-24;

struct Result {
  Values y, mean, rstd;
};

Result run_forward(const Descriptor& descriptor, const Shape& shape, const Values& values,
                   Layout layout = Layout::kChannelsFirst, DType dtype = DType::kFloat32, const Values& gamma = {},
                   const Values& beta = {}) {
  const Tensor x(values, dtype, shape, layout);
  const Shape parameters = affine_shape(descriptor, shape);
  const bool affine = !gamma.empty();
  const Tensor g(affine ? gamma : Values(static_cast<std::size_t>(parameters.elements())), dtype, parameters);
  const Tensor b(affine ? beta : Values(static_cast<std::size_t>(parameters.elements())), dtype, parameters);
  Tensor y(dtype, shape, layout);
  Tensor mean(DType::kFloat64, statistics_shape(descriptor, shape));
  Tensor rstd(DType::kFloat64, statistics_shape(descriptor, shape));
  forward(descriptor, x.view(), affine ? g.view() : ConstTensorView(), affine ? b.view() : ConstTensorView(), y.view(),
          mean.view(), rstd.view());
  return {y.values(), mean.values(), rstd.values()};
}

struct Gradient {
  Values dx, dgamma, dbeta;
};

Gradient run_backward(const Descriptor& descriptor, const Shape& shape, const Values& dy_values, const Values& values,
                      Layout layout = Layout::kChannelsFirst, DType dtype = DType::kFloat32) {
  const Result saved = run_forward(descriptor, shape, values, layout, dtype);
  const Tensor x(values, dtype, shape, layout);
  const Tensor dy(dy_values, dtype, shape, layout);
  const Tensor mean(saved.mean, DType::kFloat64, statistics_shape(descriptor, shape));
  const Tensor rstd(saved.rstd, DType::kFloat64, statistics_shape(descriptor, shape));
  Tensor dx(dtype, shape, layout);
  Tensor dgamma(dtype, affine_shape(descriptor, shape));
  Tensor dbeta(dtype, affine_shape(descriptor, shape));
  backward(descriptor, dy.view(), x.view(), {}, mean.view(), rstd.view(), dx.view(), dgamma.view(), dbeta.view());
  return {dx.values(), dgamma.values(), dbeta.values()};
}

// LayerNorm over the features alone, in a tensor of any rank.
Descriptor layer_norm_over_features() {
  Descriptor descriptor = layer_norm();
  descriptor.statistics = Axes::of({1});
  descriptor.affine = Axes::of({1});
  return descriptor;
}

TEST(Law, LayerNormOverAllOfASampleIsGroupNormOfOneGroup) {
  const Shape shape{5, 6, 3, 4};
  const Values x = normal(shape.elements(), 1, 2, 3);
  const Values dy = normal(shape.elements(), 2);
  // The same sums in the same order: the same bits.
  EXPECT_EQ(run_forward(layer_norm(3), shape, x).y, run_forward(group_norm(1), shape, x).y);
  EXPECT_EQ(run_backward(layer_norm(3), shape, dy, x).dx, run_backward(group_norm(1), shape, dy, x).dx);
}

TEST(Law, InstanceNormIsGroupNormOfOneFeatureAGroup) {
  const Shape shape{3, 7, 5, 4};
  const Values x = normal(shape.elements(), 3, -1, 2);
  const Values dy = normal(shape.elements(), 4);
  const Gradient instance = run_backward(instance_norm(), shape, dy, x);
  const Gradient group = run_backward(group_norm(7), shape, dy, x);
  EXPECT_EQ(run_forward(instance_norm(), shape, x).y, run_forward(group_norm(7), shape, x).y);
  EXPECT_EQ(instance.dx, group.dx);
  EXPECT_EQ(instance.dgamma, group.dgamma);
  EXPECT_EQ(instance.dbeta, group.dbeta);
}

TEST(Law, BatchNormOfOneSampleIsInstanceNorm) {
  const Shape shape{1, 7, 5, 4};
  const Values x = normal(shape.elements(), 5);
  EXPECT_EQ(run_forward(batch_norm(), shape, x).y, run_forward(instance_norm(), shape, x).y);
}

TEST(Law, BatchNormIsLayerNormOfTheTranspose) {
  const std::int64_t rows = 37;
  const std::int64_t columns = 19;
  const Values x = normal(rows * columns, 6, 3, 1);
  Values transposed(x.size());
  const auto at = [](std::int64_t i, std::int64_t j, std::int64_t width) {
    return static_cast<std::size_t>(i * width + j);
  };
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) transposed[at(j, i, rows)] = x[at(i, j, columns)];
  }
  const Values batch = run_forward(batch_norm(), {rows, columns}, x).y;
  const Values layer = run_forward(layer_norm(), {columns, rows}, transposed).y;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      // Two sides within 4 units of roundoff of the truth each, |y| < 4.
      EXPECT_NEAR(batch[at(i, j, columns)], layer[at(j, i, rows)], 2 * 4 * kRoundoff32 * 4);
    }
  }
}

TEST(Law, ChannelsFirstAndLastGiveTheSame) {
  const Shape shape{4, 12, 5, 3};
  const Values x = normal(shape.elements(), 7, 1, 2);
  const Values dy = normal(shape.elements(), 8);
  for (const Descriptor& descriptor :
       {batch_norm(), instance_norm(), group_norm(3), layer_norm(3), layer_norm_over_features()}) {
    SCOPED_TRACE(descriptor.name);
    const Result first = run_forward(descriptor, shape, x, Layout::kChannelsFirst);
    const Result last = run_forward(descriptor, shape, x, Layout::kChannelsLast);
    // As above; |y| < 5, |dx| < 10, and a sum of 60 products below 15 in magnitude.
    EXPECT_THAT(first.y, Pointwise(DoubleNear(2 * 4 * kRoundoff32 * 5), last.y));
    EXPECT_THAT(first.mean, Pointwise(DoubleNear(1e-14), last.mean));
    EXPECT_THAT(first.rstd, Pointwise(DoubleNear(1e-14), last.rstd));
    const Gradient one = run_backward(descriptor, shape, dy, x, Layout::kChannelsFirst);
    const Gradient other = run_backward(descriptor, shape, dy, x, Layout::kChannelsLast);
    EXPECT_THAT(one.dx, Pointwise(DoubleNear(2 * 8 * kRoundoff32 * 10), other.dx));
    EXPECT_THAT(one.dgamma, Pointwise(DoubleNear(2 * 8 * kRoundoff32 * 60), other.dgamma));
    EXPECT_THAT(one.dbeta, Pointwise(DoubleNear(2 * 8 * kRoundoff32 * 60), other.dbeta));
  }
}

TEST(Law, AShiftOfXChangesNothing) {
  // Multiples of 1/256 below 2^15: the shift is exact in f32.
  const Shape shape{6, 40};
  Values x = normal(shape.elements(), 9);
  for (double& value : x) value = std::round(value * 256) / 256;
  Values shifted = x;
  for (double& value : shifted) value += 20000;
  for (const Descriptor& descriptor : {layer_norm(), batch_norm()}) {
    const Values y = run_forward(descriptor, shape, x).y;
    EXPECT_THAT(run_forward(descriptor, shape, shifted).y, Pointwise(DoubleNear(2 * 4 * kRoundoff32 * 5), y));
  }
}

TEST(Law, AScaleOfXByAPowerOfTwoChangesNoBitWithoutEps) {
  const Shape shape{6, 40};
  const Values x = normal(shape.elements(), 10, 1, 1);
  for (const double scale : {0x1p-40, 8.0, 0x1p40}) {
    Values scaled = x;
    for (double& value : scaled) value *= scale;
    for (const Descriptor& descriptor : {layer_norm(1, 0), batch_norm(0), rms_norm(1, 0)}) {
      EXPECT_EQ(run_forward(descriptor, shape, scaled).y, run_forward(descriptor, shape, x).y) << scale;
    }
  }
}

TEST(Law, AScaleOfXDividesTheGradient) {
  const Shape shape{6, 40};
  const Values x = normal(shape.elements(), 11, 1, 1);
  const Values dy = normal(shape.elements(), 12);
  Values scaled = x;
  for (double& value : scaled) value *= 16;
  for (const Descriptor& descriptor : {layer_norm(1, 0), batch_norm(0), rms_norm(1, 0)}) {
    Values dx = run_backward(descriptor, shape, dy, scaled).dx;
    for (double& value : dx) value *= 16;
    EXPECT_EQ(dx, run_backward(descriptor, shape, dy, x).dx);
  }
}

TEST(Law, RmsNormIsLayerNormOnCentredData) {
  // Every value with its negative: the mean is exactly zero.
  Values x = normal(5L * 30, 13);
  Values mirrored;
  for (std::size_t row = 0; row < 5; ++row) {
    for (std::size_t i = 0; i < 30; ++i) mirrored.push_back(x[row * 30 + i]);
    for (std::size_t i = 0; i < 30; ++i) mirrored.push_back(-x[row * 30 + i]);
  }
  const Values rms = run_forward(rms_norm(), {5, 60}, mirrored).y;
  EXPECT_THAT(run_forward(layer_norm(), {5, 60}, mirrored).y, Pointwise(DoubleNear(2 * 4 * kRoundoff32 * 4), rms));
}

TEST(Law, NormalizedValuesHaveMeanZeroAndVarianceOne) {
  const Shape shape{3, 500};
  const Values y = run_forward(layer_norm(1, 0), shape, normal(shape.elements(), 14, 100, 7)).y;
  for (std::size_t row = 0; row < 3; ++row) {
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 0; i < 500; ++i) {
      sum += y[row * 500 + i];
      squares += y[row * 500 + i] * y[row * 500 + i];
    }
    // Each of the 500 values is off by at most 4 units, below 16 u in mean; its square by twice that.
    EXPECT_NEAR(sum / 500, 0, 16 * kRoundoff32);
    EXPECT_NEAR(squares / 500, 1, 32 * kRoundoff32);
  }
}

TEST(Law, GammaScalesAndBetaShifts) {
  const Shape shape{4, 5, 6};
  const Values x = normal(shape.elements(), 15);
  const Values gamma{1, 2, -4, 0, 0.5};
  const Values beta{0, 1, 2, 3, 4};
  const Values plain = run_forward(batch_norm(), shape, x).y;
  const Values affine = run_forward(batch_norm(), shape, x, Layout::kChannelsFirst, DType::kFloat32, gamma, beta).y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t feature = i / 6 % 5;
    EXPECT_NEAR(affine[i], gamma[feature] * plain[i] + beta[feature], 4 * kRoundoff32 * 16);
  }
}

TEST(Law, InferenceWithTheBatchsOwnStatisticsIsForward) {
  const Shape shape{6, 9, 4, 2};
  const Values x = normal(shape.elements(), 16, 5, 3);
  for (const Descriptor& descriptor : {batch_norm(), layer_norm(3), group_norm(3), instance_norm()}) {
    const Result trained = run_forward(descriptor, shape, x);
    Values variance;
    for (const double rstd : trained.rstd) variance.push_back(1 / (rstd * rstd) - descriptor.eps);
    const Tensor in(x, DType::kFloat32, shape);
    const Tensor mean(trained.mean, DType::kFloat64, statistics_shape(descriptor, shape));
    const Tensor spread(variance, DType::kFloat64, statistics_shape(descriptor, shape));
    Tensor y(DType::kFloat32, shape);
    inference(descriptor, in.view(), {}, {}, mean.view(), spread.view(), y.view());
    EXPECT_THAT(y.values(), Pointwise(DoubleNear(2 * 4 * kRoundoff32 * 5), trained.y));
  }
}

TEST(Law, GradientsSumToNothingOverASet) {
  // dx is orthogonal to a shift of x, and without eps to a scale of x.
  const Shape shape{8, 50};
  const Values x = normal(shape.elements(), 17, 3, 2);
  const Values dx =
      run_backward(layer_norm(1, 0), shape, normal(shape.elements(), 18), x, Layout::kChannelsFirst, DType::kFloat64)
          .dx;
  for (std::size_t row = 0; row < 8; ++row) {
    double shift = 0;
    double scale = 0;
    for (std::size_t i = 0; i < 50; ++i) {
      shift += dx[row * 50 + i];
      scale += dx[row * 50 + i] * x[row * 50 + i];
    }
    // 50 terms of about 1 (times x, about 10), each with a few units of 1.1e-16.
    EXPECT_NEAR(shift, 0, 1e-13);
    EXPECT_NEAR(scale, 0, 1e-12);
  }
}

TEST(Law, AConstantCotangentMovesOnlyBeta) {
  // The reason why gradient checks need random cotangents: with dy = 1 dx and dgamma vanish.
  const Shape shape{40, 6};
  const Gradient gradient =
      run_backward(batch_norm(0), shape, Values(240, 1.0), normal(240, 19), Layout::kChannelsFirst, DType::kFloat64);
  EXPECT_THAT(gradient.dx, Each(DoubleNear(0, 1e-14)));
  EXPECT_THAT(gradient.dgamma, Each(DoubleNear(0, 1e-13)));
  EXPECT_THAT(gradient.dbeta, Each(40.0));
}

TEST(Law, InPlaceGivesTheSameBits) {
  const Shape shape{6, 12, 5, 3};
  const Values values = normal(shape.elements(), 20, 1, 2);
  const Values dy_values = normal(shape.elements(), 21);
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    for (const Descriptor& descriptor : {batch_norm(), layer_norm(3), group_norm(4), layer_norm_over_features()}) {
      Tensor x(values, DType::kFloat32, shape, layout);
      forward(descriptor, x.view(), {}, {}, x.view(), {}, {});
      EXPECT_EQ(x.values(), run_forward(descriptor, shape, values, layout).y) << descriptor.name;
      const Result saved = run_forward(descriptor, shape, values, layout);
      const Tensor mean(saved.mean, DType::kFloat64, statistics_shape(descriptor, shape));
      const Tensor rstd(saved.rstd, DType::kFloat64, statistics_shape(descriptor, shape));
      const Tensor in(values, DType::kFloat32, shape, layout);
      Tensor dy(dy_values, DType::kFloat32, shape, layout);
      Tensor dgamma(DType::kFloat32, affine_shape(descriptor, shape));
      backward(descriptor, dy.view(), in.view(), {}, mean.view(), rstd.view(), dy.view(), dgamma.view(), {});
      const Gradient apart = run_backward(descriptor, shape, dy_values, values, layout);
      EXPECT_EQ(dy.values(), apart.dx) << descriptor.name;
      EXPECT_EQ(dgamma.values(), apart.dgamma) << descriptor.name;
    }
  }
}

TEST(Law, WhatIsNotAskedForChangesNothing) {
  const Shape shape{6, 12, 5};
  const Values values = normal(shape.elements(), 22);
  const Tensor x(values, DType::kFloat32, shape);
  const Tensor dy(normal(shape.elements(), 23), DType::kFloat32, shape);
  const Result saved = run_forward(batch_norm(), shape, values);
  const Gradient all = run_backward(batch_norm(), shape, dy.values(), values);
  const Tensor mean(saved.mean, DType::kFloat64, {12});
  const Tensor rstd(saved.rstd, DType::kFloat64, {12});
  for (int asked = 0; asked < 8; ++asked) {
    Tensor dx(DType::kFloat32, shape);
    Tensor dgamma(DType::kFloat32, {12});
    Tensor dbeta(DType::kFloat32, {12});
    backward(batch_norm(), dy.view(), x.view(), {}, mean.view(), rstd.view(),
             (asked & 1) != 0 ? dx.view() : TensorView(), (asked & 2) != 0 ? dgamma.view() : TensorView(),
             (asked & 4) != 0 ? dbeta.view() : TensorView());
    EXPECT_TRUE((asked & 1) == 0 || dx.values() == all.dx) << asked;
    EXPECT_TRUE((asked & 2) == 0 || dgamma.values() == all.dgamma) << asked;
    EXPECT_TRUE((asked & 4) == 0 || dbeta.values() == all.dbeta) << asked;
  }
}

}  // namespace
}  // namespace norma
