// Gradients of gradients, against central differences through the first backward pass, which is the kernels': every
// normalization, with and without gamma and beta, in training and with given statistics, in both memory formats, with
// and without a mask of positions or of whole samples. f64.
#include <gmock/gmock.h>

#include <limits>

#include "compare.h"
#include "norma_torch/nn.h"

namespace norma::test {
namespace {

using at::MemoryFormat;

struct Norm {
  const char* name;
  Normalization how;
  std::vector<std::int64_t> sizes;
};

std::vector<Norm> norms() {
  return {{"batch_norm of features", batch_normalization(2, 1e-2), {7, 3}},
          {"batch_norm of images", batch_normalization(4, 1e-2), {3, 4, 3, 2}},
          {"batch_norm in two batches", batch_normalization(4, 1e-2, 2), {4, 3, 3, 2}},
          {"batch_norm of rank 5", batch_normalization(5, 1e-2), {2, 3, 2, 2, 2}},
          {"layer_norm", layer_normalization(3, 1, 1e-2), {2, 3, 5}},
          {"layer_norm over two axes", layer_normalization(4, 2, 1e-2), {2, 2, 3, 4}},
          {"channel_norm", channel_normalization(1e-2), {2, 5, 3, 2}},
          {"group_norm", group_normalization(4, 2, 1e-2), {2, 6, 3, 2}},
          {"group_norm of rank 3", group_normalization(3, 2, 1e-2), {2, 4, 5}},
          {"group_norm of rank 5", group_normalization(5, 2, 1e-2), {2, 4, 2, 2, 2}},
          {"instance_norm", instance_normalization(4, 1e-2), {2, 3, 3, 3}},
          {"instance_norm of rank 3", instance_normalization(3, 1e-2), {2, 3, 5}},
          {"instance_norm of rank 5", instance_normalization(5, 1e-2), {2, 3, 2, 2, 2}},
          {"rms_norm", rms_normalization(3, 1, 1e-2), {2, 3, 5}},
          {"rms_norm over two axes", rms_normalization(4, 2, 1e-2), {2, 2, 3, 4}}};
}

std::vector<std::int64_t> affine_sizes(const Norm& norm) {
  std::vector<std::int64_t> sizes;
  for (const std::int64_t axis : norm.how.affine) sizes.push_back(norm.sizes[static_cast<std::size_t>(axis)]);
  return sizes;
}

at::Tensor normal(at::IntArrayRef sizes, std::uint64_t seed) {
  return torch::randn(sizes, seeded(seed), torch::kDouble);
}

// What the first pass reads, and cotangents of what it gives. gamma, beta, mean, variance and mask may be undefined.
struct Problem {
  Norm norm;
  at::Tensor x, dy, gamma, beta, mean, variance, mask;
  at::Tensor of_dx, of_dgamma, of_dbeta;
};

OptionalTensor optional(const at::Tensor& t) {
  return t.defined() ? OptionalTensor(t) : c10::nullopt;
}

at::Tensor output(const Problem& p, const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta) {
  if (p.variance.defined()) {
    return normalize_with(x, optional(gamma), optional(beta), optional(p.mean), p.variance, p.norm.how,
                          optional(p.mask));
  }
  return std::get<0>(normalize(x, optional(gamma), optional(beta), p.norm.how, optional(p.mask)));
}

// <of_dx, dx> + <of_dgamma, dgamma> + <of_dbeta, dbeta>. What is masked counts for nothing.
at::Tensor product(const Problem& p, const at::Tensor& x, const at::Tensor& dy, const at::Tensor& gamma,
                   bool create_graph) {
  const at::Tensor beta = p.beta.defined() ? p.beta.detach().requires_grad_() : at::Tensor();
  std::vector<at::Tensor> inputs{x}, cotangents{p.of_dx};
  if (gamma.defined()) {
    inputs.push_back(gamma);
    cotangents.push_back(p.of_dgamma);
  }
  if (beta.defined()) {
    inputs.push_back(beta);
    cotangents.push_back(p.of_dbeta);
  }
  const auto first =
      torch::autograd::grad({output(p, x, gamma, beta)}, inputs, {dy}, /*retain_graph=*/true, create_graph);
  at::Tensor sum = torch::zeros({}, torch::kDouble);
  for (std::size_t i = 0; i < first.size(); ++i) sum = sum + (first[i] * cotangents[i]).sum();
  return sum;
}

enum class Mask { kNone, kPositions, kSamples };

Problem problem_of(const Norm& norm, bool with_gamma, bool with_beta, bool given, MemoryFormat format, Mask mask) {
  Problem p{norm,
            (normal(norm.sizes, 1) * 1.5 + 0.7).contiguous(format),
            normal(norm.sizes, 2),
            {},
            {},
            {},
            {},
            {},
            normal(norm.sizes, 3),
            {},
            {}};
  const std::vector<std::int64_t> affine = affine_sizes(norm);
  if (with_gamma) p.gamma = normal(affine, 4) + 1;
  if (with_beta) p.beta = normal(affine, 5);
  p.of_dgamma = normal(affine, 6);
  p.of_dbeta = normal(affine, 7);
  if (mask != Mask::kNone) {
    std::vector<std::int64_t> sizes(norm.sizes);
    const std::int64_t features = norm.how.affine.size() == 1 ? norm.how.affine[0] : 1;
    if (mask == Mask::kSamples) {
      std::fill(sizes.begin() + 1, sizes.end(), 1);
    } else {
      sizes[static_cast<std::size_t>(features)] = 1;
    }
    p.mask = torch::rand(sizes, seeded(8)) < 0.8;
    p.mask.flatten().slice(0, 0, 2).fill_(true);
    if (mask == Mask::kSamples) p.mask.flatten().slice(0, -1).fill_(false);
    // Nothing may see what stands there.
    p.x = p.x.masked_fill(p.mask.logical_not(), std::numeric_limits<double>::quiet_NaN());
  }
  if (given) {
    const at::Tensor mean = std::get<1>(normalize(normal(norm.sizes, 9), {}, {}, norm.how));
    if (norm.how.centred) p.mean = mean;
    p.variance = normal(mean.sizes(), 10).square() + 0.5;
  }
  return p;
}

// (f(v + h d) - f(v - h d)) / 2h along random directions: the error is about h^2 times the third derivative and u / h
// times the product, below 1e-8 for h = 1e-5 and terms of some tens.
void check(const Problem& p, const std::string& what) {
  const at::Tensor x = p.x.detach().clone(p.x.suggest_memory_format()).requires_grad_();
  const at::Tensor dy = p.dy.clone().requires_grad_();
  const at::Tensor gamma = p.gamma.defined() ? p.gamma.clone().requires_grad_() : at::Tensor();
  std::vector<at::Tensor> inputs{x, dy};
  if (gamma.defined()) inputs.push_back(gamma);
  const auto found = torch::autograd::grad({product(p, x, dy, gamma, true)}, inputs, {}, c10::nullopt, false,
                                           /*allow_unused=*/true);
  if (found[0].defined()) {
    EXPECT_TRUE(found[0].is_contiguous(x.suggest_memory_format())) << what;
  }
  const double step = 1e-5;
  for (std::uint64_t trial = 0; trial < 3; ++trial) {
    double expected = 0;
    std::vector<at::Tensor> above, below;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const at::Tensor direction = normal(inputs[i].sizes(), 20 + 5 * trial + i);
      if (found[i].defined()) expected += (found[i] * direction).sum().item<double>();
      above.push_back((inputs[i].detach() + step * direction).requires_grad_());
      below.push_back((inputs[i].detach() - step * direction).requires_grad_());
    }
    above.resize(3);
    below.resize(3);
    const at::Tensor difference =
        product(p, above[0], above[1], above[2], false) - product(p, below[0], below[1], below[2], false);
    const double slope = difference.item<double>() / (2 * step);
    EXPECT_NEAR(slope, expected, 1e-7 * (1 + std::abs(expected))) << what;
  }
}

template <class Visit>
void for_each_problem(Visit visit) {
  for (const Norm& norm : norms()) {
    for (const bool gamma : {true, false}) {
      for (const bool beta : {true, false}) {
        for (const MemoryFormat format :
             {MemoryFormat::Contiguous, MemoryFormat::ChannelsLast, MemoryFormat::ChannelsLast3d}) {
          if (format == MemoryFormat::ChannelsLast && norm.sizes.size() != 4) continue;
          if (format == MemoryFormat::ChannelsLast3d && norm.sizes.size() != 5) continue;
          for (const Mask mask : {Mask::kNone, Mask::kPositions, Mask::kSamples}) {
            // A ghost batch of two samples must keep both.
            if (mask == Mask::kSamples && norm.how.batch_groups > 1) continue;
            const std::string what = std::string(norm.name) + (gamma ? ", gamma" : "") + (beta ? ", beta" : "") +
                                     (mask == Mask::kNone      ? ""
                                      : mask == Mask::kSamples ? ", samples masked"
                                                               : ", masked") +
                                     (format == MemoryFormat::Contiguous ? "" : ", channels last");
            visit(norm, gamma, beta, format, mask, what);
          }
        }
      }
    }
  }
}

TEST(SecondOrder, OfTrainingIsWhatCentralDifferencesSay) {
  for_each_problem([](const Norm& norm, bool gamma, bool beta, MemoryFormat format, Mask mask,
                      const std::string& what) { check(problem_of(norm, gamma, beta, false, format, mask), what); });
}

TEST(SecondOrder, WithGivenStatisticsIsWhatCentralDifferencesSay) {
  for_each_problem(
      [](const Norm& norm, bool gamma, bool beta, MemoryFormat format, Mask mask, const std::string& what) {
        if (norm.how.batch_groups == 1) check(problem_of(norm, gamma, beta, true, format, mask), what);
      });
}

// The first gradient does not depend on whether it will be differentiated.
TEST(SecondOrder, LeavesTheBitsOfTheFirst) {
  for (const Norm& norm : norms()) {
    const at::Tensor x = normal(norm.sizes, 1).to(torch::kFloat).requires_grad_();
    const at::Tensor dy = normal(norm.sizes, 2).to(torch::kFloat);
    const at::Tensor y = std::get<0>(normalize(x, {}, {}, norm.how));
    const auto plain = torch::autograd::grad({y}, {x}, {dy}, true, false);
    const auto graph = torch::autograd::grad({y}, {x}, {dy}, true, true);
    EXPECT_TRUE(torch::equal(plain[0], graph[0])) << norm.name;
    EXPECT_TRUE(graph[0].requires_grad());
  }
}

// A gradient penalty, as a user writes it: the layer in f32 and no beta (mlx#3220).
TEST(SecondOrder, TrainsAGradientPenaltyWithoutBeta) {
  nn::RMSNorm layer(std::vector<std::int64_t>{5});
  const at::Tensor x = normal({3, 5}, 1).to(torch::kFloat).requires_grad_();
  const at::Tensor y = layer->forward(x);
  const at::Tensor dx = torch::autograd::grad({y.pow(3).sum()}, {x}, {}, true, true)[0];
  dx.square().sum().backward();
  const at::Tensor x64 = x.detach().to(torch::kDouble).requires_grad_();
  const at::Tensor weight64 = layer->weight.detach().to(torch::kDouble).requires_grad_();
  const double eps = std::numeric_limits<float>::epsilon();
  const at::Tensor y64 = x64 * (x64.square().mean(-1, true) + eps).rsqrt() * weight64;
  const at::Tensor dx64 = torch::autograd::grad({y64.pow(3).sum()}, {x64}, {}, true, true)[0];
  dx64.square().sum().backward();
  expect_close(x.grad(), x64.grad(), 1e-5, "x");
  expect_close(layer->weight.grad(), weight64.grad(), 1e-5, "weight");
}

// Composed of differentiable operators, it has a gradient in turn.
TEST(SecondOrder, HasAThird) {
  const at::Tensor x = normal({4, 3}, 1).requires_grad_();
  const at::Tensor by_torch = x.detach().clone().requires_grad_();
  const auto third = [](const at::Tensor& at_x, const at::Tensor& y) {
    const at::Tensor first = torch::autograd::grad({y.pow(3).sum()}, {at_x}, {}, true, true)[0];
    const at::Tensor second = torch::autograd::grad({first.pow(3).sum()}, {at_x}, {}, true, true)[0];
    return torch::autograd::grad({second.square().sum()}, {at_x}, {}, true, false)[0];
  };
  const at::Tensor ours = third(x, std::get<0>(normalize(x, {}, {}, layer_normalization(2, 1, 1e-2))));
  const at::Tensor distance = by_torch - by_torch.mean(-1, true);
  const at::Tensor y = distance * (distance.square().mean(-1, true) + 1e-2).rsqrt();
  expect_close(ours, third(by_torch, y), 1e-10, "third derivative");
}

}  // namespace
}  // namespace norma::test
