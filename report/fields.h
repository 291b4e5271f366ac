// Fields of CSV, and the check of what a document is.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace norma::report {

// Throws norma::Error, in the name of `operation` and its argument `what`, where the document is not of the format
// `wanted`.
void check_format(const char* operation, const char* what, const nlohmann::json& document, const char* wanted);

// A field of a text: quoted where RFC 4180 asks, and harmless in a spreadsheet, which takes a text that opens with one
// of these characters for a formula.
std::string text_field(std::string text);
// A number as JSON writes it; empty for what is none.
std::string number_field(const nlohmann::json& value);

}  // namespace norma::report
