// How far from exact a system is on one input, and how a table says it.
#pragma once

#include "reference/quad.h"
#include "system.h"

namespace norma::accuracy {

inline constexpr double kWrong = 1000;  // units: three of f32's seven digits are gone

// What a system made of one input.
struct Score {
  enum class Kind : std::uint8_t { kNone, kThrew, kMeasured } kind = Kind::kNone;
  double forward = 0;  // units
  reference::GradientErrors gradients;
  bool has_gradients = false;
};
Score score(System& system, const Trap& trap);

// "0.52", "✗ no number", "✗ throws", "–".
std::string forward_cell(const Score& score);
// "1.20; 3e-08; 0": dx, dgamma, dbeta.
std::string gradient_cell(const Score& score);

// A normalization of random numbers about a mean, with gamma, beta and a cotangent.
Trap problem(reference::Norm norm, std::int64_t part, const Shape& shape, Layout layout, DType dtype, double mean);

}  // namespace norma::accuracy
