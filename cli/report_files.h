// Files that commands write, and those that a study leaves beside its store.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::cli {

// Writes a file under another name first and then renames it, so that it is never half there; of a link the file that
// it names. A device, a pipe or our standard output is written as it is. Throws UsageError if it cannot be written.
void write_file(const std::string& path, const std::string& text);
// Prints the path of a file that was written; nothing where that is standard output, which holds the text alone.
void say_written(const std::string& path);
// Whether the path leads to our standard output: /dev/stdout, /dev/fd/1, the file behind it.
bool is_standard_output(const std::string& path);

// A results document or a comparison as a file's text.
std::string json_text(const nlohmann::json& results);
// DIR/report.html.
std::string page_in(const std::string& folder);
// Writes DIR/report.html in that way. Returns the path.
std::string write_html(const std::string& folder, const nlohmann::json& results);
// Writes DIR/results.json and DIR/results.csv in the same way.
void write_data(const std::string& folder, const nlohmann::json& results);

}  // namespace norma::cli
