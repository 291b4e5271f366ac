#include "claims_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "lab/claims/answers.h"
#include "lab/claims/recommend.h"
#include "lab/claims/words.h"
#include "text.h"

namespace norma::cli {
namespace {

using nlohmann::json;

struct Heading {
  const char* title;
  std::size_t width;
};
constexpr std::array<Heading, 7> kHeadings{{{"", 3},
                                            {"the article says", 34},
                                            {"verdict", 13},
                                            {"effect [95% interval]", 30},
                                            {"n", 4},
                                            {"expected", 13},
                                            {"steps, minutes", 15}}};

std::string effect_of(const json& row) {
  if (!row.at("primary").is_null()) return lab::answer_effect_text(row.at("primary"));
  return row.at("exact").empty() ? "not measured" : lab::exact_text(row.at("exact"));
}

std::string verdict_text(const std::string& text, const std::string& verdict, bool colour) {
  if (!colour) return text;
  const char* code = verdict == "supported" ? "32" : verdict == "contradicted" ? "31" : "33";
  return fmt::format("\033[1;{}m{}\033[0m", code, text);
}

std::string row_text(const json& row, bool colour) {
  const std::string verdict = row.at("verdict").get<std::string>();
  const std::array<std::string, 7> cells{
      std::to_string(row.at("number").get<std::int64_t>()),
      row.at("says").get<std::string>(),
      verdict,
      effect_of(row),
      std::to_string(lab::seeds_of(row)),
      row.at("expected_verdict").is_null() ? "" : row.at("expected_verdict").get<std::string>(),
      fmt::format("{}, {:.1f}", row.at("steps").get<std::int64_t>(), row.at("minutes").get<double>())};
  std::vector<std::vector<std::string>> columns;
  std::size_t height = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    columns.push_back(lines_of(cells[i], kHeadings[i].width - 1));
    height = std::max(height, columns.back().size());
  }
  std::string text;
  for (std::size_t line = 0; line < height; ++line) {
    std::string whole;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string cell = padded(line < columns[i].size() ? columns[i][line] : "", kHeadings[i].width, false);
      whole += i == 2 && line == 0 ? verdict_text(cell, verdict, colour) : cell;
    }
    text += whole.substr(0, whole.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

// What stands behind a row: its contrast in words, what qualifies it, and where it is not as expected.
std::string notes_of(const json& row) {
  std::string text;
  const auto note = [&](const std::string& words) {
    if (words.empty()) return;
    for (const std::string& line : lines_of(words, kTextWidth - 4)) text += "    " + line + "\n";
  };
  if (!row.at("primary").is_null()) {
    note(lab::comparison_text(row.at("primary")) + ". " + lab::standing_text(row.at("primary")));
    note(lab::target_text(row.at("primary")));
  }
  if (!row.at("primary").is_null() && !row.at("exact").empty()) note(lab::exact_text(row.at("exact")));
  if (!row.at("recommender").is_null()) note(lab::recommendation_text(row.at("recommender")));
  for (const json& qualifier : row.at("qualifiers")) {
    if (qualifier.at("holds") == true) {
      note(fmt::format("{} {} ({})", row.at("verdict") == "qualified" ? "but" : "besides,",
                       qualifier.at("says").get<std::string>(), lab::comparison_text(qualifier)));
    }
  }
  if (!row.at("differs").is_null()) {
    note(fmt::format("{}: {}", row.at("differs").get<std::string>(), row.at("expects").get<std::string>()));
  }
  return text;
}

}  // namespace

std::string claims_text(const json& claims, bool colour) {
  std::string text;
  for (const Heading& column : kHeadings) text += padded(column.title, column.width, false);
  text += "\n";
  for (const json& row : claims) text += "\n" + row_text(row, colour) + notes_of(row);
  if (const std::string signs = lab::signs_text(claims); !signs.empty()) text += "\n" + wrapped(signs, kTextWidth);
  return text + "\n" + wrapped(lab::claims_headline(claims), kTextWidth);
}

}  // namespace norma::cli
