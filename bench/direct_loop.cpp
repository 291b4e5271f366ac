#include "direct_loop.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "lab/data/random.h"
#include "lab/training/train.h"

namespace norma::bench {
namespace {

using lab::Dataset;
using lab::TrialSpec;
namespace nn = torch::nn;

// x: (N,C,H,W), (N,T,F) or tokens (N,T); padding: (N,T), true where there is no token; undefined where all are.
struct Net : nn::Module {
  virtual torch::Tensor forward(torch::Tensor x, const torch::Tensor& padding) = 0;
};

struct Mlp final : Net {
  Mlp(const TrialSpec& spec, const Dataset& data) {
    std::int64_t features = data.features();
    const std::int64_t width = spec.model.width;
    for (std::int64_t i = 0; i < spec.model.depth; ++i, features = width) {
      if (spec.arm == "batch") {
        layers->push_back(nn::Linear(nn::LinearOptions(features, width).bias(false)));
        layers->push_back(nn::BatchNorm1d(width));
      } else {
        layers->push_back(nn::Linear(features, width));
        layers->push_back(nn::LayerNorm(nn::LayerNormOptions({width})));
      }
      layers->push_back(nn::ReLU());
    }
    layers->push_back(nn::Linear(features, data.classes));
    register_module("layers", layers);
  }
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& padding) override {
    static_cast<void>(padding);
    return layers->forward(x.flatten(1));
  }
  nn::Sequential layers;
};

// LayerNorm over the channels of images, as ConvNeXt has it: there and back again by a view.
struct ChannelNormImpl : nn::Module {
  explicit ChannelNormImpl(std::int64_t channels) {
    norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({channels})));
  }
  torch::Tensor forward(const torch::Tensor& x) { return norm(x.permute({0, 2, 3, 1})).permute({0, 3, 1, 2}); }
  nn::LayerNorm norm{nullptr};
};
TORCH_MODULE(ChannelNorm);

struct Cnn final : Net {
  Cnn(const TrialSpec& spec, const Dataset& data) {
    std::int64_t in = data.shape[0], side = data.shape[1];
    const bool batch = spec.arm == "batch";
    for (const std::int64_t out : spec.model.channels) {
      layers->push_back(nn::Conv2d(nn::Conv2dOptions(in, out, 3).padding(1).bias(!batch)));
      if (batch) {
        layers->push_back(nn::BatchNorm2d(out));
      } else {
        layers->push_back(ChannelNorm(out));
      }
      layers->push_back(nn::ReLU());
      if (in != data.shape[0] && side >= 4) {
        layers->push_back(nn::MaxPool2d(2));
        side /= 2;
      }
      in = out;
    }
    layers->push_back(nn::Flatten());
    layers->push_back(nn::Linear(in * side * side, data.classes));
    register_module("layers", layers);
  }
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& padding) override {
    static_cast<void>(padding);
    return layers->forward(x);
  }
  nn::Sequential layers;
};

struct Lstm final : Net {
  Lstm(const TrialSpec& spec, const Dataset& data) {
    lstm = register_module("lstm", nn::LSTM(nn::LSTMOptions(data.shape[0], spec.model.hidden).batch_first(true)));
    last = register_module("last", nn::Linear(spec.model.hidden, data.classes));
  }
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& padding) override {
    static_cast<void>(padding);
    return last(std::get<0>(lstm(x)).select(1, -1));
  }
  nn::LSTM lstm{nullptr};
  nn::Linear last{nullptr};
};

