// bfloat16 and float16: the conversions, in the header and in the kernels of every instruction set, and what the door
// makes of parameters in f32.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/compare.h"

namespace norma {
namespace {

using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::Each;

template <class T>
class ShortTypes : public ::testing::Test {};
using Types = ::testing::Types<bfloat16, float16>;
TYPED_TEST_SUITE(ShortTypes, Types);

template <class T>
T of_bits(int bits) {
  T value;
  value.bits = static_cast<std::uint16_t>(bits);
  return value;
}

// The type's number nearest to v, found among the neighbours of a first guess, in long double.
template <class T>
T nearest(double v) {
  const T guess(static_cast<float>(v));
  T best = guess;
  for (int step = -2; step <= 2; ++step) {
    const T other = of_bits<T>(guess.bits + step);
    const auto distance = [&](T t) { return std::abs(static_cast<long double>(static_cast<double>(t)) - v); };
    const bool nearer = distance(other) < distance(best);
    const bool tie_to_even = distance(other) == distance(best) && (other.bits & 1U) == 0;
    if (std::isfinite(static_cast<float>(other)) && (nearer || tie_to_even)) best = other;
  }
  return best;
}

TYPED_TEST(ShortTypes, ConvertEveryNumberToItself) {
  for (int bits = 0; bits < 65536; ++bits) {
    const auto value = of_bits<TypeParam>(bits);
    const auto wide = static_cast<float>(value);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(static_cast<float>(TypeParam(wide)))) << bits;
      continue;
    }
    ASSERT_EQ(TypeParam(wide).bits, bits);
    ASSERT_EQ(TypeParam(static_cast<double>(value)).bits, bits);
  }
  EXPECT_EQ(static_cast<float>(TypeParam(INFINITY)), INFINITY);
  EXPECT_EQ(static_cast<float>(TypeParam(-1e300)), -INFINITY);
  EXPECT_EQ(static_cast<float>(TypeParam(1.5)), 1.5F);
}

TEST(ShortTypes, HaveTheEndsOfTheirFormats) {
  EXPECT_EQ(static_cast<float>(float16(65519.0F)), 65504.0F);
  EXPECT_EQ(static_cast<float>(float16(65520.0F)), INFINITY);
  EXPECT_EQ(static_cast<float>(float16(0x1p-24F)), 0x1p-24F);
  EXPECT_EQ(static_cast<float>(float16(0x1p-25F)), 0.0F);
  EXPECT_EQ(static_cast<float>(float16(0x1.8p-25F)), 0x1p-24F);
  EXPECT_EQ(static_cast<float>(bfloat16(0x1p-133F)), 0x1p-133F);
  EXPECT_EQ(static_cast<float>(bfloat16(std::numeric_limits<float>::max())), INFINITY);
}

TYPED_TEST(ShortTypes, RoundFloatsAndDoublesToTheNearest) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 300000; ++round) {
    // Doubles around a number of the type or a middle between two: there a second rounding would show.
    const int bits = static_cast<int>(random() % 0x7b00U);
    const double low = static_cast<double>(of_bits<TypeParam>(bits));
    const double high = static_cast<double>(of_bits<TypeParam>(bits + 1));
    double v = std::lerp(low, high, static_cast<double>(random() % 5) / 4);
    v *= 1 + static_cast<double>(static_cast<std::int64_t>(random() % 3) - 1) * (round % 2 == 0 ? 0x1p-40 : 0x1p-23);
    if (random() % 2 == 0) v = -v;
    ASSERT_EQ(TypeParam(v).bits, nearest<TypeParam>(v).bits) << v;
    const auto single = static_cast<float>(v);
    ASSERT_EQ(TypeParam(single).bits, nearest<TypeParam>(static_cast<double>(single)).bits) << single;
  }
}

