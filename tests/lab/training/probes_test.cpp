// Probes: what they measure where the answer is known, and that they leave training alone.
#include "lab/probes/probe.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <map>
#include <set>

#include "lab/probes/names.h"
#include "lab/training/train.h"
#include "trials.h"

namespace norma::lab::test {
namespace {

TrialSpec probed(TrialSpec spec) {
  for (const std::string_view name : kProbeNames) spec.probes.emplace_back(name);
  spec.training.epochs = 4;
  return spec;
}

TEST(Probes, NeverChangeTrainingOnSequences) {
  for (const TrialSpec& spec :
       {lstm_trial("lstm", "batch_recurrent", 8), lstm_trial("gru", "batch_input", 8), lstm_trial("rnn", "layer"),
        encoder_trial("batch_masked", 8), encoder_trial("layer"), token_trial("batch_masked", 8),
        recurrent_token_trial("lstm", "batch_recurrent", 8), recurrent_token_trial("gru", "layer")}) {
    const Dataset& of = spec.data.source == "listops" ? operations() : rows();
    TrialSpec with = probed(spec), without = with;
    with.training.epochs = without.training.epochs = 2;
    without.probes.clear();
    TrialResult watched = train(with, of);
    EXPECT_TRUE(watched.measures.contains("activation_rms[0]")) << spec.model.kind;
    EXPECT_EQ(watched.measures.contains("activation_rms[1]"), spec.model.kind == "transformer") << spec.model.kind;
    watched.measures = {{"train_error", watched.measures.at("train_error")}};
    EXPECT_EQ(outcome(watched), outcome(train(without, of))) << spec.model.kind << " " << spec.arm;
  }
}

// The gap is that of what evaluation uses.
TEST(StatisticsGap, IsNoneWhereTheStatisticsAreTakenAnewAndAbsentWhereNoneAreUsed) {
  std::map<std::string, std::map<std::string, double>> measures;
  for (const std::string arm : {"batch", "batch_precise", "batch_test"}) {
    TrialSpec spec = mlp_trial(arm, 8);
    spec.probes = {"statistics_gap"};
    spec.training.epochs = 3;
    measures[arm] = train(spec, data()).measures;
  }
  EXPECT_GT(measures.at("batch").at("statistics_gap_mean"), 0.01);
  EXPECT_EQ(measures.at("batch_precise").at("statistics_gap_mean"), 0);
  EXPECT_EQ(measures.at("batch_precise").at("statistics_gap_sd"), 0);
  EXPECT_FALSE(measures.at("batch_test").contains("statistics_gap_mean"));
}

// A step out of all bounds is as rough as can be: to leave it out would make the rougher network the smoother one.
TEST(Smoothness, IsInfiniteWhereAStepLeadsOutOfAllBounds) {
  TrialSpec spec = mlp_trial("none");
  const auto network = make_network(spec, data());
  const Batcher batcher(data());
  const Labelled samples = batcher.take(std::span(data().train).first(64));
  std::vector<at::Tensor> before;
  for (const at::Tensor& parameter : network->parameters()) before.push_back(parameter.detach().clone());
  for (const double rate : {0.01, 1e30}) {
    const auto probe = make_probe("smoothness", spec);
    probe->updated(
        {.network = *network, .samples = samples, .rate = rate, .noise = Random(0), .before = before, .gradients = {}});
    probe->updated(
        {.network = *network, .samples = samples, .rate = 0.01, .noise = Random(0), .before = before, .gradients = {}});
    std::map<std::string, double> measures;
    probe->finished(*network, batcher, measures);
    for (const char* name : {"loss_range", "gradient_change"}) {
      EXPECT_EQ(std::isinf(measures.at(name)), rate > 1) << name << " " << measures.at(name);
      EXPECT_GT(measures.at(name), 0);
    }
  }
}

TEST(Probes, NeverChangeTraining) {
  for (const TrialSpec& spec : {mlp_trial("batch", 8), mlp_trial("batch_noise", 8), mlp_trial("batch_renorm", 64),
                                mlp_trial("none"), cnn_trial("batch_precise", 8)}) {
    TrialSpec without = probed(spec);
    without.probes.clear();
    TrialResult watched = train(probed(spec), data());
    EXPECT_TRUE(watched.measures.contains("gradient_shift"));
    watched.measures = {{"train_error", watched.measures.at("train_error")}};
    EXPECT_EQ(outcome(watched), outcome(train(without, data()))) << spec.arm;
  }
}

TEST(Probes, MeasureFiniteNumbersInEveryArm) {
  for (const TrialSpec& spec : {mlp_trial("batch", 8), mlp_trial("layer"), mlp_trial("none")}) {
    const auto measures = train(probed(spec), data()).measures;
    for (const char* name : {"gradient_shift", "gradient_shift_cosine", "moment_shift_mean", "moment_shift_sd",
                             "loss_range", "gradient_change", "activation_rms[0]", "gradient_rms[2]"}) {
      ASSERT_TRUE(measures.contains(name)) << name;
      EXPECT_TRUE(std::isfinite(measures.at(name))) << name;
      EXPECT_GE(measures.at(name), 0) << name;
    }
    EXPECT_EQ(measures.contains("statistics_gap_mean"), spec.arm == "batch");
  }
}

// names.h says it to claims, which know no torch.
TEST(Probes, MeasureWhatAClaimMayName) {
  std::set<std::string> measured, named;
  for (const auto& [name, value] : train(probed(mlp_trial("batch", 8)), data()).measures) {
    if (name != "train_error" && !name.ends_with(']')) measured.insert(name);
  }
  for (const ProbeMeasure& one : kProbeMeasures) named.emplace(one.measure);
  EXPECT_EQ(measured, named);
}

// Where nothing moves, nothing shifts; where the layers in front move, what is behind does.
TEST(GradientShift, IsZeroWithoutAnUpdateAndGrowsWithTheRate) {
  TrialSpec spec = mlp_trial("none");
  spec.probes = {"gradient_shift", "moment_shift"};
  spec.training.epochs = 1;
  spec.training.momentum = 0;
  double last = 0;
  for (const double rate : {0.0, 0.01, 0.1}) {
    spec.training.learning_rate = rate;
    const auto measures = train(spec, data()).measures;
    if (rate == 0) {
      EXPECT_EQ(measures.at("gradient_shift"), 0);
      EXPECT_EQ(measures.at("moment_shift_mean"), 0);
    } else {
      EXPECT_GT(measures.at("gradient_shift"), last);
      EXPECT_GT(measures.at("moment_shift_mean"), 0);
    }
    last = measures.at("gradient_shift");
  }
}

// A linear network of depth 1 and the loss of two classes: G' of the last layer is the gradient under the new first
// layer, taken here by hand.
TEST(GradientShift, IsTheDistanceBetweenGradientsOnTheSameMinibatch) {
  TrialSpec spec = mlp_trial("none");
  spec.model.kind = "linear";
  spec.model.activation = "linear";
  spec.model.depth = 1;
  const auto network = make_network(spec, data());
  const Batcher batcher(data());
  const Labelled samples = batcher.take(std::span(data().train).first(64));
  const auto& p = network->parameters();  // weight, bias, last weight, last bias
  const auto loss = [&] {
    return torch::cross_entropy_loss(network->forward(samples.batch, {.training = true}), samples.labels);
  };
  std::vector<at::Tensor> gradients = torch::autograd::grad({loss()}, p), before;
  for (const at::Tensor& parameter : p) before.push_back(parameter.detach().clone());
  for (std::size_t i = 0; i < p.size(); ++i) p[i].detach().sub_(0.1 * gradients[i]);
  std::vector<at::Tensor> after;
  for (const at::Tensor& parameter : p) after.push_back(parameter.detach().clone());

  p[2].detach().copy_(before[2]);
  p[3].detach().copy_(before[3]);
  const at::Tensor moved = torch::autograd::grad({loss()}, {p[2]})[0];
  p[2].detach().copy_(after[2]);
  p[3].detach().copy_(after[3]);

  const auto probe = make_probe("gradient_shift", spec);
  probe->updated(
      {.network = *network, .samples = samples, .noise = Random(0), .before = before, .gradients = gradients});
  std::map<std::string, double> measures;
  probe->finished(*network, batcher, measures);
  EXPECT_NEAR(measures.at("gradient_shift"), ((moved - gradients[2]).norm() / gradients[2].norm()).item<double>(),
              1e-6);
  EXPECT_GT(measures.at("gradient_shift"), 0.001);
  for (std::size_t i = 0; i < p.size(); ++i)
    EXPECT_TRUE(torch::equal(p[i].detach(), after[i])) << "weights not put back";
}

}  // namespace
}  // namespace norma::lab::test
