// How much of what a network says of one sample hangs on the others of its batch: of the Jacobian of one sample's
// logits z_i with respect to the inputs x_j of the whole batch, in training mode, the part of its squared norm that
// lies at other samples,
//
//   sample_coupling   sum_{j != i} ||d z_i / d x_j||^2 / sum_j ||d z_i / d x_j||^2
//
// 0 where nothing is shared over the batch. Statistics over normalization batches couple the samples of one, and none
// outside of it. Means over four samples spread over the minibatch and over the updates looked at, under the weights
// behind each.
//
// Inputs are valid positions; of tokens, which have no gradient, what the embedding makes of each. Of up to 16 logits a
// sample every row of the Jacobian is taken; of more (a decoder's) 16 sums of all rows with random signs, whose
// expected square is that of the whole (Hutchinson 1989).
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "lab/probes/probe_list.h"

namespace norma::lab {
namespace {

constexpr std::int64_t kLookedAt = 4, kMostRows = 16;
constexpr std::uint64_t kSignStream = 0x5349474e53;  // apart from all that training draws

class Embedded final : public Observer {
 public:
  void saw(std::size_t layer, const at::Tensor& before, const at::Tensor& after) override {
    static_cast<void>(layer);
    static_cast<void>(before);
    static_cast<void>(after);
  }
  void embedded(const at::Tensor& x) override { made = x; }
  at::Tensor made;
};

// What the rows of one sample's Jacobian are weighed with: (rows, numbers). Every one by itself, or with signs.
at::Tensor directions(std::int64_t numbers) {
  if (numbers <= kMostRows) return at::eye(numbers);
  at::Tensor signs = at::empty({kMostRows, numbers});
  Random random(kSignStream);
  auto* out = signs.data_ptr<float>();
  for (std::int64_t i = 0; i < signs.numel(); ++i) out[i] = random.below(2) == 0 ? -1.0F : 1.0F;
  return signs;
}

class SampleCoupling final : public Probe {
 public:
  void updated(const Update& update) override {
    const Batch& given = update.samples.batch;
    const bool tokens = !given.x.is_floating_point();
    const Batch batch{tokens ? given.x : given.x.detach().clone().requires_grad_(), given.mask};
    Embedded embedding;
    const at::Tensor logits = logits_of(update, batch, &embedding);
    const at::Tensor& inputs = tokens ? embedding.made : batch.x;
    if (!inputs.defined()) throw std::logic_error("sample_coupling: the network does not show its embedding");
    const std::int64_t samples = logits.size(0), looked_at = std::min(samples, kLookedAt);
    for (std::int64_t i = 0; i < looked_at; ++i) look(logits, inputs, batch.mask, samples * i / looked_at);
  }

  void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) override {
    static_cast<void>(network);
    static_cast<void>(batcher);
    measures["sample_coupling"] = coupling_.value();
  }

 private:
  // mask: (N,T), or undefined.
  void look(const at::Tensor& logits, const at::Tensor& inputs, const at::Tensor& mask, std::int64_t sample) {
    const at::Tensor own = logits[sample];
    at::Tensor rows = directions(own.numel());
    if (mask.defined() && own.dim() == 2) {  // (T,classes): what a decoder says at padding is nothing
      rows = (rows.view({-1, own.size(0), own.size(1)}) * mask[sample].view({1, -1, 1}).to(at::kFloat)).flatten(1);
    }
    at::Tensor squares = at::zeros({inputs.size(0)}, at::kDouble);  // of each sample's inputs
    for (const at::Tensor& row : rows.unbind()) {
      at::Tensor dx = torch::autograd::grad({own}, {inputs}, {row.view(own.sizes())}, /*retain_graph=*/true)[0];
      if (mask.defined()) dx = dx * mask.narrow(1, 0, dx.size(1)).unsqueeze(2).to(at::kFloat);
      squares += dx.to(at::kDouble).pow(2).flatten(1).sum(1);
    }
    const double all = squares.sum().item<double>();
    squares[sample] = 0;
    if (all > 0 && std::isfinite(all)) coupling_.add(squares.sum().item<double>() / all);
  }

  Mean coupling_;
};

}  // namespace

std::unique_ptr<Probe> make_sample_coupling() {
  return std::make_unique<SampleCoupling>();
}

}  // namespace norma::lab
