// The oracle: every operation of norma/ops.h from its definition, in plain loops and long double, obvious and never
// fast. Only the descriptor is shared with the library; which elements share is stated here a second time.
//
// All tensors are Values: logical order, double. An empty gamma means 1 and an empty beta 0. Nothing is checked: the
// callers are tests and `norma verify`.
//
// A mask has one entry for every element of x, 0 for those that do not count; empty, everything counts. A masked
// element belongs to no set; y and dx are 0 there. A set without an element has mean, M2 and rstd of 0.
#pragma once

#include <cstdint>
#include <vector>

#include "norma/descriptor.h"
#include "norma/fusion.h"
#include "reference/tensor.h"

namespace norma::reference {

// For every element of x, in logical order: which statistic and which gamma and beta are its own. Two elements share
// a statistic when their coordinates agree on every axis that does not share, of axis 1 only the group if it is split.
struct Sharing {
  std::vector<std::int64_t> statistic;
  std::vector<std::int64_t> parameter;
  std::int64_t statistics = 0;  // how many there are
  std::int64_t parameters = 0;
};
Sharing sharing(const Descriptor& descriptor, const Shape& x);

using Mask = std::vector<std::uint8_t>;

// Of each statistic: how many elements share it, their mean, and the sum of squares about it. Not centred: mean 0.
struct Moments {
  std::vector<std::int64_t> count;
  Values mean, m2;
};
Moments statistics(const Descriptor& descriptor, const Shape& shape, const Values& x, const Mask& mask = {});

struct Forward {
  Values y, mean, rstd;
};
Forward forward(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                const Values& beta, const Mask& mask = {});

struct Gradients {
  Values dx, dgamma, dbeta;
};
// The gradient of sum(dy * y) with respect to x, gamma and beta, mean and rstd taken from x itself (the chain of
// Ioffe & Szegedy 2015, section 3).
Gradients backward(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                   const Values& gamma, const Mask& mask = {});

// The values of an activation and of its derivative.
Values activate(const Values& v, Activation activation);
Values activation_slope(const Values& v, Activation activation);

// With given mean (empty: 0) and variance, one of each a statistic.
Values inference(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                 const Values& beta, const Values& mean, const Values& variance, const Mask& mask = {});
Gradients inference_backward(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                             const Values& gamma, const Values& mean, const Values& variance, const Mask& mask = {});

}  // namespace norma::reference