// Ba et al. 2016: there is no such layer in libtorch, so its user writes the steps.
struct NormalizedLstm final : Net {
  NormalizedLstm(const TrialSpec& spec, const Dataset& data) : hidden(spec.model.hidden) {
    const auto norm = [](std::int64_t features) { return nn::LayerNorm(nn::LayerNormOptions({features})); };
    from_x = register_module("from_x", nn::Linear(nn::LinearOptions(data.shape[0], 4 * hidden).bias(false)));
    from_h = register_module("from_h", nn::Linear(nn::LinearOptions(hidden, 4 * hidden).bias(false)));
    norm_x = register_module("norm_x", norm(4 * hidden));
    norm_h = register_module("norm_h", norm(4 * hidden));
    norm_c = register_module("norm_c", norm(hidden));
    last = register_module("last", nn::Linear(hidden, data.classes));
  }
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& padding) override {
    static_cast<void>(padding);
    const auto steps = norm_x(from_x(x)).unbind(1);
    torch::Tensor h = torch::zeros({x.size(0), hidden}), c = h;
    for (const torch::Tensor& step : steps) {
      const auto gates = (step + norm_h(from_h(h))).chunk(4, 1);
      c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
      h = gates[3].sigmoid() * norm_c(c).tanh();
    }
    return last(h);
  }
  std::int64_t hidden;
  nn::Linear from_x{nullptr}, from_h{nullptr}, last{nullptr};
  nn::LayerNorm norm_x{nullptr}, norm_h{nullptr}, norm_c{nullptr};
};

struct Transformer final : Net {
  Transformer(const TrialSpec& spec, const Dataset& data) {
    const std::int64_t width = spec.model.width;
    embedding = register_module("embedding", nn::Embedding(data.vocabulary, width));
    const auto layer =
        nn::TransformerEncoderLayerOptions(width, spec.model.heads).dim_feedforward(2 * width).dropout(0);
    encoder = register_module("encoder", nn::TransformerEncoder(nn::TransformerEncoderOptions(
                                             nn::TransformerEncoderLayer(layer), spec.model.depth)));
    last = register_module("last", nn::Linear(width, data.classes));
    const torch::Tensor at = torch::arange(data.positions()).unsqueeze(1), i = torch::arange(width / 2) * 2;
    const torch::Tensor angle = at / torch::pow(10'000.0, i / static_cast<double>(width));
    positions = torch::stack({angle.sin(), angle.cos()}, 2).flatten(1).unsqueeze(1).to(torch::kFloat);
  }
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& padding) override {
    // (T,N,C), as libtorch's encoder takes it.
    torch::Tensor y = embedding(x.transpose(0, 1)) + positions.narrow(0, 0, x.size(1));
    y = encoder->forward(y, {}, padding).transpose(0, 1);
    if (!padding.defined()) return last(y.mean(1));
    const torch::Tensor weight = padding.logical_not().to(torch::kFloat);
    return last((y * weight.unsqueeze(2)).sum(1) / weight.sum(1, true));
  }
  nn::Embedding embedding{nullptr};
  nn::TransformerEncoder encoder{nullptr};
  nn::Linear last{nullptr};
  torch::Tensor positions;
};

std::shared_ptr<Net> make_net(const TrialSpec& spec, const Dataset& data) {
  const std::string& kind = spec.model.kind;
  const bool layer = spec.arm == "layer";
  if (kind == "mlp" && (layer || spec.arm == "batch")) return std::make_shared<Mlp>(spec, data);
  if (kind == "cnn" && (layer || spec.arm == "batch")) return std::make_shared<Cnn>(spec, data);
  if (kind == "lstm" && layer) return std::make_shared<NormalizedLstm>(spec, data);
  if (kind == "lstm" && spec.arm == "none") return std::make_shared<Lstm>(spec, data);
  if (kind == "transformer" && layer && spec.model.placement == "post")
    return std::make_shared<Transformer>(spec, data);
  throw std::invalid_argument("no direct loop of " + kind + " with " + spec.arm);
}

