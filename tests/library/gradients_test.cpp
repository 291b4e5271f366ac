// Gradients against central differences in double, with random cotangents (a plain sum of y would make dx zero and hide
// everything). The differences are taken through the forward operation under test, so they know no formula.
#include <gmock/gmock.h>

#include <cmath>
#include <functional>
#include <optional>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/reference.h"

namespace norma {
namespace {

using reference::Case;
using reference::Gradients;
using reference::normal;
using reference::PositionMask;
using reference::Tensor;
using reference::Values;

enum class Mode { kTraining, kInference };

// Everything that goes into one check, in double.
struct Problem {
  Case norm;
  Mode mode;
  Layout layout;
  bool gamma_given, beta_given;
  Values x, dy, gamma, beta, mean, variance;
  std::optional<PositionMask> mask;
};

MaskView mask_of(const Problem& problem) {
  return problem.mask ? problem.mask->view() : MaskView();
}

// sum(dy * y) over what counts.
double product(const Problem& problem, const Values& y) {
  long double sum = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!problem.mask || problem.mask->elements()[i] != 0) sum += static_cast<long double>(problem.dy[i]) * y[i];
  }
  return static_cast<double>(sum);
}

Problem problem_of(const Case& norm, Mode mode, Layout layout, std::uint64_t seed, bool gamma = true,
                   bool beta = true) {
  const std::int64_t parameters = affine_shape(norm.descriptor, norm.shape).elements();
  const std::int64_t statistics_count = statistics_shape(norm.descriptor, norm.shape).elements();
  Problem problem{norm, mode, layout, gamma, beta, {}, {}, {}, {}, {}, {}, {}};
  problem.x = normal(norm.shape.elements(), seed, 0.3, 1.5);
  problem.dy = normal(norm.shape.elements(), seed + 1);
  problem.gamma = normal(parameters, seed + 2, 1, 0.5);
  problem.beta = normal(parameters, seed + 3);
  problem.mean = normal(statistics_count, seed + 4);
  problem.variance = normal(statistics_count, seed + 5);
  for (double& value : problem.variance) value = 0.5 + value * value;
  return problem;
}

Tensor tensor_of(const Problem& problem, const Values& values) {
  return {values, DType::kFloat64, problem.norm.shape, problem.layout};
}

// sum(dy * y), through the library.
double loss(const Problem& problem) {
  const auto& [name, descriptor, shape] = problem.norm;
  const Shape parameters = affine_shape(descriptor, shape);
  const Tensor x = tensor_of(problem, problem.x);
  const Tensor gamma(problem.gamma, DType::kFloat64, parameters);
  const Tensor beta(problem.beta, DType::kFloat64, parameters);
  const ConstTensorView gamma_view = problem.gamma_given ? gamma.view() : ConstTensorView();
  const ConstTensorView beta_view = problem.beta_given ? beta.view() : ConstTensorView();
  Tensor y(DType::kFloat64, shape, problem.layout);
  if (problem.mode == Mode::kTraining) {
    forward(descriptor, x.view(), gamma_view, beta_view, y.view(), {}, {}, mask_of(problem));
  } else {
    const Tensor mean(problem.mean, DType::kFloat64, statistics_shape(descriptor, shape));
    const Tensor variance(problem.variance, DType::kFloat64, statistics_shape(descriptor, shape));
    inference(descriptor, x.view(), gamma_view, beta_view, descriptor.centred ? mean.view() : ConstTensorView(),
              variance.view(), y.view(), mask_of(problem));
  }
  return product(problem, y.values());
}

