#include "lab/models/weights.h"

#include <cmath>
#include <numbers>

#include "lab/data/random.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

// E[f(z)^2] for standard normal z; gelu and tanh by numerical integration.
double second_moment(Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return 0.5;
    case Activation::kGelu:
      return 0.425221;
    case Activation::kTanh:
      return 0.394294;
    case Activation::kNone:
      break;
  }
  return 1;
}

// libtorch 1.13 leaves the gradient of a contiguous x unwritten where dy lies otherwise, transposed say: it is whatever
// stood in that memory.
at::Tensor gelu_with_gradient(const at::Tensor& x) {
  at::Tensor y = at::gelu(x);
  if (y.requires_grad() && x.is_contiguous()) y.register_hook([](const at::Tensor& dy) { return dy.contiguous(); });
  return y;
}

}  // namespace

Activation activation_named(const std::string& name) {
  if (name == "relu") return Activation::kRelu;
  if (name == "gelu") return Activation::kGelu;
  if (name == "tanh") return Activation::kTanh;
  if (name == "linear") return Activation::kNone;
  throw InputError("unknown activation '" + name + "'");
}

at::Tensor activate(Activation activation, at::Tensor x) {
  switch (activation) {
    case Activation::kRelu:
      return at::relu_(x);
    case Activation::kGelu:
      return gelu_with_gradient(x);
    case Activation::kTanh:
      return at::tanh_(x);
    case Activation::kNone:
      break;
  }
  return x;
}

// In pairs (Box & Muller 1958), from the lab's own generator: the same for every torch.
at::Tensor random_normal(at::IntArrayRef sizes, double sd, std::uint64_t seed, std::uint64_t layer) {
  at::Tensor values = at::empty(sizes, at::kFloat);
  Random random(Random(seed).next() + layer);
  float* out = values.data_ptr<float>();
  const std::int64_t count = values.numel();
  for (std::int64_t i = 0; i < count; i += 2) {
    const double radius = sd * std::sqrt(-2 * std::log1p(-random.uniform()));
    const double angle = 2 * std::numbers::pi * random.uniform();
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < count) out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return values;
}

at::Tensor initial_weights(at::IntArrayRef sizes, Activation behind, double gain, std::uint64_t seed,
                           std::uint64_t layer) {
  std::int64_t fan_in = 1;
  for (const std::int64_t size : sizes.slice(1)) fan_in *= size;
  const double sd = gain / std::sqrt(static_cast<double>(fan_in) * second_moment(behind));
  return random_normal(sizes, sd, seed, layer).requires_grad_();
}

at::Tensor initial_bias(std::int64_t features) {
  return at::zeros({features}, at::kFloat).requires_grad_();
}

}  // namespace norma::lab
