// The inputs that broke other systems, by the number they have in the project's list of traps: those whose answer is a
// tensor of numbers. The tests run them through the library on every instruction set; script/accuracy runs them through
// libtorch and oneDNN as well. Traps that are calls, not numbers, are in tests/library/traps_calls_test.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "norma/descriptor.h"
#include "reference/tensor.h"

namespace norma::reference {

// A norm by its name in the frameworks, which the descriptor does not keep.
enum class Norm : std::uint8_t { kBatch, kLayer, kRms, kGroup, kInstance };

struct Trap {
  int number = 0;
  std::string what;  // "LayerNorm of randn(5, 4) + 2000"
  Norm norm = Norm::kLayer;
  std::int64_t part = 1;  // of kLayer and kRms the number of axes, of kGroup that of groups
  double eps = 1e-5;
  Shape shape;
  DType dtype = DType::kFloat32;
  Layout layout = Layout::kChannelsFirst;
  // x and dy as their type holds them. gamma and beta may be empty; an empty dy: only the forward pass is meant.
  Values x, gamma, beta, dy;
  DType parameters = DType::kFloat32;  // the type of gamma and beta
  int misalign = 0;                    // elements by which x starts after an address that is a multiple of 64

  Descriptor descriptor() const;
};

// All of them, by number; several may share one.
std::vector<Trap> traps();

}  // namespace norma::reference
