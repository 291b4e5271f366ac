// Each arm against the formula of its paper, written out in torch's plain operators.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>

#include "lab/error.h"
#include "lab/models/arm.h"
#include "lab/models/arm_list.h"
#include "trials.h"

namespace norma::lab::test {
namespace {

at::Tensor off_centre(at::IntArrayRef sizes, std::uint64_t seed) {
  return torch::randn(sizes, at::make_generator<at::CPUGeneratorImpl>(seed)) * 1.5 + 0.7;
}

TrialSpec trial(const std::string& arm, const std::string& kind, std::int64_t normalization_batch = 0) {
  TrialSpec spec = mlp_trial(arm, normalization_batch);
  spec.model.kind = kind;
  spec.groups = find_arm(arm)->uses_groups ? 4 : 0;
  return spec;
}

// gamma and beta at random, so that they show.
std::vector<at::Tensor> stirred(const ArmLayer& layer) {
  std::vector<at::Tensor> parameters;
  layer.append_parameters(parameters);
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].copy_(torch::rand(parameters[i].sizes(), at::make_generator<at::CPUGeneratorImpl>(50 + i)) + 0.5);
  }
  return parameters;
}

// f32 against f32 in another order of operations.
void expect_close(const at::Tensor& got, const at::Tensor& expected, const char* what) {
  EXPECT_TRUE(torch::allclose(got, expected, 1e-4, 2e-5)) << what << ": " << (got - expected).abs().max().item<float>();
}

// y and the gradients of x and of every parameter, under one random dy.
void expect_alike(ArmLayer& layer, const at::Tensor& x, const Pass& pass, const std::vector<at::Tensor>& parameters,
                  const std::function<at::Tensor(const at::Tensor&)>& formula, const char* what) {
  const at::Tensor at_x = x.detach().clone().requires_grad_();
  const at::Tensor got = layer.forward(at_x, pass), expected = formula(at_x);
  expect_close(got, expected, what);
  const at::Tensor dy = off_centre(got.sizes(), 99);
  std::vector<at::Tensor> inputs{at_x};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  const auto ours = torch::autograd::grad({got}, inputs, {dy}),
             theirs = torch::autograd::grad({expected}, inputs, {dy});
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-3, 1e-3))
        << what << ", gradient " << i << ": " << (ours[i] - theirs[i]).abs().max().item<float>();
  }
}

at::Tensor batch_normalized(const at::Tensor& x, at::IntArrayRef axes) {
  const at::Tensor mean = x.mean(axes, true);
  return (x - mean) / ((x - mean).pow(2).mean(axes, true) + kArmEps).sqrt();
}

TEST(Arms, NormalizeASampleAsTorchsLayers) {
  const at::Tensor image = off_centre({6, 8, 5, 4}, 1);
  const std::vector<std::int64_t> per_channel{1, 8, 1, 1};
  for (const std::string name : {"layer", "layer_chw", "group", "instance", "rms"}) {
    const TrialSpec spec = trial(name, "cnn");
    const auto layer = make_arm({.trial = spec, .features = 8, .rank = 4});
    const auto p = stirred(*layer);
    expect_alike(
        *layer, image, {.training = true}, p,
        [&](const at::Tensor& x) {
          if (name == "layer_chw") return torch::group_norm(x, 1, p[0], p[1]);
          if (name == "group") return torch::group_norm(x, 4, p[0], p[1]);
          if (name == "instance") return torch::group_norm(x, 8, p[0], p[1]);
          if (name == "rms") return x / (x.pow(2).mean(1, true) + kArmEps).sqrt() * p[0].view(per_channel);
          return batch_normalized(x, {1}) * p[0].view(per_channel) + p[1].view(per_channel);
        },
        name.c_str());
  }
}

TEST(Arms, NormalizeThePositionsOfASequenceEachByItself) {
  const at::Tensor sequence = off_centre({3, 5, 8}, 2);
  for (const std::string name : {"layer", "rms"}) {
    const TrialSpec spec = trial(name, "transformer");
    const auto layer = make_arm({.trial = spec, .features = 8, .rank = 3});
    const auto p = stirred(*layer);
    expect_alike(
        *layer, sequence, {.training = true}, p,
        [&](const at::Tensor& x) {
          if (name == "rms") return x / (x.pow(2).mean(2, true) + kArmEps).sqrt() * p[0];
          return torch::layer_norm(x, {8}, p[0], p[1]);
        },
        name.c_str());
  }
}

