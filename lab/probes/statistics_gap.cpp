// How far the statistics that evaluation uses are, at the end of training, from those of the training part under the
// final weights:
//
//   statistics_gap_mean  |running mean - mean| / sd
//   statistics_gap_sd    |log(running sd / sd)|
//
// Means over features and layers. PreciseBN, which estimates its own from just that, has 0. Arms that use no running
// statistics have neither: those that share nothing over the batch, and what takes the batch's own at test time.
#include "lab/probes/probe_list.h"
#include "lab/training/evaluate.h"

namespace norma::lab {
namespace {

class StatisticsGap final : public Probe {
 public:
  explicit StatisticsGap(std::int64_t sgd_batch) : sgd_batch_(sgd_batch) {}

  void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) override {
    const at::NoGradGuard no_grad;
    const RunningStatisticsKept running(network);
    if (running.empty()) return;
    estimate_statistics(network, batcher, batcher.data().train, sgd_batch_);
    Mean mean, sd;
    for (std::size_t i = 0; i < running.now().size(); ++i) {
      const RunningStatistics &was = running.before()[i], &is = *running.now()[i];
      const at::Tensor variance = is.variance.clamp_min(kArmEps);
      mean.add(((was.mean - is.mean).abs() / variance.sqrt()).mean().item<double>());
      sd.add(((was.variance.clamp_min(kArmEps) / variance).log().abs() / 2).mean().item<double>());
    }
    measures["statistics_gap_mean"] = mean.value();
    measures["statistics_gap_sd"] = sd.value();
  }

 private:
  std::int64_t sgd_batch_;
};

}  // namespace

std::unique_ptr<Probe> make_statistics_gap(std::int64_t sgd_batch) {
  return std::make_unique<StatisticsGap>(sgd_batch);
}

}  // namespace norma::lab
