// BatchNorm folded into torch's layers: one layer gives what the two gave.
#include "norma_torch/fold.h"

#include "compare.h"
#include "norma/error.h"
#include "norma_torch/nn.h"

namespace norma {
namespace {

// A norm that has lived: parameters and running statistics of its own.
template <class Norm>
Norm lived_in(Norm norm, std::uint64_t seed) {
  const auto generator = test::seeded(seed);
  torch::NoGradGuard no_grad;
  norm->weight.copy_(torch::randn(norm->weight.sizes(), generator));
  norm->bias.copy_(torch::randn(norm->bias.sizes(), generator));
  norm->running_mean.copy_(torch::randn(norm->running_mean.sizes(), generator));
  norm->running_var.copy_(torch::rand(norm->running_var.sizes(), generator) + 0.1);
  norm->eval();
  return norm;
}

// Layer and norm beside the layer with what they fold to, in f64: a few hundred products of size 1 to 10 in a sum.
template <class Layer, class Norm>
void expect_same(Layer layer, Norm norm, const at::Tensor& x, int output_axis = 0, std::int64_t groups = 1) {
  torch::NoGradGuard no_grad;
  layer->to(torch::kDouble);
  norm->to(torch::kDouble);
  const at::Tensor want = norm->forward(layer->forward(x));
  const auto [weight, bias] = fold_batch_norm(layer->weight, layer->bias, norm->weight, norm->bias, norm->running_mean,
                                              norm->running_var, norm->options.eps(), output_axis, groups);
  EXPECT_FALSE(weight.requires_grad() || bias.requires_grad());
  EXPECT_EQ(weight.scalar_type(), layer->weight.scalar_type());
  layer->weight.copy_(weight);
  layer->bias = bias;
  EXPECT_LT(test::difference(layer->forward(x), want), 1e-13);
}

TEST(Fold, OfALinearLayerWithoutABiasAndOurNorm) {
  const at::Tensor x = torch::randn({9, 5}, test::seeded(1), torch::kDouble);
  expect_same(torch::nn::Linear(torch::nn::LinearOptions(5, 7).bias(false)), lived_in(nn::BatchNorm1d(7), 2), x);
}

TEST(Fold, OfAConvolutionInGroupsAndTorchsNorm) {
  const at::Tensor x = torch::randn({2, 6, 9, 9}, test::seeded(1), torch::kDouble);
  expect_same(torch::nn::Conv2d(torch::nn::Conv2dOptions(6, 8, 3).groups(2)), lived_in(torch::nn::BatchNorm2d(8), 3),
              x);
}

TEST(Fold, OfATransposedConvolutionInGroupsAndOurNorm) {
  const at::Tensor x = torch::randn({2, 6, 5, 5}, test::seeded(1), torch::kDouble);
  expect_same(torch::nn::ConvTranspose2d(torch::nn::ConvTranspose2dOptions(6, 9, 3).groups(3).bias(false)),
              lived_in(nn::BatchNorm2d(9), 4), x, 1, 3);
}

TEST(Fold, KeepsTheWeightsTypeAndMemoryFormat) {
  const auto norm = lived_in(nn::BatchNorm2d(8), 5);
  const at::Tensor weight = torch::randn({8, 6, 3, 3}, test::seeded(6)).contiguous(at::MemoryFormat::ChannelsLast);
  const auto [folded, bias] =
      fold_batch_norm(weight, {}, {}, {}, norm->running_mean, norm->running_var, norm->options.eps());
  EXPECT_EQ(folded.scalar_type(), torch::kFloat);
  EXPECT_EQ(bias.scalar_type(), torch::kFloat);
  EXPECT_TRUE(folded.is_contiguous(at::MemoryFormat::ChannelsLast));
  const at::Tensor scale = (norm->running_var.to(torch::kDouble) + norm->options.eps()).rsqrt();
  EXPECT_LT(test::difference(folded, weight.to(torch::kDouble) * scale.view({8, 1, 1, 1})), 1e-7);
  EXPECT_THROW(fold_batch_norm(weight, {}, {}, {}, norm->running_mean, norm->running_var, -1.0), Error);
}

}  // namespace
}  // namespace norma
