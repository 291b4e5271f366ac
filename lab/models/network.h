// A network of a study, for any arm. One file a kind of model: mlp.cpp, cnn.cpp, ...
//
// What is in front of a normalization has no bias (it would be subtracted, or doubled by beta); where there is none, it
// has one, from zero. The last Linear always has one. Initial weights: weights.h.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <vector>

#include "lab/data/dataset.h"
#include "lab/models/arm.h"
#include "lab/trial/spec.h"

namespace norma::lab {

// What goes into a network at once.
struct Batch {
  at::Tensor x;       // images (N,C,H,W) of f32, sequences (N,T,F) of f32, or tokens (N,T) of int64
  at::Tensor mask{};  // (N,T) of bool: the valid positions of sequences; undefined: all are
};

class Network {
 public:
  Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  // Logits: (N,classes), or (N,T,classes) where every position is labelled.
  virtual at::Tensor forward(const Batch& batch, Pass pass) = 0;

  // Everything that is trained, in a fixed order; all require gradients.
  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  // The weight matrices or kernels of the layers, from the input on; what probes take gradients of.
  const std::vector<at::Tensor>& weights() const { return weights_; }
  // Of each parameter, the index into weights() of the layer that it belongs to.
  const std::vector<std::size_t>& layer_of() const { return layer_of_; }
  // The normalization layers, from the input on.
  const std::vector<ArmLayer*>& normalizations() const { return normalizations_; }

 protected:
  // Registers a layer's weight, its bias (undefined: none) and its normalization (null: none), in this order.
  void add(const at::Tensor& weight, const at::Tensor& bias, ArmLayer* normalization);
  // Registers a further normalization of the last layer.
  void add(ArmLayer* normalization);

 private:
  std::vector<at::Tensor> parameters_, weights_;
  std::vector<std::size_t> layer_of_;
  std::vector<ArmLayer*> normalizations_;
};

// The model of trial.model for these samples. Throws InputError for a model or an arm that makes no sense.
std::unique_ptr<Network> make_network(const TrialSpec& trial, const Dataset& data);

// By kind.
std::unique_ptr<Network> make_mlp(const TrialSpec& trial, const Dataset& data);
std::unique_ptr<Network> make_cnn(const TrialSpec& trial, const Dataset& data);
std::unique_ptr<Network> make_resnet(const TrialSpec& trial, const Dataset& data);
std::unique_ptr<Network> make_recurrent(const TrialSpec& trial, const Dataset& data);
std::unique_ptr<Network> make_transformer(const TrialSpec& trial, const Dataset& data);

}  // namespace norma::lab
