// Ours alone: what a small call costs, and the time over the size.
#pragma once

#include <nlohmann/json.hpp>

namespace norma::bench {

// Calls on 32x64: nanoseconds, and what each allocates after the first.
nlohmann::json small_calls(double budget);
// From 256 to 25,600,000 elements: nanoseconds an element, for each operation.
nlohmann::json time_over_size(double budget);
// A million elements in rows (or channels, or images) of even and odd lengths.
nlohmann::json time_over_width(double budget);

}  // namespace norma::bench
