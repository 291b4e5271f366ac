// The results of a study as a web page and as CSV; both read the results document (docs/results.md) and nothing else.
// And the explainer's page, which reads the document that `norma explain` writes (docs/explain.md).
//
// A page is one HTML file: styles, scripts and the document itself are inside, and its content security policy lets
// it load nothing. The document is data in it, never markup (see `escape_for_script`), and that of a study is of a size
// to open at once (compact.h).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::report {

// The format that this code reads: the document's "format".
inline constexpr const char* kFormat = "norma-results/1";

// That of two studies side by side.
inline constexpr const char* kComparison = "norma-comparison/1";

// The whole page, UTF-8. Throws norma::Error where the document is of neither format.
std::string render_html(const nlohmann::json& results);

// The documents that the explainer reads.
inline constexpr const char* kExplainFormat = "norma-explain/1";

// The explainer's page, UTF-8. Throws norma::Error where the document is not of kExplainFormat.
std::string render_explainer(const nlohmann::json& document);

// One row a cell, RFC 4180 (lines end in CRLF), with a header; of a study of several parts the part's name comes first.
// Errors are fractions, seconds are a trial's median, an empty field is a value that does not exist. A text that a
// spreadsheet would run as a formula gets an apostrophe in front. Throws norma::Error where the document is not of
// kFormat or a cell lacks a field or has it in a wrong type.
std::string render_csv(const nlohmann::json& results);

// Of a comparison: one row a cell that both studies have.
std::string render_comparison_csv(const nlohmann::json& comparison);

// JSON that can stand inside a <script> element whatever its strings say: <, >, &, U+2028 and U+2029 are written as
// \u escapes, which JSON reads back as the same characters; bytes that are no UTF-8 become U+FFFD.
std::string escape_for_script(const nlohmann::json& json);

}  // namespace norma::report