// y = x * gamma, from all bits that x may have: what the kernels load and store, against the header.
TYPED_TEST(ShortTypes, AreLoadedAndStoredByEveryInstructionSetAsTheHeaderDoes) {
  constexpr std::int64_t kRow = 256 + 7;  // with a tail
  std::vector<TypeParam> x;
  for (int bits = 0; bits < 65536; ++bits) x.push_back(of_bits<TypeParam>(bits));
  x.resize((x.size() + kRow - 1) / kRow * kRow);
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / kRow;
  const Shape shape{rows, kRow};
  std::vector<float> gamma;
  for (const double value : normal(kRow, 2)) gamma.push_back(static_cast<float>(value));
  const std::vector<double> mean(static_cast<std::size_t>(rows), 0), variance(mean.size(), 1);
  for (const std::string& isa : available_isas()) {
    force_isa(isa);
    std::vector<TypeParam> y(x.size());
    inference(layer_norm(1, 0), {x.data(), shape}, {gamma.data(), Shape{kRow}}, {}, {mean.data(), Shape{rows}},
              {variance.data(), Shape{rows}}, {y.data(), shape});
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float product = static_cast<float>(x[i]) * gamma[i % kRow];
      const TypeParam want(product);
      if (std::isnan(product)) {
        ASSERT_TRUE(std::isnan(static_cast<float>(y[i]))) << isa;
      } else if (product != 0) {
        ASSERT_EQ(y[i].bits, want.bits) << isa << ": " << static_cast<float>(x[i]) << " * " << gamma[i % kRow];
      }
    }
  }
  force_isa("");
}

// y is the correctly rounded one in 999 of 1000, and never further than the number beside it.
template <class T>
void expect_rounded(const Descriptor& descriptor, const Shape& shape, Layout layout, const Values& numbers,
                    const std::string& of_what) {
  const DType dtype = ConstTensorView::dtype_of<T>();
  const Tensor x(numbers, dtype, shape, layout);
  const Shape parameters = affine_shape(descriptor, shape);
  const Tensor gamma(normal(parameters.elements(), 4, 1, 0.5), DType::kFloat32, parameters);
  const Tensor beta(normal(parameters.elements(), 5), DType::kFloat32, parameters);
  const Values want = reference::forward(descriptor, shape, x.values(), gamma.values(), beta.values()).y;
  const Values scale = reference::forward_scale(descriptor, shape, x.values(), gamma.values(), beta.values());
  Tensor y(dtype, shape, layout);
  for (const std::string& isa : available_isas()) {
    force_isa(isa);
    forward(descriptor, x.view(), gamma.view(), beta.view(), y.view(), {}, {});
    const Values got = y.values();
    std::size_t rounded = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const T nearest(want[i]);
      if (got[i] == static_cast<double>(nearest)) {
        ++rounded;
        continue;
      }
      // Where gamma xhat + beta cancels, the neighbours of y are closer to it than f32 can tell.
      const bool cancelled = std::abs(want[i]) < scale[i] * 0x1p-10;
      EXPECT_TRUE(cancelled || std::abs(T(got[i]).bits - nearest.bits) == 1) << isa << ": " << got[i] << " " << want[i];
    }
    EXPECT_GE(static_cast<double>(rounded), 0.999 * static_cast<double>(got.size()))
        << descriptor.name << " of " << shape.to_string() << of_what << ", " << isa;
  }
  force_isa("");
}

template <class T>
void expect_rounded(const Descriptor& descriptor, const Shape& shape, Layout layout, double mean) {
  expect_rounded<T>(descriptor, shape, layout, normal(shape.elements(), 3, mean, 1), " about " + std::to_string(mean));
}

TYPED_TEST(ShortTypes, ComeOutCorrectlyRounded) {
  for (const double mean : {0.0, 1.0, 30.0, 1000.0}) {
    expect_rounded<TypeParam>(layer_norm(), {40, 500}, Layout::kChannelsFirst, mean);
    expect_rounded<TypeParam>(rms_norm(), {40, 500}, Layout::kChannelsFirst, mean);
    for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
      expect_rounded<TypeParam>(batch_norm(), {20, 33, 6, 6}, layout, mean);
      expect_rounded<TypeParam>(group_norm(3), {20, 33, 6, 6}, layout, mean);
    }
  }
}