// Groups of 3 of 7 samples: one of 3, and the last of 4, because a single sample has no variance.
TEST(BatchNormArm, NormalizesGroupsAndWhatIsLeftOver) {
  const TrialSpec spec = trial("batch", "mlp", 32);
  TrialSpec by_three = spec;
  by_three.normalization_batch = 3;
  by_three.training.sgd_batch = 3;
  const auto layer = make_arm({.trial = by_three, .features = 4, .rank = 2});
  const auto p = stirred(*layer);
  const at::Tensor x = off_centre({7, 4}, 3);
  expect_alike(
      *layer, x, {.training = true}, p,
      [&](const at::Tensor& in) {
        return torch::cat({batch_normalized(in.narrow(0, 0, 3), {0}), batch_normalized(in.narrow(0, 3, 4), {0})}) *
                   p[0] +
               p[1];
      },
      "groups");
}

TEST(BatchNormArm, MovesItsRunningStatisticsOnceAStepByTheMeanOverGroups) {
  TrialSpec spec = trial("batch", "mlp", 4);
  const auto layer = make_arm({.trial = spec, .features = 4, .rank = 2});
  const at::Tensor x = off_centre({8, 4}, 4);
  layer->forward(x, {.training = true});
  const at::Tensor one = x.narrow(0, 0, 4), two = x.narrow(0, 4, 4);
  expect_close(layer->running()->mean, 0.1 * (one.mean(0) + two.mean(0)) / 2, "mean");
  expect_close(layer->running()->variance, 0.9 + 0.1 * (one.var(0) + two.var(0)) / 2, "variance");
  const at::Tensor others = off_centre({3, 4}, 5);
  expect_close(layer->forward(others, {}),
               (others - layer->running()->mean) / (layer->running()->variance + kArmEps).sqrt(), "evaluation");
}

at::Tensor padding_mask() {
  return torch::arange(5).unsqueeze(0) < torch::tensor({5, 2, 3, 4}).unsqueeze(1);
}

TEST(MaskedBatchNormArm, LeavesPaddingOutOfEverything) {
  TrialSpec spec = trial("batch_masked", "transformer", 4);
  const auto layer = make_arm({.trial = spec, .features = 6, .rank = 3});
  const auto p = stirred(*layer);
  const at::Tensor mask = padding_mask();
  at::Tensor x = off_centre({4, 5, 6}, 6);
  x.index_put_({mask.logical_not()}, 1e6F);
  expect_alike(
      *layer, x, {.training = true, .mask = mask}, p,
      [&](const at::Tensor& in) {
        const at::Tensor valid = in.index({mask});
        return torch::zeros_like(in).index_put({mask}, batch_normalized(valid, {0}) * p[0] + p[1]);
      },
      "masked");
  const at::Tensor valid = x.index({mask});
  // The gradient check above went through forward once.
  expect_close(layer->running()->mean, 0.1 * valid.mean(0), "mean");
  expect_close(layer->running()->variance, 0.9 + 0.1 * valid.var(0), "variance");
}

// A group of 10 valid positions and one of 3: the variance is the pooled one.
TEST(MaskedBatchNormArm, WeighsGroupsByTheirValidPositions) {
  TrialSpec spec = trial("batch_masked", "transformer", 2);
  const auto layer = make_arm({.trial = spec, .features = 6, .rank = 3});
  const at::Tensor mask = torch::arange(5).unsqueeze(0) < torch::tensor({5, 5, 1, 2}).unsqueeze(1);
  const at::Tensor x = off_centre({4, 5, 6}, 20);
  layer->forward(x, {.training = true, .mask = mask});
  const at::Tensor one = x.narrow(0, 0, 2).flatten(0, 1), two = x.narrow(0, 2, 2).index({mask.narrow(0, 2, 2)});
  expect_close(layer->running()->mean, 0.1 * (10 * one.mean(0) + 3 * two.mean(0)) / 13, "mean");
  expect_close(layer->running()->variance, 0.9 + 0.1 * (9 * one.var(0) + 2 * two.var(0)) / 11, "variance");
}

TEST(NaiveBatchNormArm, CountsPaddingIn) {
  TrialSpec spec = trial("batch_naive", "transformer", 4);
  const auto layer = make_arm({.trial = spec, .features = 6, .rank = 3});
  const at::Tensor x = off_centre({4, 5, 6}, 7);
  expect_close(layer->forward(x, {.training = true, .mask = padding_mask()}), batch_normalized(x, {0, 1}), "naive");
}

