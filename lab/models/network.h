// The networks of a study, for any arm.
//
//   MLP: depth x [Linear -> norm -> activation] -> Linear
//   CNN: [3x3 convolution -> norm -> activation (-> 2x2 max-pooling)] for each of `channels` -> Linear
//
// The CNN's Linear sees every position: on 8x8 digits a mean over space in front of it left the arms undertrained (6%
// error in the time in which this reaches 3%).
//
// Pooling comes after every convolution but the first, and after the first too in images of 16 or more a side, as long
// as 2 or more positions a side are left.
//
// What is in front of a normalization has no bias (it would be subtracted, or doubled by beta); the arm "none" has one,
// from zero. The last Linear always has one.
//
// Initial weights: normal, variance 1 / (fan_in E[f(z)^2]) for the activation f behind and standard normal z, which is
// He et al. 2015 for ReLU; 1 / fan_in in the last layer. They are drawn layer by layer, each from a generator of its
// own, so that at one seed every arm starts from the same weights.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "lab/trial/spec.h"
#include "norma_torch/ops.h"

namespace norma::lab {

// One normalization layer of an arm over (N,C) or (N,C,H,W). gamma and beta (rms: gamma alone) are per feature or
// channel, in every arm.
class ArmLayer {
 public:
  // rank: of the tensors to come. Throws InputError where the arm does not go with the model.
  ArmLayer(const TrialSpec& trial, std::int64_t features, std::int64_t rank);

  // training: batch statistics, and the running ones move; otherwise running statistics. Other arms do the same in
  // both.
  at::Tensor forward(const at::Tensor& x, bool training);
  void append_parameters(std::vector<at::Tensor>& parameters) const;
  bool present() const { return present_; }

 private:
  bool present_ = true, batch_ = false;
  std::int64_t normalization_batch_ = 0;
  Normalization how_;
  at::Tensor gamma_, beta_, running_mean_, running_var_;
};

class Network {
 public:
  // shape: (C,H,W) of a sample. Throws InputError for a model or an arm that makes no sense.
  Network(const TrialSpec& trial, const std::array<std::int64_t, 3>& shape, std::int64_t classes);

  // images: (N,C,H,W), f32. Returns logits (N,classes).
  at::Tensor forward(const at::Tensor& images, bool training);
  // Everything that is trained, in a fixed order; weights require gradients.
  const std::vector<at::Tensor>& parameters() const { return parameters_; }

 private:
  struct Layer {
    at::Tensor weight, bias;
    ArmLayer normalization;
    bool pool = false;
  };
  enum class Activation : std::uint8_t { kRelu, kGelu, kTanh };

  void build_mlp(const TrialSpec& trial, std::int64_t features);
  // Returns how many features its last layer gives the classifier.
  std::int64_t build_cnn(const TrialSpec& trial, const std::array<std::int64_t, 3>& shape);
  void add_layer(const TrialSpec& trial, at::IntArrayRef weight_sizes, std::int64_t rank, bool pool);
  at::Tensor activate(at::Tensor x) const;

  bool convolves_ = false;
  Activation activation_ = Activation::kRelu;
  std::vector<Layer> layers_;
  at::Tensor last_weight_, last_bias_;
  std::vector<at::Tensor> parameters_;
};

}  // namespace norma::lab
