// The files that a study leaves beside its store.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::cli {

// Writes DIR/report.html, each file under another name first and then renamed, so that none is ever half there.
// Returns the path. Throws UsageError if the folder cannot be written.
std::string write_html(const std::string& folder, const nlohmann::json& results);
// Writes DIR/results.json and DIR/results.csv in the same way.
void write_data(const std::string& folder, const nlohmann::json& results);

}  // namespace norma::cli
