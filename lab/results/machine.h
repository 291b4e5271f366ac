// The machine that a study ran on, as its results say it.
#pragma once

#include <nlohmann/json.hpp>

namespace norma::lab {

// Cores that this process may use.
std::int64_t usable_cores();

// "machine" of the results document, but for the instruction set, which the workers tell: cpu, cores, memory_bytes, os.
nlohmann::json machine();

}  // namespace norma::lab
