#include "lab/models/network.h"

#include <cmath>
#include <numbers>
#include <string>

#include "lab/data/random.h"
#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/models/max_pool.h"

namespace norma::lab {
namespace {

constexpr double kEps = 1e-5;
constexpr double kMomentum = 0.1;  // of the running statistics, torch's convention

// E[f(z)^2] for standard normal z; gelu and tanh by numerical integration.
constexpr double kReluSecondMoment = 0.5;
constexpr double kGeluSecondMoment = 0.425221;
constexpr double kTanhSecondMoment = 0.394294;

// Standard normal numbers in pairs (Box & Muller 1958), from the lab's own generator: the same for every torch.
at::Tensor random_weights(at::IntArrayRef sizes, double sd, std::uint64_t seed, std::uint64_t layer) {
  at::Tensor weights = at::empty(sizes, at::kFloat);
  Random random(Random(seed).next() + layer);
  float* out = weights.data_ptr<float>();
  const std::int64_t count = weights.numel();
  for (std::int64_t i = 0; i < count; i += 2) {
    const double radius = sd * std::sqrt(-2 * std::log1p(-random.uniform()));
    const double angle = 2 * std::numbers::pi * random.uniform();
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < count) out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return weights;
}

// Rank 4 over (N,C,H,W), rank 2 over (N,C).
Normalization normalization_of(const TrialSpec& trial, std::int64_t rank) {
  if (trial.arm == "layer") return channel_normalization(kEps);
  if (trial.arm == "layer_chw") return group_normalization(rank, 1, kEps);
  if (trial.arm == "group") return group_normalization(rank, trial.groups, kEps);
  if (trial.arm == "instance") return instance_normalization(rank, kEps);
  if (trial.arm == "rms") {
    Normalization how = channel_normalization(kEps);
    how.centred = false;
    how.name = "rms_norm";
    return how;
  }
  return {};
}

}  // namespace

ArmLayer::ArmLayer(const TrialSpec& trial, std::int64_t features, std::int64_t rank)
    : normalization_batch_(trial.normalization_batch) {
  const Arm* arm = find_arm(trial.arm);
  if (arm == nullptr) throw InputError("unknown arm '" + trial.arm + "'");
  if (!takes(trial.model.kind, *arm)) {
    throw InputError("arm '" + trial.arm + "' in model '" + trial.model.kind + "': " + std::string(arm->refusal));
  }
  if (arm->uses_batch != (trial.normalization_batch > 0)) {
    throw InputError("arm '" + trial.arm + "': expected a normalization batch " +
                     (arm->uses_batch ? "above 0" : "of 0 (it does not share over the batch)") + ", got " +
                     std::to_string(trial.normalization_batch));
  }
  if (arm->uses_batch && trial.training.sgd_batch % trial.normalization_batch != 0) {
    throw InputError("the normalization batch " + std::to_string(trial.normalization_batch) +
                     " does not divide the SGD batch " + std::to_string(trial.training.sgd_batch));
  }
  if (arm->uses_groups && (trial.groups < 1 || features % trial.groups != 0)) {
    throw InputError("arm 'group': " + std::to_string(trial.groups) + " groups do not divide " +
                     std::to_string(features) + " features");
  }
  present_ = trial.arm != "none";
  batch_ = arm->uses_batch;
  if (!present_) return;
  how_ = normalization_of(trial, rank);
  gamma_ = at::ones({features}, at::kFloat).requires_grad_();
  if (trial.arm != "rms") beta_ = at::zeros({features}, at::kFloat).requires_grad_();
  if (batch_) {
    running_mean_ = at::zeros({features}, at::kFloat);
    running_var_ = at::ones({features}, at::kFloat);
  }
}

at::Tensor ArmLayer::forward(const at::Tensor& x, bool training) {
  if (!present_) return x;
  if (batch_) {
    return batch_norm_grouped(x, normalization_batch_, gamma_, beta_, running_mean_, running_var_, training, kMomentum,
                              kEps);
  }
  return std::get<0>(normalize(x, gamma_, beta_, how_));
}

void ArmLayer::append_parameters(std::vector<at::Tensor>& parameters) const {
  if (gamma_.defined()) parameters.push_back(gamma_);
  if (beta_.defined()) parameters.push_back(beta_);
}

Network::Network(const TrialSpec& trial, const std::array<std::int64_t, 3>& shape, std::int64_t classes) {
  const ModelSpec& model = trial.model;
  if (model.activation == "relu") {
    activation_ = Activation::kRelu;
  } else if (model.activation == "gelu") {
    activation_ = Activation::kGelu;
  } else if (model.activation == "tanh") {
    activation_ = Activation::kTanh;
  } else {
    throw InputError("unknown activation '" + model.activation + "'");
  }
  std::int64_t last_features = shape[0] * shape[1] * shape[2];
  if (model.kind == "mlp") {
    build_mlp(trial, last_features);
    if (model.depth > 0) last_features = model.width;
  } else if (model.kind == "cnn") {
    last_features = build_cnn(trial, shape);
  } else {
    throw InputError("unknown kind of model '" + model.kind + "'");
  }
  last_weight_ = random_weights({classes, last_features}, 1 / std::sqrt(static_cast<double>(last_features)), trial.seed,
                                layers_.size())
                     .requires_grad_();
  last_bias_ = at::zeros({classes}, at::kFloat).requires_grad_();
  for (const Layer& layer : layers_) {
    parameters_.push_back(layer.weight);
    if (layer.bias.defined()) parameters_.push_back(layer.bias);
    layer.normalization.append_parameters(parameters_);
  }
  parameters_.push_back(last_weight_);
  parameters_.push_back(last_bias_);
}

void Network::build_mlp(const TrialSpec& trial, std::int64_t features) {
  if (trial.model.depth < 0 || (trial.model.depth > 0 && trial.model.width < 1)) {
    throw InputError("an MLP needs a depth of 0 or more and a width above 0");
  }
  for (std::int64_t i = 0; i < trial.model.depth; ++i) {
    add_layer(trial, {trial.model.width, i == 0 ? features : trial.model.width}, 2, false);
  }
}

std::int64_t Network::build_cnn(const TrialSpec& trial, const std::array<std::int64_t, 3>& shape) {
  if (trial.model.channels.empty()) throw InputError("a CNN needs at least one convolution");
  convolves_ = true;
  std::int64_t in = shape[0], height = shape[1], width = shape[2];
  const bool large = std::min(height, width) >= 16;
  for (std::size_t i = 0; i < trial.model.channels.size(); ++i) {
    const std::int64_t out = trial.model.channels[i];
    if (out < 1) throw InputError("a convolution needs at least one channel");
    const bool pool = (i > 0 || large) && std::min(height, width) >= 4;
    add_layer(trial, {out, in, 3, 3}, 4, pool);
    in = out;
    if (pool) {
      height /= 2;
      width /= 2;
    }
  }
  return in * height * width;
}

void Network::add_layer(const TrialSpec& trial, at::IntArrayRef weight_sizes, std::int64_t rank, bool pool) {
  std::int64_t fan_in = 1;
  for (const std::int64_t size : weight_sizes.slice(1)) fan_in *= size;
  const double second_moment = activation_ == Activation::kRelu   ? kReluSecondMoment
                               : activation_ == Activation::kGelu ? kGeluSecondMoment
                                                                  : kTanhSecondMoment;
  const double sd = 1 / std::sqrt(static_cast<double>(fan_in) * second_moment);
  Layer layer{.weight = random_weights(weight_sizes, sd, trial.seed, layers_.size()).requires_grad_(),
              .bias = {},
              .normalization = ArmLayer(trial, weight_sizes[0], rank),
              .pool = pool};
  if (!layer.normalization.present()) layer.bias = at::zeros({weight_sizes[0]}, at::kFloat).requires_grad_();
  layers_.push_back(std::move(layer));
}

at::Tensor Network::activate(at::Tensor x) const {
  switch (activation_) {
    case Activation::kRelu:
      return at::relu_(x);
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kTanh:
      return at::tanh_(x);
  }
  return x;
}

at::Tensor Network::forward(const at::Tensor& images, bool training) {
  at::Tensor x = convolves_ ? images : images.flatten(1);
  for (Layer& layer : layers_) {
    x = convolves_ ? at::conv2d(x, layer.weight, layer.bias, 1, 1) : at::linear(x, layer.weight, layer.bias);
    x = activate(layer.normalization.forward(x, training));
    if (layer.pool) x = max_pool(x);
  }
  return at::linear(x.flatten(1), last_weight_, last_bias_);
}

}  // namespace norma::lab
