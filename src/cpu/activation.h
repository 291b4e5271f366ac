// The activations one value at a time, for what has no kernel of its own; activation-inl.h has them by registers.
#pragma once

#include <cmath>

#include "norma/fusion.h"

namespace norma::cpu {

struct Activated {
  double value;
  double slope;
};

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
      const double s = 1 / (1 + std::exp(-kScale * (v + 0.044715 * v * v * v)));
      return {v * s, s + v * s * (1 - s) * kScale * (1 + 3 * 0.044715 * v * v)};
    }
    case Activation::kSilu: {
      const double s = 1 / (1 + std::exp(-v));
      return {v * s, s * (1 + v * (1 - s))};
    }
    case Activation::kNone:
      break;
  }
  return {v, 1};
}

}  // namespace norma::cpu
