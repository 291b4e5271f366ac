// The bench table's rows.
#pragma once

#include <string>
#include <vector>

#include "contender.h"

namespace norma::bench {

// Those whose name matches one of the shell patterns (all, if there are none); `quick` leaves out the largest.
std::vector<Case> cases_like(const std::vector<std::string>& patterns, bool quick);

// Does the name match one of the shell patterns? Anything does if there are none.
bool matches(const std::string& name, const std::vector<std::string>& patterns);

}  // namespace norma::bench
