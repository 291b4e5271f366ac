// Recurrent networks over samples of different lengths, of tokens above all: what they are, and that nothing of the
// padding behind a sample reaches its output, a statistic or a gradient.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <vector>

#include "lab/models/arm_list.h"
#include "lab/models/network.h"
#include "lab/training/loss.h"
#include "lab/training/train.h"
#include "sequences.h"

namespace norma::lab::test {
namespace {

// Of four samples; at the last two steps one alone goes on.
const std::vector<std::int64_t> kLengths{7, 3, 5, 2};

at::Tensor mask() {
  return torch::arange(7).unsqueeze(0) < torch::tensor(kLengths).unsqueeze(1);
}

// (4,7), 0 at padding.
at::Tensor some_tokens(std::uint64_t seed) {
  return torch::randint(1, 9, {4, 7}, at::make_generator<at::CPUGeneratorImpl>(seed), at::kLong) * mask();
}

// Every cell under every arm that it takes, over all four samples and over two times two.
std::vector<TrialSpec> every_trial() {
  std::vector<TrialSpec> trials;
  for (const std::string kind : {"rnn", "gru", "lstm"}) {
    for (const Arm& arm : arms()) {
      if (!takes(kind, arm)) continue;
      for (const std::int64_t batch : arm.uses_batch ? std::vector<std::int64_t>{2, 4} : std::vector<std::int64_t>{0}) {
        trials.push_back(recurrent_trial(kind, std::string(arm.name), batch));
      }
    }
  }
  return trials;
}

std::string name_of(const TrialSpec& spec) {
  return spec.model.kind + " " + spec.arm + " " + std::to_string(spec.normalization_batch);
}

struct Passed {
  at::Tensor trained, evaluated;
  std::vector<at::Tensor> gradients;
};

// One pass in training with the gradients of the loss that is trained on, and one in evaluation behind it.
Passed pass_through(const TrialSpec& spec, const Dataset& data, const Batch& batch) {
  const auto network = make_network(spec, data);
  Passed passed{.trained = network->forward(batch, {.training = true}), .evaluated = {}, .gradients = {}};
  at::Tensor labels = torch::arange(4);
  if (data.per_position) {
    labels = (torch::arange(4).unsqueeze(1) + torch::arange(batch.x.size(1))).remainder(9);
    labels.masked_fill_(batch.mask.logical_not(), kNoLabel);
  }
  passed.gradients = torch::autograd::grad({cross_entropy(passed.trained, labels)}, network->parameters());
  passed.evaluated = network->forward(batch, {});
  return passed;
}

// To the bit: a token's embedding takes the place of a vector, and nothing else changes.
TEST(RecurrentOnTokens, IsTheNetworkOverTheVectorsOfItsEmbedding) {
  Dataset vectors = sequences();
  vectors.shape = {6, 1, 7};
  vectors.classes = 9;
  for (const TrialSpec& spec : every_trial()) {
    const auto of_tokens = make_network(spec, tokens(false)), of_vectors = make_network(spec, vectors);
    const at::Tensor x = some_tokens(1), table = of_tokens->parameters().front();
    EXPECT_EQ(table.sizes(), (std::vector<std::int64_t>{9, 6}));
    const at::Tensor embedded = table.detach().index({x}).requires_grad_();
    const at::Tensor got = of_tokens->forward({.x = x, .mask = mask()}, {.training = true});
    const at::Tensor expected = of_vectors->forward({.x = embedded, .mask = mask()}, {.training = true});
    ASSERT_TRUE(torch::equal(got, expected)) << name_of(spec);
    const at::Tensor dy = numbers(got.sizes(), 2);
    const auto ours = torch::autograd::grad({got}, of_tokens->parameters(), {dy});
    std::vector<at::Tensor> inputs = of_vectors->parameters();
    inputs.insert(inputs.begin(), embedded);
    auto theirs = torch::autograd::grad({expected}, inputs, {dy});
    theirs[0] = torch::zeros({9, 6}).index_add(0, x.flatten(), theirs[0].flatten(0, 1));
    ASSERT_EQ(ours.size(), theirs.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
      EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-5, 1e-6)) << name_of(spec) << ", parameter " << i;
    }
  }
}