TEST(PreciseBatchNormArm, TakesTheStatisticsOfAllThatPassed) {
  TrialSpec spec = trial("batch_precise", "cnn", 4);
  const auto layer = make_arm({.trial = spec, .features = 3, .rank = 4});
  EXPECT_TRUE(layer->precise());
  const at::Tensor x = off_centre({10, 3, 2, 2}, 8);
  layer->begin_estimate();
  layer->forward(x.narrow(0, 0, 8), {.training = true});
  layer->forward(x.narrow(0, 8, 2), {.training = true});
  layer->end_estimate();
  expect_close(layer->running()->mean, x.mean({0, 2, 3}), "mean");
  expect_close(layer->running()->variance, x.transpose(0, 1).flatten(1).var(1), "variance");
}

TEST(BatchStatisticsAtTestArm, NormalizesTestBatchesByThemselves) {
  TrialSpec spec = trial("batch_test", "mlp", 4);
  const auto layer = make_arm({.trial = spec, .features = 3, .rank = 2});
  const at::Tensor x = off_centre({8, 3}, 9);
  expect_close(layer->forward(x, {}),
               torch::cat({batch_normalized(x.narrow(0, 0, 4), {0}), batch_normalized(x.narrow(0, 4, 4), {0})}), "y");
  EXPECT_EQ(layer->running(), nullptr) << "it has statistics that evaluation does not use";
}

TEST(BatchRenormArm, CorrectsTowardsTheRunningStatistics) {
  TrialSpec spec = trial("batch_renorm", "mlp", 4);
  const auto layer = make_arm({.trial = spec, .features = 3, .rank = 2});
  const auto p = stirred(*layer);
  // The second feature's r is clipped at 3, the third's d at 5.
  const at::Tensor mean = torch::tensor({0.5F, 0.7F, -9.0F}), variance = torch::tensor({2.0F, 0.01F, 1.5F});
  layer->running()->mean.copy_(mean);
  layer->running()->variance.copy_(variance);
  const at::Tensor x = off_centre({8, 3}, 10);
  const auto formula = [&](const at::Tensor& in) {
    std::vector<at::Tensor> groups;
    for (const at::Tensor& group : in.chunk(2)) {
      const at::Tensor sigma = ((group - group.mean(0)).pow(2).mean(0) + kArmEps).sqrt().detach();
      const at::Tensor running = (variance + kArmEps).sqrt();
      const at::Tensor r = (sigma / running).clamp(1 / 3.0, 3.0);
      const at::Tensor d = ((group.mean(0).detach() - mean) / running).clamp(-5.0, 5.0);
      groups.push_back(batch_normalized(group, {0}) * r + d);
    }
    return torch::cat(groups) * p[0] + p[1];
  };
  expect_alike(*layer, x, {.training = true, .progress = 1}, p, formula, "renorm");
  EXPECT_GT(((x.narrow(0, 0, 4).std(0) / variance.sqrt())[1]).item<float>(), 3) << "nothing was clipped";
}

TEST(BatchRenormArm, BeginsAsBatchNorm) {
  TrialSpec spec = trial("batch_renorm", "mlp", 4);
  const auto layer = make_arm({.trial = spec, .features = 3, .rank = 2});
  const at::Tensor x = off_centre({4, 3}, 11);
  expect_close(layer->forward(x, {.training = true}), batch_normalized(x, {0}), "y");
}

TEST(NoisyBatchNormArm, ShiftsAndScalesEachFeatureByItsOwnDistribution) {
  TrialSpec spec = trial("batch_noise", "mlp", 64);
  const auto layer = make_arm({.trial = spec, .features = 2, .rank = 2});
  const at::Tensor x = off_centre({64, 2}, 12), plain = batch_normalized(x, {0});
  Random noise(1);
  const at::Tensor one = layer->forward(x, {.training = true, .noise = &noise});
  const at::Tensor two = layer->forward(x, {.training = true, .noise = &noise});
  EXPECT_FALSE(torch::equal(one, two)) << "the same noise twice";
  for (const at::Tensor& y : {one, two}) {
    // y = s x + m with m within 0.6 of 0 and s around 1 to 1.25 (sd 0.1): a line through (plain, y).
    const at::Tensor slope = (plain * y).mean(0), shift = y.mean(0);
    for (std::int64_t j = 0; j < 2; ++j) {
      EXPECT_GT(slope[j].item<float>(), 0.9);
      EXPECT_LT(slope[j].item<float>(), 1.35);
      EXPECT_LT(std::fabs(shift[j].item<float>()), 0.65);
    }
    const at::Tensor residual = y - slope * plain - shift;
    EXPECT_GT(residual.std().item<float>(), 0.05) << "no noise between samples";
    EXPECT_LT(residual.std().item<float>(), 0.2);
  }
  expect_close(layer->forward(x, {.training = true}), plain, "without a source of noise");
}