Gradients gradients(const Problem& problem) {
  const auto& [name, descriptor, shape] = problem.norm;
  const Shape parameters = affine_shape(descriptor, shape);
  const Shape statistics_size = statistics_shape(descriptor, shape);
  const Tensor x = tensor_of(problem, problem.x);
  const Tensor dy = tensor_of(problem, problem.dy);
  const Tensor gamma(problem.gamma, DType::kFloat64, parameters);
  const ConstTensorView gamma_view = problem.gamma_given ? gamma.view() : ConstTensorView();
  Tensor dx(DType::kFloat64, shape, problem.layout);
  Tensor dgamma(DType::kFloat64, parameters);
  Tensor dbeta(DType::kFloat64, parameters);
  if (problem.mode == Mode::kTraining) {
    Tensor y(DType::kFloat64, shape, problem.layout);
    Tensor mean(DType::kFloat64, statistics_size);
    Tensor rstd(DType::kFloat64, statistics_size);
    forward(descriptor, x.view(), gamma_view, {}, y.view(), mean.view(), rstd.view(), mask_of(problem));
    backward(descriptor, dy.view(), x.view(), gamma_view, descriptor.centred ? mean.view() : TensorView(), rstd.view(),
             dx.view(), dgamma.view(), dbeta.view(), mask_of(problem));
  } else {
    const Tensor mean(problem.mean, DType::kFloat64, statistics_size);
    const Tensor variance(problem.variance, DType::kFloat64, statistics_size);
    inference_backward(descriptor, dy.view(), x.view(), gamma_view,
                       descriptor.centred ? mean.view() : ConstTensorView(), variance.view(), dx.view(), dgamma.view(),
                       dbeta.view(), mask_of(problem));
  }
  return {dx.values(), dgamma.values(), dbeta.values()};
}

// (f(v + h) - f(v - h)) / 2h for the entries of one of the problem's inputs, of many every n-th. The error is about h^2
// times the third derivative and u/h times the loss: with h = 1e-5, |loss| and derivatives of some tens, below 1e-8.
void check(Problem& problem, Values Problem::*input, const Values& gradient, const char* what,
           const std::function<double(const Problem&)>& f = loss) {
  constexpr double kStep = 1e-5;
  constexpr double kTolerance = 1e-7;
  double worst = 0;
  const std::size_t step = 1 + gradient.size() / 100;
  for (std::size_t i = 0; i < gradient.size(); i += step) {
    double& value = (problem.*input)[i];
    const double before = value;
    value = before + kStep;
    const double above = f(problem);
    value = before - kStep;
    const double below = f(problem);
    value = before;
    const double difference = (above - below) / (2 * kStep);
    const double error = std::fabs(difference - gradient[i]) / (1 + std::fabs(difference));
    worst = std::max(worst, std::isnan(error) ? INFINITY : error);
  }
  EXPECT_LT(worst, kTolerance) << what << " of " << problem.norm.name << (problem.gamma_given ? ", gamma" : "")
                               << (problem.beta_given ? ", beta" : "")
                               << (problem.mode == Mode::kTraining ? ", training" : ", inference")
                               << (problem.mask ? ", masked" : "")
                               << (problem.layout == Layout::kChannelsLast ? ", channels last" : "");
}

// Every norm at every rank it has up to 6 (trap 20: backward at higher rank; three features a group).
std::vector<Case> gradient_cases() {
  std::vector<Case> cases = reference::few_cases();
  cases.push_back({"layer_norm of rank 1", layer_norm(), {7}});
  cases.push_back({"layer_norm of rank 3", layer_norm(), {2, 3, 5}});
  cases.push_back({"layer_norm over 4 axes", layer_norm(4), {2, 3, 2, 3, 2}});
  cases.push_back({"layer_norm of rank 6", layer_norm(2), {2, 1, 2, 2, 3, 2}});
  cases.push_back({"rms_norm of rank 3", rms_norm(), {2, 3, 5}});
  cases.push_back({"rms_norm over 3 axes", rms_norm(3), {2, 3, 2, 3}});
  cases.push_back({"rms_norm of rank 5", rms_norm(2), {2, 2, 2, 3, 2}});
  cases.push_back({"batch_norm of rank 3", batch_norm(), {3, 4, 5}});
  cases.push_back({"batch_norm of rank 5", batch_norm(), {2, 3, 2, 3, 2}});
  cases.push_back({"batch_norm of rank 6", batch_norm(), {2, 3, 2, 2, 2, 2}});
  cases.push_back({"batch_norm of one feature", batch_norm(), {5, 1}});
  cases.push_back({"group_norm of rank 2", group_norm(3), {3, 12}});
  cases.push_back({"group_norm of rank 3", group_norm(2), {3, 4, 5}});
  cases.push_back({"group_norm of rank 5", group_norm(2), {2, 6, 2, 3, 2}});
  cases.push_back({"instance_norm of rank 3", instance_norm(), {3, 4, 5}});
  cases.push_back({"instance_norm of rank 5", instance_norm(), {2, 3, 2, 3, 2}});
  return cases;
}

