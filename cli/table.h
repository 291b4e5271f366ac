// The results of a study as text: a table of arms by normalization batch for each model, and the verdict.
#pragma once

#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

namespace norma::cli {

struct TextStyle {
  bool colour = false;  // the best of each table stands out
  // Columns of the terminal: what of a table is wider goes below, as blocks of normalization batches.
  std::size_t width = std::numeric_limits<std::size_t>::max() / 2;
};

// From the results document (docs/results.md).
std::string results_text(const nlohmann::json& results, const TextStyle& style);

}  // namespace norma::cli
