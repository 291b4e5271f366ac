// What an operation does in the same sweep over memory, before and after the normalization.
#pragma once

#include <cstdint>

#include "norma/tensor.h"

namespace norma {

// kGelu: x Phi(x) (Hendrycks & Gimpel 2016). kGeluTanh: their approximation, x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715
// x^3))). kSilu: x / (1 + exp(-x)).
enum class Activation : std::uint8_t { kNone, kRelu, kGelu, kGeluTanh, kSilu };

// Forward:
//
//     sum = x + before        y = activation(norm(sum) + after)
//
// What is absent is left out: without `before`, x itself is normalized. All tensors have x's shape, type and layout,
// each with strides of its own. `before` and `sum` go together. Where a mask masks x, `sum` and y are 0. In place: y
// may be x, before, sum (which is then lost) or after; sum may be x or before.
struct Fusion {
  ConstTensorView before{};
  TensorView sum{};
  ConstTensorView after{};
  Activation activation = Activation::kNone;
};
inline constexpr Fusion kNoFusion{};

// Backward, of the same y, for which `x` is what was normalized (`sum` where there was a `before`), and `beta`, `after`
// and `activation` are the forward's; ReLU's slope at 0 is 0. Nothing was stored for it: what the activation was taken
// of is computed again.
//
//     dafter = dy * activation'        dx = (norm's gradient from dafter) + dsum
//
// With a `before`, dx is the gradient of x and of `before` alike, and dsum (if present) the one that reaches the sum
// from whoever else it was returned to. `beta` is as the operations take it (norma/ops.h); all others have x's shape,
// type and layout, each with strides of its own. In place: dx may be dy or dsum (of which there is a copy for as long
// as the call lasts); dafter may be dy. dx and dafter in one place are an error.
struct FusionGradient {
  ConstTensorView beta{};
  ConstTensorView after{};
  Activation activation = Activation::kNone;
  ConstTensorView dsum{};
  TensorView dafter{};
};
inline constexpr FusionGradient kNoFusionGradient{};

}  // namespace norma
