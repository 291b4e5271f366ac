// A small ResNet (He et al. 2016, after its CIFAR form): 3x3 convolution -> norm -> activation, then for each of
// `channels` a block
//
//   x -> act(shortcut(x) + branch(norm(conv3x3(act(norm(conv3x3(x)))))))
//
// which halves the sides where the channels change (the shortcut is then a 1x1 convolution with a norm), then the mean
// over space and a Linear.
#include "lab/error.h"
#include "lab/models/network.h"
#include "lab/models/weights.h"

namespace norma::lab {
namespace {

class ResNet final : public Network {
 public:
  ResNet(const TrialSpec& trial, const Dataset& data)
      : trial_(trial), activation_(activation_named(trial.model.activation)) {
    const std::vector<std::int64_t>& channels = trial.model.channels;
    if (channels.empty()) throw InputError("a ResNet needs at least one block");
    stem_ = layer(data.shape[0], channels.front(), 3, 1);
    std::int64_t in = channels.front();
    for (const std::int64_t out : channels) {
      const std::int64_t stride = out == in ? 1 : 2;
      Block block{.first = layer(in, out, 3, stride), .second = layer(out, out, 3, 1), .shortcut = {}};
      if (stride == 2) block.shortcut = layer(in, out, 1, stride);
      blocks_.push_back(std::move(block));
      in = out;
    }
    last_weight_ = initial_weights({data.classes, in}, Activation::kNone, 1, trial.seed, drawn_);
    last_bias_ = initial_bias(data.classes);
    add(last_weight_, last_bias_, nullptr);
  }

  at::Tensor forward(const Batch& batch, Pass pass) override {
    seen_ = 0;
    at::Tensor x = activate(activation_, run(stem_, batch.x, pass));
    for (const Block& block : blocks_) {
      const at::Tensor inner = activate(activation_, run(block.first, x, pass));
      const at::Tensor branch = block.second.normalization->branch(run(block.second, inner, pass));
      const at::Tensor shortcut = block.shortcut.weight.defined() ? run(block.shortcut, x, pass) : x;
      x = activate(activation_, shortcut + branch);
    }
    return at::linear(x.mean({2, 3}), last_weight_, last_bias_);
  }

 private:
  struct Layer {
    at::Tensor weight, bias;
    std::unique_ptr<ArmLayer> normalization;
    std::int64_t stride = 1;
  };
  struct Block {
    Layer first, second, shortcut;
  };

  Layer layer(std::int64_t in, std::int64_t out, std::int64_t side, std::int64_t stride) {
    if (out < 1) throw InputError("a convolution needs at least one channel");
    Layer made;
    made.weight = initial_weights({out, in, side, side}, activation_, trial_.model.gain, trial_.seed, drawn_++);
    made.normalization = make_arm({.trial = trial_, .features = out, .rank = 4});
    made.stride = stride;
    if (!made.normalization->absorbs_bias()) made.bias = initial_bias(out);
    add(made.weight, made.bias, made.normalization.get());
    return made;
  }

  at::Tensor run(const Layer& layer, const at::Tensor& x, const Pass& pass) {
    const at::Tensor before = at::conv2d(x, layer.weight, layer.bias, layer.stride, layer.weight.size(2) / 2);
    const at::Tensor after = layer.normalization->forward(before, pass);
    if (pass.observer != nullptr) pass.observer->saw(seen_++, before, after);
    return after;
  }

  const TrialSpec trial_;  // the arms' contexts refer to it
  Activation activation_;
  std::uint64_t drawn_ = 0;
  std::size_t seen_ = 0;
  Layer stem_;
  std::vector<Block> blocks_;
  at::Tensor last_weight_, last_bias_;
};

}  // namespace

std::unique_ptr<Network> make_resnet(const TrialSpec& trial, const Dataset& data) {
  return std::make_unique<ResNet>(trial, data);
}

}  // namespace norma::lab