TEST(RecurrentBatchNormArm, HasStatisticsAndRunningOnesPerStep) {
  TrialSpec spec = trial("batch_recurrent", "lstm", 8);
  const auto input = make_arm({.trial = spec, .features = 4, .rank = 3, .site = Site::kInput, .steps = 3});
  const at::Tensor x = off_centre({8, 3, 4}, 13);
  std::vector<at::Tensor> parameters;
  input->append_parameters(parameters);
  ASSERT_EQ(parameters.size(), 1U);
  expect_alike(
      *input, x, {.training = true}, parameters,
      [&](const at::Tensor& in) { return batch_normalized(in, {0}) * parameters[0]; }, "input path");
  EXPECT_TRUE(torch::equal(parameters[0].detach(), torch::full({4}, 0.1F)));

  const auto hidden = make_arm({.trial = spec, .features = 4, .rank = 2, .site = Site::kHidden, .steps = 3});
  const at::Tensor h = off_centre({8, 4}, 14);
  expect_close(hidden->forward(h, {.training = true, .time_step = 1}), 0.1 * batch_normalized(h, {0}), "hidden path");
  EXPECT_TRUE(torch::equal(hidden->running()->mean[0], torch::zeros({4}))) << "another step's statistics moved";
  expect_close(hidden->running()->mean[1], 0.1 * h.mean(0), "the step's own");
}

// At the cell it has a beta.
TEST(RecurrentBatchNormArm, AtTheCellIsGammaTimesTheNormalizedPlusBeta) {
  TrialSpec spec = trial("batch_recurrent", "lstm", 8);
  const auto cell = make_arm({.trial = spec, .features = 4, .rank = 2, .site = Site::kCell, .steps = 3});
  std::vector<at::Tensor> before;
  cell->append_parameters(before);
  ASSERT_EQ(before.size(), 2U);
  EXPECT_TRUE(torch::equal(before[0].detach(), torch::full({4}, 0.1F)));
  EXPECT_TRUE(torch::equal(before[1].detach(), torch::zeros({4})));
  const auto p = stirred(*cell);
  expect_alike(
      *cell, off_centre({8, 4}, 23), {.training = true, .time_step = 2}, p,
      [&](const at::Tensor& in) { return batch_normalized(in, {0}) * p[0] + p[1]; }, "cell");
}

// Samples of 5, 2, 3 and 4 steps in groups of 2: the last steps are reached by one sample of a group, or by none.
TEST(RecurrentBatchNormArm, TakesAStepsStatisticsOverTheSamplesThatReachIt) {
  TrialSpec spec = trial("batch_recurrent", "lstm", 4);
  const at::Tensor mask = padding_mask();
  at::Tensor x = off_centre({4, 5, 6}, 24);
  x.index_put_({mask.logical_not()}, 1e6F);
  const auto input = make_arm({.trial = spec, .features = 6, .rank = 3, .site = Site::kInput, .steps = 5});
  const auto hidden = make_arm({.trial = spec, .features = 6, .rank = 2, .site = Site::kHidden, .steps = 5});
  std::vector<at::Tensor> parameters;
  input->append_parameters(parameters);
  const auto formula = [&](const at::Tensor& in, std::int64_t t) {
    const at::Tensor here = mask.select(1, t), valid = in.index({here});
    // One sample alone has no variance: the running statistics, of which this is the first step, are 0 and 1.
    const at::Tensor y = valid.size(0) > 1 ? batch_normalized(valid, {0}) : valid / std::sqrt(1 + kArmEps);
    return torch::zeros_like(in).index_put({here}, 0.1 * y);
  };
  const Pass pass{.training = true, .mask = mask};
  const at::Tensor y = input->forward(x, pass);
  for (std::int64_t t = 0; t < 5; ++t) {
    const at::Tensor valid = mask.select(1, t).unsqueeze(1), in = x.select(1, t);
    expect_close(torch::where(valid, y.select(1, t), torch::zeros({1})), formula(in, t), "input path");
    Pass step = pass;
    step.time_step = t;
    expect_close(torch::where(valid, hidden->forward(in, step), torch::zeros({1})), formula(in, t), "hidden path");
    const at::Tensor those = in.index({mask.select(1, t)});
    const bool moved = those.size(0) > 1;
    for (const auto& layer : {&input, &hidden}) {
      expect_close((*layer)->running()->mean[t], moved ? 0.1 * those.mean(0) : torch::zeros({6}), "running mean");
      expect_close((*layer)->running()->variance[t], moved ? 0.9 + 0.1 * those.var(0) : torch::ones({6}),
                   "running variance");
    }
  }
  // A group without statistics takes the running ones, which another group of the same step moves: the gradient is
  // there.
  spec.normalization_batch = 2;
  const auto groups = make_arm({.trial = spec, .features = 6, .rank = 3, .site = Site::kInput, .steps = 5});
  const at::Tensor at_x = off_centre({4, 5, 6}, 25).requires_grad_();
  const at::Tensor gradient = torch::autograd::grad({groups->forward(at_x, pass).pow(2).sum()}, {at_x})[0];
  EXPECT_TRUE(torch::isfinite(gradient).all().item<bool>());
}