// The shift that the sums are taken about is made of the first elements, which need not be like the others.
TYPED_TEST(ShortTypes, ComeOutCorrectlyRoundedAfterOutliers) {
  struct Outliers {
    std::int64_t count;
    double mean, sigma;
  };
  const auto spoilt = [](const Shape& shape, std::int64_t period, const Outliers& outliers) {
    Values values = normal(shape.elements(), 3);
    const Values other = normal(shape.elements(), 6, outliers.mean, outliers.sigma);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (static_cast<std::int64_t>(i) % period < outliers.count) values[i] = other[i];
    }
    return values;
  };
  for (const double mean : {2.0, 3.8, 5.0, 30.0, 100.0}) {
    const double sigma = mean == 100 ? 30 : 0.1;
    const std::string text = " after outliers of " + std::to_string(mean);
    const Shape columns{256, 64}, few_columns{256, 12}, rows{8, 4096}, images{40, 40, 7, 7}, short_rows{400, 64};
    expect_rounded<TypeParam>(batch_norm(), columns, Layout::kChannelsFirst,
                              spoilt(columns, columns.elements(), {64, mean, sigma}), text);
    expect_rounded<TypeParam>(batch_norm(), few_columns, Layout::kChannelsFirst,
                              spoilt(few_columns, few_columns.elements(), {12, mean, sigma}), text);
    expect_rounded<TypeParam>(layer_norm(), rows, Layout::kChannelsFirst, spoilt(rows, 4096, {16, mean, sigma}), text);
    expect_rounded<TypeParam>(layer_norm(), short_rows, Layout::kChannelsFirst,
                              spoilt(short_rows, 64, {16, mean, sigma}), text);
    expect_rounded<TypeParam>(batch_norm(), images, Layout::kChannelsFirst,
                              spoilt(images, images.elements(), {40 * 49, mean, sigma}), text);
  }
}

// Equal elements round equally: nothing averages what f32 loses of their squares.
TYPED_TEST(ShortTypes, HaveTheirM2AfterOutliersOfWhatIsConstantOtherwise) {
  const DType own = ConstTensorView::dtype_of<TypeParam>();
  const auto expect = [&](const Descriptor& descriptor, const Shape& shape, std::int64_t period, std::int64_t count) {
    for (const double outlier : {3.3, 33.7, 100.4, 333.0}) {
      Values values(static_cast<std::size_t>(shape.elements()), 0.1);
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (static_cast<std::int64_t>(i) % period < count) values[i] = outlier;
      }
      const Tensor x(values, own, shape);
      const Shape size = statistics_shape(descriptor, shape);
      Tensor mean(DType::kFloat64, size), m2(DType::kFloat64, size);
      const reference::Moments want = reference::statistics(descriptor, shape, x.values());
      for (const std::string& isa : available_isas()) {
        force_isa(isa);
        statistics(descriptor, x.view(), mean.view(), m2.view());
        for (std::size_t s = 0; s < want.m2.size(); ++s) EXPECT_NEAR(m2.values()[s], want.m2[s], 0x1p-19 * want.m2[s]);
      }
      force_isa("");
    }
  };
  expect(layer_norm(), {3, 4096}, 4096, 16);
  expect(batch_norm(), {256, 19}, 256 * 19, 19);
  expect(batch_norm(), {256, 3}, 256 * 3, 3);
}

