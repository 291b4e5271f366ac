// The networks, their pooling and the optimizer, each against torch's own.
#include "lab/models/network.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "lab/models/arm_list.h"
#include "lab/models/max_pool.h"
#include "lab/models/weights.h"
#include "lab/training/optimizer.h"
#include "trials.h"

namespace norma::lab::test {
namespace {

// What the networks need to know of a data set of 8x8 digits.
Dataset digits() {
  Dataset data;
  data.shape = {1, 8, 8};
  data.classes = 10;
  return data;
}

at::Generator seeded(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

std::vector<at::Tensor> weights(const TrialSpec& spec) {
  std::vector<at::Tensor> out;
  const auto network = make_network(spec, digits());
  for (const at::Tensor& weight : network->weights()) out.push_back(weight.detach());
  return out;
}

// libtorch 1.13's GELU writes no gradient at all where dy is transposed and x is not.
TEST(Activations, HaveOneGradientHoweverXAndDyLie) {
  const at::Tensor values = torch::randn({4, 16, 7}, seeded(1)), dy = torch::randn({4, 16, 7}, seeded(2));
  const auto transposed = [](const at::Tensor& t) { return t.transpose(1, 2).contiguous().transpose(1, 2); };
  const auto gradient = [&](const std::string& name, const at::Tensor& at, const at::Tensor& dy_there) {
    const at::Tensor x = at.detach().requires_grad_();
    return torch::autograd::grad({activate(activation_named(name), x * 1)}, {x}, {dy_there}).front();
  };
  for (const std::string name : {"relu", "gelu", "tanh", "linear"}) {
    const at::Tensor expected = gradient(name, values, dy);
    EXPECT_TRUE(torch::allclose(gradient(name, values, transposed(dy)), expected, 1e-5, 1e-6)) << name;
    EXPECT_TRUE(torch::allclose(gradient(name, transposed(values), dy), expected, 1e-5, 1e-6)) << name;
    EXPECT_TRUE(torch::allclose(gradient(name, transposed(values), transposed(dy)), expected, 1e-5, 1e-6)) << name;
  }
}

TEST(InitialWeights, AreTheSameInEveryArm) {
  for (const Arm& arm : arms()) {
    const std::string name(arm.name);
    const std::int64_t batch = arm.uses_batch ? 8 : 0;
    for (const auto& [with, without] :
         {std::pair(mlp_trial(name, batch), mlp_trial("none")), std::pair(cnn_trial(name, batch), cnn_trial("none"))}) {
      if (!takes(with.model.kind, arm)) continue;
      const auto got = weights(with), expected = weights(without);
      ASSERT_EQ(got.size(), 3U);
      for (std::size_t i = 0; i < got.size(); ++i) EXPECT_TRUE(torch::equal(got[i], expected[i])) << name << i;
    }
  }
}

TEST(InitialWeights, DifferFromSeedToSeedAndLayerToLayer) {
  TrialSpec spec = mlp_trial("none");
  spec.model.depth = 3;
  const auto one = weights(spec);
  spec.seed = 2;
  const auto two = weights(spec);
  EXPECT_FALSE(torch::equal(one[0], two[0]));
  EXPECT_FALSE(torch::equal(one[0], one[1]));
  EXPECT_FALSE(torch::equal(one[1], one[2]));
}

// Of n normal numbers the sample variance is off by sqrt(2/n): 4 of those.
TEST(InitialWeights, HaveTheVarianceOfHe) {
  TrialSpec spec = mlp_trial("none");
  spec.model.width = 256;
  const at::Tensor hidden = weights(spec)[1];
  const double bound = 4 * std::sqrt(2.0 / static_cast<double>(hidden.numel()));
  EXPECT_NEAR(hidden.var().item<double>() * 256 / 2, 1, bound);
  EXPECT_NEAR(hidden.mean().item<double>(), 0, 4 * std::sqrt(2.0 / 256) / 256);
  EXPECT_NEAR(weights(spec)[2].var().item<double>() * 256, 1, 4 * std::sqrt(2.0 / 2560));
}

TEST(Network, WithTheWholeBatchNormalizedIsTorchsBatchNorm) {
  TrialSpec spec = mlp_trial("batch", 64);
  spec.model.depth = 1;
  const auto network = make_network(spec, digits());
  const auto& p = network->parameters();  // weight, gamma, beta, last weight, last bias
  const at::Tensor images = torch::randn({64, 1, 8, 8}, seeded(3));
  at::Tensor mean = torch::zeros({64}), variance = torch::ones({64});
  const auto expected = [&](const at::Tensor& x, bool training) {
    const at::Tensor h =
        torch::batch_norm(torch::linear(x.flatten(1), p[0]), p[1], p[2], mean, variance, training, 0.1, 1e-5, false);
    return torch::linear(torch::relu(h), p[3], p[4]);
  };
  EXPECT_TRUE(torch::allclose(network->forward({images, {}}, {.training = true}), expected(images, true), 1e-5, 1e-5));
  const at::Tensor others = torch::randn({7, 1, 8, 8}, seeded(4));
  EXPECT_TRUE(torch::allclose(network->forward({others, {}}, {}), expected(others, false), 1e-5, 1e-5));
}

TEST(Network, ConvolvesAndPoolsAsTorchDoes) {
  const TrialSpec spec = cnn_trial("layer_chw");
  const auto network = make_network(spec, digits());
  const auto& p = network->parameters();  // (weight, gamma, beta) twice, last weight, last bias
  const at::Tensor images = torch::randn({5, 1, 8, 8}, seeded(3));
  at::Tensor x = torch::relu(torch::group_norm(torch::conv2d(images, p[0], {}, 1, 1), 1, p[1], p[2]));
  x = torch::relu(torch::group_norm(torch::conv2d(x, p[3], {}, 1, 1), 1, p[4], p[5]));
  x = torch::max_pool2d(x, 2).flatten(1);
  EXPECT_TRUE(
      torch::allclose(network->forward({images, {}}, {.training = true}), torch::linear(x, p[6], p[7]), 1e-4, 1e-5));
}

TEST(MaxPool, IsTorchs) {
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{3, 5, 8, 8}, {2, 3, 7, 5}, {1, 1, 2, 2}, {2, 2, 6, 9}}) {
    const at::Tensor x = torch::randn(sizes, seeded(1)).requires_grad_();
    const at::Tensor got = max_pool(x), expected = torch::max_pool2d(x, 2);
    EXPECT_TRUE(torch::equal(got, expected));
    const at::Tensor dy = torch::randn(got.sizes(), seeded(2));
    EXPECT_TRUE(
        torch::equal(torch::autograd::grad({got}, {x}, {dy})[0], torch::autograd::grad({expected}, {x}, {dy})[0]));
  }
}

TEST(MaxPool, GivesTheGradientOfATieToOne) {
  const at::Tensor x = torch::zeros({1, 1, 2, 2}).requires_grad_();
  max_pool(x).sum().backward();
  EXPECT_TRUE(torch::equal(x.grad().flatten(), torch::tensor({1.0F, 0.0F, 0.0F, 0.0F})));
}

// Eight updates along the same random gradients; f32 on both sides, so a few roundings apart.
void compare_optimizers(const TrainingSpec& spec, torch::optim::Optimizer& torchs, const at::Tensor& theirs) {
  at::Tensor ours = theirs.detach().clone();
  Optimizer optimizer(spec, {ours}, 8);
  for (std::uint64_t step = 0; step < 8; ++step) {
    const at::Tensor gradient = torch::randn(ours.sizes(), seeded(10 + step));
    for (auto& group : torchs.param_groups()) group.options().set_lr(optimizer.learning_rate());
    theirs.mutable_grad() = gradient.clone();
    torchs.step();
    optimizer.step({gradient});
    EXPECT_TRUE(torch::allclose(ours, theirs.detach(), 1e-5, 1e-6)) << "update " << step;
  }
}

TEST(Optimizer, IsTorchsSgdWithMomentum) {
  TrainingSpec spec = mlp_trial("none").training;
  const at::Tensor w = torch::randn({33}, seeded(1)).requires_grad_();
  torch::optim::SGD torchs({w}, torch::optim::SGDOptions(spec.learning_rate).momentum(spec.momentum));
  compare_optimizers(spec, torchs, w);
}

TEST(Optimizer, IsTorchsAdam) {
  TrainingSpec spec = mlp_trial("none").training;
  spec.optimizer = "adam";
  spec.learning_rate = 0.01;
  const at::Tensor w = torch::randn({33}, seeded(1)).requires_grad_();
  torch::optim::Adam torchs({w}, torch::optim::AdamOptions(spec.learning_rate));
  compare_optimizers(spec, torchs, w);
}

TEST(Optimizer, FollowsHalfACosineOrStays) {
  TrainingSpec spec = mlp_trial("none").training;
  at::Tensor w = torch::zeros({1});
  Optimizer cosine(spec, {w}, 4);
  EXPECT_DOUBLE_EQ(cosine.learning_rate(), 0.1);
  cosine.step({torch::zeros({1})});
  cosine.step({torch::zeros({1})});
  EXPECT_DOUBLE_EQ(cosine.learning_rate(), 0.05);
  spec.schedule = "constant";
  Optimizer constant(spec, {w}, 4);
  constant.step({torch::zeros({1})});
  EXPECT_DOUBLE_EQ(constant.learning_rate(), 0.1);
}

}  // namespace
}  // namespace norma::lab::test
