// What the kernels are to reach, beside what they reach.
#pragma once

#include <string>
#include <vector>

#include "table.h"

namespace norma::bench {

struct Target {
  std::string what;  // a peer whose time is divided by ours, or "roof"
  double wanted;
  double reached;
  double at_the_roof;  // what code that moves the floor's streams at the roof would reach; 0 in cache
  bool met() const { return reached >= wanted; }
};

// f32. To oneDNN with preallocated outputs, to libtorch as its users get it, and the share of the roof.
std::vector<Target> targets_of(const Row& row);

}  // namespace norma::bench
