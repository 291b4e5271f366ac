// The results as a page of docs/benchmarks.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::bench {

// Of the JSON that norma-bench writes.
std::string page_of(const nlohmann::json& results);

}  // namespace norma::bench
