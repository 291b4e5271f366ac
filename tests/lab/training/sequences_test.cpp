// Recurrent networks and Transformers: against plain torch operators, and against what padding and causality demand.
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <vector>

#include "lab/models/cell_loops.h"
#include "lab/models/cells.h"
#include "lab/models/network.h"
#include "sequences.h"

namespace norma::lab::test {
namespace {

TrialSpec transformer_trial(const std::string& kind, const std::string& arm, std::int64_t batch = 0) {
  TrialSpec spec = mlp_trial(arm, batch);
  spec.model.kind = kind;
  spec.model.depth = 2;
  spec.model.width = 8;
  spec.model.heads = 2;
  spec.model.activation = "gelu";
  return spec;
}

// The formulas of the cells (cells.h, recurrent.cpp), step by step, with LayerNorm in the places of Ba et al. 2016 (an
// RNN's summed input; both paths and the cell) or none.
at::Tensor by_formula(const std::string& kind, bool normalized, const Network& network, const at::Tensor& x) {
  const auto& p = network.parameters();
  std::size_t next = 0;
  const auto take = [&] { return p[next++]; };
  const auto norm = [&](const at::Tensor& gamma, const at::Tensor& beta, const at::Tensor& in) {
    return normalized ? torch::layer_norm(in, {in.size(-1)}, gamma, beta) : in;
  };
  const bool apart = normalized && kind != "rnn";
  const at::Tensor wx = take(), gx = apart ? take() : at::Tensor(), bx = apart ? take() : at::Tensor();
  const at::Tensor wh = take(), bias = take(), gh = normalized ? take() : at::Tensor(),
                   bh = normalized ? take() : at::Tensor();
  const bool cell = normalized && kind == "lstm";
  const at::Tensor gc = cell ? take() : at::Tensor(), bc = cell ? take() : at::Tensor();
  const at::Tensor last = take(), last_bias = take();
  at::Tensor h = torch::zeros({x.size(0), 6}), c = h;
  for (std::int64_t t = 0; t < x.size(1); ++t) {
    const at::Tensor of_x = torch::linear(x.select(1, t), wx), of_h = torch::linear(h, wh);
    const at::Tensor a = (apart ? norm(gx, bx, of_x) : of_x) + bias;
    const at::Tensor b = norm(gh, bh, of_h);
    if (kind == "rnn") {
      h = torch::tanh(norm(gh, bh, of_x + of_h) + bias);
    } else if (kind == "gru") {
      const auto ax = a.chunk(3, 1), bxs = b.chunk(3, 1);
      const at::Tensor r = torch::sigmoid(ax[0] + bxs[0]), z = torch::sigmoid(ax[1] + bxs[1]);
      h = (1 - z) * torch::tanh(ax[2] + r * bxs[2]) + z * h;
    } else {
      const auto gate = (a + b).chunk(4, 1);
      c = torch::sigmoid(gate[1]) * c + torch::sigmoid(gate[0]) * torch::tanh(gate[2]);
      h = torch::sigmoid(gate[3]) * torch::tanh(norm(gc, bc, c));
    }
  }
  return torch::linear(h, last, last_bias);
}

TEST(Recurrent, IsTheFormulaOfItsCellWithEveryGradient) {
  const at::Tensor x = numbers({5, 5, 3}, 1);
  for (const std::string kind : {"rnn", "gru", "lstm"}) {
    for (const std::string arm : {"none", "layer"}) {
      const TrialSpec spec = recurrent_trial(kind, arm);
      const auto network = make_network(spec, sequences());
      const at::Tensor got = network->forward({.x = x}, {.training = true});
      const at::Tensor expected = by_formula(kind, arm == "layer", *network, x);
      EXPECT_TRUE(torch::allclose(got, expected, 1e-4, 1e-5)) << kind << " " << arm;
      const at::Tensor dy = numbers(got.sizes(), 2);
      const auto ours = torch::autograd::grad({got}, network->parameters(), {dy});
      const auto theirs = torch::autograd::grad({expected}, network->parameters(), {dy});
      for (std::size_t i = 0; i < ours.size(); ++i) {
        EXPECT_TRUE(torch::allclose(ours[i], theirs[i], 1e-3, 1e-4)) << kind << " " << arm << ", parameter " << i;
      }
    }
  }
}

// At every width that a vector may leave over, over all that a float's tanh and sigmoid tell apart.
TEST(CellLoops, AreTheirFormulasToTheRoundingOfAFloat) {
  for (const std::int64_t width : {1, 7, 16, 33}) {
    const std::int64_t rows = 50, count = rows * width;
    std::vector<float> gates(static_cast<std::size_t>(4 * count)), c(static_cast<std::size_t>(count)), open(c), seen(c),
        h(c), next(c), three(static_cast<std::size_t>(3 * count));
    for (std::size_t i = 0; i < gates.size(); ++i) gates[i] = 40 * std::sin(static_cast<float>(i));
    for (std::size_t i = 0; i < c.size(); ++i) c[i] = 3 * std::cos(static_cast<float>(7 * i));
    open_gates(gates.data(), c.data(), three.data(), next.data(), rows, width);
    show_cell(gates.data() + 3 * width, c.data(), open.data(), seen.data(), h.data(), rows, width);
    const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
    constexpr double kClose = 4e-7;  // a few units of roundoff at 1
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t i = 0; i < width; ++i) {
        const float* g = gates.data() + row * 4 * width + i;
        const auto at = static_cast<std::size_t>(row * width + i);
        const double in = sigmoid(g[0]), forget = sigmoid(g[width]), cell = std::tanh(double{g[2 * width]});
        EXPECT_NEAR(next[at], forget * c[at] + in * cell, 4 * kClose);
        EXPECT_NEAR(h[at], sigmoid(g[3 * width]) * std::tanh(double{c[at]}), kClose);
        EXPECT_NEAR(seen[at], std::tanh(double{c[at]}), kClose);
      }
    }
    gates[0] = std::numeric_limits<float>::quiet_NaN();
    open_gates(gates.data(), c.data(), three.data(), next.data(), rows, width);
    EXPECT_TRUE(std::isnan(next[0]));  // a divergence must not be smoothed over
  }
}

