// The activations one value at a time, for what has no kernel of its own; activation-inl.h has them by registers.
#pragma once

#include <algorithm>
#include <cmath>

#include "norma/fusion.h"

namespace norma::cpu {

struct Activated {
  double value;
  double slope;
};

// sigmoid(v) and 1 - sigmoid(v), as activation-inl.h has them.
struct SigmoidAndRest {
  double sigmoid;
  double rest;
};

inline SigmoidAndRest sigmoid_and_rest(double v) {
  const double power = std::exp(-std::abs(v));
  const double large = 1 / (1 + power);
  const double small = power * large;
  return v < 0 ? SigmoidAndRest{small, large} : SigmoidAndRest{large, small};
}

inline Activated activated(double v, Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return v <= 0 ? Activated{0, 0} : Activated{v, 1};
    case Activation::kGelu: {
      const double distribution = 0.5 * std::erfc(-v * 0.70710678118654752440);
      return {v * distribution, distribution + v * 0.39894228040143267794 * std::exp(-0.5 * v * v)};
    }
    case Activation::kGeluTanh: {
      constexpr double kScale = 1.5957691216057307118;  // 2 sqrt(2/pi)
      constexpr double kCube = 0.044715;
      const auto [s, rest] = sigmoid_and_rest(kScale * v * (1 + kCube * v * v));
      // Far out s or rest is 0, and must not meet an infinity.
      const double inner = kScale * (1 + 3 * kCube * std::min(v * v, 1024.0));
      return {v * s, s + v * s * rest * inner};
    }
    case Activation::kSilu: {
      const auto [s, rest] = sigmoid_and_rest(v);
      return {v * s, s * (1 + v * rest)};
    }
    case Activation::kNone:
      break;
  }
  return {v, 1};
}

}  // namespace norma::cpu
