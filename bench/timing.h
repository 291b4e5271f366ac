// Medians over rounds in which all contenders take turns, each round beginning with another.
#pragma once

#include <memory>
#include <vector>

#include "contender.h"

namespace norma::bench {

// Ours, libtorch's and oneDNN's.
void use_threads(int threads);

// Seconds a call, one for each contender. `budget`: seconds to spend on each, if seven rounds fit.
std::vector<double> time_in_turns(const std::vector<std::unique_ptr<Contender>>& contenders, double budget);

}  // namespace norma::bench
