// How far from exact a system is on one input, and how a table says it.
#pragma once

#include "reference/quad.h"
#include "system.h"

namespace norma::accuracy {

// Units, of the size of an element's neighbours: three of f32's seven digits are gone.
inline constexpr double kWrong = 1000;

// What a system made of one input.
struct Score {
  enum class Kind : std::uint8_t { kNone, kThrew, kMeasured } kind = Kind::kNone;
  reference::ForwardUnits forward;
  reference::GradientErrors gradients;
  bool has_gradients = false;
  DType dtype = DType::kFloat32, parameters = DType::kFloat32;
  reference::Rounding rounding;  // of a short type
};
Score score(System& system, const Trap& trap);

// "0.52", "✗ no number", "✗ throws", "–".
std::string forward_cell(const Score& score);
// "0.02% off": how many of a short type are not correctly rounded.
std::string rounding_cell(const Score& score);
// "1.20; 3e-08; 0": dx, dgamma, dbeta.
std::string gradient_cell(const Score& score);

// A normalization of random numbers about a mean, with gamma, beta and a cotangent.
Trap problem(reference::Norm norm, std::int64_t part, const Shape& shape, Layout layout, DType dtype, double mean);

}  // namespace norma::accuracy
