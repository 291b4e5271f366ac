// The files that a study leaves beside its store.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::cli {

// Writes a file under another name first and then renames it, so that it is never half there. Throws UsageError if it
// cannot be written.
void write_file(const std::string& path, const std::string& text);
// Writes DIR/report.html in that way. Returns the path.
std::string write_html(const std::string& folder, const nlohmann::json& results);
// Writes DIR/results.json and DIR/results.csv in the same way.
void write_data(const std::string& folder, const nlohmann::json& results);

}  // namespace norma::cli
