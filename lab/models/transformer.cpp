// A Transformer (Vaswani et al. 2017) over tokens or sequences of vectors: embedding + sinusoidal positions, `depth`
// blocks of attention and a feed-forward part of twice the width, and
//
//   "transformer" (encoder): the mean over a sample's valid positions -> Linear, (N,classes)
//   "decoder" (causal):      a Linear at every position, (N,T,classes)
//
// Normalizations stand in front of attention and feed-forward part and once behind the last block (placement "pre"), or
// behind each sum ("post", which wants warm-up: Xiong et al. 2020). Padding is never attended to.
#include <cmath>
#include <limits>

#include "lab/error.h"
#include "lab/models/network.h"
#include "lab/models/weights.h"

namespace norma::lab {
namespace {

constexpr double kEmbeddingSd = 0.5;

// (T,C): sines and cosines of geometrically spaced wavelengths.
at::Tensor position_table(std::int64_t positions, std::int64_t width) {
  at::Tensor table = at::empty({positions, width}, at::kFloat);
  auto* out = table.data_ptr<float>();
  for (std::int64_t t = 0; t < positions; ++t) {
    for (std::int64_t i = 0; i < width; ++i) {
      const double angle =
          static_cast<double>(t) / std::pow(10'000.0, static_cast<double>(i / 2 * 2) / static_cast<double>(width));
      *out++ = static_cast<float>(i % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  return table;
}

class Transformer final : public Network {
 public:
  Transformer(const TrialSpec& trial, const Dataset& data)
      : trial_(trial),
        activation_(activation_named(trial.model.activation)),
        width_(trial.model.width),
        heads_(trial.model.heads),
        causal_(trial.model.kind == "decoder"),
        pre_(trial.model.placement == "pre") {
    if (width_ < 1 || heads_ < 1 || width_ % heads_ != 0 || trial.model.depth < 1) {
      throw InputError("a Transformer needs at least one block and a width that its heads divide");
    }
    if (data.kind == SampleKind::kImages) throw InputError("a Transformer takes tokens or sequences");
    if (data.per_position != causal_) {
      throw InputError(causal_ ? "a decoder takes data that is labelled at every position (next token)"
                               : "a Transformer encoder takes data with one label a sample");
    }
    tokens_ = data.kind == SampleKind::kTokens;
    // Of tokens a table; of vectors a Linear.
    embedding_ = tokens_ ? random_normal({data.vocabulary, width_}, kEmbeddingSd, trial.seed, drawn_++).requires_grad_()
                         : initial_weights({width_, data.shape[0]}, Activation::kNone, 1, trial.seed, drawn_++);
    add(embedding_, {}, nullptr);
    positions_ = position_table(data.positions(), width_);
    for (std::int64_t i = 0; i < trial.model.depth; ++i) add_block();
    if (pre_) {
      last_norm_ = normalization(width_, Site::kFeatures);
      add(last_norm_.get());
    }
    last_weight_ = initial_weights({data.classes, width_}, Activation::kNone, 1, trial.seed, drawn_);
    last_bias_ = initial_bias(data.classes);
    add(last_weight_, last_bias_, nullptr);
  }

  at::Tensor forward(const Batch& batch, Pass pass) override {
    pass.mask = batch.mask;
    seen_ = 0;
    const std::int64_t length = batch.x.size(1);
    if (length > positions_.size(0)) positions_ = position_table(length, width_);
    at::Tensor x = tokens_ ? at::embedding(embedding_, batch.x) : at::linear(batch.x, embedding_);
    if (tokens_ && pass.observer != nullptr) pass.observer->embedded(x);
    x = x + positions_.narrow(0, 0, length);
    const at::Tensor barred = barred_keys(batch, length);
    for (const Block& block : blocks_) {
      if (pre_) {
        x = x + attend(block, norm(block.first, x, pass), barred);
        x = x + feed(block, norm(block.second, x, pass), pass);
      } else {
        x = norm(block.first, x + attend(block, x, barred), pass);
        x = norm(block.second, x + feed(block, x, pass), pass);
      }
    }
    if (pre_) x = norm(last_norm_, x, pass);
    if (!causal_) x = mean_over_positions(x, batch.mask);
    return at::linear(x, last_weight_, last_bias_);
  }

 private:
  struct Block {
    at::Tensor attention, attention_bias, out, out_bias, up, up_bias, down, down_bias;
    std::unique_ptr<ArmLayer> first, second, between;
  };

  std::unique_ptr<ArmLayer> normalization(std::int64_t features, Site site) const {
    return make_arm({.trial = trial_, .features = features, .rank = 3, .site = site});
  }

  void add_block() {
    const auto weights = [&](std::int64_t out, std::int64_t in, Activation behind) {
      return initial_weights({out, in}, behind, trial_.model.gain, trial_.seed, drawn_++);
    };
    Block block;
    block.attention = weights(3 * width_, width_, Activation::kNone);
    block.attention_bias = initial_bias(3 * width_);
    block.out = weights(width_, width_, Activation::kNone);
    block.out_bias = initial_bias(width_);
    block.up = weights(2 * width_, width_, activation_);
    block.up_bias = initial_bias(2 * width_);
    block.down = weights(width_, 2 * width_, Activation::kNone);
    block.down_bias = initial_bias(width_);
    block.first = normalization(width_, Site::kFeatures);
    block.between = normalization(2 * width_, Site::kBetweenLinear);
    block.second = normalization(width_, Site::kFeatures);
    add(block.attention, block.attention_bias, block.first.get());
    add(block.out, block.out_bias, nullptr);
    add(block.up, block.up_bias, block.between.get());
    add(block.down, block.down_bias, block.second.get());
    blocks_.push_back(std::move(block));
  }

  at::Tensor norm(const std::unique_ptr<ArmLayer>& layer, const at::Tensor& x, const Pass& pass) {
    at::Tensor y = layer->forward(x, pass);
    if (pass.observer != nullptr) pass.observer->saw(seen_++, x, y);
    return y;
  }

  // What is added to the scores: -infinity where a query must not look. Undefined: it may look everywhere.
  at::Tensor barred_keys(const Batch& batch, std::int64_t length) const {
    constexpr float kNever = -std::numeric_limits<float>::infinity();
    at::Tensor barred;
    if (batch.mask.defined()) {
      barred = at::zeros({batch.x.size(0), 1, 1, length})
                   .masked_fill_(batch.mask.logical_not().view({-1, 1, 1, length}), kNever);
    }
    if (causal_) {
      const at::Tensor later = at::full({length, length}, kNever).triu_(1);
      barred = barred.defined() ? barred + later : later;
    }
    return barred;
  }

  at::Tensor attend(const Block& block, const at::Tensor& x, const at::Tensor& barred) const {
    const std::int64_t samples = x.size(0), length = x.size(1), size = width_ / heads_;
    // (3,N,heads,T,size)
    const at::Tensor all = at::linear(x, block.attention, block.attention_bias)
                               .view({samples, length, 3, heads_, size})
                               .permute({2, 0, 3, 1, 4});
    const at::Tensor queries = all[0] * (1 / std::sqrt(static_cast<double>(size)));
    at::Tensor scores = at::matmul(queries, all[1].transpose(-2, -1));
    if (barred.defined()) scores = scores + barred;
    const at::Tensor mixed = at::matmul(at::softmax(scores, -1), all[2]).transpose(1, 2);
    return at::linear(mixed.reshape({samples, length, width_}), block.out, block.out_bias);
  }

  at::Tensor feed(const Block& block, const at::Tensor& x, const Pass& pass) {
    const at::Tensor up = activate(activation_, at::linear(x, block.up, block.up_bias));
    return at::linear(block.between->forward(up, pass), block.down, block.down_bias);
  }

  static at::Tensor mean_over_positions(const at::Tensor& x, const at::Tensor& mask) {
    if (!mask.defined()) return x.mean(1);
    const at::Tensor weight = mask.to(at::kFloat);
    return (x * weight.unsqueeze(2)).sum(1) / weight.sum(1, /*keepdim=*/true);
  }

  const TrialSpec trial_;
  Activation activation_;
  std::int64_t width_, heads_;
  bool causal_, pre_, tokens_ = false;
  std::uint64_t drawn_ = 0;
  std::size_t seen_ = 0;
  std::vector<Block> blocks_;
  std::unique_ptr<ArmLayer> last_norm_;
  at::Tensor embedding_, positions_, last_weight_, last_bias_;
};

}  // namespace

std::unique_ptr<Network> make_transformer(const TrialSpec& trial, const Dataset& data) {
  return std::make_unique<Transformer>(trial, data);
}

}  // namespace norma::lab
