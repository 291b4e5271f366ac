// The answers to a study's claims as a table.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::cli {

// From "claims" of the results document. `colour`: verdicts stand out.
std::string claims_text(const nlohmann::json& claims, bool colour);

}  // namespace norma::cli
