// Masks in torch: against a plain formulation in torch's own operators, in f64, on the valid elements packed; its
// gradients are autograd's.
#include <gmock/gmock.h>

#include <limits>

#include "compare.h"
#include "norma/error.h"
#include "norma_torch/ops.h"

namespace norma::test {
namespace {

using at::MemoryFormat;
using at::indexing::Slice;
using testing::AllOf;
using testing::HasSubstr;

constexpr double kEps = 1e-3;

// Which of (N, positions...) count: about seven in ten, never fewer than two a sample.
at::Tensor random_mask(at::IntArrayRef sizes, std::uint64_t seed) {
  at::Tensor mask = torch::rand(sizes, seeded(seed)) < 0.7;
  mask.view({sizes[0], -1}).index_put_({Slice(), Slice(0, 2)}, true);
  return mask;
}

// NaN wherever the mask, which has a 1 for the features, does not count.
at::Tensor spoiled(const at::Tensor& x, const at::Tensor& mask) {
  return x.masked_fill(mask.logical_not(), std::numeric_limits<double>::quiet_NaN());
}

struct Moved {
  at::Tensor y, mean, variance;
};

// x: (N,C,...), mask: (N,...). BatchNorm over the valid rows of every group of samples; the running statistics' targets
// by the rule of norma::update_running.
Moved plain_batch_norm(const at::Tensor& x, const at::Tensor& gamma, const at::Tensor& beta, const at::Tensor& mask,
                       std::int64_t normalization_batch) {
  const at::Tensor last = x.movedim(1, -1);
  std::vector<at::Tensor> parts;
  at::Tensor sum = torch::zeros({x.size(1)}, torch::kDouble), squares = sum.clone();
  double values = 0, freedom = 0;
  for (std::int64_t first = 0; first < x.size(0); first += normalization_batch) {
    const at::Tensor part_mask = mask.narrow(0, first, normalization_batch);
    const at::Tensor part = last.narrow(0, first, normalization_batch);
    const at::Tensor rows = part.index({part_mask});
    const at::Tensor distance = rows - rows.mean(0);
    const at::Tensor normalized = distance / (distance.square().mean(0) + kEps).sqrt();
    parts.push_back(torch::zeros_like(part).index_put({part_mask}, normalized * gamma + beta));
    sum += rows.detach().sum(0);
    squares += distance.detach().square().sum(0);
    values += static_cast<double>(rows.size(0));
    freedom += static_cast<double>(rows.size(0) - 1);
  }
  return {torch::cat(parts).movedim(-1, 1), sum / values, squares / freedom};
}

struct MaskedCase {
  std::vector<std::int64_t> sizes;
  std::int64_t normalization_batch;
  MemoryFormat format = MemoryFormat::Contiguous;
  bool sequence = false;  // lies as (N,T,C)
};
const std::vector<MaskedCase> kCases{{{8, 5, 7}, 8},
                                     {{8, 5, 7}, 2},
                                     {{8, 5, 7}, 4, MemoryFormat::Contiguous, true},
                                     {{6, 16, 9}, 6, MemoryFormat::Contiguous, true},
                                     {{6, 5, 4, 3}, 6},
                                     {{6, 5, 4, 3}, 2},
                                     {{6, 5, 4, 3}, 3, MemoryFormat::ChannelsLast},
                                     {{6, 5, 4, 3}, 1, MemoryFormat::ChannelsLast}};

TEST(MaskedBatchNorm, AgreesWithPlainTorchOnTheValidElements) {
  for (const MaskedCase& c : kCases) {
    for (const auto type : {torch::kFloat, torch::kDouble}) {
      SCOPED_TRACE(std::to_string(c.sizes.size()) + "-D in batches of " + std::to_string(c.normalization_batch));
      const std::int64_t channels = c.sizes[1];
      std::vector<std::int64_t> positions(c.sizes);
      positions.erase(positions.begin() + 1);
      const at::Tensor mask = random_mask(positions, 7);
      at::Tensor values = spoiled(random_input(c.sizes, type, c.format, 1), mask.unsqueeze(1));
      if (c.sequence) values = values.transpose(1, 2).contiguous().transpose(1, 2);
      const at::Tensor x = values.detach().requires_grad_(), x64 = values.to(torch::kDouble).requires_grad_();
      const at::Tensor gamma = (torch::randn({channels}, seeded(2)) + 1).to(type).requires_grad_();
      const at::Tensor beta = torch::randn({channels}, seeded(3)).to(type).requires_grad_();
      const at::Tensor gamma64 = gamma.detach().to(torch::kDouble).requires_grad_();
      const at::Tensor beta64 = beta.detach().to(torch::kDouble).requires_grad_();
      const at::Tensor mean = torch::zeros({channels}, type), variance = torch::ones({channels}, type);

      const Moved want = plain_batch_norm(x64, gamma64, beta64, mask, c.normalization_batch);
      const at::Tensor y =
          batch_norm_grouped(x, c.normalization_batch, gamma, beta, mean, variance, true, 0.3, kEps, mask);
      const double bound = 2 * tolerance(type);
      expect_close(y, want.y, bound, "y");
      EXPECT_EQ(y.strides(), x.strides());
      expect_close(mean, 0.3 * want.mean, 4 * bound, "running_mean");
      expect_close(variance, 0.7 + 0.3 * want.variance, 4 * bound, "running_var");

      const at::Tensor dy = spoiled(random_like(y, 9), mask.unsqueeze(1).expand_as(y));
      const auto got = torch::autograd::grad({y}, {x, gamma, beta}, {dy});
      const auto plain = torch::autograd::grad({want.y}, {x64, gamma64, beta64}, {dy.to(torch::kDouble)});
      expect_close(got[0], plain[0], 8 * bound, "dx");
      expect_close(got[1], plain[1], 8 * bound, "dgamma");
      expect_close(got[2], plain[2], 8 * bound, "dbeta");
    }
  }
}

// Every sample by itself: the valid steps of one sample, normalized by torch.
TEST(MaskedNormalize, AgreesWithTorchSampleBySample) {
  const at::Tensor mask = random_mask({4, 9}, 1);
  const at::Tensor gamma = torch::randn({6}, seeded(2), torch::kDouble).requires_grad_();
  const at::Tensor beta = torch::randn({6}, seeded(3), torch::kDouble).requires_grad_();
  for (const std::int64_t groups : {1, 2, 6}) {
    for (const bool sequence : {false, true}) {
      at::Tensor values =
          spoiled(random_input({4, 6, 9}, torch::kDouble, MemoryFormat::Contiguous, 4), mask.unsqueeze(1));
      if (sequence) values = values.transpose(1, 2).contiguous().transpose(1, 2);
      const at::Tensor x = values.detach().requires_grad_();
      const at::Tensor y = std::get<0>(normalize(x, gamma, beta, group_normalization(3, groups, kEps), mask));
      std::vector<at::Tensor> samples;
      for (std::int64_t n = 0; n < 4; ++n) {
        const at::Tensor steps = mask[n].nonzero().squeeze(1);
        const at::Tensor packed = x[n].index_select(1, steps).unsqueeze(0);
        samples.push_back(torch::zeros_like(x[n]).index_copy(
            1, steps, torch::group_norm(packed, groups, gamma, beta, kEps, false).squeeze(0)));
      }
      const at::Tensor want = torch::stack(samples);
      expect_close(y, want, tolerance(torch::kDouble), "y");
      const at::Tensor dy = random_like(y, 9);
      const auto got = torch::autograd::grad({y}, {x, gamma, beta}, {dy});
      const auto plain = torch::autograd::grad({want}, {x, gamma, beta}, {dy});
      expect_close(got[0], plain[0], 8 * tolerance(torch::kDouble), "dx");
      expect_close(got[1], plain[1], 8 * tolerance(torch::kDouble), "dgamma");
      expect_close(got[2], plain[2], 8 * tolerance(torch::kDouble), "dbeta");
    }
  }
}

TEST(MaskedNormalize, OfRowsAgreesWithTorchsLayerNormOnTheValidOnes) {
  const at::Tensor mask = random_mask({4, 9}, 1);
  const at::Tensor x =
      spoiled(random_input({4, 9, 6}, torch::kDouble, MemoryFormat::Contiguous, 4), mask.unsqueeze(2)).requires_grad_();
  const at::Tensor gamma = torch::randn({6}, seeded(2), torch::kDouble).requires_grad_();
  auto [y, mean, rstd] = normalize(x, gamma, {}, layer_normalization(3, 1, kEps), mask);
  const at::Tensor want =
      torch::zeros_like(x).index_put({mask}, torch::layer_norm(x.index({mask}), {6}, gamma, {}, kEps, false));
  expect_close(y, want, tolerance(torch::kDouble), "y");
  EXPECT_TRUE(torch::equal(mean == 0, mask.logical_not()));
  EXPECT_TRUE(torch::equal(rstd == 0, mask.logical_not()));
  const at::Tensor dy = random_like(y, 9);
  const auto got = torch::autograd::grad({y}, {x, gamma}, {dy});
  const auto plain = torch::autograd::grad({want}, {x, gamma}, {dy});
  expect_close(got[0], plain[0], 8 * tolerance(torch::kDouble), "dx");
  expect_close(got[1], plain[1], 8 * tolerance(torch::kDouble), "dgamma");
}

TEST(MaskedNormalizeWith, AgreesWithPlainTorch) {
  const at::Tensor mask = random_mask({4, 9}, 1);
  const at::Tensor x =
      spoiled(random_input({4, 6, 9}, torch::kDouble, MemoryFormat::Contiguous, 4), mask.unsqueeze(1)).requires_grad_();
  const at::Tensor gamma = torch::randn({6}, seeded(2), torch::kDouble).requires_grad_();
  const at::Tensor mean = torch::randn({6}, seeded(3), torch::kDouble);
  const at::Tensor variance = torch::rand({6}, seeded(5), torch::kDouble) + 0.5;
  const at::Tensor y = batch_norm_grouped(x, 2, gamma, {}, mean, variance, /*training=*/false, 0.1, kEps, mask);
  const at::Tensor rows = x.transpose(1, 2).index({mask});
  const at::Tensor want = torch::zeros({4, 9, 6}, torch::kDouble)
                              .index_put({mask}, (rows - mean) / (variance + kEps).sqrt() * gamma)
                              .transpose(1, 2);
  expect_close(y, want, tolerance(torch::kDouble), "y");
  const at::Tensor dy = random_like(y, 9);
  const auto got = torch::autograd::grad({y}, {x, gamma}, {dy});
  const auto plain = torch::autograd::grad({want}, {x, gamma}, {dy});
  expect_close(got[0], plain[0], tolerance(torch::kDouble), "dx");
  expect_close(got[1], plain[1], tolerance(torch::kDouble), "dgamma");
}

TEST(Masks, ThatMaskNothingGiveTheBitsOfNoMask) {
  const at::Tensor x = random_input({8, 5, 7}, torch::kFloat, MemoryFormat::Contiguous, 1);
  const at::Tensor mean = torch::zeros({5}), variance = torch::ones({5}), other_mean = mean.clone(),
                   other_variance = variance.clone();
  const at::Tensor ones = torch::ones({8, 7}, torch::kBool);
  for (const std::int64_t batch : {8, 2}) {
    EXPECT_TRUE(torch::equal(batch_norm_grouped(x, batch, {}, {}, mean, variance, true, 0.1, kEps),
                             batch_norm_grouped(x, batch, {}, {}, other_mean, other_variance, true, 0.1, kEps, ones)));
    EXPECT_TRUE(torch::equal(mean, other_mean));
    EXPECT_TRUE(torch::equal(variance, other_variance));
  }
}

TEST(Masks, ComeInAnyFormThatMeansTheSame) {
  const at::Tensor mask = random_mask({4, 9}, 1);
  const at::Tensor x = random_input({4, 6, 9}, torch::kFloat, MemoryFormat::Contiguous, 4);
  for (const std::int64_t parts : {1, 2}) {
    for (const bool sequence : {false, true}) {
      const at::Tensor in = sequence ? x.transpose(1, 2).contiguous().transpose(1, 2) : x;
      const Normalization how = batch_normalization(3, kEps, parts);
      const at::Tensor want = std::get<0>(normalize(in, {}, {}, how, mask));
      for (const at::Tensor& same : {mask.unsqueeze(1), mask.to(torch::kByte) * 7, mask.t().contiguous().t(),
                                     torch::cat({mask, mask}, 1).slice(1, 0, 9)}) {
        EXPECT_TRUE(torch::equal(std::get<0>(normalize(in, {}, {}, how, same)), want));
      }
      // One value for all of a sample; one for a step in all samples.
      const at::Tensor samples = torch::tensor({true, true, true, false}).view({4, 1});
      if (parts == 1) {
        EXPECT_TRUE(torch::equal(std::get<0>(normalize(in, {}, {}, how, samples)).narrow(0, 0, 3),
                                 std::get<0>(normalize(in.narrow(0, 0, 3), {}, {}, how))));
      }
      const at::Tensor steps = torch::arange(9).view({1, 9}) != 5;
      EXPECT_TRUE(torch::equal(std::get<0>(normalize(in, {}, {}, how, steps)),
                               std::get<0>(normalize(in, {}, {}, how, steps.expand({4, 9}).contiguous()))));
    }
  }
}

TEST(Masks, CountWhatIsValid) {
  const at::Tensor mask = torch::tensor({1, 1, 1, 0, 0, 1, 1, 0}, torch::kByte).view({4, 2});
  const at::Tensor x = torch::zeros({4, 3, 2});
  EXPECT_TRUE(
      torch::equal(valid_counts(x, batch_normalization(3, kEps), mask), torch::tensor({5, 5, 5}, torch::kLong)));
  EXPECT_TRUE(torch::equal(valid_counts(x, batch_normalization(3, kEps, 2), mask),
                           torch::tensor({3, 3, 3, 2, 2, 2}, torch::kLong).view({2, 3})));
  EXPECT_TRUE(torch::equal(valid_counts(x, batch_normalization(3, kEps), {}), torch::tensor({8, 8, 8}, torch::kLong)));
}

TEST(Masks, ThatChangedMeanwhileAreNoticed) {
  const at::Tensor mask = random_mask({4, 9}, 1);
  const at::Tensor x = random_input({4, 6, 9}, torch::kFloat, MemoryFormat::Contiguous, 4).requires_grad_();
  const at::Tensor y = std::get<0>(normalize(x, {}, {}, batch_normalization(3, kEps), mask));
  mask.fill_(true);
  try {
    y.backward(random_like(y, 2));
    ADD_FAILURE() << "no error";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), HasSubstr("modified by an inplace operation"));
  }
}

