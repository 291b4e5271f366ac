// A side of a contrast as a weighted sum of cells.
#pragma once

#include <vector>

#include "lab/claims/values.h"

namespace norma::lab {

struct Term {
  const Cell* cell = nullptr;
  double weight = 0;
};

// By the contrast's way to reduce; kEach and kWorst as kMean.
std::vector<Term> terms_of(const std::vector<Spot>& spots, Reduce reduce);

}  // namespace norma::lab
