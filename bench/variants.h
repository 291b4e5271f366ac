// Ours beside ours: the short types and masks, against f32 without a mask.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace norma::bench {

// bf16 and f16 are to be so many times as fast as f32: they move half the bytes.
inline constexpr double kShortWanted = 1.7;

// In turn within one run, on so many threads, answers checked before: seconds, and f32's time over each. The cases
// whose name fits one of the patterns.
nlohmann::json variants(const std::vector<std::string>& patterns, const std::vector<int>& threads, double budget,
                        bool quick);

}  // namespace norma::bench
