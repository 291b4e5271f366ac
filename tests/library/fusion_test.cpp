// Residuals and activations in the same call: against the oracle, against the operations one after the other, against
// differences, in place and under masks.
#include <gtest/gtest.h>
#include <omp.h>

#include <array>
#include <cmath>
#include <optional>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/compare.h"

namespace norma {
namespace {

using reference::Case;
using reference::normal;
using reference::PositionMask;
using reference::Tensor;
using reference::Values;

constexpr std::array kActivations{Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kGeluTanh,
                                  Activation::kSilu};
constexpr std::array kLayouts{Layout::kChannelsFirst, Layout::kChannelsLast};

const char* name_of(Activation activation) {
  constexpr std::array<const char*, 5> kNames{"none", "relu", "gelu", "gelu tanh", "silu"};
  return kNames[static_cast<std::size_t>(activation)];
}

// Which parts of a fusion there are.
struct Parts {
  bool before, after;
  Activation activation;
};

std::vector<Parts> all_parts() {
  std::vector<Parts> parts;
  for (const Activation activation : kActivations) {
    for (const bool before : {false, true}) {
      for (const bool after : {false, true}) parts.push_back({before, after, activation});
    }
  }
  return parts;
}

struct Problem {
  Case norm;
  DType dtype;
  Layout layout = Layout::kChannelsFirst;
  std::optional<PositionMask> mask{};
  // In place: y over what it is made of, dx over dy, dafter over dy.
  bool in_place = false;
  bool given_statistics = false;

