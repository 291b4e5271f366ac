// BatchNorm folded into the layer before it: the weights against long double, and the folded layer against the two.
#include "norma/fold.h"

#include <gmock/gmock.h>

#include <cmath>

#include "norma/norma.h"
#include "reference/cases.h"

namespace norma {
namespace {

using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::AllOf;
using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Pointwise;
using ::testing::ThrowsMessage;

constexpr double kEps = 1e-3;

// Running statistics and parameters of `channels`, each in the type it is stored in.
struct Norm {
  Tensor gamma, beta, mean, variance, bias;
  Norm(std::int64_t channels, DType dtype)
      : gamma(normal(channels, 1, 1, 0.5), dtype, {channels}),
        beta(normal(channels, 2), dtype, {channels}),
        mean(normal(channels, 3, 5), dtype, {channels}),
        variance(squares(normal(channels, 4)), dtype, {channels}),
        bias(normal(channels, 5), dtype, {channels}) {}
  static Values squares(Values values) {
    for (double& value : values) value *= value;
    return values;
  }
};

enum class Left { kNothing, kBias, kGamma, kBeta, kAll };  // out

ConstTensorView view_unless(bool absent, const Tensor& tensor) {
  return absent ? ConstTensorView() : tensor.view();
}

double rounded(long double value, DType dtype) {
  Tensor one({static_cast<double>(value)}, dtype, {1});
  return one.values()[0];
}

// `channel(i)`: the output channel of weight i in logical order.
template <class Channel>
void expect_folded(const Shape& shape, Layout layout, DType dtype, std::int64_t channels, int output_axis,
                   std::int64_t groups, Left left, const Channel& channel) {
  SCOPED_TRACE(shape.to_string() + " " + name_of(dtype) + " left out: " + std::to_string(static_cast<int>(left)));
  const Norm norm(channels, dtype);
  const bool no_bias = left == Left::kBias || left == Left::kAll;
  const bool no_gamma = left == Left::kGamma || left == Left::kAll;
  const bool no_beta = left == Left::kBeta || left == Left::kAll;
  const Tensor weight(normal(shape.elements(), 6), dtype, shape, layout, 1);
  Tensor folded(dtype, shape, layout, 1);
  Tensor bias(dtype, {channels});
  fold_batch_norm(weight.view(), view_unless(no_bias, norm.bias), view_unless(no_gamma, norm.gamma),
                  view_unless(no_beta, norm.beta), norm.mean.view(), norm.variance.view(), kEps, folded.view(),
                  bias.view(), output_axis, groups);
  const auto scale = [&](std::size_t c) {
    const long double gamma = no_gamma ? 1 : static_cast<long double>(norm.gamma.values()[c]);
    return gamma / std::sqrt(static_cast<long double>(norm.variance.values()[c]) + static_cast<long double>(kEps));
  };
  // f32 is rounded once from f64, so it is the nearest (or, one time in 2^29, its neighbour); f64 is a handful of
  // roundings from it.
  const double units = dtype == DType::kFloat64 ? 4 * 0x1p-53 : 0;
  const Values before = weight.values();
  const Values after = folded.values();
  for (std::size_t i = 0; i < after.size(); ++i) {
    const double want = rounded(static_cast<long double>(before[i]) * scale(channel(i)), dtype);
    ASSERT_NEAR(after[i], want, units * std::abs(want)) << i;
  }
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const long double own = no_bias ? 0 : static_cast<long double>(norm.bias.values()[c]);
    const long double shift = (own - static_cast<long double>(norm.mean.values()[c])) * scale(c);
    const long double beta = no_beta ? 0 : static_cast<long double>(norm.beta.values()[c]);
    const double want = rounded(shift + beta, dtype);
    ASSERT_NEAR(bias.values()[c], want, units * (std::abs(static_cast<double>(shift)) + std::abs(want))) << c;
  }
  EXPECT_TRUE(folded.guards_intact() && bias.guards_intact());
}

TEST(Fold, GivesTheNearestWeightsAndBiasOfALinearLayerWhateverIsLeftOut) {
  for (const DType dtype : kDTypes) {
    for (const Left left : {Left::kNothing, Left::kBias, Left::kGamma, Left::kBeta, Left::kAll}) {
      expect_folded({7, 5}, Layout::kChannelsFirst, dtype, 7, 0, 1, left, [](std::size_t i) { return i / 5; });
    }
  }
}

TEST(Fold, TakesConvolutionsInBothLayoutsAndInGroups) {
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    const auto by_first = [](std::size_t i) { return i / (3 * 2 * 5); };
    expect_folded({6, 3, 2, 5}, layout, DType::kFloat32, 6, 0, 1, Left::kNothing, by_first);
    expect_folded({6, 3, 2, 5}, layout, DType::kFloat32, 6, 0, 3, Left::kBias, by_first);
  }
}

