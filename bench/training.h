// Trials of the lab beside the same loops written directly against libtorch, one thread each.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::bench {

// Those whose name contains the filter: prints a table, returns its rows. Throws if a loop of either side does not
// learn: what is not right is not timed. Leaves the process with one thread.
nlohmann::json compare_training(const std::string& filter, bool quick);

}  // namespace norma::bench
