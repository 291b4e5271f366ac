#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "claims_table.h"
#include "text.h"

namespace norma::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kTextWidth = 100;
const std::string kBatchTitle = "normalization batch";

// One cell of the table: the error above, its interval below.
struct Entry {
  std::string error, interval;
  bool best = false;
};

Entry entry_of(const json& cell, double best) {
  const json& error = cell.at("error");
  if (error.is_null()) return {"-", "", false};
  const double mean = error.at("mean").get<double>();
  Entry entry{fmt::format("{:.1f}", 100 * mean), "", mean == best};
  if (!error.at("low").is_null()) {
    entry.interval =
        fmt::format("[{:.1f}, {:.1f}]", 100 * error.at("low").get<double>(), 100 * error.at("high").get<double>());
  }
  if (entry.best) entry.error += "*";
  return entry;
}

std::vector<const json*> cells_of(const json& results, const json& model, const json& arm) {
  std::vector<const json*> cells;
  for (const json& cell : results.at("cells")) {
    if (cell.at("model") == model.at("name") && cell.at("arm") == arm.at("name")) cells.push_back(&cell);
  }
  return cells;
}

double best_of(const json& results, const json& model) {
  double best = 2;
  for (const json& cell : results.at("cells")) {
    if (cell.at("model") != model.at("name") || cell.at("error").is_null()) continue;
    best = std::min(best, cell.at("error").at("mean").get<double>());
  }
  return best;
}

std::string rows_of(const json& arm, const std::vector<Entry>& entries, std::size_t label_width, std::size_t column,
                    bool colour) {
  std::string above = padded(arm.at("label").get<std::string>(), label_width, false), below(label_width, ' ');
  for (const Entry& entry : entries) {
    const std::string error = padded(entry.error, column, true);
    above += colour && entry.best ? "\033[1;32m" + error + "\033[0m" : error;
    below += padded(entry.interval, column, true);
  }
  if (!arm.at("uses_batch").get<bool>()) above += "   at any";
  return above + "\n" + below + "\n";
}

std::string model_table(const json& results, const json& model, bool colour) {
  const double best = best_of(results, model);
  std::size_t label_width = kBatchTitle.size(), column = 0;
  std::vector<std::pair<const json*, std::vector<Entry>>> rows;
  for (const json& arm : results.at("arms")) {
    label_width = std::max(label_width, width_of(arm.at("label").get<std::string>()));
    std::vector<Entry> entries;
    for (const json* cell : cells_of(results, model, arm)) entries.push_back(entry_of(*cell, best));
    for (const Entry& entry : entries) column = std::max({column, entry.interval.size() + 2, entry.error.size() + 2});
    if (!entries.empty()) rows.emplace_back(&arm, std::move(entries));
  }
  std::string text =
      fmt::format("{}: test error in %, [95% interval], * the lowest\n", model.at("label").get<std::string>());
  const json& batches = results.at("normalization_batches");
  if (!batches.empty()) {
    text += padded(kBatchTitle, label_width, false);
    for (const json& batch : batches) text += padded(std::to_string(batch.get<std::int64_t>()), column, true);
    text += "\n";
  }
  for (const auto& [arm, entries] : rows) text += rows_of(*arm, entries, label_width, column, colour);
  return text;
}

// A part of a study, or a study of one part.
std::string part_text(const json& part, bool colour) {
  std::string text;
  for (const json& model : part.at("models")) text += model_table(part, model, colour) + "\n";
  const json& verdict = part.at("verdict");
  if (part.at("contrasts").empty()) return text;
  text += wrapped(verdict.at("headline").get<std::string>(), kTextWidth);
  for (const json& sentence : verdict.at("sentences")) text += wrapped(sentence.get<std::string>(), kTextWidth);
  return text;
}

}  // namespace

std::string results_text(const json& results, bool colour) {
  std::string text;
  if (results.contains("parts")) {
    for (const json& part : results.at("parts")) {
      text += fmt::format("== {}\n", part.at("name").get<std::string>());
      text += part_text(part, colour) + "\n";
    }
  } else {
    text = part_text(results, colour);
  }
  if (results.contains("claims")) text += (text.empty() ? "" : "\n") + claims_text(results.at("claims"), colour);
  return text;
}

}  // namespace norma::cli