  MaskView mask_view() const { return mask ? mask->view() : MaskView(); }
  reference::Mask elements() const { return mask ? mask->elements() : reference::Mask(); }
  Tensor tensor(std::uint64_t seed) const {
    Values values = normal(norm.shape.elements(), seed);
    reference::spoil(values, elements());
    return {values, dtype, norm.shape, layout};
  }
  Shape parameters() const { return affine_shape(norm.descriptor, norm.shape); }
  Shape statistics_size() const { return statistics_shape(norm.descriptor, norm.shape); }
  Tensor gamma() const { return {normal(parameters().elements(), 11, 1, 0.5), dtype, parameters()}; }
  Tensor beta() const { return {normal(parameters().elements(), 12), dtype, parameters()}; }
  Values running_mean() const { return normal(statistics_size().elements(), 13); }
  Values variance() const {
    Values values = normal(statistics_size().elements(), 14);
    for (double& value : values) value = 0.5 + value * value;
    return values;
  }
};

struct Results {
  Values y, sum, dx, dafter, dgamma, dbeta;
  bool operator==(const Results&) const = default;
};

Results run(const Problem& p, const Parts& parts) {
  const Descriptor& d = p.norm.descriptor;
  Tensor x = p.tensor(1), before = p.tensor(2), after = p.tensor(3), dy = p.tensor(4), y = p.tensor(5);
  const Tensor gamma = p.gamma(), beta = p.beta(), kept_after = p.tensor(3), dsum = p.tensor(6);
  Tensor sum = p.tensor(5), dx = p.tensor(5), dafter = p.tensor(5);
  Tensor mean(DType::kFloat64, p.statistics_size()), rstd(DType::kFloat64, p.statistics_size());
  const Tensor given_mean(p.running_mean(), DType::kFloat64, p.statistics_size());
  const Tensor given_variance(p.variance(), DType::kFloat64, p.statistics_size());
  const ConstTensorView given_mean_view = d.centred ? given_mean.view() : ConstTensorView();
  Fusion fusion{.activation = parts.activation};
  TensorView sum_view = p.in_place ? before.view() : sum.view();
  if (parts.before) {
    fusion.before = before.view();
    fusion.sum = sum_view;
  }
  if (parts.after) fusion.after = after.view();
  const TensorView y_view = !p.in_place ? y.view() : parts.after ? after.view() : x.view();
  if (p.given_statistics) {
    inference(d, x.view(), gamma.view(), beta.view(), given_mean_view, given_variance.view(), y_view, p.mask_view(),
              fusion);
  } else {
    forward(d, x.view(), gamma.view(), beta.view(), y_view, mean.view(), rstd.view(), p.mask_view(), fusion);
  }
  Results results;
  results.y = reference::read(y_view);
  if (parts.before) results.sum = reference::read(sum_view);

  Tensor original = p.tensor(1);
  const ConstTensorView normalized = parts.before ? ConstTensorView(sum_view) : original.view();
  FusionGradient gradient{.beta = beta.view(), .activation = parts.activation};
  // dafter takes dy's place, or else dx does.
  const TensorView dafter_view = p.in_place ? dy.view() : dafter.view();
  const TensorView dx_view = p.in_place && !parts.after ? dy.view() : dx.view();
  if (parts.after) {
    gradient.after = kept_after.view();
    gradient.dafter = dafter_view;
  }
  if (parts.before) gradient.dsum = dsum.view();
  Tensor dgamma(p.dtype, p.parameters()), dbeta(p.dtype, p.parameters());
  if (p.given_statistics) {
    inference_backward(d, dy.view(), normalized, gamma.view(), given_mean_view, given_variance.view(), dx_view,
                       dgamma.view(), dbeta.view(), p.mask_view(), gradient);
  } else {
    backward(d, dy.view(), normalized, gamma.view(), d.centred ? mean.view() : TensorView(), rstd.view(), dx_view,
             dgamma.view(), dbeta.view(), p.mask_view(), gradient);
  }
  results.dx = reference::read(dx_view);
  if (parts.after) results.dafter = reference::read(dafter_view);
  results.dgamma = dgamma.values();
  results.dbeta = dbeta.values();
  for (const Tensor* tensor : {&y, &sum, &dx, &dafter, &dgamma, &dbeta}) EXPECT_TRUE(tensor->guards_intact());
  return results;
}

Values rounded(const Values& values, const Problem& p) {
  return Tensor(values, p.dtype, p.norm.shape).values();
}

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
  Values x = p.tensor(1).values(), after = parts.after ? p.tensor(3).values() : Values();
  Answer answer;
  if (parts.before) {
    x = rounded(added(x, p.tensor(2).values()), p);
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

  Values dy = p.tensor(4).values();
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
    Values dsum = p.tensor(6).values();
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

std::vector<Case> cases() {
  std::vector<Case> list = reference::few_cases();
  list.push_back({"short rows", layer_norm(), {50, 3}});
  list.push_back({"a long row", layer_norm(), {2, 9001}});
  list.push_back({"many rows", batch_norm(), {700, 70}});
  list.push_back({"slabs", batch_norm(), {70, 40, 7, 7}});
  list.push_back({"gamma by hand",
                  {.name = "by_hand", .statistics = Axes::of({0, 3, 5}), .affine = Axes::of({2, 4})},
                  {2, 3, 2, 3, 2, 3}});
  return list;
}

TEST(Fusion, AgreesWithTheOracle) {
  for (const Case& c : cases()) {
    for (const DType dtype : kDTypes) {
      for (const bool given : {false, true}) {
        Problem p{.norm = c, .dtype = dtype, .given_statistics = given};
        for (const Parts& parts : all_parts()) {
          const Answer right = answer(p, parts);
          for (const Layout layout : kLayouts) {
            if (layout == Layout::kChannelsLast && c.shape.rank() < 3) continue;
            p.layout = layout;
            expect_right(p, parts, right, given ? ", given statistics" : "");
          }
        }
        if (HasFailure()) return;
      }
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

TEST(Fusion, InPlaceGivesTheSameBits) {
  for (const Case& c : cases()) {
    for (const DType dtype : kDTypes) {
      for (const bool masked : {false, true}) {
        Problem p{.norm = c, .dtype = dtype};
        if (masked) p.mask.emplace(c, reference::mask_axes(c).front(), 3);
        for (const Parts& parts : all_parts()) {
          p.in_place = false;
          const Results apart = run(p, parts);
          p.in_place = true;
          EXPECT_TRUE(run(p, parts) == apart) << c.name << ", " << name_of(dtype) << ", " << name_of(parts.activation);
        }
      }
    }
  }
}

// Nothing but the stores of y's own rounding sets them apart: ReLU commutes with it.
TEST(Fusion, OfReluAloneGivesTheBitsOfOneAfterTheOther) {
  for (const Case& c : cases()) {
    for (const DType dtype : kDTypes) {
      const Problem p{.norm = c, .dtype = dtype};
      const Results plain = run(p, {false, false, Activation::kNone});
      Values want = plain.y;
      for (double& value : want) value = value > 0 ? value : 0;
      EXPECT_EQ(run(p, {false, false, Activation::kRelu}).y, want) << c.name << ", " << name_of(dtype);
    }
  }
}

TEST(Fusion, GivesTheSameBitsForAnyNumberOfThreads) {
  const std::vector<Case> large{{"layer_norm", layer_norm(), {700, 301}},
                                {"batch_norm", batch_norm(), {3000, 70}},
                                {"images", batch_norm(), {16, 33, 20, 20}},
                                {"group_norm", group_norm(4), {16, 32, 20, 20}}};
  const int before = omp_get_max_threads();
  for (const Case& c : large) {
    for (const Layout layout : kLayouts) {
      for (const DType dtype : kDTypes) {
        const Problem p{.norm = c, .dtype = dtype, .layout = layout};
        const Parts parts{true, true, Activation::kGelu};
        omp_set_num_threads(1);
        const Results alone = run(p, parts);
        for (const int threads : {2, 3, 7}) {
          omp_set_num_threads(threads);
          EXPECT_TRUE(run(p, parts) == alone) << c.name << ", " << threads << " threads";
        }
      }
    }
  }
  omp_set_num_threads(before);
}

TEST(Fusion, GivesTheSameBitsOnEveryInstructionSetWithFma) {
  for (const Case& c : cases()) {
    for (const DType dtype : kDTypes) {
      const Problem p{.norm = c, .dtype = dtype};
      for (const Activation activation : kActivations) {
        std::optional<Results> first;
        for (const std::string& isa : available_isas()) {
          if (isa == "sse4" || isa == "scalar") continue;
          force_isa(isa);
          const Results results = run(p, {true, true, activation});
          if (first) {
            EXPECT_TRUE(results == *first) << c.name << ", " << isa << ", " << name_of(activation);
          }
          first = results;
        }
        force_isa("");
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
      const Values dy = p.tensor(4).values(), dsum = p.tensor(6).values();
      const auto loss = [&](const Values& x, const Values& after, const Values& gamma, const Values& beta) {
        const auto make = [&](const Values& values) { return Tensor(values, DType::kFloat64, smooth.shape); };
        const Tensor x_in = make(x), before = p.tensor(2), after_in = make(after);
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
        const Values x = p.tensor(1).values(), after = p.tensor(3).values();
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
}

// NaN is no reason to be 0.
TEST(Fusion, PassesNanOn) {
  const Tensor x({1, 2, NAN, 4, 5, 6}, DType::kFloat32, {2, 3});
  for (const Activation activation : kActivations) {
    Tensor y(DType::kFloat32, {2, 3});
    forward(layer_norm(), x.view(), {}, {}, y.view(), {}, {}, {}, {.activation = activation});
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(std::isnan(y.values()[i]), i < 3) << name_of(activation);
  }
}

}  // namespace
}  // namespace norma
