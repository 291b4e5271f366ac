#include "training.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "direct_loop.h"
#include "lab/training/blas.h"
#include "lab/training/train.h"

namespace norma::bench {
namespace {

struct TrainingCase {
  std::string name;
  lab::TrialSpec spec;
};

lab::TrialSpec on_digits(const char* view, const lab::ModelSpec& model, const char* arm) {
  lab::TrialSpec spec;
  spec.data.name = spec.data.source = "optdigits";
  spec.data.view = view;
  spec.data.train = 500;
  spec.data.validation = 397;
  spec.data.test = 900;
  spec.model = model;
  spec.training.sgd_batch = 64;
  spec.training.epochs = 25;
  spec.training.optimizer = "sgd";
  spec.training.momentum = 0.9;
  spec.training.schedule = "cosine";
  spec.training.learning_rate = 0.03;
  spec.arm = arm;
  if (spec.arm == "batch") spec.normalization_batch = spec.training.sgd_batch;
  spec.seed = 1;
  spec.tuning = true;  // ends with the last validation, as the direct loop does
  return spec;
}

lab::ModelSpec model_of(const char* kind) {
  lab::ModelSpec model;
  model.name = model.kind = kind;
  model.activation = "relu";
  return model;
}

lab::TrialSpec recurrent(const char* view, const char* arm, std::int64_t epochs) {
  lab::ModelSpec model = model_of("lstm");
  model.hidden = 48;
  lab::TrialSpec spec = on_digits(view, model, arm);
  spec.training.optimizer = "adam";
  spec.training.learning_rate = 0.01;
  spec.training.epochs = epochs;
  return spec;
}

lab::TrialSpec transformer(std::int64_t least, std::int64_t most) {
  lab::TrialSpec spec = recurrent("", "layer", 2);
  spec.data.name = spec.data.source = "listops";
  spec.data.depth = spec.data.arguments = 6;
  spec.data.min_length = least;
  spec.data.max_length = most;
  spec.data.train = 512;
  spec.data.validation = spec.data.test = 64;
  spec.model = model_of("transformer");
  spec.model.depth = 2;
  spec.model.width = 64;
  spec.model.heads = 4;
  spec.model.placement = "post";
  spec.training.sgd_batch = 32;
  spec.training.learning_rate = 0.001;
  return spec;
}

std::vector<TrainingCase> training_cases() {
  lab::ModelSpec mlp = model_of("mlp"), cnn = model_of("cnn");
  mlp.depth = 2;
  mlp.width = 128;
  cnn.channels = {16, 32};
  return {{"MLP 64-128x2-10, BatchNorm", on_digits("", mlp, "batch")},
          {"MLP 64-128x2-10, LayerNorm", on_digits("", mlp, "layer")},
          {"CNN 16-32, BatchNorm", on_digits("", cnn, "batch")},
          {"CNN 16-32, LayerNorm over C", on_digits("", cnn, "layer")},
          {"LSTM-48, 8 steps, none", recurrent("rows", "none", 10)},
          {"LSTM-48, 8 steps, LayerNorm in the cell", recurrent("rows", "layer", 10)},
          {"LSTM-48, 64 steps, none", recurrent("pixels", "none", 4)},
          {"LSTM-48, 64 steps, LayerNorm in the cell", recurrent("pixels", "layer", 4)},
          {"Transformer 2x64, lengths 50 to 60, post-LN", transformer(50, 60)},
          {"Transformer 2x64, lengths 90 to 100, post-LN", transformer(90, 100)}};
}

using Clock = std::chrono::steady_clock;

template <typename Run>
double seconds_of(const Run& run) {
  const auto start = Clock::now();
  run();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

void expect_learning(const TrainingCase& c, const char* who, double first, double last) {
  if (!(last < first)) throw std::runtime_error(fmt::format("{}: {} went from {} to {}", c.name, who, first, last));
}

struct Timed {
  std::int64_t steps = 0;
  double ours = 0, direct = 0;  // seconds a step, medians of whole trials
};

// In turns; the first round warms up and is checked.
Timed time_case(const TrainingCase& c, int rounds) {
  const lab::Dataset data = lab::load(c.spec.data);
  const lab::TrialResult ours = lab::train(c.spec, data);
  const LoopResult direct = direct_loop(c.spec, data);
  expect_learning(c, "ours", ours.curve.front().train_loss, ours.curve.back().train_loss);
  expect_learning(c, "libtorch", direct.first_loss, direct.last_loss);
  std::vector<double> our_seconds, direct_seconds;
  for (int round = 0; round < rounds; ++round) {
    our_seconds.push_back(seconds_of([&] { lab::train(c.spec, data); }));
    direct_seconds.push_back(seconds_of([&] { direct_loop(c.spec, data); }));
  }
  const auto steps = static_cast<double>(ours.steps);
  return {ours.steps, median(our_seconds) / steps, median(direct_seconds) / steps};
}

}  // namespace

nlohmann::json compare_training(const std::string& filter, bool quick) {
  at::set_num_threads(1);
  lab::use_one_blas_thread();
  std::printf("\nWhole trials, validation included, on one thread (%s); ratio: libtorch's time / ours\n",
              lab::blas_in_use().c_str());
  std::printf("%-46s %6s %14s %14s %7s\n", "trial", "steps", "norma us/step", "direct us/step", "ratio");
  nlohmann::json rows = nlohmann::json::array();
  for (const TrainingCase& c : training_cases()) {
    if (c.name.find(filter) == std::string::npos) continue;
    const Timed timed = time_case(c, quick ? 3 : 7);
    const auto steps = static_cast<int>(timed.steps);
    std::printf("%-46s %6d %14.1f %14.1f %6.2fx\n", c.name.c_str(), steps, timed.ours * 1e6, timed.direct * 1e6,
                timed.direct / timed.ours);
    std::fflush(stdout);
    rows.push_back({{"trial", c.name},
                    {"steps", timed.steps},
                    {"seconds_per_step", {{"norma", timed.ours}, {"libtorch", timed.direct}}}});
  }
  return rows;
}

}  // namespace norma::bench
