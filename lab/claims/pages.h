// A page for every claim of a study, in Markdown with a picture, from its results document (docs/results.md): what
// docs/claims/ holds.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace norma::lab {

// By file name: "README.md" (the table of all claims), "claim6.md", "claim6.svg", ... Throws InputError for results
// without claims.
std::map<std::string, std::string> claim_pages(const nlohmann::json& results);

}  // namespace norma::lab