TEST(MaskErrors, NameWhatWasExpected) {
  const at::Tensor x = torch::zeros({4, 6, 9});
  const auto refusal = [&](const at::Tensor& mask, const Normalization& how) {
    return error_of([&] { normalize(x, {}, {}, how, mask); });
  };
  for (const std::int64_t parts : {1, 2}) {
    const Normalization how = batch_normalization(3, kEps, parts);
    EXPECT_THAT(refusal(torch::ones({4, 6}, torch::kBool), how),
                AllOf(HasSubstr("[batch_norm] mask"), HasSubstr("(4, 6, 9)"), HasSubstr("got (4, 6)")));
    EXPECT_THAT(refusal(torch::ones({4}, torch::kBool), how), HasSubstr("got (4)"));
    EXPECT_THAT(refusal(torch::ones({2, 1, 9}, torch::kBool), how), HasSubstr("got (2, 1, 9)"));
    EXPECT_THAT(refusal(torch::ones({4, 9}), how), AllOf(HasSubstr("bool or uint8"), HasSubstr("Float")));
    EXPECT_THAT(refusal(torch::zeros({4, 9}, torch::kBool), how),
                AllOf(HasSubstr("more than 1 valid value per statistic"), HasSubstr("got 0")));
  }
  // LayerNorm over two axes: which of them would be the features?
  EXPECT_THAT(refusal(torch::ones({4, 9}, torch::kBool), layer_normalization(3, 2, kEps)), HasSubstr("got (4, 9)"));
}

// One normalization batch of the two has a single valid value: nothing moves.
TEST(MaskErrors, MoveNoState) {
  const at::Tensor x = random_input({4, 6, 2}, torch::kFloat, MemoryFormat::Contiguous, 4);
  const at::Tensor mask = torch::tensor({1, 1, 1, 0, 0, 0, 1, 0}, torch::kByte).view({4, 2});
  const at::Tensor mean = torch::zeros({6}), variance = torch::ones({6});
  EXPECT_THAT(error_of([&] { batch_norm_grouped(x, 2, {}, {}, mean, variance, true, 0.1, kEps, mask); }),
              AllOf(HasSubstr("more than 1 valid value"), HasSubstr("got 1"), HasSubstr("2 normalization batches")));
  EXPECT_THAT(error_of([&] {
                batch_norm_grouped(x, 4, {}, {}, mean, variance, true, 0.1, kEps, torch::ones({4, 6, 2}, torch::kBool));
              }),
              AllOf(HasSubstr("one value for all features"), HasSubstr("(4, 6, 2)")));
  EXPECT_TRUE(torch::equal(mean, torch::zeros({6})));
  EXPECT_TRUE(torch::equal(variance, torch::ones({6})));
}

}  // namespace
}  // namespace norma::test
