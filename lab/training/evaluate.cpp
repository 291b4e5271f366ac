#include "lab/training/evaluate.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace norma::lab {
namespace {

struct Tally {
  double bits = 0;
  std::int64_t labels = 0, wrong = 0;
};

// One label's logits; whether the largest is another's.
bool wrong_at(const float* logits, std::int64_t classes, std::int64_t label, Tally& tally) {
  if (!std::all_of(logits, logits + classes, [](float logit) { return std::isfinite(logit); })) {
    throw Diverged("logits not finite in evaluation");
  }
  const float* largest = std::max_element(logits, logits + classes);
  double sum = 0;
  for (std::int64_t i = 0; i < classes; ++i) sum += std::exp(double{logits[i]} - double{*largest});
  tally.bits += (std::log(sum) + double{*largest} - double{logits[label]}) / std::numbers::ln2;
  const bool wrong = largest - logits != label;
  tally.labels += 1;
  tally.wrong += wrong ? 1 : 0;
  return wrong;
}

}  // namespace

Evaluation evaluate(Network& network, const Batcher& batcher, std::span<const std::int64_t> samples,
                    std::size_t at_a_time) {
  const at::NoGradGuard no_grad;
  Evaluation result;
  Tally tally;
  const std::int64_t classes = batcher.data().classes;
  for (std::size_t first = 0, count = 0; first < samples.size(); first += count) {
    count = std::min(at_a_time, samples.size() - first);
    // None is left alone: an arm with the batch's statistics has one value for each.
    if (at_a_time > 1 && first + count + 1 == samples.size()) ++count;
    const auto part = samples.subspan(first, count);
    const Labelled taken = batcher.take(part);
    const at::Tensor logits = network.forward(taken.batch, {}).contiguous();
    const auto* row = logits.data_ptr<float>();
    const auto* label = taken.labels.data_ptr<std::int64_t>();
    const std::int64_t per_sample = taken.labels.numel() / static_cast<std::int64_t>(part.size());
    for (std::size_t i = 0; i < part.size(); ++i) {
      bool wrong = false;
      for (std::int64_t at = 0; at < per_sample; ++at, row += classes, ++label) {
        if (*label != kNoLabel) wrong = wrong_at(row, classes, *label, tally);
      }
      result.wrong += wrong ? '1' : '0';
    }
  }
  if (tally.labels == 0) return result;
  result.error = static_cast<double>(tally.wrong) / static_cast<double>(tally.labels);
  result.bits = tally.bits / static_cast<double>(tally.labels);
  return result;
}

void estimate_statistics(Network& network, const Batcher& batcher, std::span<const std::int64_t> samples,
                         std::int64_t sgd_batch) {
  const at::NoGradGuard no_grad;
  for (ArmLayer* layer : network.normalizations()) layer->begin_estimate();
  const auto size = static_cast<std::size_t>(sgd_batch);
  for (std::size_t first = 0; first < samples.size(); first += size) {
    const auto part = samples.subspan(first, std::min(size, samples.size() - first));
    if (part.size() > 1) network.forward(batcher.take(part).batch, {.training = true, .progress = 1});
  }
  for (ArmLayer* layer : network.normalizations()) layer->end_estimate();
}

RunningStatisticsKept::RunningStatisticsKept(Network& network) {
  for (ArmLayer* layer : network.normalizations()) {
    if (layer->running() == nullptr) continue;
    layers_.push_back(layer->running());
    const RunningStatistics& now = *layers_.back();
    kept_.push_back({now.mean.clone(), now.variance.clone(), now.steps});
  }
}

RunningStatisticsKept::~RunningStatisticsKept() {
  for (std::size_t i = 0; i < layers_.size(); ++i) *layers_[i] = kept_[i];
}

}  // namespace norma::lab
