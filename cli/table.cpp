#include "table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace norma::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kTextWidth = 100;
const std::string kBatchTitle = "normalization batch";

// Display width of UTF-8 text: the bytes that do not continue a character.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::size_t used = width_of(text);
  const std::string space(used < width ? width - used : 0, ' ');
  return right ? space + text : text + space;
}

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

// Breaks a sentence into lines at spaces.
std::string wrapped(const std::string& sentence) {
  std::string text;
  std::size_t column = 0, at = 0;
  while (at < sentence.size()) {
    const std::size_t end = std::min(sentence.find(' ', at), sentence.size());
    const std::string word = sentence.substr(at, end - at);
    const std::size_t width = width_of(word);
    if (column > 0 && column + 1 + width > kTextWidth) {
      text += "\n";
      column = 0;
    }
    text += (column > 0 ? " " : "") + word;
    column += width + (column > 0 ? 1 : 0);
    at = end + 1;
  }
  return text + "\n";
}

}  // namespace

std::string results_text(const json& results, bool colour) {
  std::string text;
  for (const json& model : results.at("models")) text += model_table(results, model, colour) + "\n";
  const json& verdict = results.at("verdict");
  text += wrapped(verdict.at("headline").get<std::string>());
  for (const json& sentence : verdict.at("sentences")) text += wrapped(sentence.get<std::string>());
  return text;
}

}  // namespace norma::cli