TEST(InputBatchNormArm, LeavesTheRecurrentPathAlone) {
  TrialSpec spec = trial("batch_input", "lstm", 8);
  const at::Tensor h = off_centre({8, 4}, 15), x = off_centre({8, 3, 4}, 16);
  const auto hidden = make_arm({.trial = spec, .features = 4, .rank = 2, .site = Site::kHidden, .steps = 3});
  EXPECT_TRUE(torch::equal(hidden->forward(h, {.training = true}), h));
  const auto input = make_arm({.trial = spec, .features = 4, .rank = 3, .site = Site::kInput, .steps = 3});
  expect_close(input->forward(x, {.training = true}), batch_normalized(x, {0, 1}), "input path");
}

TEST(FfnBatchNormArm, AloneNormalizesBetweenTheLinears) {
  const at::Tensor x = off_centre({4, 3, 6}, 17);
  for (const std::string name : {"batch_ffn", "batch_masked"}) {
    TrialSpec spec = trial(name, "transformer", 4);
    const auto layer = make_arm({.trial = spec, .features = 6, .rank = 3, .site = Site::kBetweenLinear});
    const at::Tensor y = layer->forward(x, {.training = true});
    expect_close(y, name == "batch_ffn" ? batch_normalized(x, {0, 1}) : x, name.c_str());
  }
}

TEST(DynamicTanhArm, IsATanhWithASlopeOfItsOwn) {
  TrialSpec spec = trial("dyt", "transformer");
  const auto layer = make_arm({.trial = spec, .features = 6, .rank = 3});
  const auto p = stirred(*layer);  // alpha, gamma, beta
  expect_alike(
      *layer, off_centre({2, 3, 6}, 18), {.training = true}, p,
      [&](const at::Tensor& in) { return p[1] * torch::tanh(p[0] * in) + p[2]; }, "DyT");
}

TEST(SkipInitArm, ScalesEachBranchByANumberThatStartsAtZero) {
  TrialSpec spec = trial("skip_init", "mlp");
  const auto layer = make_arm({.trial = spec, .features = 6, .rank = 2});
  const at::Tensor x = off_centre({2, 6}, 19);
  EXPECT_TRUE(layer->adds_residual());
  EXPECT_TRUE(torch::equal(layer->forward(x, {}), x));
  EXPECT_TRUE(torch::equal(layer->branch(x), torch::zeros_like(x)));
  std::vector<at::Tensor> parameters;
  layer->append_parameters(parameters);
  ASSERT_EQ(parameters.size(), 1U);
  EXPECT_TRUE(torch::equal(torch::autograd::grad({layer->branch(x).sum()}, parameters)[0], x.sum().view({1})));
}

TEST(Arms, SayWhichModelsTheyDoNotGoWith) {
  for (const auto& [arm, kind] : {std::pair("batch_masked", "mlp"), std::pair("batch_recurrent", "cnn"),
                                  std::pair("instance", "mlp"), std::pair("batch", "lstm")}) {
    const TrialSpec spec = trial(arm, kind, find_arm(arm)->uses_batch ? 4 : 0);
    EXPECT_THROW(make_arm({.trial = spec, .features = 4, .rank = 2}), InputError) << arm << " in " << kind;
    EXPECT_FALSE(find_arm(arm)->refusal.empty());
  }
}

}  // namespace
}  // namespace norma::lab::test