// To the bit, in training and in evaluation, of one label a sample and of one a position: other tokens in the padding,
// and more of it.
TEST(RecurrentOnTokens, GiveTheSameBitsWhateverStandsBehindASampleAndHoweverMuch) {
  const at::Tensor x = some_tokens(3), valid = mask(), empty = torch::zeros({4, 5}, at::kLong);
  const at::Tensor other = x + 7 * valid.logical_not();
  const at::Tensor more = torch::cat({x, empty}, 1), wide = torch::cat({valid, empty.to(at::kBool)}, 1);
  for (const bool per_position : {false, true}) {
    for (const TrialSpec& spec : every_trial()) {
      const Passed plain = pass_through(spec, tokens(per_position), {.x = x, .mask = valid});
      for (const Batch& batch : {Batch{.x = other, .mask = valid}, Batch{.x = more, .mask = wide}}) {
        const Passed passed = pass_through(spec, tokens(per_position), batch);
        const auto at_samples = [&](const at::Tensor& logits) {
          return per_position ? logits.narrow(1, 0, 7).index({valid}) : logits;
        };
        EXPECT_TRUE(torch::equal(at_samples(passed.trained), at_samples(plain.trained))) << name_of(spec);
        EXPECT_TRUE(torch::equal(at_samples(passed.evaluated), at_samples(plain.evaluated))) << name_of(spec);
        for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
          EXPECT_TRUE(torch::equal(passed.gradients[i], plain.gradients[i])) << name_of(spec) << ", parameter " << i;
        }
      }
    }
  }
}

// Within what a matrix product's order of sums may change: a sample by itself, without padding. In training as well,
// with every gradient, where an arm's statistics are a sample's own.
TEST(RecurrentOnTokens, AnswerForASampleInABatchAsForItAlone) {
  const at::Tensor x = some_tokens(4);
  for (const bool per_position : {false, true}) {
    for (const TrialSpec& spec : every_trial()) {
      const auto network = make_network(spec, tokens(per_position));
      network->forward({.x = x, .mask = mask()}, {.training = true});  // running statistics that show
      for (const bool training : {false, true}) {
        if (training && find_arm(spec.arm)->uses_batch) continue;
        const at::Tensor padded = network->forward({.x = x, .mask = mask()}, {.training = training});
        const at::Tensor dy = numbers(padded.sizes(), 5) * (per_position ? mask().unsqueeze(2) : torch::ones({4, 1}));
        const auto together = torch::autograd::grad({padded}, network->parameters(), {dy});
        std::vector<at::Tensor> alone;
        for (std::int64_t i = 0; i < 4; ++i) {
          const std::int64_t length = kLengths[static_cast<std::size_t>(i)];
          const at::Tensor one =
              network->forward({.x = x.narrow(0, i, 1).narrow(1, 0, length)}, {.training = training});
          const auto here = [&](const at::Tensor& all) {
            return per_position ? all.narrow(0, i, 1).narrow(1, 0, length) : all.narrow(0, i, 1);
          };
          EXPECT_TRUE(torch::allclose(here(padded), one, 1e-5, 1e-6)) << name_of(spec) << ", sample " << i;
          const auto gradients = torch::autograd::grad({one}, network->parameters(), {here(dy)});
          for (std::size_t p = 0; p < gradients.size(); ++p) {
            if (i == 0) alone.push_back(gradients[p].clone());
            if (i > 0) alone[p] += gradients[p];
          }
        }
        for (std::size_t p = 0; p < alone.size(); ++p) {
          EXPECT_TRUE(torch::allclose(together[p], alone[p], 1e-4, 1e-5)) << name_of(spec) << ", parameter " << p;
        }
      }
    }
  }
}

TEST(RecurrentOnTokens, HaveNoGradientAtPadding) {
  Dataset vectors = sequences();
  vectors.shape = {3, 1, 7};
  const at::Tensor padding = mask().logical_not();
  for (const TrialSpec& spec : every_trial()) {
    at::Tensor x = numbers({4, 7, 3}, 6);
    x.index_put_({padding}, 1e6F);
    x.requires_grad_();
    for (const bool training : {true, false}) {
      const auto network = make_network(spec, vectors);
      const at::Tensor y = network->forward({.x = x, .mask = mask()}, {.training = training});
      const at::Tensor dx = torch::autograd::grad({y}, {x}, {numbers(y.sizes(), 7)})[0];
      EXPECT_TRUE(torch::isfinite(dx).all().item<bool>()) << name_of(spec);
      EXPECT_EQ(dx.index({padding}).abs().max().item<float>(), 0) << name_of(spec);
      // Two values that share statistics have next to none.
      const float least = dx.index({mask()}).abs().sum(1).min().item<float>();
      if (spec.normalization_batch != 2) {
        EXPECT_GT(least, 0) << name_of(spec) << ": a valid step has none";
      }
    }
    const Passed passed = pass_through(spec, tokens(false), {.x = some_tokens(8), .mask = mask()});
    EXPECT_EQ(passed.gradients[0][0].abs().max().item<float>(), 0) << name_of(spec) << ": of the padding's token";
  }
}

