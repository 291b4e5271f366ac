#include "lab/data/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "lab/data/bytes.h"
#include "lab/error.h"
#include "lab/study/nearest.h"

namespace norma::lab {
namespace {

constexpr std::int64_t kMaxText = std::int64_t{1} << 30U;
constexpr std::size_t kMaxColumns = 100'000;

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

template <typename T>
std::optional<T> number(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

bool is_feature(std::string_view text) {
  const auto value = number<double>(text);
  return value && std::abs(*value) <= kLargestFeature;
}

// What a message quotes of a field.
std::string quoted(const std::string& field) {
  constexpr std::size_t kMost = 40;
  return "'" + (field.size() > kMost ? field.substr(0, kMost) + "..." : field) + "'";
}

// Whole numbers are one label however they are written: 1, 01 and 1.0.
std::string label_of(std::string_view field) {
  constexpr double kExact = 0x1p53;
  const auto value = number<double>(field);
  if (value && std::abs(*value) < kExact && *value == std::floor(*value)) {
    return std::to_string(static_cast<std::int64_t>(*value));
  }
  return std::string(trimmed(field));
}

enum class Column : std::uint8_t { kFeature, kLabel, kIgnored };

struct Table {
  std::string path;
  std::vector<std::string> names;   // of the columns; empty without a header
  std::vector<Column> columns;      // what each is
  std::vector<double> features;     // (n, those that are features)
  std::vector<std::string> labels;  // (n)
  std::vector<std::int64_t> lines;  // (n)

  std::size_t label() const {
    return static_cast<std::size_t>(std::find(columns.begin(), columns.end(), Column::kLabel) - columns.begin());
  }
  // "column 3 ('weight')".
  std::string column(std::size_t at) const {
    return names.empty() ? fmt::format("column {}", at + 1) : fmt::format("column {} ({})", at + 1, quoted(names[at]));
  }
};

// A column by its name in the first line, or else by its number from 1.
std::size_t find_column(const DataSpec& spec, const Table& table, const CsvRecord& first, const std::string& wanted) {
  const auto named = std::find(first.fields.begin(), first.fields.end(), wanted);
  if (spec.header != "no" && named != first.fields.end()) return static_cast<std::size_t>(named - first.fields.begin());
  const auto at = number<std::size_t>(wanted);
  if (at && *at >= 1 && *at <= first.fields.size()) return *at - 1;
  if (at) throw InputError(fmt::format("{}: no column {}: there are {}", table.path, *at, first.fields.size()));
  constexpr std::size_t kListed = 20;
  std::vector<std::string> listed;
  for (std::size_t i = 0; i < std::min(kListed, first.fields.size()); ++i) listed.push_back(quoted(first.fields[i]));
  throw InputError(fmt::format("{}:{}: no column '{}'{}; the first line has {}{}", table.path, first.line, wanted,
                               suggestion(wanted, first.fields), fmt::join(listed, ", "),
                               first.fields.size() > kListed ? ", ..." : ""));
}

// Sets what each column is, and whether the first line is their names: it is where a column was asked for by one of
// them, or where no feature of it is a number.
void read_columns(const DataSpec& spec, const CsvRecord& first, Table& table) {
  table.columns.assign(first.fields.size(), Column::kFeature);
  bool by_name = false;
  const auto is_named = [&](std::size_t at, const std::string& wanted) {
    by_name = by_name || (first.fields[at] == wanted && !number<double>(wanted));
  };
  for (const std::string& wanted : spec.ignore) {
    const std::size_t at = find_column(spec, table, first, wanted);
    table.columns[at] = Column::kIgnored;
    is_named(at, wanted);
  }
  std::size_t label = first.fields.size() - 1;
  if (!spec.label.empty()) {
    label = find_column(spec, table, first, spec.label);
    is_named(label, spec.label);
  } else {
    while (label > 0 && table.columns[label] == Column::kIgnored) --label;
  }
  if (table.columns[label] == Column::kIgnored) {
    throw InputError(fmt::format("{}: {} is to hold the labels and to be ignored", table.path, table.column(label)));
  }
  table.columns[label] = Column::kLabel;
  std::size_t features = 0, numbers = 0;
  for (std::size_t i = 0; i < first.fields.size(); ++i) {
    if (table.columns[i] != Column::kFeature) continue;
    ++features;
    numbers += is_feature(first.fields[i]) ? 1 : 0;
  }
  if (features == 0) throw InputError(fmt::format("{}: no column is left for the features", table.path));
  const bool header = spec.header == "auto" ? by_name || numbers == 0 : spec.header == "yes";
  if (header) table.names = first.fields;
}

void add_row(Table& table, const CsvRecord& record) {
  const std::size_t width = table.columns.size();
  const auto fail = [&](std::size_t at, const std::string& expected) {
    const std::string& field = record.fields[at];
    const bool first = table.names.empty() && table.lines.empty();
    throw InputError(fmt::format("{}:{}: {}: expected {}, got {}{}", table.path, record.line, table.column(at),
                                 expected, trimmed(field).empty() ? "an empty field" : quoted(field),
                                 first ? " (header = true, if this line holds names)" : ""));
  };
  if (record.fields.size() != width) {
    throw InputError(fmt::format("{}:{}: expected {} columns as in the first line, got {}", table.path, record.line,
                                 width, record.fields.size()));
  }
  for (std::size_t i = 0; i < width; ++i) {
    const std::string& field = record.fields[i];
    if (table.columns[i] == Column::kIgnored) continue;
    if (table.columns[i] == Column::kLabel) {
      table.labels.push_back(label_of(field));
      if (table.labels.back().empty()) fail(i, "a label");
    } else {
      if (!is_feature(field)) fail(i, "a finite number");
      table.features.push_back(*number<double>(field));
    }
  }
  table.lines.push_back(record.line);
}

Table read_table(const DataSpec& spec, const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_whole(path, kMaxText);
  CsvReader reader({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
  Table table;
  table.path = path;
  CsvRecord record;
  if (!reader.next(record)) throw InputError(path + ": empty, expected lines of numbers and a label");
  if (record.fields.size() < 2 || record.fields.size() > kMaxColumns) {
    throw InputError(fmt::format("{}:{}: expected 2 to {} columns separated by ',', ';' or tabs, got {}", path,
                                 record.line, kMaxColumns, record.fields.size()));
  }
  read_columns(spec, record, table);
  if (table.names.empty()) add_row(table, record);
  while (reader.next(record)) add_row(table, record);
  if (table.labels.empty()) throw InputError(path + ": a header without lines behind it");
  return table;
}

// The classes: whole numbers in their order, or words. Other numbers are something to predict, not a class.
std::vector<std::string> classes_of(const std::vector<const Table*>& tables) {
  std::set<std::string> found;
  std::int64_t rows = 0;
  bool whole = true;
  for (const Table* table : tables) {
    for (std::size_t i = 0; i < table->labels.size(); ++i, ++rows) {
      const std::string& label = table->labels[i];
      if (number<double>(label) && !number<std::int64_t>(label)) {
        throw InputError(fmt::format("{}:{}: {}: expected a label, a whole number or a word, got {}", table->path,
                                     table->lines[i], table->column(table->label()), quoted(label)));
      }
      whole = whole && number<std::int64_t>(label).has_value();
      found.insert(label);
    }
  }
  const auto classes = static_cast<std::int64_t>(found.size());
  if (classes > kMaxClasses || (classes > 2 && 2 * classes > rows)) {
    throw InputError(
        fmt::format("{}: {}: {} different labels in {} lines: expected labels that repeat; name another "
                    "column with 'label'",
                    tables[0]->path, tables[0]->column(tables[0]->label()), classes, rows));
  }
  std::vector<std::string> names(found.begin(), found.end());
  if (whole) {
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return *number<std::int64_t>(a) < *number<std::int64_t>(b);
    });
  }
  return names;
}

Samples samples_of(Table table, const std::map<std::string, std::int64_t>& classes) {
  Samples samples;
  samples.count = static_cast<std::int64_t>(table.labels.size());
  samples.shape = {1, 1, static_cast<std::int64_t>(table.features.size()) / samples.count};
  for (const std::string& label : table.labels) samples.labels.push_back(classes.at(label));
  samples.values = std::move(table.features);
  return samples;
}

}  // namespace

Contents read_csv_contents(const DataSpec& spec) {
  Table training = read_table(spec, spec.files.at("path"));
  std::optional<Table> test;
  std::vector<const Table*> tables{&training};
  if (const auto path = spec.files.find("test_path"); path != spec.files.end()) {
    test = read_table(spec, path->second);
    tables.push_back(&*test);
    if (training.names != test->names || training.columns != test->columns) {
      const auto columns = [](const Table& table) {
        return table.names.empty() ? fmt::format("{} without names", table.columns.size())
                                   : fmt::format("{}", fmt::join(table.names, ", "));
      };
      throw InputError(fmt::format("{}: expected the columns of {} ({}), got {}", test->path, training.path,
                                   columns(training), columns(*test)));
    }
  }
  Contents contents;
  contents.class_names = classes_of(tables);
  contents.classes = static_cast<std::int64_t>(contents.class_names.size());
  std::map<std::string, std::int64_t> numbers;
  for (const std::string& name : contents.class_names) numbers.emplace(name, static_cast<std::int64_t>(numbers.size()));
  contents.training = samples_of(std::move(training), numbers);
  if (test) contents.test = samples_of(std::move(*test), numbers);
  contents.by_feature = true;
  return contents;
}

}  // namespace norma::lab
