// A page for every claim of a study, in Markdown with a picture, from its results document (docs/results.md): what
// docs/claims/ holds.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace norma::lab {

// By file name: "README.md" (the table of all claims), "claim6.md", "claim6.svg", ... Throws InputError for results
// without claims.
std::map<std::string, std::string> claim_pages(const nlohmann::json& results);

// The picture of some parts' cells: a dot and its 95% interval for each cell's test error in %; empty where nothing was
// trained.
std::string cells_svg(const std::vector<const nlohmann::json*>& parts);

}  // namespace norma::lab