TEST(Fold, TakesTransposedConvolutionsWithTheOutputChannelOnAxis1AndInGroups) {
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    expect_folded({6, 4, 3, 3}, layout, DType::kFloat32, 4, 1, 1, Left::kNothing,
                  [](std::size_t i) { return i / 9 % 4; });
    // Three groups of two inputs and four outputs each.
    expect_folded({6, 4, 3, 3}, layout, DType::kFloat64, 12, 1, 3, Left::kBias,
                  [](std::size_t i) { return i / 36 / 2 * 4 + i / 9 % 4; });
  }
}

// What it is for: one layer computes what two did.
TEST(Fold, LeavesALinearLayerThatComputesLayerAndNorm) {
  constexpr std::int64_t kIn = 5;
  constexpr std::int64_t kOut = 7;
  constexpr std::int64_t kSamples = 9;
  const Norm norm(kOut, DType::kFloat64);
  const Values w = normal(kOut * kIn, 6);
  const Values x = normal(kSamples * kIn, 7);
  const auto linear = [&](const Values& weight, const Values& bias) {
    Values out;
    for (std::size_t n = 0; n < kSamples; ++n) {
      for (std::size_t o = 0; o < kOut; ++o) {
        double sum = bias[o];
        for (std::size_t i = 0; i < kIn; ++i) sum += weight[o * kIn + i] * x[n * kIn + i];
        out.push_back(sum);
      }
    }
    return out;
  };
  const Tensor hidden(linear(w, norm.bias.values()), DType::kFloat64, {kSamples, kOut});
  Tensor y(DType::kFloat64, {kSamples, kOut});
  inference(batch_norm(kEps), hidden.view(), norm.gamma.view(), norm.beta.view(), norm.mean.view(),
            norm.variance.view(), y.view());
  Tensor weight(w, DType::kFloat64, {kOut, kIn});
  Tensor bias(DType::kFloat64, {kOut});
  fold_batch_norm(weight.view(), norm.bias.view(), norm.gamma.view(), norm.beta.view(), norm.mean.view(),
                  norm.variance.view(), kEps, weight.view(), bias.view());
  const Values folded = linear(weight.values(), bias.values());
  // At most 31 times |w x| (variance + eps >= 1e-3), 20 operations, 2^-53 each.
  for (std::size_t i = 0; i < folded.size(); ++i) EXPECT_NEAR(folded[i], y.values()[i], 2e-13) << i;
}

TEST(Fold, MayWriteOverWhatItReads) {
  const Norm norm(6, DType::kFloat32);
  const Tensor weight(normal(18, 6), DType::kFloat32, {6, 3});
  Tensor want(DType::kFloat32, {6, 3});
  Tensor want_bias(DType::kFloat32, {6});
  fold_batch_norm(weight.view(), norm.bias.view(), norm.gamma.view(), norm.beta.view(), norm.mean.view(),
                  norm.variance.view(), kEps, want.view(), want_bias.view());
  for (int which = 0; which < 5; ++which) {
    Norm own(6, DType::kFloat32);
    Tensor in_place(normal(18, 6), DType::kFloat32, {6, 3});
    const std::array<Tensor*, 5> vectors{&own.bias, &own.gamma, &own.beta, &own.mean, &own.variance};
    fold_batch_norm(in_place.view(), own.bias.view(), own.gamma.view(), own.beta.view(), own.mean.view(),
                    own.variance.view(), kEps, in_place.view(), vectors[static_cast<std::size_t>(which)]->view());
    EXPECT_THAT(in_place.values(), Pointwise(Eq(), want.values())) << which;
    EXPECT_THAT(vectors[static_cast<std::size_t>(which)]->values(), Pointwise(Eq(), want_bias.values())) << which;
  }
}

