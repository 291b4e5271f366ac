// Residuals and activations in the same call: against the oracle, against differences, and under masks.
#include <gmock/gmock.h>

#include <cmath>

#include "fusion_support.h"
#include "reference/compare.h"

namespace norma {
namespace {

using reference::Case;
using reference::normal;
using reference::PositionMask;
using reference::Tensor;
using reference::Values;
using testing::all_parts;
using testing::fusion_cases;
using testing::kActivations;
using testing::kLayouts;
using testing::large_fusion_cases;
using testing::name_of;
using testing::Parts;
using testing::Problem;
using testing::Results;
using testing::run;

Values added(Values a, const Values& b) {
  for (std::size_t i = 0; i < a.size() && !b.empty(); ++i) a[i] += b[i];
  return a;
}

void clear_masked(Values& values, const reference::Mask& mask) {
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) values[i] = 0;
  }
}

// What the oracle makes of it, and the sizes of what is added up.
struct Answer {
  Results want, scale;
};

Answer answer(const Problem& p, const Parts& parts) {
  const Descriptor& d = p.norm.descriptor;
  const Shape& shape = p.norm.shape;
  const reference::Mask mask = p.elements();
  const Values gamma = p.gamma().values(), beta = p.beta().values();
  const Values mean = d.centred ? p.running_mean() : Values(), variance = p.variance();
  Values x = p.rounded(1), after = parts.after ? p.rounded(3) : Values();
  Answer answer;
  if (parts.before) {
    x = p.rounded(added(x, p.rounded(2)));
    answer.want.sum = x;
    clear_masked(answer.want.sum, mask);
  }
  Values v, scale;
  if (p.given_statistics) {
    v = reference::inference(d, shape, x, gamma, beta, mean, variance, mask);
    scale = reference::inference_scale(d, shape, x, gamma, beta, mean, variance, mask);
  } else {
    v = reference::forward(d, shape, x, gamma, beta, mask).y;
    scale = reference::forward_scale(d, shape, x, gamma, beta, mask);
  }
  if (parts.after) clear_masked(after, mask);
  v = added(v, after);
  for (std::size_t i = 0; i < after.size(); ++i) scale[i] += std::abs(after[i]);
  answer.want.y = reference::activate(v, parts.activation);
  clear_masked(answer.want.y, mask);
  answer.scale.y = scale;

  Values dy = p.rounded(4);
  clear_masked(dy, mask);
  const Values slope = reference::activation_slope(v, parts.activation);
  Values g = dy;
  for (std::size_t i = 0; i < g.size(); ++i) g[i] *= slope[i];
  clear_masked(g, mask);
  if (parts.after) {
    answer.want.dafter = g;
    for (std::size_t i = 0; i < dy.size(); ++i) answer.scale.dafter.push_back(std::abs(dy[i]) * (1 + scale[i]));
  }
  const reference::Gradients want = p.given_statistics
                                        ? reference::inference_backward(d, shape, g, x, gamma, mean, variance, mask)
                                        : reference::backward(d, shape, g, x, gamma, mask);
  const reference::Gradients size =
      p.given_statistics ? reference::inference_backward_scale(d, shape, dy, x, gamma, mean, variance, mask)
                         : reference::backward_scale(d, shape, dy, x, gamma, false, mask);
  answer.want.dx = want.dx;
  answer.scale.dx = size.dx;
  if (parts.before) {
    Values dsum = p.rounded(6);
    clear_masked(dsum, mask);
    answer.want.dx = added(answer.want.dx, dsum);
    for (std::size_t i = 0; i < dsum.size(); ++i) answer.scale.dx[i] += std::abs(dsum[i]);
  }
  answer.want.dgamma = want.dgamma;
  answer.want.dbeta = want.dbeta;
  answer.scale.dgamma = size.dgamma;
  answer.scale.dbeta = size.dbeta;
  return answer;
}

