// The activations far from 0, where they must neither explode nor become NaN, and in their tails: by rows, by columns
// and element by element.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/compare.h"

namespace norma {
namespace {

using reference::Tensor;
using reference::Values;

constexpr std::array kSmooth{Activation::kGelu, Activation::kGeluTanh, Activation::kSilu};

struct Activated {
  Values v, value, slope;
};

// Of these numbers over and over: with a mean of 0 and a variance of 1 x is what is activated.
Activated activate(const Descriptor& given, const Shape& shape, DType dtype, Activation activation,
                   const Values& numbers) {
  Descriptor descriptor = given;
  descriptor.eps = 0;
  Values values, ones(static_cast<std::size_t>(shape.elements()), 1);
  for (std::size_t i = 0; i < ones.size(); ++i) values.push_back(numbers[i % numbers.size()]);
  const Tensor x(values, dtype, shape), dy(ones, dtype, shape);
  const Shape size = statistics_shape(descriptor, shape);
  const Tensor mean(Values(static_cast<std::size_t>(size.elements()), 0), DType::kFloat64, size);
  const Tensor variance(Values(static_cast<std::size_t>(size.elements()), 1), DType::kFloat64, size);
  Tensor y(dtype, shape), dx(dtype, shape);
  inference(descriptor, x.view(), {}, {}, mean.view(), variance.view(), y.view(), {}, {.activation = activation});
  inference_backward(descriptor, dy.view(), x.view(), {}, mean.view(), variance.view(), dx.view(), {}, {}, {},
                     {.activation = activation});
  return {x.values(), y.values(), dx.values()};
}

template <class Body>
void for_each_way(const Body& body) {
  const Descriptor by_hand{.name = "by_hand", .statistics = Axes::of({0, 3, 5}), .affine = Axes::of({2, 4})};
  for (const std::string& isa : available_isas()) {
    force_isa(isa);
    SCOPED_TRACE(isa);
    body(layer_norm(), Shape{3, 67});
    body(batch_norm(), Shape{40, 5});
    body(by_hand, Shape{2, 3, 2, 3, 2, 3});
  }
  force_isa("");
}

TEST(Activations, FarFromZeroAreNothingOrTheNumberItself) {
  const std::vector<std::pair<DType, Values>> far{
      {DType::kFloat32, {200, 1e4, 1e13, 2e19, 1e37, std::numeric_limits<float>::max()}},
      {DType::kFloat64, {1e4, 1e13, 1e37, 1e103, 1e160, std::numeric_limits<double>::max()}},
      {DType::kBFloat16, {200, 1e4, 1e13, 2e19, 1e37, 0x1.FEp127}},
      {DType::kFloat16, {200, 1e4, 65504}}};
  for (const auto& [dtype, sizes] : far) {
    Values numbers;
    for (const double size : sizes) {
      numbers.push_back(size);
      numbers.push_back(-size);
    }
    for_each_way([&, type = dtype](const Descriptor& descriptor, const Shape& shape) {
      for (const Activation activation : kSmooth) {
        const Activated got = activate(descriptor, shape, type, activation, numbers);
        for (std::size_t i = 0; i < got.v.size(); ++i) {
          EXPECT_EQ(got.value[i], got.v[i] < 0 ? 0 : got.v[i])
              << descriptor.name << ", " << static_cast<int>(activation);
          EXPECT_EQ(got.slope[i], got.v[i] < 0 ? 0 : 1) << descriptor.name << ", of " << got.v[i];
        }
      }
    });
  }
}

// A relative error of roundoff times the size of the exponent: exp's argument is rounded.
TEST(Activations, AreRightInTheirTails) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    const double smallest = dtype == DType::kFloat32 ? 1e-36 : 1e-300;
    Values numbers;
    for (double v = dtype == DType::kFloat32 ? -80 : -690; v < 0; v /= 1.1) {
      numbers.push_back(v);
      if (v > -0.01) break;
    }
    for (double v = 0.1; v < 30; v *= 1.3) numbers.push_back(v);
    for_each_way([&](const Descriptor& descriptor, const Shape& shape) {
      for (const Activation activation : kSmooth) {
        const Activated got = activate(descriptor, shape, dtype, activation, numbers);
        const Values value = reference::activate(got.v, activation);
        const Values slope = reference::activation_slope(got.v, activation);
        for (std::size_t i = 0; i < got.v.size(); ++i) {
          const double share = value[i] / got.v[i];
          if (share < smallest) continue;
          const double bound = reference::roundoff(dtype) * (8 - 4 * std::log(share));
          EXPECT_NEAR(got.value[i], value[i], bound * std::abs(value[i])) << static_cast<int>(activation);
          EXPECT_NEAR(got.slope[i], slope[i], bound * std::max(std::abs(slope[i]), share))
              << static_cast<int>(activation) << " of " << got.v[i];
        }
      }
    });
  }
}

// -infinity * 0, as torch has it.
TEST(Activations, OfInfinitiesAreTorchs) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const DType dtype : kDTypes) {
    for_each_way([&](const Descriptor& descriptor, const Shape& shape) {
      for (const Activation activation : kSmooth) {
        const Activated got = activate(descriptor, shape, dtype, activation, {kInfinity, -kInfinity, NAN});
        for (std::size_t i = 0; i < got.v.size(); ++i) {
          if (got.v[i] > 0) {
            EXPECT_EQ(got.value[i], kInfinity);
          } else {
            EXPECT_TRUE(std::isnan(got.value[i])) << descriptor.name << ", " << static_cast<int>(activation);
          }
        }
      }
    });
  }
}

}  // namespace
}  // namespace norma