// The data set as tensors, and samples of it as a loop takes them.
struct Source {
  explicit Source(const Dataset& data) : labels(torch::tensor(data.labels)) {
    const std::int64_t n = data.samples();
    if (data.kind == lab::SampleKind::kTokens) x = torch::tensor(data.tokens).view({n, data.positions()});
    if (data.kind == lab::SampleKind::kSequences) {
      x = torch::tensor(data.values).view({n, data.positions(), data.shape[0]});
    }
    if (data.kind == lab::SampleKind::kImages) {
      x = torch::tensor(data.values).view({n, data.shape[0], data.shape[1], data.shape[2]});
    }
    if (!data.lengths.empty()) lengths = torch::tensor(data.lengths);
  }

  // Inputs, padding, labels.
  std::tuple<torch::Tensor, torch::Tensor, torch::Tensor> take(const torch::Tensor& which) const {
    torch::Tensor taken = x.index_select(0, which), padding;
    if (lengths.defined()) {
      const torch::Tensor own = lengths.index_select(0, which);
      const auto longest = own.max().item<std::int64_t>();
      taken = taken.narrow(1, 0, longest);
      padding = torch::arange(longest).unsqueeze(0) >= own.unsqueeze(1);
    }
    return {taken, padding, labels.index_select(0, which)};
  }

  torch::Tensor x, labels, lengths;
};

double error_on(Net& net, const Source& source, const torch::Tensor& samples) {
  constexpr std::int64_t kBatch = 256;
  const torch::NoGradGuard no_grad;
  net.eval();
  std::int64_t wrong = 0;
  for (const torch::Tensor& which : samples.split(kBatch)) {
    const auto [x, padding, labels] = source.take(which);
    wrong += net.forward(x, padding).argmax(1).ne(labels).sum().item<std::int64_t>();
  }
  net.train();
  return static_cast<double>(wrong) / static_cast<double>(samples.size(0));
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const TrialSpec& spec, const Net& net) {
  const double rate = spec.training.learning_rate;
  if (spec.training.optimizer == "adam") {
    return std::make_unique<torch::optim::Adam>(net.parameters(), torch::optim::AdamOptions(rate));
  }
  return std::make_unique<torch::optim::SGD>(net.parameters(),
                                             torch::optim::SGDOptions(rate).momentum(spec.training.momentum));
}

void set_rate(torch::optim::Optimizer& optimizer, double rate) {
  for (auto& group : optimizer.param_groups()) group.options().set_lr(rate);
}

}  // namespace

LoopResult direct_loop(const TrialSpec& spec, const Dataset& data) {
  torch::manual_seed(spec.seed);
  const Source source(data);
  const std::shared_ptr<Net> net = make_net(spec, data);
  const auto optimizer = make_optimizer(spec, *net);
  const torch::Tensor train = torch::tensor(data.train), validation = torch::tensor(data.validation);
  const std::int64_t batch = spec.training.sgd_batch, a_epoch = train.size(0) / batch;
  const std::int64_t total = a_epoch * spec.training.epochs, points = std::min(lab::kCurvePoints, total);
  LoopResult result;
  std::int64_t step = 0, point = 0;
  for (std::int64_t epoch = 0; epoch < spec.training.epochs; ++epoch) {
    const torch::Tensor order = train.index_select(0, torch::randperm(train.size(0)));
    for (std::int64_t i = 0; i < a_epoch; ++i) {
      const auto [x, padding, labels] = source.take(order.narrow(0, i * batch, batch));
      const torch::Tensor loss = torch::cross_entropy_loss(net->forward(x, padding), labels);
      result.last_loss = loss.item<double>();
      if (step == 0) result.first_loss = result.last_loss;
      if (!std::isfinite(result.last_loss)) throw std::runtime_error("a loss that is not finite");
      optimizer->zero_grad();
      loss.backward();
      const double progress = static_cast<double>(step) / static_cast<double>(total);
      set_rate(*optimizer, spec.training.learning_rate * 0.5 * (1 + std::cos(M_PI * progress)));
      optimizer->step();
      ++step;
      if (step * points < (point + 1) * total) continue;
      ++point;
      result.validation_error = error_on(*net, source, validation);
    }
  }
  return result;
}

}  // namespace norma::bench
