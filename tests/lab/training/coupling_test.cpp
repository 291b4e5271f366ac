// What the probes of samples' coupling and of invariances measure on whole networks, where the answer is known.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <map>
#include <string>
#include <tuple>

#include "lab/probes/probe.h"
#include "trials.h"

namespace norma::lab::test {
namespace {

// A network before any training, and its first minibatch.
struct Fresh {
  explicit Fresh(const TrialSpec& spec, const Dataset& of = data())
      : trial(spec),
        batcher(of),
        network(make_network(trial, of)),
        samples(batcher.take(std::span(of.train).first(64))) {}

  Update update() const {
    return {.network = *network, .samples = samples, .noise = Random(3), .before = {}, .gradients = {}};
  }

  std::map<std::string, double> measured(const std::string& probe) const {
    const auto one = make_probe(probe, trial);
    one->updated(update());
    std::map<std::string, double> measures;
    one->finished(*network, batcher, measures);
    return measures;
  }
  double coupling() const { return measured("sample_coupling").at("sample_coupling"); }

  TrialSpec trial;
  Batcher batcher;
  std::unique_ptr<Network> network;
  Labelled samples;
};

TEST(SampleCoupling, IsNoneWhereNothingIsSharedOverTheBatch) {
  for (const char* arm : {"none", "layer", "rms", "group", "dyt", "skip_init"}) {
    EXPECT_EQ(Fresh(mlp_trial(arm)).coupling(), 0) << arm;
  }
  for (const char* arm : {"layer", "layer_chw", "instance"}) EXPECT_EQ(Fresh(cnn_trial(arm)).coupling(), 0) << arm;
  for (const char* kind : {"lstm", "gru", "rnn"}) EXPECT_EQ(Fresh(lstm_trial(kind, "layer"), rows()).coupling(), 0);
  EXPECT_EQ(Fresh(encoder_trial("layer"), rows()).coupling(), 0);
  EXPECT_EQ(Fresh(token_trial("layer"), operations()).coupling(), 0);
  for (const char* kind : {"lstm", "gru", "rnn"}) {
    EXPECT_EQ(Fresh(recurrent_token_trial(kind, "layer"), operations()).coupling(), 0) << kind;
  }
}

TEST(SampleCoupling, IsThereInEveryArmThatSharesOverTheBatch) {
  const auto expect_coupled = [](const Fresh& fresh) {
    EXPECT_GT(fresh.coupling(), 0.005) << fresh.trial.model.kind << " " << fresh.trial.arm;
    EXPECT_LT(fresh.coupling(), 0.9) << fresh.trial.model.kind << " " << fresh.trial.arm;
  };
  for (const char* arm : {"batch", "batch_precise", "batch_test", "batch_renorm", "batch_noise"}) {
    expect_coupled(Fresh(mlp_trial(arm, 8)));
  }
  expect_coupled(Fresh(cnn_trial("batch", 8)));
  expect_coupled(Fresh(lstm_trial("lstm", "batch_recurrent", 8), rows()));
  expect_coupled(Fresh(lstm_trial("gru", "batch_input", 8), rows()));
  expect_coupled(Fresh(encoder_trial("batch_masked", 8), rows()));
  expect_coupled(Fresh(token_trial("batch_masked", 8), operations()));
  expect_coupled(Fresh(recurrent_token_trial("lstm", "batch_recurrent", 8), operations()));
  expect_coupled(Fresh(recurrent_token_trial("gru", "batch_input", 8), operations()));
}

// logits = V diag(gamma rstd) (h - mean) with h = W x has the Jacobian V diag(gamma rstd) D W, where, for samples i and
// j of one group of k, D = 1[i=j] - (1 + xhat_i xhat_j) / k unit by unit, and between groups 0.
TEST(SampleCoupling, IsThatOfBatchNormsJacobianWithinTheNormalizationBatch) {
  constexpr std::int64_t kTogether = 8;
  TrialSpec spec = mlp_trial("batch", kTogether);
  spec.model.kind = "linear";
  spec.model.activation = "linear";
  spec.model.depth = 1;
  const Fresh fresh(spec);
  const double measured = fresh.coupling();
  const auto& p = fresh.network->parameters();  // weight, gamma, beta, last weight, last bias
  const at::NoGradGuard no_grad;
  const at::Tensor w = p[0].to(at::kDouble), gamma = p[1].to(at::kDouble), v = p[3].to(at::kDouble);
  const at::Tensor h = torch::matmul(fresh.samples.batch.x.flatten(1).to(at::kDouble), w.t());
  double expected = 0;
  for (const std::int64_t i : {0, 16, 32, 48}) {
    const at::Tensor group = h.narrow(0, i / kTogether * kTogether, kTogether);
    const at::Tensor rstd = (group.var(0, /*unbiased=*/false) + kArmEps).rsqrt();
    const at::Tensor xhat = (group - group.mean(0)) * rstd;
    double all = 0, own = 0;
    for (std::int64_t j = 0; j < kTogether; ++j) {
      const bool same = j == i % kTogether;
      const at::Tensor d = (same ? 1.0 : 0.0) - (1 + xhat[i % kTogether] * xhat[j]) / static_cast<double>(kTogether);
      const double squares = torch::matmul(v * (gamma * rstd * d), w).pow(2).sum().item<double>();
      all += squares;
      own += same ? squares : 0;
    }
    expected += (all - own) / all / 4;
  }
  EXPECT_GT(expected, 0.05);
  EXPECT_NEAR(measured, expected, 1e-5);
}

// The fewer samples share statistics, the more each weighs.
TEST(SampleCoupling, FallsAsTheNormalizationBatchGrows) {
  double last = 1;
  for (const std::int64_t together : {4, 16, 64}) {
    const double now = Fresh(mlp_trial("batch", together)).coupling();
    EXPECT_LT(now, last) << together;
    last = now;
  }
}

struct Embedding final : Observer {
  void saw(std::size_t layer, const at::Tensor& before, const at::Tensor& after) override {
    static_cast<void>(layer);
    static_cast<void>(before);
    static_cast<void>(after);
  }
  void embedded(const at::Tensor& made) override { x = made; }
  at::Tensor x;
};

// Row by row, of what is no padding.
double coupling_by_rows(const Update& update) {
  Embedding embedding;
  const Batch& batch = update.samples.batch;
  const at::Tensor logits = logits_of(update, batch, &embedding);
  double found = 0;
  for (std::int64_t i = 0; i < logits.size(0); ++i) {
    at::Tensor squares = torch::zeros({logits.size(0)}, at::kDouble);
    for (std::int64_t t = 0; t < logits.size(1); ++t) {
      for (std::int64_t c = 0; batch.mask[i][t].item<bool>() && c < logits.size(2); ++c) {
        const at::Tensor dx = torch::autograd::grad({logits[i][t][c]}, {embedding.x}, {}, true)[0];
        squares += (dx * batch.mask.unsqueeze(2)).to(at::kDouble).pow(2).flatten(1).sum(1);
      }
    }
    found += (1 - (squares[i] / squares.sum()).item<double>()) / static_cast<double>(logits.size(0));
  }
  return found;
}

// A decoder's logits at padding say nothing, and its inputs there are nobody's, also where statistics count them. Of 15
// logits a sample every row of the Jacobian is taken; of 63 random sums of them come to the same share within chance.
TEST(SampleCoupling, OfADecoderIsThatOfValidPositions) {
  for (const auto& [positions, vocabulary, tolerance] : {std::tuple(3, 5, 1e-4), std::tuple(7, 9, 0.25)}) {
    for (const char* arm : {"batch_masked", "batch_naive"}) {
      Dataset text;
      text.kind = SampleKind::kTokens;
      text.shape = {1, 1, positions};
      text.vocabulary = text.classes = vocabulary;
      text.per_position = true;
      TrialSpec spec = encoder_trial(arm, 4);
      spec.model.kind = "decoder";
      const auto network = make_network(spec, text);
      Labelled samples;
      samples.batch.x =
          torch::randint(1, vocabulary, {4, positions}, at::make_generator<at::CPUGeneratorImpl>(5), at::kLong);
      samples.batch.mask =
          torch::arange(positions).unsqueeze(0) < torch::tensor({positions, 1, positions, 2}).unsqueeze(1);
      const Update update{.network = *network, .samples = samples, .noise = Random(3), .before = {}, .gradients = {}};
      const auto probe = make_probe("sample_coupling", spec);
      probe->updated(update);
      std::map<std::string, double> measures;
      probe->finished(*network, Batcher(data()), measures);
      const double expected = coupling_by_rows(update);
      EXPECT_GT(expected, 0.02) << arm;
      EXPECT_NEAR(measures.at("sample_coupling") / expected, 1, tolerance) << arm << positions;
    }
  }
}

const std::vector<std::string> kChanges{"weight_rescale_change", "weight_recentre_change", "unit_rescale_change",
                                        "data_rescale_change",   "data_recentre_change",   "sample_rescale_change"};

// Ba et al. 2016, table 1, and Zhang & Sennrich 2019, table 1: y where the network is invariant. eps and rounding leave
// less than a thousandth of a change.
void expect_table(const Fresh& fresh, const std::string& invariant) {
  const auto measures = fresh.measured("invariance");
  ASSERT_EQ(measures.size(), kChanges.size());
  for (std::size_t i = 0; i < kChanges.size(); ++i) {
    const std::string name = fresh.trial.model.kind + " " + fresh.trial.arm + " " + kChanges[i];
    if (invariant[i] == 'y') {
      EXPECT_LT(measures.at(kChanges[i]), 1e-3) << name;
    } else {
      EXPECT_GT(measures.at(kChanges[i]), 0.03) << name;
      EXPECT_LT(measures.at(kChanges[i]), 100) << name;
    }
  }
}

TEST(Invariance, OfAnMlpIsTheTableOfThePapers) {
  expect_table(Fresh(mlp_trial("batch", 64)), "ynyyyn");
  expect_table(Fresh(mlp_trial("layer")), "yynyny");
  expect_table(Fresh(mlp_trial("rms")), "ynnyny");
  expect_table(Fresh(mlp_trial("group")), "yynyny");
  expect_table(Fresh(mlp_trial("none")), "nnnnnn");
  expect_table(Fresh(mlp_trial("dyt")), "nnnnnn");
}

// With zeros around an image no norm is invariant to recentred data; LayerNorm over (C,H,W) not to recentred weights
// either, whose shift differs from place to place.
TEST(Invariance, OfAConvolutionKnowsItsEdges) {
  expect_table(Fresh(cnn_trial("batch", 64)), "ynyynn");
  expect_table(Fresh(cnn_trial("layer")), "yynyny");
  expect_table(Fresh(cnn_trial("layer_chw")), "ynnyny");
  expect_table(Fresh(cnn_trial("instance")), "ynyyny");
}

TEST(Invariance, OfARecurrentNetworkIsThatOfItsInputPath) {
  expect_table(Fresh(lstm_trial("lstm", "layer"), rows()), "yynyny");
  expect_table(Fresh(lstm_trial("gru", "batch_input", 64), rows()), "ynyyyn");
}

// Without biases (they start at 0) and without a norm a ReLU network is homogeneous: twice the weights or the data are
// twice the outputs.
TEST(Invariance, OfAHomogeneousNetworkIsTheScaleLessOne) {
  const Fresh fresh(mlp_trial("none"));
  const auto measures = fresh.measured("invariance");
  EXPECT_NEAR(measures.at("weight_rescale_change"), 1, 1e-6);
  EXPECT_NEAR(measures.at("data_rescale_change"), 1, 1e-6);
  const at::NoGradGuard no_grad;
  const at::Tensor squares = fresh.network->forward(fresh.samples.batch, {}).to(at::kDouble).pow(2).sum(1);
  const at::Tensor odd = squares.view({32, 2}).select(1, 1);
  EXPECT_NEAR(measures.at("sample_rescale_change"), std::sqrt((odd.sum() / squares.sum()).item<double>()), 1e-6);
}

// Tokens have no scale. What every feature of a token's embedding gets more of, LayerNorm in front of each part and
// behind the last takes away again.
TEST(Invariance, OfTokensIsThatOfTheEmbeddingsTable) {
  const auto layer = Fresh(token_trial("layer"), operations()).measured("invariance");
  EXPECT_EQ(layer.size(), 3U);
  EXPECT_LT(layer.at("weight_recentre_change"), 1e-3);
  EXPECT_GT(layer.at("unit_rescale_change"), 0.03);
  EXPECT_GT(Fresh(token_trial("rms"), operations()).measured("invariance").at("weight_recentre_change"), 0.03);
}

// Weights, running statistics and gradients are as they were, and what was drawn is drawn again.
TEST(CouplingAndInvariance, LeaveEverythingAsItWas) {
  for (const std::string probe : {"sample_coupling", "invariance"}) {
    const Fresh fresh(mlp_trial("batch_noise", 8));
    const auto state = [&] {
      std::vector<at::Tensor> all;
      for (const at::Tensor& parameter : fresh.network->parameters()) all.push_back(parameter.detach().clone());
      for (ArmLayer* layer : fresh.network->normalizations()) {
        all.push_back(layer->running()->mean.clone());
        all.push_back(layer->running()->variance.clone());
      }
      all.push_back(fresh.samples.batch.x.clone());
      return all;
    };
    const auto before = state();
    const auto once = fresh.measured(probe);
    const auto after = state();
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(torch::equal(before[i], after[i])) << probe << i;
    for (const at::Tensor& parameter : fresh.network->parameters()) EXPECT_FALSE(parameter.grad().defined());
    EXPECT_FALSE(fresh.samples.batch.x.requires_grad());
    EXPECT_EQ(fresh.measured(probe), once);
  }
}

}  // namespace
}  // namespace norma::lab::test
