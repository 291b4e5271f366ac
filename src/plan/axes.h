// What each logical axis does under a descriptor: the step between the descriptor and the plan.
#pragma once

#include <cstdint>

#include "norma/descriptor.h"

namespace norma::plan {

struct AxisRoles {
  std::uint32_t shared_bits = 0;  // shares statistics (a split axis 1: within its part)
  std::uint32_t affine_bits = 0;
  bool split_channels = false;  // axis 1 falls in `groups` parts

  bool kept(int axis) const { return (shared_bits >> axis & 1U) == 0; }
  bool affine(int axis) const { return (affine_bits >> axis & 1U) != 0; }
  bool split(int axis) const { return split_channels && axis == 1; }
};

// Throws Error for axes out of range and for groups that do not fit axis 1.
AxisRoles resolve(const Descriptor& descriptor, const Shape& x);

}  // namespace norma::plan