// Units of roundoff: the activation's own error and that of its argument come on top of the normalization's. In bf16
// and f16 y is rounded once; gradients are made of a rounded dafter.
void expect_right(const Problem& p, const Parts& parts, const Answer& right, const std::string& where) {
  const Results got = run(p, parts);
  const double forward_units = is_short(p.dtype) ? 1.05 : p.dtype == DType::kFloat32 ? 10 : 40;
  const double backward_units = is_short(p.dtype) ? 4 : p.dtype == DType::kFloat32 ? 24 : 100;
  const auto expect = [&](const char* what, const Values& values, const Values& want, const Values& scale,
                          double units) {
    EXPECT_LE(reference::largest_error(values, want, scale, p.dtype), units)
        << what << ", " << p.norm.name << ", " << name_of(p.dtype) << ", " << name_of(parts.activation)
        << (parts.before ? ", before" : "") << (parts.after ? ", after" : "") << where;
  };
  expect("y", got.y, right.want.y, right.scale.y, forward_units);
  EXPECT_EQ(got.sum, right.want.sum) << p.norm.name << where;
  expect("dx", got.dx, right.want.dx, right.scale.dx, backward_units);
  expect("dafter", got.dafter, right.want.dafter, right.scale.dafter, backward_units);
  expect("dgamma", got.dgamma, right.want.dgamma, right.scale.dgamma, backward_units);
  expect("dbeta", got.dbeta, right.want.dbeta, right.scale.dbeta, backward_units);
}

void expect_right_in_every_layout(const Case& c, DType dtype, const std::vector<Parts>& list) {
  for (const bool given : {false, true}) {
    Problem p{.norm = c, .dtype = dtype, .given_statistics = given};
    for (const Parts& parts : list) {
      const Answer right = answer(p, parts);
      for (const Layout layout : kLayouts) {
        if (layout == Layout::kChannelsLast && c.shape.rank() < 3) continue;
        p.layout = layout;
        expect_right(p, parts, right, given ? ", given statistics" : "");
      }
    }
  }
}

TEST(Fusion, AgreesWithTheOracle) {
  for (const Case& c : fusion_cases()) {
    for (const DType dtype : kDTypes) {
      expect_right_in_every_layout(c, dtype, all_parts());
      if (HasFailure()) return;
    }
  }
}

TEST(Fusion, OfSeveralBlocksAgreesWithTheOracle) {
  const std::vector<Parts> parts{
      {true, true, Activation::kRelu}, {true, false, Activation::kSilu}, {false, false, Activation::kGelu}};
  for (const Case& c : large_fusion_cases()) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      expect_right_in_every_layout(c, dtype, parts);
      if (HasFailure()) return;
    }
  }
}

TEST(Fusion, AgreesWithTheOracleOnEveryInstructionSet) {
  for (const Case& c : reference::few_cases()) {
    for (const DType dtype : kDTypes) {
      const Problem p{.norm = c, .dtype = dtype};
      for (const Activation activation : kActivations) {
        const Parts parts{true, true, activation};
        const Answer right = answer(p, parts);
        for (const std::string& isa : available_isas()) {
          force_isa(isa);
          expect_right(p, parts, right, ", " + isa);
        }
        force_isa("");
      }
    }
  }
}

TEST(Fusion, AgreesWithTheOracleUnderMasks) {
  for (const Case& c : reference::few_cases()) {
    for (const std::uint32_t axes : reference::mask_axes(c)) {
      for (const bool given : {false, true}) {
        const Problem p{
            .norm = c, .dtype = DType::kFloat32, .mask = PositionMask(c, axes, 3), .given_statistics = given};
        for (const Parts& parts : all_parts()) expect_right(p, parts, answer(p, parts), ", masked");
      }
    }
  }
}

