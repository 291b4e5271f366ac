// What torch's own layers cannot tell: normalization batches, LayerNorm over channels, tensors that lie oddly, graphs
// that need only some gradients, and the errors.
#include <gmock/gmock.h>

#include "compare.h"
#include "norma/error.h"
#include "norma_torch/nn.h"

namespace norma::test {
namespace {

using at::MemoryFormat;
using testing::AllOf;
using testing::HasSubstr;

at::Tensor features(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType type = torch::kDouble) {
  return random_input(sizes, type, MemoryFormat::Contiguous, seed);
}

// --------------------------------------------------------------------------------------------- normalization batches

struct GhostCase {
  std::vector<std::int64_t> sizes;
  std::int64_t normalization_batch;
  MemoryFormat format = MemoryFormat::Contiguous;
};
const std::vector<GhostCase> kGhostCases{{{12, 5}, 2},
                                         {{12, 5}, 4},
                                         {{12, 5}, 12},
                                         {{8, 3, 7}, 2},
                                         {{6, 5, 4, 3}, 1},
                                         {{6, 5, 4, 3}, 3},
                                         {{6, 5, 4, 3}, 2, MemoryFormat::ChannelsLast},
                                         {{6, 5, 4, 3}, 6, MemoryFormat::ChannelsLast}};

TEST(GhostBatchNorm, AgreesWithTorchsBatchNormOverChunks) {
  for (const GhostCase& c : kGhostCases) {
    for (const auto type : {torch::kFloat, torch::kDouble}) {
      SCOPED_TRACE(std::to_string(c.sizes.size()) + "-D in batches of " + std::to_string(c.normalization_batch));
      const std::int64_t channels = c.sizes[1];
      nn::GhostBatchNorm ours(nn::GhostBatchNormOptions(channels, c.normalization_batch).momentum(0.3));
      ours->to(type);
      {
        torch::NoGradGuard no_grad;
        ours->weight.copy_(torch::randn({channels}, seeded(5), torch::kDouble) + 1);
        ours->bias.copy_(torch::randn({channels}, seeded(6), torch::kDouble));
      }
      const at::Tensor weight = ours->weight.detach().to(torch::kDouble).requires_grad_();
      const at::Tensor bias = ours->bias.detach().to(torch::kDouble).requires_grad_();
      const at::Tensor x = random_input(c.sizes, type, c.format, 1).requires_grad_();
      const at::Tensor x64 = x.detach().to(torch::kDouble).requires_grad_();

      std::vector<at::Tensor> parts, means, variances;
      for (const at::Tensor& part : x64.split(c.normalization_batch)) {
        // momentum 1: the running statistics are the chunk's own.
        means.push_back(torch::zeros({channels}, torch::kDouble));
        variances.push_back(torch::ones({channels}, torch::kDouble));
        parts.push_back(torch::batch_norm(part, weight, bias, means.back(), variances.back(), true, 1.0, 1e-5, false));
      }
      const at::Tensor y64 = torch::cat(parts), y = ours->forward(x);
      const double bound = tolerance(type);
      expect_close(y, y64, bound, "y");
      EXPECT_TRUE(y.is_contiguous(c.format));
      expect_close(ours->running_mean, 0.3 * torch::stack(means).mean(0), 4 * bound, "running_mean");
      expect_close(ours->running_var, 0.7 + 0.3 * torch::stack(variances).mean(0), 4 * bound, "running_var");

      const at::Tensor dy = random_like(y, 9);
      const auto ours_gradients = torch::autograd::grad({y}, {x, ours->weight, ours->bias}, {dy});
      const auto gradients = torch::autograd::grad({y64}, {x64, weight, bias}, {dy.to(torch::kDouble)});
      expect_close(ours_gradients[0], gradients[0], 8 * bound, "dx");
      expect_close(ours_gradients[1], gradients[1], 4 * bound, "dweight");
      expect_close(ours_gradients[2], gradients[2], 4 * bound, "dbias");
      EXPECT_TRUE(ours_gradients[0].is_contiguous(c.format));
    }
  }
}

// Directional derivatives by central differences: error O(step^2) + u / step, so 1e-5 leaves about 1e-9.
TEST(GhostBatchNorm, HasTheGradientOfItsOwnDifferences) {
  const at::Tensor x = features({12, 5, 3}, 1).requires_grad_();
  const at::Tensor gamma = (torch::randn({5}, seeded(2), torch::kDouble) + 1).requires_grad_();
  const at::Tensor beta = torch::randn({5}, seeded(3), torch::kDouble).requires_grad_();
  const at::Tensor dy = torch::randn({12, 5, 3}, seeded(4), torch::kDouble);
  const auto loss = [&](const at::Tensor& at_x, const at::Tensor& at_gamma, const at::Tensor& at_beta) {
    return (batch_norm_grouped(at_x, 3, at_gamma, at_beta, {}, {}, true, 0, 1e-2) * dy).sum();
  };
  const auto gradients = torch::autograd::grad({loss(x, gamma, beta)}, {x, gamma, beta});
  torch::NoGradGuard no_grad;
  for (std::uint64_t trial = 0; trial < 20; ++trial) {
    const at::Tensor dx = torch::randn(x.sizes(), seeded(10 + trial), torch::kDouble);
    const at::Tensor dgamma = torch::randn({5}, seeded(50 + trial), torch::kDouble);
    const at::Tensor dbeta = torch::randn({5}, seeded(90 + trial), torch::kDouble);
    const double step = 1e-5;
    const double slope = ((loss(x + step * dx, gamma + step * dgamma, beta + step * dbeta) -
                           loss(x - step * dx, gamma - step * dgamma, beta - step * dbeta)) /
                          (2 * step))
                             .item<double>();
    const double expected =
        ((gradients[0] * dx).sum() + (gradients[1] * dgamma).sum() + (gradients[2] * dbeta).sum()).item<double>();
    EXPECT_NEAR(slope, expected, 1e-7 * (1 + std::abs(expected)));
  }
}

TEST(GhostBatchNorm, OfTheWholeBatchIsBatchNormBitByBit) {
  const at::Tensor x = features({12, 5, 4, 3}, 1, torch::kFloat);
  nn::GhostBatchNorm ghost(nn::GhostBatchNormOptions(5, 12));
  nn::BatchNorm2d batch(5);
  EXPECT_TRUE(torch::equal(ghost->forward(x), batch->forward(x)));
  EXPECT_TRUE(torch::equal(ghost->running_mean, batch->running_mean));
  EXPECT_TRUE(torch::equal(ghost->running_var, batch->running_var));
}

TEST(GhostBatchNorm, TakesAnyBatchInEvaluation) {
  nn::GhostBatchNorm ghost(nn::GhostBatchNormOptions(5, 4));
  ghost->forward(features({8, 5}, 1, torch::kFloat));
  ghost->eval();
  const at::Tensor x = features({7, 5}, 2, torch::kFloat);
  const at::Tensor expected =
      torch::batch_norm(x, {}, {}, ghost->running_mean, ghost->running_var, false, 0, 1e-5, false);
  expect_close(ghost->forward(x), expected.to(torch::kDouble), 1e-6, "y");
}

// ------------------------------------------------------------------------------------------------- oddly lying tensors

TEST(ChannelNorm, IsLayerNormOverChannelsAtEachPosition) {
  for (const auto format : {MemoryFormat::Contiguous, MemoryFormat::ChannelsLast}) {
    const at::Tensor x = random_input({3, 6, 4, 5}, torch::kDouble, format, 1).requires_grad_();
    const at::Tensor gamma = torch::randn({6}, seeded(2), torch::kDouble).requires_grad_();
    const at::Tensor beta = torch::randn({6}, seeded(3), torch::kDouble).requires_grad_();
    const at::Tensor y = std::get<0>(normalize(x, gamma, beta, channel_normalization(1e-5)));
    const at::Tensor expected =
        torch::layer_norm(x.permute({0, 2, 3, 1}), {6}, gamma, beta, 1e-5).permute({0, 3, 1, 2});
    expect_close(y, expected, 256 * 0x1p-53, "y");
    EXPECT_TRUE(y.is_contiguous(format));
    const at::Tensor dy = random_like(y, 4);
    const auto got = torch::autograd::grad({y}, {x, gamma, beta}, {dy});
    const auto want = torch::autograd::grad({expected}, {x, gamma, beta}, {dy});
    for (std::size_t i = 0; i < 3; ++i) expect_close(got[i], want[i], 1024 * 0x1p-53, std::to_string(i));
  }
}

TEST(MemoryFormat, AnythingElseGivesTheSameNumbers) {
  nn::BatchNorm2d layer(torch::nn::BatchNormOptions(6).track_running_stats(false));
  const at::Tensor base = features({4, 6, 5, 8}, 1, torch::kFloat);
  const std::vector<at::Tensor> views{base.slice(3, 1, 7), base.slice(3, 0, 8, 2), base.transpose(2, 3),
                                      base.slice(0, 1, 3), base.contiguous(MemoryFormat::ChannelsLast).slice(2, 1, 4)};
  for (const at::Tensor& view : views) {
    const at::Tensor x = view.detach().requires_grad_(), dense = view.detach().contiguous().requires_grad_();
    const at::Tensor y = layer->forward(x), expected = layer->forward(dense);
    EXPECT_TRUE(torch::equal(y, expected));
    // A cotangent that lies differently from y as well.
    const at::Tensor dy = random_like(y, 2).transpose(0, 1).contiguous().transpose(0, 1);
    EXPECT_TRUE(torch::equal(torch::autograd::grad({y}, {x}, {dy})[0],
                             torch::autograd::grad({expected}, {dense}, {dy.contiguous()})[0]));
  }
}

TEST(MemoryFormat, AnExpandedCotangentIsTaken) {
  nn::LayerNorm layer(std::vector<std::int64_t>{5});
  const at::Tensor x = features({3, 5}, 1, torch::kFloat).requires_grad_();
  layer->forward(x).sum().backward();
  expect_close(layer->bias.grad(), torch::full({5}, 3, torch::kDouble), 1e-7, "dbias");
}

// ---------------------------------------------------------------------------------------------------------- gradients

TEST(Gradients, AreGivenToThoseWhoNeedThem) {
  nn::BatchNorm1d layer(5);
  layer->weight.requires_grad_(false);
  const at::Tensor x = features({8, 5}, 1, torch::kFloat);
  const at::Tensor dy = random_like(x, 2);
  layer->forward(x).backward(dy);
  EXPECT_FALSE(layer->weight.grad().defined());
  expect_close(layer->bias.grad(), dy.to(torch::kDouble).sum(0), 1e-6, "dbias");
  torch::NoGradGuard no_grad;
  EXPECT_FALSE(layer->forward(x).requires_grad());
}

TEST(Gradients, NoticeRunningStatisticsThatMovedMeanwhile) {
  nn::BatchNorm1d layer(5);
  layer->eval();
  const at::Tensor x = features({8, 5}, 1, torch::kFloat).requires_grad_();
  const at::Tensor y = layer->forward(x);
  layer->train();
  layer->forward(x.detach());
  EXPECT_THAT(error_of([&] { y.backward(random_like(y, 2)); }), HasSubstr("modified by an inplace operation"));
}

// ------------------------------------------------------------------------------------------------------ edges, errors

TEST(Empty, BatchesGiveEmptyResultsAndMoveNothing) {
  nn::BatchNorm2d layer(3);
  const at::Tensor x = torch::empty({0, 3, 4, 4}).requires_grad_();
  const at::Tensor y = layer->forward(x);
  EXPECT_EQ(y.sizes(), x.sizes());
  y.backward(torch::empty_like(y));
  EXPECT_TRUE(torch::equal(layer->running_mean, torch::zeros({3})));
  EXPECT_TRUE(torch::equal(layer->running_var, torch::ones({3})));
  EXPECT_EQ(layer->num_batches_tracked.item<std::int64_t>(), 0);
}

TEST(Errors, OneValuePerStatisticInTraining) {
  nn::BatchNorm1d batch(5);
  EXPECT_THAT(error_of([&] {
                batch->forward(torch::zeros({1, 5}));
              }),
              AllOf(HasSubstr("[batch_norm]"), HasSubstr("more than one value"), HasSubstr("(1, 5)")));
  nn::GhostBatchNorm ghost(nn::GhostBatchNormOptions(5, 1));
  EXPECT_THAT(error_of([&] { ghost->forward(torch::zeros({8, 5})); }), HasSubstr("more than one value"));
  EXPECT_TRUE(torch::equal(ghost->running_mean, torch::zeros({5})));
  nn::InstanceNorm2d instance(3);
  EXPECT_THAT(error_of([&] { instance->forward(torch::zeros({2, 3, 1, 1})); }), HasSubstr("more than one value"));
  batch->eval();
  EXPECT_NO_THROW(batch->forward(torch::zeros({1, 5})));
}

TEST(Errors, OneValuePerStatisticInPartsOfABatch) {
  const auto refusal = [](const at::Tensor& x, const Normalization& how) {
    return error_of([&] { normalize(x, {}, {}, how); });
  };
  EXPECT_THAT(refusal(torch::zeros({8, 5}), batch_normalization(2, 1e-5, 8)),
              AllOf(HasSubstr("[batch_norm]"), HasSubstr("more than 1 value per statistic"), HasSubstr("(8, 5) in 8")));
  const at::Tensor image = torch::zeros({4, 3, 1, 2}).contiguous(MemoryFormat::ChannelsLast);
  EXPECT_EQ(refusal(image, batch_normalization(4, 1e-5, 4)), "no error");
  EXPECT_THAT(refusal(image.narrow(3, 0, 1), batch_normalization(4, 1e-5, 4)), HasSubstr("more than 1 value"));
  EXPECT_EQ(refusal(torch::zeros({8, 5}), batch_normalization(2, 1e-5, 4)), "no error");
}

// An axis counted from the end must not land elsewhere when the batch is split and gets an axis more.
TEST(Errors, AxesOfASplitBatchAreThoseOfTheWhole) {
  for (const auto format : {MemoryFormat::Contiguous, MemoryFormat::ChannelsLast}) {
    const at::Tensor x = random_input({6, 5, 4, 3}, torch::kFloat, format, 1);
    Normalization how = batch_normalization(4, 1e-5, 3);
    const at::Tensor y = std::get<0>(normalize(x, {}, {}, how));
    how.statistics = {-4, -2, -1};
    how.affine = {-3};
    EXPECT_TRUE(torch::equal(std::get<0>(normalize(x, {}, {}, how)), y));
    for (const std::int64_t axis : {-5, 4}) {
      how.statistics = {0, axis};
      EXPECT_THAT(error_of([&] { normalize(x, {}, {}, how); }),
                  AllOf(HasSubstr("(6, 5, 4, 3)"), HasSubstr("got " + std::to_string(axis))));
    }
  }
}

// A refused batch leaves no trace: not in the count either, from which the cumulative mean takes its weight.
TEST(Errors, MoveNoState) {
  const at::Tensor x = features({6, 5}, 1, torch::kFloat);
  const auto options = nn::GhostBatchNormOptions(5, 3).momentum(c10::nullopt);
  nn::GhostBatchNorm layer(options), untroubled(options);
  EXPECT_THAT(error_of([&] { layer->forward(torch::zeros({8, 5})); }), HasSubstr("divisor of the batch"));
  EXPECT_EQ(layer->num_batches_tracked.item<std::int64_t>(), 0);
  layer->forward(x);
  untroubled->forward(x);
  EXPECT_EQ(layer->num_batches_tracked.item<std::int64_t>(), 1);
  EXPECT_TRUE(torch::equal(layer->running_mean, untroubled->running_mean));
  EXPECT_TRUE(torch::equal(layer->running_var, untroubled->running_var));
  nn::BatchNorm1d batch(5);
  EXPECT_THAT(error_of([&] { batch->forward(torch::zeros({1, 5})); }), HasSubstr("more than one value"));
  EXPECT_EQ(batch->num_batches_tracked.item<std::int64_t>(), 0);
}

TEST(Errors, ShapesThatDoNotFit) {
  EXPECT_THAT(error_of([] {
                nn::BatchNorm1d(5)->forward(torch::zeros({4, 6}));
              }),
              AllOf(HasSubstr("5 features"), HasSubstr("[4, 6]")));
  EXPECT_THAT(error_of([] { nn::BatchNorm1d(5)->forward(torch::zeros({4, 5, 3, 3})); }), HasSubstr("(N,C) or (N,C,L)"));
  EXPECT_THAT(error_of([] { nn::BatchNorm2d(5)->forward(torch::zeros({4, 5})); }), HasSubstr("(N,C,H,W)"));
  EXPECT_THAT(error_of([] {
                nn::LayerNorm(std::vector<std::int64_t>{5})->forward(torch::zeros({4, 6}));
              }),
              AllOf(HasSubstr("[layer_norm]"), HasSubstr("[4, 6]")));
  EXPECT_THAT(error_of([] { nn::GroupNorm(5, 12); }), AllOf(HasSubstr("[group_norm]"), HasSubstr("divisor of 12")));
  EXPECT_THAT(error_of([] {
                nn::GhostBatchNorm(nn::GhostBatchNormOptions(5, 3))->forward(torch::zeros({8, 5}));
              }),
              AllOf(HasSubstr("divisor of the batch, 8"), HasSubstr("got 3")));
  EXPECT_THAT(error_of([] { nn::GhostBatchNorm(nn::GhostBatchNormOptions(5, 0)); }), HasSubstr("at least 1"));
  EXPECT_THAT(error_of([] {
                normalize(torch::zeros({4, 6}), torch::ones({5}), {}, layer_normalization(2, 1, 1e-5));
              }),
              AllOf(HasSubstr("[layer_norm]"), HasSubstr("(6)"), HasSubstr("(5)")));
}

TEST(Errors, TypesThatDoNotFit) {
  EXPECT_THAT(error_of([] {
                normalize(torch::zeros({4, 6}, torch::kLong), {}, {}, layer_normalization(2, 1, 1e-5));
              }),
              HasSubstr("expected f32, f64, bf16 or f16"));
  EXPECT_THAT(error_of([] {
                normalize(torch::zeros({4, 6}), torch::ones({6}, torch::kDouble), {}, layer_normalization(2, 1, 1e-5));
              }),
              AllOf(HasSubstr("gamma"), HasSubstr("f64")));
}

TEST(Operators, AreRegistered) {
  for (const char* name : {"norma::normalize", "norma::normalize_backward", "norma::normalize_with",
                           "norma::normalize_with_backward", "norma::update_running_"}) {
    EXPECT_TRUE(c10::Dispatcher::singleton().findSchema({name, ""}).has_value()) << name;
  }
}

}  // namespace
}  // namespace norma::test
