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
#include "lab/training/optimizer.h"

namespace norma::lab {
namespace {

constexpr std::int64_t kEvaluationBatch = 256;
// Keeps the shuffles apart from the initial weights, which come from the same seed.
constexpr std::uint64_t kShuffleStream = 0x5348554646;

struct Diverged {
  std::string reason;
};

at::Tensor tensor_of(const std::vector<std::int64_t>& values) {
  return at::from_blob(const_cast<std::int64_t*>(values.data()), {static_cast<std::int64_t>(values.size())}, at::kLong);
}

class Trial {
 public:
  Trial(const TrialSpec& spec, const Dataset& data) : spec_(spec), data_(data), network_(make_network(spec, data)) {
    const TrainingSpec& training = spec.training;
    const auto samples = static_cast<std::int64_t>(data.train.size());
    if (training.sgd_batch < 1 || training.epochs < 1) {
      throw InputError("training needs an SGD batch and a number of epochs above 0");
    }
    if (samples < training.sgd_batch) {
      throw InputError("the SGD batch is " + std::to_string(training.sgd_batch) + ", but there are only " +
                       std::to_string(samples) + " training samples");
    }
    steps_per_epoch_ = samples / training.sgd_batch;
    images_ = at::from_blob(const_cast<float*>(data.values.data()),
                            {data.samples(), data.shape[0], data.shape[1], data.shape[2]}, at::kFloat);
    labels_ = tensor_of(data.labels);
  }

  TrialResult run() {
    const auto start = std::chrono::steady_clock::now();
    TrialResult result;
    try {
      descend(result);
      result.validation_error = result.curve.back().validation_error;  // its last point is after the last update
      if (!spec_.tuning) {
        result.test_wrong = wrong_of(data_.test);
        result.test_error = error_of(result.test_wrong);
      }
    } catch (const Diverged& diverged) {
      result.status = TrialStatus::kDiverged;
      result.reason = diverged.reason + " after " + std::to_string(result.steps) + " updates";
      if (!spec_.tuning) result.test_wrong.assign(data_.test.size(), '1');
    }
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }

 private:
  void descend(TrialResult& result) {
    const std::int64_t total = spec_.training.epochs * steps_per_epoch_;
    const std::int64_t points = std::min(kCurvePoints, total);
    Optimizer optimizer(spec_.training, network_->parameters(), total);
    Random shuffles(spec_.seed ^ kShuffleStream);
    double loss_sum = 0;
    std::int64_t loss_count = 0;
    for (std::int64_t epoch = 0; epoch < spec_.training.epochs; ++epoch) {
      const std::vector<std::int64_t> order = shuffled(shuffles.next());
      for (std::int64_t i = 0; i < steps_per_epoch_; ++i) {
        loss_sum +=
            update(optimizer, tensor_of(order).narrow(0, i * spec_.training.sgd_batch, spec_.training.sgd_batch));
        ++loss_count;
        ++result.steps;
        const auto point = static_cast<std::int64_t>(result.curve.size()) + 1;
        if (result.steps * points < point * total) continue;
        result.curve.push_back({.step = result.steps,
                                .train_loss = loss_sum / static_cast<double>(loss_count),
                                .validation_error = error_of(wrong_of(data_.validation))});
        loss_sum = 0;
        loss_count = 0;
      }
    }
  }

  std::vector<std::int64_t> shuffled(std::uint64_t seed) const {
    std::vector<std::int64_t> order = permutation(static_cast<std::int64_t>(data_.train.size()), seed);
    for (std::int64_t& index : order) index = data_.train[static_cast<std::size_t>(index)];
    return order;
  }

  Batch batch_of(const at::Tensor& samples) const { return {.x = images_.index_select(0, samples)}; }

  // One update on these samples; the loss before it.
  double update(Optimizer& optimizer, const at::Tensor& samples) {
    const at::Tensor logits = network_->forward(batch_of(samples), {.training = true});
    const at::Tensor loss = at::cross_entropy_loss(logits, labels_.index_select(0, samples));
    const double value = loss.item<float>();
    if (!std::isfinite(value)) throw Diverged{"training loss not finite"};
    if (value > kDivergedLoss) throw Diverged{"training loss " + std::to_string(value)};
    optimizer.step(torch::autograd::grad({loss}, network_->parameters()));
    return value;
  }

  // '1' for every sample that the network gets wrong.
  std::string wrong_of(const std::vector<std::int64_t>& part) {
    at::NoGradGuard no_grad;
    std::string wrong;
    const auto count = static_cast<std::int64_t>(part.size());
    for (std::int64_t first = 0; first < count; first += kEvaluationBatch) {
      const at::Tensor samples = tensor_of(part).narrow(0, first, std::min(kEvaluationBatch, count - first));
      const at::Tensor logits = network_->forward(batch_of(samples), {}).contiguous();
      const float* row = logits.data_ptr<float>();
      for (std::int64_t i = 0; i < samples.numel(); ++i, row += data_.classes) {
        if (!std::all_of(row, row + data_.classes, [](float logit) { return std::isfinite(logit); })) {
          throw Diverged{"logits not finite in evaluation"};
        }
        const std::int64_t label = data_.labels[static_cast<std::size_t>(part[static_cast<std::size_t>(first + i)])];
        wrong += std::max_element(row, row + data_.classes) - row == label ? '0' : '1';
      }
    }
    return wrong;
  }

  static double error_of(const std::string& wrong) {
    if (wrong.empty()) return 1;
    return static_cast<double>(std::count(wrong.begin(), wrong.end(), '1')) / static_cast<double>(wrong.size());
  }

  const TrialSpec& spec_;
  const Dataset& data_;
  std::unique_ptr<Network> network_;
  std::int64_t steps_per_epoch_ = 0;
  at::Tensor images_, labels_;
};

}  // namespace

TrialResult train(const TrialSpec& spec, const Dataset& data) {
  return Trial(spec, data).run();
}

}  // namespace norma::lab
