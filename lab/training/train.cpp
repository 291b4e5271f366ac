#include "lab/training/train.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "lab/data/random.h"
#include "lab/error.h"
#include "lab/models/network.h"
#include "lab/probes/probe.h"
#include "lab/training/batches.h"
#include "lab/training/checks.h"
#include "lab/training/evaluate.h"
#include "lab/training/loss.h"
#include "lab/training/optimizer.h"
#include "lab/training/shifts.h"

namespace norma::lab {
namespace {

// Keep the shuffles and the injected noise apart from the initial weights, which come from the same seed.
constexpr std::uint64_t kShuffleStream = 0x5348554646, kNoiseStream = 0x4e4f495345;

class Trial {
 public:
  Trial(const TrialSpec& spec, const Dataset& data)
      : spec_(spec),
        data_(data),
        batcher_(data),
        network_(make_network(spec, data)),
        noise_(Random(spec.seed ^ kNoiseStream).next()) {
    const TrainingSpec& training = spec.training;
    const auto samples = static_cast<std::int64_t>(data.train.size());
    if (training.sgd_batch < 1 || training.epochs < 1) {
      throw InputError("training needs an SGD batch and a number of epochs above 0");
    }
    if (samples < training.sgd_batch) {
      throw InputError("the SGD batch is " + std::to_string(training.sgd_batch) + ", but there are only " +
                       std::to_string(samples) + " training samples");
    }
    if (training.batches != "shuffled" && training.batches != "sorted" && training.batches != "random") {
      throw InputError("unknown order of batches '" + training.batches + "'");
    }
    for (const std::string& name : spec.probes) probes_.push_back(make_probe(name, spec));
  }

  TrialResult run() {
    const auto start = std::chrono::steady_clock::now();
    TrialResult result;
    try {
      descend(result);
      result.validation_error = result.curve.back().validation_error;  // its last point is after the last update
      if (!spec_.tuning) measure(result);
    } catch (const Diverged& diverged) {
      result.status = TrialStatus::kDiverged;
      result.reason = std::string(diverged.what()) + " after " + std::to_string(result.steps) + " updates";
      result.validation_error = result.test_error = 1;
      if (!spec_.tuning) result.test_wrong.assign(data_.test.size(), '1');
    }
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  void descend(TrialResult& result) {
    Random shuffles(spec_.seed ^ kShuffleStream);
    const std::int64_t total = total_updates(data_, spec_.training, shuffles);
    const std::int64_t points = std::min(kCurvePoints, total);
    Optimizer optimizer(spec_.training, network_->parameters(), total);
    double loss_sum = 0;
    std::int64_t loss_count = 0;
    for (std::int64_t epoch = 0; epoch < spec_.training.epochs; ++epoch) {
      for (const std::vector<std::int64_t>& samples : epoch_batches(data_, spec_.training, shuffles.next())) {
        const auto point = static_cast<std::int64_t>(result.curve.size()) + 1;
        const bool at_point = (result.steps + 1) * points >= point * total;
        loss_sum +=
            update(optimizer, samples, static_cast<double>(result.steps) / static_cast<double>(total), at_point);
        ++loss_count;
        ++result.steps;
        if (!at_point) continue;
        if (result.steps == total) finish(result);
        result.curve.push_back({.step = result.steps,
                                .train_loss = loss_sum / static_cast<double>(loss_count),
                                .validation_error = evaluate(*network_, batcher_, data_.validation).error});
        loss_sum = 0;
        loss_count = 0;
      }
    }
  }

  // One update on these samples; the loss before it.
  double update(Optimizer& optimizer, const std::vector<std::int64_t>& indices, double progress, bool at_point) {
    const bool watched = at_point && !probes_.empty();
    const Labelled samples = batcher_.take(indices);
    const Random noise = noise_;
    const at::Tensor logits =
        network_->forward(samples.batch, {.training = true, .progress = progress, .noise = &noise_});
    const at::Tensor loss = cross_entropy(logits, samples.labels);
    const double value = loss.item<float>();
    if (!std::isfinite(value)) throw Diverged("training loss not finite");
    if (value > kDivergedLoss) throw Diverged("training loss " + std::to_string(value));
    std::vector<at::Tensor> gradients = torch::autograd::grad({loss}, network_->parameters(), {}, c10::nullopt, false,
                                                              /*allow_unused=*/true);
    std::vector<at::Tensor> before;
    for (std::size_t i = 0; watched && i < gradients.size(); ++i) {
      before.push_back(network_->parameters()[i].detach().clone());
    }
    const double rate = optimizer.learning_rate();
    optimizer.step(gradients);
    if (!watched) return value;
    const Update update{.network = *network_,
                        .samples = samples,
                        .progress = progress,
                        .rate = rate,
                        .noise = noise,
                        .before = std::move(before),
                        .gradients = std::move(gradients)};
    for (const auto& probe : probes_) probe->updated(update);
    return value;
  }

  // After the last update. Statistics that are estimated anew are so first: what probes look at is what evaluation
  // uses.
  void finish(TrialResult& result) {
    const auto& layers = network_->normalizations();
    const bool precise = std::any_of(layers.begin(), layers.end(), [](const ArmLayer* l) { return l->precise(); });
    if (precise) estimate_statistics(*network_, batcher_, data_.train, spec_.training.sgd_batch);
    for (const auto& probe : probes_) probe->finished(*network_, batcher_, result.measures);
  }

  void measure(TrialResult& result) {
    const Evaluation test = evaluate(*network_, batcher_, data_.test);
    result.test_wrong = test.wrong;
    result.test_error = static_cast<double>(std::count(test.wrong.begin(), test.wrong.end(), '1')) /
                        static_cast<double>(test.wrong.size());
    result.measures["train_error"] = evaluate(*network_, batcher_, data_.train).error;
    measure_shifts(*network_, data_, spec_, result.measures);
    if (data_.per_position) {
      result.measures["bits_per_character"] = test.bits;
      result.measures["error_per_character"] = test.error;
    }
  }

  const TrialSpec& spec_;
  const Dataset& data_;
  Batcher batcher_;
  std::unique_ptr<Network> network_;
  Random noise_;
  std::vector<std::unique_ptr<Probe>> probes_;
};

}  // namespace

TrialResult train(const TrialSpec& spec, const Dataset& data) {
  if (spec.model.kind == "checks") return run_checks(spec, static_cast<std::int64_t>(data.test.size()));
  return Trial(spec, data).run();
}

}  // namespace norma::lab