// No step is cut off: the same network was made for data of 7 positions and for data of 12.
TEST(RecurrentOnTokens, ReadSamplesLongerThanAnyOfTrainingToTheirEnd) {
  Dataset wide = tokens(false);
  wide.shape[2] = 12;
  const at::Tensor x = torch::randint(1, 9, {4, 12}, at::make_generator<at::CPUGeneratorImpl>(14), at::kLong);
  at::Tensor other = x.clone();
  other.select(1, 11)[2] = 1 + x.select(1, 11)[2] % 8;
  for (const TrialSpec& spec : every_trial()) {
    const auto network = make_network(spec, tokens(false));
    const at::Tensor got = network->forward({.x = x}, {});
    EXPECT_TRUE(torch::equal(got, make_network(spec, wide)->forward({.x = x}, {}))) << name_of(spec);
    EXPECT_FALSE(torch::equal(got[2], network->forward({.x = other}, {})[2])) << name_of(spec);
  }
}

// Cooijmans et al. 2017 over the samples that reach a step, from plain operators; of one alone there are no statistics,
// and the running ones are 0 and 1 so far.
at::Tensor recurrent_batch_norm(const Network& network, const at::Tensor& x) {
  const auto& p = network.parameters();
  const at::Tensor &wx = p[0], &gx = p[1], &wh = p[2], &bias = p[3], &gh = p[4], &gc = p[5], &bc = p[6];
  at::Tensor h = torch::zeros({4, 6}), c = h;
  for (std::int64_t t = 0; t < 7; ++t) {
    const at::Tensor goes_on = mask().select(1, t);
    const auto norm = [&](const at::Tensor& in, const at::Tensor& gamma) {
      at::Tensor those = in.index({goes_on});
      if (those.size(0) > 1) those = those - those.mean(0);
      const at::Tensor variance = those.size(0) > 1 ? those.pow(2).mean(0) : torch::ones({in.size(1)});
      return torch::zeros_like(in).index_put({goes_on}, gamma * those / (variance + kArmEps).sqrt());
    };
    const at::Tensor gates = norm(torch::linear(x.select(1, t), wx), gx) + bias + norm(torch::linear(h, wh), gh);
    const auto gate = gates.chunk(4, 1);
    const at::Tensor next = torch::sigmoid(gate[1]) * c + torch::sigmoid(gate[0]) * torch::tanh(gate[2]);
    const at::Tensor shown = torch::sigmoid(gate[3]) * torch::tanh(norm(next, gc) + bc);
    h = torch::where(goes_on.unsqueeze(1), shown, h);
    c = torch::where(goes_on.unsqueeze(1), next, c);
  }
  return torch::linear(h, p[7], p[8]);
}

TEST(RecurrentBatchNorm, IsItsFormulaOverTheSamplesThatReachAStepWithEveryGradient) {
  Dataset vectors = sequences();
  vectors.shape = {3, 1, 7};
  const auto network = make_network(recurrent_trial("lstm", "batch_recurrent", 4), vectors);
  const at::Tensor x = numbers({4, 7, 3}, 9);
  const at::Tensor got = network->forward({.x = x, .mask = mask()}, {.training = true});
  const at::Tensor expected = recurrent_batch_norm(*network, x);
  EXPECT_TRUE(torch::allclose(got, expected, 1e-4, 1e-5));
  const at::Tensor dy = numbers(got.sizes(), 10);
  const auto ours = torch::autograd::grad({got}, network->parameters(), {dy});
  const auto theirs = torch::autograd::grad({expected}, network->parameters(), {dy});
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-3, 1e-4)) << "parameter " << i;
  }
}

