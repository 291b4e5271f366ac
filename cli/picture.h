// Draws, in text, which elements of a tensor share their statistics with one chosen element: a grid of samples by
// features, and beside it the positions inside one cell of that grid.
#pragma once

#include <string>
#include <vector>

#include "norma/descriptor.h"

namespace norma::cli {

struct Style {
  bool unicode = false;
  bool colour = false;
};

// What this terminal shows well: colour where standard output is a terminal and NO_COLOR is unset, Unicode where the
// locale's character set is UTF-8.
Style style_of_terminal();

// The lines of the drawing, each at most 80 columns wide. x is (samples, features, positions...), no size zero.
std::vector<std::string> draw_sharing(const Descriptor& descriptor, const Shape& x, const Style& style);

}  // namespace norma::cli