// Squares of bf16 vanish in f32 where the differences themselves add up to 0.
TEST(ShortColumns, KeepWhatIsTooSmallToSquare) {
  Descriptor rms_by_columns{.name = "by_hand", .statistics = Axes::of({0}), .affine = Axes::of({1}), .centred = false};
  for (Descriptor descriptor : {batch_norm(), rms_by_columns}) {
    descriptor.eps = 0;
    const Tensor x({0, 1, 0x1p-100, 2, -0x1p-100, 3, 0, 4}, DType::kBFloat16, {4, 2});
    const Values want = reference::forward(descriptor, {4, 2}, x.values(), {}, {}).y;
    for (const std::string& isa : available_isas()) {
      force_isa(isa);
      Tensor y(DType::kBFloat16, {4, 2});
      forward(descriptor, x.view(), {}, {}, y.view(), {}, {});
      EXPECT_EQ(y.values(), Tensor(want, DType::kBFloat16, {4, 2}).values()) << descriptor.centred << ", " << isa;
    }
    force_isa("");
  }
}

// Trap 25: f32 gamma with f16 x read bit by bit.
TYPED_TEST(ShortTypes, TakeParametersAndStatisticsInTheirOwnTypeF32OrF64) {
  const DType own = ConstTensorView::dtype_of<TypeParam>();
  const Shape shape{4, 5};
  const Tensor x({1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}, own, shape);
  const Values numbers{0.5, 2, -1, 3, 1.25};
  const Tensor own_gamma(numbers, own, {5}), wide_gamma(numbers, DType::kFloat32, {5});
  Tensor y(own, shape), again(own, shape);
  Tensor mean(DType::kFloat64, {5}), rstd(DType::kFloat64, {5});
  forward(batch_norm(), x.view(), own_gamma.view(), own_gamma.view(), y.view(), mean.view(), rstd.view());
  forward(batch_norm(), x.view(), wide_gamma.view(), own_gamma.view(), again.view(), {}, {});
  EXPECT_EQ(again.bytes(), y.bytes());
  for (const DType saved : {own, DType::kFloat32}) {
    Tensor narrow(saved, {5});
    forward(batch_norm(), x.view(), own_gamma.view(), wide_gamma.view(), again.view(), narrow.view(), {});
    EXPECT_EQ(again.bytes(), y.bytes());
    const Tensor rounded(mean.values(), saved, {5});
    EXPECT_EQ(narrow.bytes(), rounded.bytes());
  }
  const DType other = own == DType::kFloat16 ? DType::kBFloat16 : DType::kFloat16;
  for (const DType wrong : {DType::kFloat64, other}) {
    const Tensor gamma(numbers, wrong, {5});
    EXPECT_THROW(forward(batch_norm(), x.view(), gamma.view(), {}, y.view(), {}, {}), Error);
  }
  const Tensor wide_x(x.values(), DType::kFloat32, shape);
  Tensor wide_y(DType::kFloat32, shape);
  EXPECT_THROW(forward(batch_norm(), wide_x.view(), own_gamma.view(), {}, wide_y.view(), {}, {}), Error);
  EXPECT_THROW(forward(batch_norm(), wide_x.view(), {}, {}, y.view(), {}, {}), Error);
}

// Traps 10 to 12: squares and sums beyond the type's range, and rows of zeros with an eps below it.
TYPED_TEST(ShortTypes, AreSummedInWiderOnes) {
  const DType own = ConstTensorView::dtype_of<TypeParam>();
  const Shape shape{2, 3000};
  const Tensor large(normal(6000, 6, 0, 10000), own, shape);
  Tensor y(own, shape);
  for (const Descriptor& descriptor : {rms_norm(), layer_norm()}) {
    forward(descriptor, large.view(), {}, {}, y.view(), {}, {});
    const Values want = reference::forward(descriptor, shape, large.values(), {}, {}).y;
    const Values scale = reference::forward_scale(descriptor, shape, large.values(), {}, {});
    EXPECT_LE(reference::largest_error(y.values(), want, scale, own), 1.01);
    const Tensor zero(Values(6000, 0), own, shape);
    Descriptor tiny = descriptor;
    tiny.eps = 1e-12;
    forward(tiny, zero.view(), {}, {}, y.view(), {}, {});
    EXPECT_THAT(y.values(), Each(0.0));
  }
}

}  // namespace
}  // namespace norma
