#include "report.h"

#include <array>
#include <string_view>

#include "compact.h"
#include "fields.h"
#include "norma/error.h"
#include "page_html.h"

namespace norma::report {
namespace {

using nlohmann::json;

// A page with its document in it.
std::string fill(std::string page, const json& document) {
  const std::size_t at = page.find(kPlaceholder);  // the build made sure that there is one
  page.replace(at, std::string_view(kPlaceholder).size(), escape_for_script(document));
  return page;
}

enum class Kind { kText, kNumber };

struct Column {
  const char* name;  // in the header
  const char* path;  // of the value in a cell
  Kind kind;
};

constexpr std::array<Column, 11> kColumns = {{
    {"model", "/model", Kind::kText},
    {"arm", "/arm", Kind::kText},
    {"normalization_batch", "/normalization_batch", Kind::kNumber},
    {"learning_rate", "/learning_rate", Kind::kNumber},
    {"n", "/n", Kind::kNumber},
    {"diverged", "/diverged", Kind::kNumber},
    {"crashed", "/crashed", Kind::kNumber},
    {"error_mean", "/error/mean", Kind::kNumber},
    {"error_low", "/error/low", Kind::kNumber},
    {"error_high", "/error/high", Kind::kNumber},
    {"seconds", "/seconds", Kind::kNumber},
}};

std::string field(const json& cell, std::size_t index, const Column& column) {
  const auto fail = [&](const std::string& got) {
    return Error("[render_csv] cells[" + std::to_string(index) + "]" + column.path + ": expected a " +
                 (column.kind == Kind::kText ? "text" : "number or null") + ", got " + got);
  };
  const json::json_pointer path(column.path);
  // An interval of no trials may be null as a whole.
  if (!path.parent_pointer().empty() && cell.value(path.parent_pointer(), json(false)).is_null()) return "";
  if (!cell.contains(path)) throw fail("nothing");
  const json& value = cell.at(path);
  if (column.kind == Kind::kText) {
    if (!value.is_string()) throw fail(value.type_name());
    return text_field(value.get<std::string>());
  }
  if (value.is_null()) return "";
  if (!value.is_number()) throw fail(value.type_name());
  return number_field(value);
}

// The cells of a part, or of a study of one part; each row begins with `first`.
std::string rows_of(const json& part, const std::string& first) {
  const auto cells = part.find("cells");
  if (cells == part.end() || !cells->is_array()) {
    const char* got = cells == part.end() ? "nothing" : cells->type_name();
    throw Error(std::string("[render_csv] cells: expected an array, got ") + got);
  }
  std::string rows;
  for (std::size_t index = 0; index < cells->size(); ++index) {
    const json& cell = (*cells)[index];
    if (!cell.is_object()) {
      throw Error("[render_csv] cells[" + std::to_string(index) + "]: expected an object, got " + cell.type_name());
    }
    rows += first;
    for (const Column& column : kColumns) {
      if (&column != kColumns.data()) rows += ',';
      rows += field(cell, index, column);
    }
    rows += "\r\n";
  }
  return rows;
}

}  // namespace

std::string escape_for_script(const json& document) {
  const std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  std::string escaped;
  escaped.reserve(text.size() + text.size() / 16);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = std::string_view(text).substr(i, 3);
    if (rest.front() == '<') {
      escaped += "\\u003c";
    } else if (rest.front() == '>') {
      escaped += "\\u003e";
    } else if (rest.front() == '&') {
      escaped += "\\u0026";
    } else if (rest == "\xe2\x80\xa8" || rest == "\xe2\x80\xa9") {
      escaped += rest.back() == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      escaped += rest.front();
    }
  }
  return escaped;
}

std::string render_html(const json& results) {
  const bool comparison = results.is_object() && results.value("format", json()) == kComparison;
  if (!comparison) check_format("render_html", "results", results, kFormat);
  return fill(report_template(), compact(results));
}

std::string render_explainer(const json& document) {
  check_format("render_explainer", "document", document, kExplainFormat);
  return fill(explain_template(), document);
}

std::string render_csv(const json& results) {
  check_format("render_csv", "results", results, kFormat);
  const auto parts = results.find("parts");
  const bool several = parts != results.end() && parts->is_array();
  std::string csv = several ? "part" : "";
  for (const Column& column : kColumns) {
    if (!csv.empty()) csv += ',';
    csv += column.name;
  }
  csv += "\r\n";
  if (!several) return csv + rows_of(results, "");
  for (const json& part : *parts) {
    if (!part.is_object() || !part.contains("name") || !part["name"].is_string()) {
      throw Error("[render_csv] parts: expected objects with a name");
    }
    csv += rows_of(part, text_field(part["name"].get<std::string>()) + ",");
  }
  return csv;
}

}  // namespace norma::report
