// Activations, and the initial weights that go with them.
//
// Weights are normal with variance gain^2 / (fan_in E[f(z)^2]) for the activation f behind and standard normal z, which
// is He et al. 2015 for ReLU at gain 1; gain^2 / fan_in where no activation follows. They are drawn tensor by tensor,
// each from a generator of its own, so that at one seed every arm starts from the same weights.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

namespace norma::lab {

enum class Activation : std::uint8_t { kNone, kRelu, kGelu, kTanh };

// "relu", "gelu", "tanh", "linear". Throws InputError for another name.
Activation activation_named(const std::string& name);
// Of x, in its place where autograd allows that.
at::Tensor activate(Activation activation, at::Tensor x);

// Initial weights of this shape, (out, in, ...), that require gradients. layer: which of the network's tensors it is.
at::Tensor initial_weights(at::IntArrayRef sizes, Activation behind, double gain, std::uint64_t seed,
                           std::uint64_t layer);
// Normal numbers with this standard deviation, in the same way.
at::Tensor random_normal(at::IntArrayRef sizes, double sd, std::uint64_t seed, std::uint64_t layer);
// Zeros that require gradients.
at::Tensor initial_bias(std::int64_t features);

}  // namespace norma::lab
