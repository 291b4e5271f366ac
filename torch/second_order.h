// The gradient of a gradient. Between the files of this folder only.
#pragma once

#include <array>

#include "operators.h"

namespace norma {

// What a first backward pass read. gamma and mask may be undefined. mean and variance are given statistics, constants
// to every gradient; with an undefined variance the statistics are x's own.
struct FirstOrder {
  at::Tensor dy, x, gamma, mean, variance, mask;
};

// With the first pass's dx, dgamma and dbeta, and cotangents of them (an undefined one is zero): the gradient of
// <cotangent, dx> + <cotangent, dgamma> + <cotangent, dbeta> with respect to dy, x and gamma, as far as wanted. Made of
// torch's own differentiable operators, in f64, so it has gradients of any order in turn.
Three second_order(const FirstOrder& first, const OperatorArguments& how, const std::array<at::Tensor, 3>& cotangents,
                   std::array<bool, 3> wanted);

}  // namespace norma
