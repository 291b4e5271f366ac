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

const std::string kBatchTitle = "normalization batch";

// One cell of the table: the error above, its interval below.
struct Entry {
  std::string error, interval;
  bool best = false, leaks = false;
};

// Whether the document marks this arm in the column of this normalization batch (null: neither arm shares over it).
bool is_best(const json& results, const json& model, const json& arm, const json& batch) {
  for (const json& column : results.at("best")) {
    if (column.at("model") != model.at("name") || column.at("normalization_batch") != batch) continue;
    const json& arms = column.at("arms");
    return std::find(arms.begin(), arms.end(), arm.at("name")) != arms.end();
  }
  return false;
}

// What a table shows of each cell.
struct Shown {
  std::string measure;  // empty: the test error
  std::string title;
  double unit = 1;
  int digits = 1;
};

Entry entry_of(const json& cell, const Shown& shown) {
  const json& measures = cell.at("measures");
  const bool there = shown.measure.empty() || measures.contains(shown.measure);
  const json value = !there ? json(nullptr) : shown.measure.empty() ? cell.at("error") : measures.at(shown.measure);
  if (value.is_null() || value.at("mean").is_null()) return {.error = "-", .interval = ""};
  const auto text = [&](const char* key) {
    return fmt::format("{:.{}f}", shown.unit * value.at(key).get<double>(), shown.digits);
  };
  Entry entry{.error = text("mean"), .interval = ""};
  if (!value.at("low").is_null()) entry.interval = fmt::format("[{}, {}]", text("low"), text("high"));
  return entry;
}

// Of text two tables: the bits, and the error that the contrasts between arms compare.
std::vector<Shown> shown_of(const json& results) {
  constexpr const char* kBits = "bits_per_character";
  const json& cells = results.at("cells");
  const bool text =
      std::any_of(cells.begin(), cells.end(), [&](const json& c) { return c.at("measures").contains(kBits); });
  if (!text) return {{"", "test error in %", 100, 1}};
  return {{kBits, "bits per character", 1, 2}, {"", "error at the last character of a window in %", 100, 1}};
}