TEST(Fold, TakesAnEmptyWeight) {
  const Norm norm(4, DType::kFloat32);
  Tensor weight(DType::kFloat32, {4, 0});
  Tensor bias(DType::kFloat32, {4});
  fold_batch_norm(weight.view(), {}, {}, norm.beta.view(), norm.mean.view(), norm.variance.view(), kEps, weight.view(),
                  bias.view());
  EXPECT_NE(bias.values()[0], 0);
}

TEST(Fold, RefusesWhatDoesNotFitAndWritesNothing) {
  const Norm norm(4, DType::kFloat32);
  const Tensor five(normal(5, 1), DType::kFloat32, {5});
  Tensor weight(normal(12, 1), DType::kFloat32, {4, 3});
  const Values before = weight.values();
  Tensor bias(DType::kFloat32, {4});
  const auto fold = [&](const Tensor& mean, const Tensor& variance, double eps, int axis, std::int64_t groups) {
    fold_batch_norm(weight.view(), {}, {}, {}, mean.view(), variance.view(), eps, weight.view(), bias.view(), axis,
                    groups);
  };
  const auto says = [](const char* what) {
    return ThrowsMessage<Error>(AllOf(HasSubstr("[fold_batch_norm]"), HasSubstr(what)));
  };
  EXPECT_THAT([&] { fold(five, norm.variance, kEps, 0, 1); }, says("mean: expected shape (4), got (5)"));
  EXPECT_THAT([&] { fold(norm.mean, five, kEps, 0, 1); }, says("variance"));
  EXPECT_THAT([&] { fold(norm.mean, norm.variance, -1, 0, 1); }, says("eps"));
  EXPECT_THAT([&] { fold(norm.mean, norm.variance, NAN, 0, 1); }, says("eps"));
  EXPECT_THAT([&] { fold(norm.mean, norm.variance, kEps, 2, 1); }, says("output_axis"));
  EXPECT_THAT([&] { fold(norm.mean, norm.variance, kEps, 0, 0); }, says("groups"));
  EXPECT_THAT([&] { fold(norm.mean, norm.variance, kEps, 1, 3); }, says("groups: expected a divisor of the 4"));
  EXPECT_THAT([&] { fold(norm.mean, norm.variance, kEps, 1, INT64_MIN); }, says("groups"));
  for (const double bad : {0.0, -1.0, static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    const Tensor variance({1, 1, bad, 1}, DType::kFloat32, {4});
    EXPECT_THAT([&] { fold(norm.mean, variance, 0, 0, 1); }, says("for channel 2"));
  }
  const Tensor vector(normal(4, 1), DType::kFloat32, {4});
  Tensor flat(DType::kFloat32, {4});
  EXPECT_THAT(
      [&] {
        fold_batch_norm(vector.view(), {}, {}, {}, norm.mean.view(), norm.variance.view(), kEps, flat.view(),
                        bias.view());
      },
      says("2 axes or more"));
  EXPECT_THAT(
      [&] {
        fold_batch_norm({}, {}, {}, {}, norm.mean.view(), norm.variance.view(), kEps, weight.view(), bias.view());
      },
      says("weight: expected a tensor, got none"));
  EXPECT_THAT(weight.values(), Pointwise(Eq(), before));
}

TEST(Fold, RefusesItsOwnWeightInAnotherLayout) {
  std::vector<float> weight(4 * 3 * 2), vector(4, 1.0F), bias(4);
  const Shape shape{4, 3, 2};
  EXPECT_THROW(fold_batch_norm({std::as_const(weight).data(), shape}, {}, {}, {}, {std::as_const(vector).data(), {4}},
                               {std::as_const(vector).data(), {4}}, 1e-5, {weight.data(), shape, Layout::kChannelsLast},
                               {bias.data(), {4}}),
               Error);
}

}  // namespace
}  // namespace norma