// One layer of features 4 and 5 steps, of which training's samples reach 3 and then 4.
TEST(RecurrentBatchNorm, LendsAStepThatNoneReachedTheStatisticsOfTheLastOneReached) {
  const TrialSpec spec = recurrent_trial("lstm", "batch_recurrent", 4);
  const auto at = [&](Site site, std::int64_t rank) {
    return make_arm({.trial = spec, .features = 4, .rank = rank, .site = site, .steps = 5});
  };
  const auto layer = at(Site::kHidden, 2), inputs = at(Site::kInput, 3);
  const at::Tensor x = numbers({4, 5, 4}, 11) * 3 + 1;
  const auto train_on = [&](std::int64_t steps) {
    for (std::int64_t t = 0; t < steps; ++t) layer->forward(x.select(1, t), {.training = true, .time_step = t});
    inputs->forward(x.narrow(1, 0, steps), {.training = true});
  };
  const auto evaluated = [&](std::int64_t t, std::int64_t row) {
    layer->forward(x.select(1, 0), {});  // as a pass does, from its first step on
    const at::Tensor in = x.select(1, 4), mean = layer->running()->mean[row],
                     variance = layer->running()->variance[row];
    const at::Tensor expected = 0.1 * (in - mean) / (variance + kArmEps).sqrt();
    return torch::allclose(layer->forward(in, {.time_step = t}), expected, 1e-5, 1e-6);
  };
  train_on(3);
  EXPECT_TRUE(torch::allclose(layer->running()->mean[1], 0.1 * x.select(1, 1).mean(0))) << "the first pass begins at 0";
  for (const std::int64_t t : {2, 3, 4, 5, 9}) EXPECT_TRUE(evaluated(t, 2)) << t;
  // All steps at once are the same as one after the other, and further steps as the last.
  const at::Tensor all = inputs->forward(x, {});
  EXPECT_TRUE(torch::equal(all.narrow(1, 0, 4), inputs->forward(x.narrow(1, 0, 4), {})));
  EXPECT_TRUE(torch::equal(all, inputs->forward(torch::cat({x, x}, 1), {}).narrow(1, 0, 5)));
  const at::Tensor lent = layer->running()->mean[2].clone();
  EXPECT_TRUE(torch::equal(inputs->running()->mean, layer->running()->mean));

  train_on(4);
  EXPECT_TRUE(torch::allclose(layer->running()->mean[3], 0.9 * lent + 0.1 * x.select(1, 3).mean(0)));
  EXPECT_TRUE(evaluated(3, 3));
  EXPECT_TRUE(evaluated(4, 3));
  EXPECT_TRUE(evaluated(1, 1));
}

// Statistics taken anew from samples that are longer than training's have steps of their own for these.
TEST(RecurrentBatchNorm, EstimatesTheStepsOfLongerSamplesAnew) {
  const TrialSpec spec = recurrent_trial("lstm", "batch_recurrent", 4);
  for (const auto& [site, rank] : {std::pair(Site::kHidden, 2), std::pair(Site::kInput, 3)}) {
    const auto layer = make_arm({.trial = spec, .features = 4, .rank = rank, .site = site, .steps = 3});
    const at::Tensor x = numbers({4, 5, 4}, 12) * 3 + 1;
    layer->begin_estimate();
    for (const std::int64_t length : {5, 3}) {
      if (rank == 3) layer->forward(x.narrow(1, 0, length), {.training = true});
      for (std::int64_t t = 0; rank == 2 && t < length; ++t) {
        layer->forward(x.select(1, t), {.training = true, .time_step = t});
      }
    }
    layer->end_estimate();
    EXPECT_EQ(layer->running()->steps, 5);
    EXPECT_TRUE(torch::allclose(layer->running()->mean, x.mean(0), 1e-5, 1e-6));
    // Twice the same four samples, or once.
    const at::Tensor m2 = (x - x.mean(0)).pow(2).sum(0);
    EXPECT_TRUE(torch::allclose(layer->running()->variance.narrow(0, 0, 3), m2.narrow(0, 0, 3) * 2 / 7, 1e-4));
    EXPECT_TRUE(torch::allclose(layer->running()->variance.narrow(0, 3, 2), m2.narrow(0, 3, 2) / 3, 1e-4));
  }
}