TEST(Recurrent, IgnoresWhatStandsBehindTheEndOfASample) {
  const TrialSpec spec = recurrent_trial("lstm", "layer");
  const auto network = make_network(spec, sequences());
  at::Tensor x = numbers({2, 5, 3}, 3);
  const at::Tensor mask = torch::arange(5).unsqueeze(0) < torch::tensor({5, 3}).unsqueeze(1);
  const at::Tensor padded = network->forward({.x = x, .mask = mask}, {});
  const at::Tensor alone = network->forward({.x = x.narrow(0, 1, 1).narrow(1, 0, 3)}, {});
  EXPECT_TRUE(torch::allclose(padded.narrow(0, 1, 1), alone, 1e-5, 1e-6));
}

// In training too, where the arm's statistics are over the batch: what stands in the padding changes nothing.
TEST(Recurrent, LeavesPaddingOutOfTheStatisticsOfRecurrentBatchNorm) {
  const TrialSpec spec = recurrent_trial("lstm", "batch_recurrent", 4);
  const at::Tensor mask = torch::arange(5).unsqueeze(0) < torch::tensor({5, 3, 4, 2}).unsqueeze(1);
  at::Tensor x = numbers({4, 5, 3}, 8), other = x.clone();
  other.index_put_({mask.logical_not()}, 100.F);
  std::vector<at::Tensor> outputs, later;
  for (const at::Tensor& in : {x, other}) {
    const auto network = make_network(spec, sequences());
    outputs.push_back(network->forward({.x = in, .mask = mask}, {.training = true}));
    later.push_back(network->forward({.x = in, .mask = mask}, {}));
  }
  EXPECT_TRUE(torch::equal(outputs[0], outputs[1]));
  EXPECT_TRUE(torch::equal(later[0], later[1])) << "padding moved the running statistics";
}