// Directional derivatives of sum(dy * y) + sum(dsum * sum) by central differences, in f64.
TEST(Fusion, HasTheGradientOfItsOwnDifferences) {
  for (const Case& c : reference::few_cases()) {
    Case smooth = c;
    smooth.descriptor.eps = 0.1;
    const Problem p{.norm = smooth, .dtype = DType::kFloat64};
    for (const Parts& parts : all_parts()) {
      if (!parts.before || !parts.after) continue;
      const Descriptor& d = smooth.descriptor;
      const Values dy = p.rounded(4), dsum = p.rounded(6);
      const auto loss = [&](const Values& x, const Values& after, const Values& gamma, const Values& beta) {
        const auto make = [&](const Values& values) { return Tensor(values, DType::kFloat64, smooth.shape); };
        const Tensor x_in = make(x), before = make(p.rounded(2)), after_in = make(after);
        const Tensor g(gamma, DType::kFloat64, p.parameters()), b(beta, DType::kFloat64, p.parameters());
        Tensor sum(DType::kFloat64, smooth.shape), y(DType::kFloat64, smooth.shape);
        forward(d, x_in.view(), g.view(), b.view(), y.view(), {}, {}, {},
                {before.view(), sum.view(), after_in.view(), parts.activation});
        const Values ys = y.values(), sums = sum.values();
        long double total = 0;
        for (std::size_t i = 0; i < ys.size(); ++i) total += dy[i] * ys[i] + dsum[i] * sums[i];
        return total;
      };
      const Results got = run(p, parts);
      for (std::uint64_t trial = 0; trial < 4; ++trial) {
        const auto direction = [&](std::size_t size, std::uint64_t seed) {
          return normal(static_cast<std::int64_t>(size), 100 * trial + seed);
        };
        const Values x = p.rounded(1), after = p.rounded(3);
        const Values gamma = p.gamma().values(), beta = p.beta().values();
        const Values u = direction(x.size(), 21), v = direction(x.size(), 22), w = direction(gamma.size(), 23),
                     z = direction(gamma.size(), 24);
        const auto moved = [](Values at, const Values& along, double step) {
          for (std::size_t i = 0; i < at.size(); ++i) at[i] += step * along[i];
          return at;
        };
        // Small: ReLU's corners must not be crossed.
        constexpr double kStep = 1e-7;
        const auto at = [&](double step) {
          return loss(moved(x, u, step), moved(after, v, step), moved(gamma, w, step), moved(beta, z, step));
        };
        const auto difference = static_cast<double>((at(kStep) - at(-kStep)) / (2 * kStep));
        double slope = 0, size = 1;
        const auto add = [&](const Values& gradient, const Values& along) {
          for (std::size_t i = 0; i < gradient.size(); ++i) {
            slope += gradient[i] * along[i];
            size += std::abs(gradient[i] * along[i]);
          }
        };
        add(got.dx, u);
        add(got.dafter, v);
        add(got.dgamma, w);
        add(got.dbeta, z);
        EXPECT_NEAR(difference, slope, 1e-6 * size) << c.name << ", " << name_of(parts.activation);
      }
    }
  }
}

TEST(Fusion, RefusesWhatDoesNotFit) {
  const Shape shape{4, 6};
  const Tensor x(normal(24, 1), DType::kFloat32, shape), wide(normal(24, 1), DType::kFloat64, shape);
  const Tensor other(normal(20, 1), DType::kFloat32, {4, 5});
  Tensor y(DType::kFloat32, shape), sum(DType::kFloat32, shape);
  const auto call = [&](const Fusion& fusion) {
    forward(layer_norm(), x.view(), {}, {}, y.view(), {}, {}, {}, fusion);
  };
  call({x.view(), sum.view(), x.view(), Activation::kRelu});
  EXPECT_THROW(call({.before = x.view()}), Error);
  EXPECT_THROW(call({.sum = sum.view()}), Error);
  EXPECT_THROW(call({.after = other.view()}), Error);
  EXPECT_THROW(call({.after = wide.view()}), Error);
  EXPECT_THROW(call({.activation = static_cast<Activation>(9)}), Error);
  const Tensor rstd(Values(4, 1), DType::kFloat64, {4});
  const auto gradient = [&](const FusionGradient& fusion) {
    backward(layer_norm(), x.view(), x.view(), {}, rstd.view(), rstd.view(), y.view(), {}, {}, {}, fusion);
  };
  gradient({.activation = Activation::kSilu});
  EXPECT_THROW(gradient({.beta = other.view()}), Error);
  EXPECT_THROW(gradient({.after = other.view()}), Error);
  EXPECT_THROW(gradient({.dsum = wide.view()}), Error);
  EXPECT_THROW(gradient({.dafter = Tensor(DType::kFloat32, {4, 5}).view()}), Error);
  // y is dx's memory there.
  EXPECT_THAT([&] { gradient({.dafter = y.view()}); },
              ::testing::ThrowsMessage<Error>(::testing::AllOf(
                  ::testing::HasSubstr("dafter: expected memory of its own"), ::testing::HasSubstr("that of dx"))));
}

// NaN is no reason to be 0.
TEST(Fusion, PassesNanOn) {
  const Tensor x({1, 2, NAN, 4, 5, 6}, DType::kFloat32, {2, 3});
  for (const Activation activation : kActivations) {
    Tensor y(DType::kFloat32, {2, 3});
    forward(layer_norm(), x.view(), {}, {}, y.view(), {}, {}, {}, {.activation = activation});
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(std::isnan(y.values()[i]), i < 3) << name_of(activation);
    EXPECT_TRUE(std::isnan(reference::activate({NAN}, activation)[0])) << name_of(activation);
  }
}

}  // namespace
}  // namespace norma
