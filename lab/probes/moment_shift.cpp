// How far one update moves the distribution that each layer hands on, of the same minibatch: behind the normalization,
// per feature,
//
//   moment_shift_mean  |mean' - mean| / sd
//   moment_shift_sd    |log(sd' / sd)|
//
// Means over features, layers and the updates looked at.
#include "lab/probes/probe_list.h"

namespace norma::lab {
namespace {

struct FeatureMoments {
  at::Tensor mean, sd;
};

class Moments final : public Observer {
 public:
  void saw(std::size_t layer, const at::Tensor& before, const at::Tensor& after) override {
    static_cast<void>(layer);
    static_cast<void>(before);
    const at::Tensor x = after.detach().to(at::kDouble);
    // (N,C,H,W) has its features in axis 1, (N,C) and (N,T,C) in the last.
    const at::Tensor rows = x.dim() == 4 ? x.transpose(0, 1).flatten(1) : x.flatten(0, -2).t();
    seen.push_back({rows.mean(1), rows.std(1, /*unbiased=*/false)});
  }
  std::vector<FeatureMoments> seen;
};

class MomentShift final : public Probe {
 public:
  void updated(const Update& update) override {
    const at::NoGradGuard no_grad;
    Moments after, before;
    loss_of(update, &after);
    WeightsKept weights(update.network);
    for (std::size_t i = 0; i < update.before.size(); ++i) weights.set(i, update.before[i]);
    loss_of(update, &before);
    for (std::size_t layer = 0; layer < before.seen.size(); ++layer) {
      const FeatureMoments &was = before.seen[layer], &is = after.seen[layer];
      const at::Tensor alive = (was.sd > 0).logical_and(is.sd > 0);
      if (!alive.any().item<bool>()) continue;
      mean_.add(((is.mean - was.mean).abs() / was.sd).index({alive}).mean().item<double>());
      sd_.add((is.sd / was.sd).log().abs().index({alive}).mean().item<double>());
    }
  }

  void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) override {
    static_cast<void>(network);
    static_cast<void>(batcher);
    measures["moment_shift_mean"] = mean_.value();
    measures["moment_shift_sd"] = sd_.value();
  }

 private:
  Mean mean_, sd_;
};

}  // namespace

std::unique_ptr<Probe> make_moment_shift() {
  return std::make_unique<MomentShift>();
}

}  // namespace norma::lab