// An arm's entries, one a column; an arm that does not share over the batch has its one result in all of them.
std::vector<Entry> entries_of(const json& results, const json& model, const json& arm, const Shown& shown) {
  std::vector<Entry> entries;
  json batches = results.at("normalization_batches");
  if (batches.empty()) batches.push_back(nullptr);
  for (const json& batch : batches) {
    for (const json& cell : results.at("cells")) {
      const json& own = cell.at("normalization_batch");
      const bool here = own == batch || own.is_null();
      if (cell.at("model") != model.at("name") || cell.at("arm") != arm.at("name") || !here) continue;
      Entry entry = entry_of(cell, shown);
      if (own.is_null() && !entries.empty()) entry = {.error = "same", .interval = ""};
      entry.best = shown.measure.empty() && is_best(results, model, arm, batch);
      entry.leaks = cell.at("leaks").get<bool>();
      if (entry.leaks) entry.error = "!" + entry.error;
      entry.error += entry.best ? "*" : " ";
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

// What of a table is printed side by side.
struct Block {
  std::size_t first = 0, end = 0;  // of its columns
  std::size_t label_width = 0, column_width = 0;
};

std::string rows_of(const json& arm, const std::vector<Entry>& entries, const Block& block, bool colour) {
  std::string above = padded(arm.at("label").get<std::string>(), block.label_width, false);
  std::string below(block.label_width, ' ');
  for (std::size_t i = block.first; i < std::min(block.end, entries.size()); ++i) {
    const Entry& entry = entries[i];
    const std::string error = padded(entry.error, block.column_width, true);
    above += colour && entry.best ? "\033[1;32m" + error + "\033[0m" : error;
    below += padded(entry.interval + " ", block.column_width, true);
  }
  return trimmed(above) + "\n" + trimmed(below) + "\n";
}

std::string model_table(const json& results, const json& model, const Shown& shown, const TextStyle& style) {
  std::size_t label_width = kBatchTitle.size(), column = 0, columns = 1;
  bool marked = false, leaking = false;
  std::vector<std::pair<const json*, std::vector<Entry>>> rows;
  for (const json& arm : results.at("arms")) {
    label_width = std::max(label_width, width_of(arm.at("label").get<std::string>()));
    std::vector<Entry> entries = entries_of(results, model, arm, shown);
    for (const Entry& entry : entries) {
      column = std::max({column, entry.interval.size() + 3, entry.error.size() + 2});
      marked = marked || entry.best;
      leaking = leaking || entry.leaks;
    }
    columns = std::max(columns, entries.size());
    if (!entries.empty()) rows.emplace_back(&arm, std::move(entries));
  }
  std::string text =
      wrapped(fmt::format("{}: {}, [95% interval]", model.at("label").get<std::string>(), shown.title), style.width);
  if (marked) {
    text += wrapped("* among the best: not shown to be worse than the lowest of its column, as another arm is",
                    style.width);
  }
  if (leaking) text += wrapped("! saw future tokens in training: its statistics leak", style.width);
  const json& batches = results.at("normalization_batches");
  // What ends a line may stand past the edge: it is a space.
  const std::size_t room = style.width + 1 > label_width ? style.width + 1 - label_width : 0;
  const std::size_t beside = column == 0 ? columns : std::max<std::size_t>(1, room / column);
  for (std::size_t first = 0; first < columns; first += beside) {
    const Block block{first, std::min(columns, first + beside), label_width, column};
    if (first > 0) text += "\n";
    if (!batches.empty()) {
      std::string head = padded(kBatchTitle, label_width, false);
      for (std::size_t i = block.first; i < std::min(block.end, batches.size()); ++i) {
        head += padded(std::to_string(batches[i].get<std::int64_t>()) + " ", column, true);
      }
      text += trimmed(head) + "\n";
    }
    for (const auto& [arm, entries] : rows) text += rows_of(*arm, entries, block, style.colour);
  }
  return text;
}

// A part of a study, or a study of one part. Where it names no primary contrast, its claims say what is to be said.
std::string part_text(const json& part, bool has_claims, const TextStyle& style) {
  std::string text;
  for (const Shown& shown : shown_of(part)) {
    for (const json& model : part.at("models")) {
      if (model.at("kind") == "checks") continue;  // it trains nothing: it has no test error
      text += model_table(part, model, shown, style) + "\n";
    }
  }
  const json &verdict = part.at("verdict"), &contrasts = part.at("contrasts");
  const bool primary =
      std::any_of(contrasts.begin(), contrasts.end(), [](const json& c) { return c.at("primary") == true; });
  if (has_claims && !primary) return text;
  const std::size_t width = std::min(style.width, kTextWidth);
  text += wrapped(verdict.at("headline").get<std::string>(), width);
  for (const json& sentence : verdict.at("sentences")) text += wrapped(sentence.get<std::string>(), width);
  return text;
}

// "- a sentence", its other lines under the first.
std::string item(const std::string& sentence, std::size_t width) {
  std::string text;
  for (const std::string& line : lines_of(sentence, std::min(width, kTextWidth) - 2))
    text += (text.empty() ? "- " : "  ") + line + "\n";
  return text;
}

}  // namespace

std::string results_text(const json& results, const TextStyle& style) {
  const bool has_claims = results.contains("claims");
  std::string text;
  if (results.contains("parts")) {
    for (const json& part : results.at("parts")) {
      const std::string own = part_text(part, has_claims, style);
      if (!own.empty()) text += fmt::format("== {}\n{}\n", part.at("name").get<std::string>(), own);
    }
  } else {
    text = part_text(results, has_claims, style);
  }
  const json& warnings = results.at("warnings");
  if (!warnings.empty()) text += "\nWarnings\n";
  for (const json& warning : warnings) text += item(warning.get<std::string>(), style.width);
  if (has_claims) text += (text.empty() ? "" : "\n") + claims_text(results.at("claims"), style.colour);
  return text;
}

}  // namespace norma::cli
