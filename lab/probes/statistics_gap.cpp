// How far the running statistics are, at the end of training, from those of the training part under the final weights:
//
//   statistics_gap_mean  |running mean - mean| / sd
//   statistics_gap_sd    |log(running sd / sd)|
//
// Means over features and layers. Arms without running statistics have neither.
#include "lab/probes/probe_list.h"
#include "lab/training/evaluate.h"

namespace norma::lab {
namespace {

class StatisticsGap final : public Probe {
 public:
  explicit StatisticsGap(std::int64_t sgd_batch) : sgd_batch_(sgd_batch) {}

  void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) override {
    const at::NoGradGuard no_grad;
    std::vector<RunningStatistics*> layers;
    std::vector<RunningStatistics> kept;
    for (ArmLayer* layer : network.normalizations()) {
      if (layer->running() == nullptr) continue;
      layers.push_back(layer->running());
      kept.push_back({layers.back()->mean.clone(), layers.back()->variance.clone()});
    }
    if (layers.empty()) return;
    estimate_statistics(network, batcher, batcher.data().train, sgd_batch_);
    Mean mean, sd;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const at::Tensor variance = layers[i]->variance.clamp_min(kArmEps);
      mean.add(((kept[i].mean - layers[i]->mean).abs() / variance.sqrt()).mean().item<double>());
      sd.add(((kept[i].variance.clamp_min(kArmEps) / variance).log().abs() / 2).mean().item<double>());
      layers[i]->mean.copy_(kept[i].mean);
      layers[i]->variance.copy_(kept[i].variance);
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
