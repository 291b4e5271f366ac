// What leaves a network's outputs as they are: the table of invariances of Ba, Kiros & Hinton 2016 (section 5.1; with
// RMSNorm: Zhang & Sennrich 2019, table 1), of the whole network instead of one normalization. The first layer or the
// data are changed, and the outputs in training mode on the update's own minibatch move from z to z':
//
//   weight_rescale_change    the layer's weights times 2
//   weight_recentre_change   one random vector, of the weights' size, added to the weights of every unit
//   unit_rescale_change      the weights of one unit times 1/2, of the next times 1, of the next times 2, and again
//   data_rescale_change      all inputs times 2
//   data_recentre_change     one vector, the data's sd up and down in turn, added to every input of the layer: all of a
//                            sample, or the channels of an image under a convolution, or the features at a position
//   sample_rescale_change    every second sample times 2
//
// Each is ||z' - z|| / ||z|| over all samples (and valid positions): 0 where the network is invariant, up to eps and
// rounding. Means over the updates looked at, under the weights behind each. Biases stay as they are. Zero padding is
// not recentred, so at the edges of an image a convolution is not invariant to it under any norm. Tokens have no scale:
// of them there are the first three, of the embedding's table, whose units are its columns.
#include <cmath>

#include "lab/models/weights.h"
#include "lab/probes/probe_list.h"

namespace norma::lab {
namespace {

constexpr double kTwice = 2;
constexpr std::uint64_t kVectorStream = 0x564543544f52;  // apart from all that training draws

double norm_of(const at::Tensor& x) {
  return x.to(at::kDouble).norm().item<double>();
}

// As many numbers as there are units, in turn 1/2, 1 and 2.
at::Tensor unit_factors(std::int64_t units) {
  return at::pow(kTwice, at::arange(units, at::kFloat).remainder(3) - 1);
}

class Invariance final : public Probe {
 public:
  void updated(const Update& update) override {
    const at::NoGradGuard no_grad;
    const at::Tensor plain = outputs(update, update.samples.batch);
    const double norm = norm_of(plain);
    if (!(norm > 0) || !std::isfinite(norm)) return;  // nothing to compare with
    const auto compare = [&](const char* name, const Batch& batch) {
      changes_[name].add(finite_or_worst(norm_of(outputs(update, batch) - plain) / norm));
    };
    change_weights(update, compare);
    if (update.samples.batch.x.is_floating_point()) change_data(update, compare);
  }

  void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) override {
    static_cast<void>(network);
    static_cast<void>(batcher);
    for (const auto& [name, mean] : changes_) measures[name] = mean.value();
  }

 private:
  static at::Tensor outputs(const Update& update, const Batch& batch) {
    const at::Tensor logits = logits_of(update, batch);
    return batch.mask.defined() && logits.dim() == 3 ? logits.index({batch.mask}) : logits;
  }

  template <class Compare>
  static void change_weights(const Update& update, const Compare& compare) {
    const Batch& batch = update.samples.batch;
    WeightsKept kept(update.network);
    const at::Tensor weights = update.network.weights().front().detach().clone();
    const std::int64_t unit_axis = batch.x.is_floating_point() ? 0 : 1;
    const std::int64_t units = weights.size(unit_axis);
    std::vector<std::int64_t> of_units(static_cast<std::size_t>(weights.dim()), 1), of_inputs(weights.sizes().vec());
    of_units[static_cast<std::size_t>(unit_axis)] = units;
    of_inputs[static_cast<std::size_t>(unit_axis)] = 1;
    const double size = std::sqrt(weights.pow(2).mean().item<double>());
    const at::Tensor vector = random_normal(of_inputs, size, kVectorStream, 0);
    // The first layer's weight is the first parameter.
    const auto with = [&](const char* name, const at::Tensor& changed) {
      kept.set(0, changed);
      compare(name, batch);
    };
    with("weight_rescale_change", weights * kTwice);
    with("weight_recentre_change", weights + vector);
    with("unit_rescale_change", weights * unit_factors(units).view(of_units));
  }

  template <class Compare>
  static void change_data(const Update& update, const Compare& compare) {
    const at::Tensor &x = update.samples.batch.x, &mask = update.samples.batch.mask;
    std::vector<std::int64_t> one_sample(x.sizes().vec());
    one_sample[0] = 1;
    if (x.dim() == 3) one_sample[1] = 1;                                                 // a position's features
    if (update.network.weights().front().dim() == 4) one_sample[2] = one_sample[3] = 1;  // an image's channels
    std::int64_t numbers = 1;
    for (const std::int64_t size : one_sample) numbers *= size;
    at::Tensor vector = (1 - 2 * at::arange(numbers).remainder(2)).to(at::kFloat).view(one_sample) * x.std();
    if (mask.defined()) vector = vector * mask.unsqueeze(2).to(at::kFloat);
    std::vector<std::int64_t> of_samples(static_cast<std::size_t>(x.dim()), 1);
    of_samples[0] = x.size(0);
    const at::Tensor factors = at::where(at::arange(x.size(0)).remainder(2) == 1, kTwice, 1.0).to(at::kFloat);
    compare("data_rescale_change", {x * kTwice, mask});
    compare("data_recentre_change", {x + vector, mask});
    compare("sample_rescale_change", {x * factors.view(of_samples), mask});
  }

  std::map<std::string, Mean> changes_;
};

}  // namespace

std::unique_ptr<Probe> make_invariance() {
  return std::make_unique<Invariance>();
}

}  // namespace norma::lab