// What is masked is garbage, in x and in the cotangent: no difference may see it, and its gradient is 0.
void mask_problem(Problem& problem, std::uint32_t axes) {
  problem.mask.emplace(problem.norm, axes, 11);
  reference::spoil(problem.x, problem.mask->elements());
  reference::spoil(problem.dy, problem.mask->elements());
}

// All gradients there are: a gamma that is absent has none to compare.
void check(Problem& problem) {
  const Gradients found = gradients(problem);
  check(problem, &Problem::x, found.dx, "dx");
  if (problem.gamma_given) check(problem, &Problem::gamma, found.dgamma, "dgamma");
  if (problem.beta_given) check(problem, &Problem::beta, found.dbeta, "dbeta");
}

// Every norm and rank x layout x gamma and beta given or not, without a mask or under each kind of mask.
void check_all(Mode mode, bool masked) {
  std::uint64_t seed = masked ? 20000 : 1000;
  for (Case norm : gradient_cases()) {
    // Two valid values that lie close would make the third derivative, and with it the difference's error, huge.
    if (masked) norm.descriptor.eps = 0.05;
    const std::vector<std::uint32_t> masks = masked ? reference::mask_axes(norm) : std::vector<std::uint32_t>{0};
    for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
      if (layout == Layout::kChannelsLast && norm.shape.rank() < 3) continue;  // the same memory
      for (const bool gamma : {true, false}) {
        for (const bool beta : {true, false}) {
          for (const std::uint32_t axes : masks) {
            Problem problem = problem_of(norm, mode, layout, seed += 10, gamma, beta);
            if (axes != 0) mask_problem(problem, axes);
            check(problem);
          }
        }
      }
    }
  }
}

TEST(Gradient, OfTrainingIsWhatCentralDifferencesSay) {
  check_all(Mode::kTraining, false);
}

// Trap 27: backward in eval mode.
TEST(Gradient, OfInferenceIsWhatCentralDifferencesSay) {
  check_all(Mode::kInference, false);
}

TEST(Gradient, OfTrainingUnderAMaskIsWhatCentralDifferencesSay) {
  check_all(Mode::kTraining, true);
}

TEST(Gradient, OfInferenceUnderAMaskIsWhatCentralDifferencesSay) {
  check_all(Mode::kInference, true);
}

// Trap 14: eps in the wrong place passes unless it is large.
TEST(Gradient, KnowsWhereEpsStands) {
  for (const double eps : {0.1, 10.0}) {
    for (Case norm : reference::few_cases()) {
      norm.descriptor.eps = eps;
      Problem problem = problem_of(norm, Mode::kTraining, Layout::kChannelsFirst, 900);
      check(problem);
    }
  }
}

// The second opinion on the oracle: its gradients against differences through its own forward.
TEST(Gradient, OfTheOracleIsWhatCentralDifferencesSay) {
  const auto oracle_loss = [](const Problem& p) {
    const auto& [name, descriptor, shape] = p.norm;
    const reference::Mask mask = p.mask ? p.mask->elements() : reference::Mask();
    return product(p, p.mode == Mode::kTraining
                          ? reference::forward(descriptor, shape, p.x, p.gamma, p.beta, mask).y
                          : reference::inference(descriptor, shape, p.x, p.gamma, p.beta, p.mean, p.variance, mask));
  };
  for (const Case& norm : gradient_cases()) {
    for (const Mode mode : {Mode::kTraining, Mode::kInference}) {
      for (const bool masked : {false, true}) {
        Problem problem = problem_of(norm, mode, Layout::kChannelsFirst, 1000);
        if (masked) mask_problem(problem, reference::mask_axes(norm).back());
        if (!norm.descriptor.centred) problem.mean.assign(problem.mean.size(), 0);
        const reference::Mask mask = masked ? problem.mask->elements() : reference::Mask();
        const Gradients found =
            mode == Mode::kTraining
                ? reference::backward(norm.descriptor, norm.shape, problem.dy, problem.x, problem.gamma, mask)
                : reference::inference_backward(norm.descriptor, norm.shape, problem.dy, problem.x, problem.gamma,
                                                problem.mean, problem.variance, mask);
        check(problem, &Problem::x, found.dx, "dx", oracle_loss);
        check(problem, &Problem::gamma, found.dgamma, "dgamma", oracle_loss);
        check(problem, &Problem::beta, found.dbeta, "dbeta", oracle_loss);
      }
    }
  }
}

}  // namespace
}  // namespace norma
