// The results of a study as text: a table of arms by normalization batch for each model, and the verdict.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::cli {

// From the results document (docs/results.md). `colour`: the best of each table stands out.
std::string results_text(const nlohmann::json& results, bool colour);

}  // namespace norma::cli