// Statistics of a step hold no later one's tokens; those over all steps do.
TEST(RecurrentLanguageModel, IsCausalUnlessStatisticsArePooledOverSteps) {
  const at::Tensor one = torch::randint(1, 9, {4, 7}, at::make_generator<at::CPUGeneratorImpl>(13), at::kLong);
  at::Tensor two = one.clone();
  two.select(1, 6)[0] = 1 + one.select(1, 6)[0] % 8;
  for (const TrialSpec& spec : every_trial()) {
    const auto logits = [&](const at::Tensor& x) {
      return make_network(spec, tokens(true))->forward({.x = x}, {.training = true});
    };
    const at::Tensor a = logits(one), b = logits(two);
    EXPECT_EQ(a.sizes(), (std::vector<std::int64_t>{4, 7, 9}));
    EXPECT_FALSE(torch::equal(a.select(1, 6), b.select(1, 6))) << name_of(spec);
    const bool leaking = spec.arm == "batch_input";
    EXPECT_EQ(torch::equal(a.narrow(1, 0, 6), b.narrow(1, 0, 6)), !leaking) << name_of(spec);
    EXPECT_EQ(leaks(spec.model.kind, *find_arm(spec.arm), true), leaking) << name_of(spec);
    EXPECT_FALSE(leaks(spec.model.kind, *find_arm(spec.arm), false)) << name_of(spec);
  }
}

TrialSpec listops_trial(const std::string& kind, const std::string& arm, std::int64_t batch) {
  TrialSpec spec = recurrent_trial(kind, arm, batch);
  spec.data = listops(3, 4);
  spec.data.train = 320;
  spec.training.sgd_batch = 32;
  spec.training.epochs = 1;
  spec.training.optimizer = "adam";
  spec.training.learning_rate = 0.01;
  return spec;
}

// Whole trials: more padding costs nothing, whatever was measured before it, and shifts are looks at the test inputs.
TEST(RecurrentOnTokens, TrainOnListopsAndErrAsMuchUnderMorePadding) {
  for (TrialSpec spec : every_trial()) {
    if (spec.normalization_batch == 2) continue;  // four are hard enough: few samples reach the last steps
    spec = listops_trial(spec.model.kind, spec.arm, spec.normalization_batch);
    const Dataset data = load(spec.data);
    const TrialResult plain = train(spec, data);
    spec.shifts = {"longer=2x", "padding=2x", "batch=1"};
    TrialResult result = train(spec, data);
    ASSERT_EQ(result.status, TrialStatus::kOk) << name_of(spec) << ": " << result.reason;
    EXPECT_EQ(result.measures.at("error@padding=2x"), result.test_error) << name_of(spec);
    EXPECT_NEAR(result.measures.at("error@batch=1"), result.test_error, 0.02) << name_of(spec);
    const bool running = find_arm(spec.arm)->uses_batch;
    for (const char* name : {"error@longer=2x/reestimated", "error@padding=2x/reestimated"}) {
      EXPECT_EQ(result.measures.contains(name), running) << name_of(spec);
    }
    EXPECT_TRUE(std::isfinite(result.measures.at("error@longer=2x"))) << name_of(spec);
    result.measures = {{"train_error", result.measures.at("train_error")}};
    EXPECT_EQ(outcome(result), outcome(plain)) << name_of(spec);
  }
}

// What is learned of a text that repeats: the next character, from the state alone.
TEST(RecurrentLanguageModel, LearnsTheNextToken) {
  for (const auto& [kind, arm, batch] : {std::tuple("rnn", "layer", 0), std::tuple("gru", "none", 0),
                                         std::tuple("lstm", "layer", 0), std::tuple("lstm", "batch_recurrent", 8)}) {
    TrialSpec spec = recurrent_trial(kind, arm, batch);
    spec.model.hidden = 16;
    spec.training = {.sgd_batch = 8, .epochs = 12, .optimizer = "adam", .schedule = "cosine", .learning_rate = 0.03};
    Dataset data = tokens(true);
    for (std::int64_t sample = 0; sample < 64; ++sample) {
      (sample < 48 ? data.train : sample < 56 ? data.validation : data.test).push_back(sample);
      for (std::int64_t t = 0; t < 7; ++t) {
        data.tokens.push_back(1 + (sample + t) % 8);
        data.labels.push_back(1 + (sample + t + 1) % 8);
      }
    }
    const TrialResult result = train(spec, data);
    ASSERT_EQ(result.status, TrialStatus::kOk) << result.reason;
    EXPECT_EQ(result.test_error, 0) << kind << " " << arm;
    EXPECT_EQ(result.measures.at("error_per_character"), 0) << kind << " " << arm;
    EXPECT_LT(result.measures.at("bits_per_character"), 0.5) << kind << " " << arm;  // of three
  }
}

}  // namespace
}  // namespace norma::lab::test