TEST(Recurrent, ShowsObserversOneLayerOfAllValidSteps) {
  struct Watch final : Observer {
    void saw(std::size_t layer, const at::Tensor& before, const at::Tensor& after) override {
      EXPECT_EQ(layer, 0U);
      EXPECT_EQ(before.sizes(), after.sizes());
      sizes.push_back(after.sizes().vec());
    }
    std::vector<std::vector<std::int64_t>> sizes;
  };
  const at::Tensor x = numbers({2, 5, 3}, 9);
  const at::Tensor mask = torch::arange(5).unsqueeze(0) < torch::tensor({5, 3}).unsqueeze(1);
  for (const std::string kind : {"rnn", "gru", "lstm"}) {
    for (const std::string arm : {"none", "layer"}) {
      Watch watch;
      const auto network = make_network(recurrent_trial(kind, arm), sequences());
      network->forward({.x = x}, {.training = true, .observer = &watch});
      network->forward({.x = x, .mask = mask}, {.training = true, .observer = &watch});
      EXPECT_EQ(watch.sizes, (std::vector<std::vector<std::int64_t>>{{2, 5, 6}, {8, 6}})) << kind << " " << arm;
    }
  }
}

TEST(Transformer, NeverAttendsToPadding) {
  for (const std::string placement : {"pre", "post"}) {
    TrialSpec spec = transformer_trial("transformer", "layer");
    spec.model.placement = placement;
    const auto network = make_network(spec, tokens(false));
    at::Tensor x = torch::randint(1, 9, {2, 7}, at::make_generator<at::CPUGeneratorImpl>(4), at::kLong);
    const at::Tensor mask = torch::arange(7).unsqueeze(0) < torch::tensor({7, 4}).unsqueeze(1);
    x.index_put_({mask.logical_not()}, 0);
    const at::Tensor padded = network->forward({.x = x, .mask = mask}, {});
    const at::Tensor alone = network->forward({.x = x.narrow(0, 1, 1).narrow(1, 0, 4)}, {});
    EXPECT_TRUE(torch::allclose(padded.narrow(0, 1, 1), alone, 1e-4, 1e-5)) << placement;
    EXPECT_EQ(padded.sizes(), (std::vector<std::int64_t>{2, 9}));
  }
}

// BatchNorm in a causal decoder hands later positions to earlier ones in training: a statistic knows them all.
TEST(Decoder, IsCausalUnlessStatisticsArePooledOverPositions) {
  const at::Tensor one = torch::randint(1, 9, {4, 7}, at::make_generator<at::CPUGeneratorImpl>(5), at::kLong);
  at::Tensor two = one.clone();
  two.select(1, 6).fill_(1);
  two.select(1, 6)[0] = 2;
  for (const std::string arm : {"layer", "rms", "dyt", "none", "batch_masked"}) {
    const TrialSpec spec = transformer_trial("decoder", arm, arm == "batch_masked" ? 4 : 0);
    const auto network = make_network(spec, tokens(true));
    const at::Tensor a = network->forward({.x = one}, {.training = true}).narrow(1, 0, 6);
    const at::Tensor b = network->forward({.x = two}, {.training = true}).narrow(1, 0, 6);
    EXPECT_EQ(torch::allclose(a, b, 1e-6, 1e-6), arm != "batch_masked") << arm;
  }
}

TEST(Networks, TrainEveryParameterInEveryArmThatTheyTake) {
  for (const auto& [kind, arm, batch] :
       {std::tuple("lstm", "batch_recurrent", 4), std::tuple("gru", "batch_input", 4), std::tuple("rnn", "rms", 0),
        std::tuple("transformer", "batch_ffn", 4), std::tuple("transformer", "batch_naive", 4)}) {
    const bool cell = std::string(kind) != "transformer";
    const TrialSpec spec = cell ? recurrent_trial(kind, arm, batch) : transformer_trial(kind, arm, batch);
    const auto network = make_network(spec, cell ? sequences() : tokens(false));
    const at::Tensor x = cell ? numbers({8, 5, 3}, 6)
                              : torch::randint(1, 9, {8, 7}, at::make_generator<at::CPUGeneratorImpl>(7), at::kLong);
    const at::Tensor loss = network->forward({.x = x}, {.training = true}).pow(2).sum();
    const auto gradients = torch::autograd::grad({loss}, network->parameters());
    for (const at::Tensor& gradient : gradients) EXPECT_GT(gradient.abs().sum().item<float>(), 0) << kind << " " << arm;
  }
}

}  // namespace
}  // namespace norma::lab::test
