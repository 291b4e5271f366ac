#include "fields.h"

#include <string_view>

#include "norma/error.h"

namespace norma::report {

using nlohmann::json;

void check_format(const char* operation, const char* what, const json& document, const char* wanted) {
  const std::string where = std::string("[") + operation + "] " + what + ": ";
  if (!document.is_object()) throw Error(where + "expected a JSON object, got " + document.type_name());
  const auto format = document.find("format");
  const std::string expected = std::string("expected format \"") + wanted + "\", got ";
  if (format == document.end()) throw Error(where + expected + "none");
  if (!format->is_string()) throw Error(where + expected + format->type_name());
  if (format->get_ref<const std::string&>() != wanted) {
    throw Error(where + expected + format->dump(-1, ' ', true, json::error_handler_t::replace));
  }
}

std::string text_field(std::string text) {
  constexpr std::string_view kFormulaStarts = "=+-@\t\r\n";
  if (!text.empty() && kFormulaStarts.find(text.front()) != std::string_view::npos) text.insert(text.begin(), '\'');
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string number_field(const json& value) {
  const std::string number = value.is_number() ? value.dump() : "";
  return number == "null" ? "" : number;  // what JSON writes for NaN and infinity
}

}  // namespace norma::report
