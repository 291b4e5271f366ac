// What a network makes of a part of its data, in evaluation mode.
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "lab/training/batches.h"

namespace norma::lab {

// Ends a trial: a loss or a logit that is not finite, or a loss out of all bounds.
struct Diverged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Evaluation {
  // One character a sample, '1' where the network is wrong; where every position is labelled, wrong at the last one.
  std::string wrong;
  double error = 1;  // the share of labels that it gets wrong
  double bits = 0;   // the mean cross-entropy of a label, in bits
};

// Samples that a network sees at a time in evaluation; one more where the last would be alone.
inline constexpr std::size_t kEvaluationBatch = 256;

// samples: indices into the batcher's data. Throws Diverged where a logit is not finite.
Evaluation evaluate(Network& network, const Batcher& batcher, std::span<const std::int64_t> samples,
                    std::size_t at_a_time = kEvaluationBatch);

// Running statistics of every layer that has them, anew from these samples in batches of the SGD batch and under the
// weights as they are (Wu & Johnson 2021).
void estimate_statistics(Network& network, const Batcher& batcher, std::span<const std::int64_t> samples,
                         std::int64_t sgd_batch);

// Puts every layer's running statistics back as they were when this was made.
class RunningStatisticsKept {
 public:
  explicit RunningStatisticsKept(Network& network);
  ~RunningStatisticsKept();
  RunningStatisticsKept(const RunningStatisticsKept&) = delete;
  RunningStatisticsKept& operator=(const RunningStatisticsKept&) = delete;

  // Whether no layer has any.
  bool empty() const { return layers_.empty(); }
  // Of the layers that have them, from the input on: as they are, and as they were.
  const std::vector<RunningStatistics*>& now() const { return layers_; }
  const std::vector<RunningStatistics>& before() const { return kept_; }

 private:
  std::vector<RunningStatistics*> layers_;
  std::vector<RunningStatistics> kept_;
};

}  // namespace norma::lab
