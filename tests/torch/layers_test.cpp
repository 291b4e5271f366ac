// norma::nn against torch::nn: outputs, every gradient, running statistics, train and eval, both memory formats, with
// and without affine parameters, f32, f64, bf16 and f16, those two with parameters of their own type and in f32; the
// state dict both ways.
#include <sstream>
#include <tuple>

#include "compare.h"
#include "norma_torch/nn.h"

namespace norma::test {
namespace {

using at::MemoryFormat;

struct Setting {
  at::ScalarType type;
  at::ScalarType parameters;  // and buffers
  MemoryFormat format;
  bool affine;
};

std::string describe(const Setting& setting) {
  return std::string(c10::toString(setting.type)) + ", parameters " + c10::toString(setting.parameters) +
         (setting.format == MemoryFormat::ChannelsLast ? ", channels last" : ", contiguous") +
         (setting.affine ? ", affine" : ", plain");
}

std::vector<Setting> settings(std::int64_t rank) {
  std::vector<Setting> out;
  const std::vector<std::pair<at::ScalarType, at::ScalarType>> types{
      {torch::kFloat, torch::kFloat},    {torch::kDouble, torch::kDouble}, {torch::kBFloat16, torch::kBFloat16},
      {torch::kBFloat16, torch::kFloat}, {torch::kHalf, torch::kHalf},     {torch::kHalf, torch::kFloat}};
  for (const auto& [type, parameters] : types) {
    for (const auto format : {MemoryFormat::Contiguous, MemoryFormat::ChannelsLast}) {
      if (format == MemoryFormat::ChannelsLast && rank != 4) continue;
      for (const bool affine : {false, true}) out.push_back({type, parameters, format, affine});
    }
  }
  return out;
}

// Both modules get the same random parameters, rounded to ours' type.
template <class Ours, class Theirs>
void randomise(Ours& ours, Theirs& theirs, at::ScalarType type) {
  torch::NoGradGuard no_grad;
  ours->to(type);
  theirs->to(torch::kDouble);
  std::uint64_t seed = 100;
  for (const auto& item : ours->named_parameters()) {
    item.value().copy_(torch::randn(item.value().sizes(), seeded(++seed), torch::kDouble) + 0.5);
    theirs->named_parameters()[item.key()].copy_(item.value());
  }
}

// One batch through both, forwards and backwards.
template <class Ours, class Theirs>
void compare_batch(Ours& ours, Theirs& theirs, at::IntArrayRef sizes, const Setting& setting, std::uint64_t seed) {
  const at::Tensor x = random_input(sizes, setting.type, setting.format, seed).requires_grad_();
  const at::Tensor x64 = x.detach().to(torch::kDouble).requires_grad_();
  const at::Tensor y = ours->forward(x), y64 = theirs->forward(x64);
  const double bound = tolerance(setting.type);
  expect_close(y, y64, bound, "y");
  EXPECT_TRUE(y.is_contiguous(setting.format));

  const at::Tensor dy = random_like(y, seed + 1000);
  std::vector<at::Tensor> inputs{x}, inputs64{x64};
  std::vector<std::string> names{"dx"};
  for (const auto& item : ours->named_parameters()) {
    inputs.push_back(item.value());
    inputs64.push_back(theirs->named_parameters()[item.key()]);
    names.push_back("d" + item.key());
  }
  const auto gradients = torch::autograd::grad({y}, inputs, {dy});
  const auto gradients64 = torch::autograd::grad({y64}, inputs64, {dy.to(torch::kDouble)});
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    expect_close(gradients[i], gradients64[i], 4 * tolerance(gradients[i].scalar_type()), names[i]);
    EXPECT_EQ(gradients[i].scalar_type(), inputs[i].scalar_type()) << names[i];
  }
  EXPECT_TRUE(gradients[0].is_contiguous(setting.format));
}

template <class Ours, class Theirs>
void compare(Ours ours, Theirs theirs, at::IntArrayRef sizes, const Setting& setting) {
  SCOPED_TRACE(describe(setting));
  randomise(ours, theirs, setting.parameters);
  ASSERT_EQ(ours->named_parameters().size(), theirs->named_parameters().size());
  ASSERT_EQ(ours->named_buffers().size(), theirs->named_buffers().size());
  for (std::uint64_t batch = 0; batch < 3; ++batch) {
    SCOPED_TRACE("training, batch " + std::to_string(batch));
    compare_batch(ours, theirs, sizes, setting, 10 * batch + 1);
  }
  for (const auto& item : ours->named_buffers()) {
    // Rounded once a batch.
    expect_close(item.value(), theirs->named_buffers()[item.key()].to(torch::kDouble),
                 3 * tolerance(setting.parameters), item.key());
    EXPECT_TRUE(item.key() == "num_batches_tracked" || item.value().scalar_type() == setting.parameters);
  }
  ours->eval();
  theirs->eval();
  {
    torch::NoGradGuard no_grad;  // the same statistics, as rounded
    for (const auto& item : ours->named_buffers()) theirs->named_buffers()[item.key()].copy_(item.value());
  }
  SCOPED_TRACE("eval");
  compare_batch(ours, theirs, sizes, setting, 77);
}

using torch::nn::BatchNormOptions;
using torch::nn::GroupNormOptions;
using torch::nn::InstanceNormOptions;
using torch::nn::LayerNormOptions;

BatchNormOptions batch_options(std::int64_t features, bool affine) {
  return BatchNormOptions(features).eps(1e-3).momentum(0.2).affine(affine);
}

TEST(BatchNorm, AgreesWithTorchForFeatures) {
  for (const Setting& s : settings(2)) {
    compare(nn::BatchNorm1d(batch_options(7, s.affine)), torch::nn::BatchNorm1d(batch_options(7, s.affine)), {33, 7},
            s);
  }
}

TEST(BatchNorm, AgreesWithTorchForSequences) {
  for (const Setting& s : settings(3)) {
    compare(nn::BatchNorm1d(batch_options(5, s.affine)), torch::nn::BatchNorm1d(batch_options(5, s.affine)), {6, 5, 9},
            s);
  }
}

TEST(BatchNorm, AgreesWithTorchForImages) {
  for (const Setting& s : settings(4)) {
    compare(nn::BatchNorm2d(batch_options(19, s.affine)), torch::nn::BatchNorm2d(batch_options(19, s.affine)),
            {4, 19, 5, 3}, s);
  }
}

TEST(BatchNorm, AgreesWithTorchForACumulativeMean) {
  for (const Setting& s : settings(4)) {
    const auto options = batch_options(6, s.affine).momentum(c10::nullopt);
    compare(nn::BatchNorm2d(options), torch::nn::BatchNorm2d(options), {4, 6, 5, 3}, s);
  }
}

TEST(BatchNorm, AgreesWithTorchWithoutRunningStatistics) {
  for (const Setting& s : settings(4)) {
    const auto options = batch_options(6, s.affine).track_running_stats(false);
    compare(nn::BatchNorm2d(options), torch::nn::BatchNorm2d(options), {4, 6, 5, 3}, s);
  }
}

TEST(InstanceNorm, AgreesWithTorchForSequences) {
  for (const Setting& s : settings(3)) {
    const auto options = InstanceNormOptions(5).affine(s.affine);
    compare(nn::InstanceNorm1d(options), torch::nn::InstanceNorm1d(options), {6, 5, 9}, s);
  }
}

TEST(InstanceNorm, AgreesWithTorchForImages) {
  for (const Setting& s : settings(4)) {
    const auto options = InstanceNormOptions(5).affine(s.affine).eps(1e-3);
    compare(nn::InstanceNorm2d(options), torch::nn::InstanceNorm2d(options), {6, 5, 4, 3}, s);
  }
}

TEST(InstanceNorm, AgreesWithTorchWithRunningStatistics) {
  for (const Setting& s : settings(4)) {
    const auto options = InstanceNormOptions(5).affine(s.affine).track_running_stats(true);
    compare(nn::InstanceNorm2d(options), torch::nn::InstanceNorm2d(options), {6, 5, 4, 3}, s);
  }
}

TEST(InstanceNorm, AgreesWithTorchForOneSampleWithoutABatch) {
  for (const Setting& s : settings(3)) {
    const auto options = InstanceNormOptions(5).affine(s.affine);
    compare(nn::InstanceNorm2d(options), torch::nn::InstanceNorm2d(options), {5, 4, 3}, s);
  }
}

TEST(LayerNorm, AgreesWithTorchOverTheLastAxis) {
  for (const Setting& s : settings(3)) {
    const auto options = LayerNormOptions({17}).elementwise_affine(s.affine);
    compare(nn::LayerNorm(options), torch::nn::LayerNorm(options), {3, 5, 17}, s);
  }
}

TEST(LayerNorm, AgreesWithTorchOverThreeAxes) {
  for (const Setting& s : settings(4)) {
    const auto options = LayerNormOptions({6, 5, 3}).elementwise_affine(s.affine).eps(1e-2);
    compare(nn::LayerNorm(options), torch::nn::LayerNorm(options), {4, 6, 5, 3}, s);
  }
}

TEST(GroupNorm, AgreesWithTorchForFeaturesAndImages) {
  for (const std::int64_t groups : {1, 3, 6}) {
    for (const Setting& s : settings(2)) {
      // 8 values a group and more: with 2, dx is all cancellation and the two differ by that.
      const auto options = GroupNormOptions(groups, 48).affine(s.affine);
      compare(nn::GroupNorm(options), torch::nn::GroupNorm(options), {5, 48}, s);
    }
    for (const Setting& s : settings(4)) {
      const auto options = GroupNormOptions(groups, 12).affine(s.affine);
      compare(nn::GroupNorm(options), torch::nn::GroupNorm(options), {5, 12, 4, 3}, s);
    }
  }
}

// torch 1.13 has no RMSNorm: the formula, in f64.
struct FormulaRmsImpl : torch::nn::Module {
  FormulaRmsImpl(bool affine, double eps_) : eps(eps_) {
    weight = register_parameter("weight", affine ? torch::ones({17}) : at::Tensor(), affine);
  }
  at::Tensor forward(const at::Tensor& x) const {
    const at::Tensor y = x * torch::rsqrt(x.square().mean({-1}, true) + eps);
    return weight.defined() ? y * weight : y;
  }
  double eps;
  at::Tensor weight;
};
TORCH_MODULE(FormulaRms);

TEST(RMSNorm, AgreesWithItsFormula) {
  for (const Setting& s : settings(3)) {
    compare(nn::RMSNorm(nn::RMSNormOptions({17}).elementwise_affine(s.affine).eps(0.1)), FormulaRms(s.affine, 0.1),
            {3, 5, 17}, s);
    const double unit = s.type == torch::kDouble ? 0x1p-52 : 0x1p-23;
    compare(nn::RMSNorm(nn::RMSNormOptions({17}).elementwise_affine(s.affine)), FormulaRms(s.affine, unit), {3, 5, 17},
            s);
  }
}

// ------------------------------------------------------------------------------------------------------------- state

template <class From, class To>
void carry(From& from, To& to) {
  std::stringstream archive;
  torch::save(from, archive);
  torch::load(to, archive);
}

TEST(State, TravelsFromTorchAndBack) {
  torch::nn::BatchNorm2d theirs(batch_options(6, true)), back(batch_options(6, true));
  nn::BatchNorm2d ours(batch_options(6, true));
  nn::BatchNorm2d unused(batch_options(6, true));
  randomise(unused, theirs, torch::kDouble);
  ours->to(torch::kDouble);
  back->to(torch::kDouble);
  theirs->forward(random_input({4, 6, 5, 3}, torch::kDouble, MemoryFormat::Contiguous, 1));
  carry(theirs, ours);
  carry(ours, back);
  for (const auto& item : theirs->named_parameters()) {
    EXPECT_TRUE(torch::equal(ours->named_parameters()[item.key()], item.value())) << item.key();
    EXPECT_TRUE(torch::equal(back->named_parameters()[item.key()], item.value())) << item.key();
  }
  for (const auto& item : theirs->named_buffers()) {
    EXPECT_TRUE(torch::equal(ours->named_buffers()[item.key()], item.value())) << item.key();
    EXPECT_TRUE(torch::equal(back->named_buffers()[item.key()], item.value())) << item.key();
  }
  EXPECT_EQ(back->num_batches_tracked.item<std::int64_t>(), 1);
}

TEST(State, HasTorchsNames) {
  const auto keys = [](const auto& items) {
    std::vector<std::string> out;
    for (const auto& item : items) out.push_back(item.key());
    return out;
  };
  nn::GhostBatchNorm ghost(nn::GhostBatchNormOptions(4, 2));
  torch::nn::BatchNorm1d batch(4);
  EXPECT_EQ(keys(ghost->named_parameters()), keys(batch->named_parameters()));
  EXPECT_EQ(keys(ghost->named_buffers()), keys(batch->named_buffers()));
  EXPECT_EQ(keys(nn::RMSNorm(std::vector<std::int64_t>{4})->named_parameters()), std::vector<std::string>{"weight"});
}

TEST(State, IsClonedWhole) {
  nn::GhostBatchNorm ghost(nn::GhostBatchNormOptions(4, 2).eps(0.25));
  ghost->forward(random_input({6, 4}, torch::kFloat, MemoryFormat::Contiguous, 1));
  const auto copy = std::dynamic_pointer_cast<nn::GhostBatchNormImpl>(ghost->clone());
  ASSERT_TRUE(copy);
  const at::Tensor x = random_input({6, 4}, torch::kFloat, MemoryFormat::Contiguous, 2);
  EXPECT_TRUE(torch::equal(copy->running_mean, ghost->running_mean));
  EXPECT_TRUE(torch::equal(copy->forward(x), ghost->forward(x)));
}

}  // namespace
}  // namespace norma::test
