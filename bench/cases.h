// The bench table's rows.
#pragma once

#include <vector>

#include "contender.h"

namespace norma::bench {

// From small to larger than the caches; `quick` leaves out the largest.
std::vector<Case> all_cases(bool quick);

}  // namespace norma::bench
