#include "lab/study/toml_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/error.h"
#include "lab/study/nearest.h"

namespace norma::lab {
namespace {

std::string type_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return fmt::format("the text \"{}\"", **node.as_string());
    case toml::node_type::integer:
      return fmt::format("{}", **node.as_integer());
    case toml::node_type::floating_point:
      return fmt::format("{}", **node.as_floating_point());
    case toml::node_type::boolean:
      return **node.as_boolean() ? "true" : "false";
    default:
      return "a date or time";
  }
}

}  // namespace

TomlTable::TomlTable(const toml::table& table, const std::string& file, std::string where,
                     std::vector<std::string> known)
    : table_(table), file_(file), where_(std::move(where)), known_(std::move(known)) {
  for (const auto& [key, node] : table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) == known_.end()) {
      fail(key.source().begin.line,
           fmt::format("unknown key {}{}", name(std::string(key.str()).c_str()), suggestion(key.str(), known_)));
    }
  }
}

void TomlTable::fail(std::uint32_t line, const std::string& message) const {
  throw InputError(fmt::format("{}:{}: {}", file_, line, message));
}

std::string TomlTable::name(const char* key) const {
  return where_.empty() ? fmt::format("'{}'", key) : fmt::format("'{}' in {}", key, where_);
}

const toml::node& TomlTable::node(const char* key) const {
  const toml::node* found = table_.get(key);
  if (found == nullptr) fail(std::max(1U, line()), fmt::format("{} is missing", name(key)));
  return *found;
}

std::uint32_t TomlTable::line(const char* key) const {
  return node(key).source().begin.line;
}

std::string TomlTable::text(const char* key) const {
  const toml::node& value = node(key);
  if (!value.is_string()) fail(line(key), fmt::format("{}: expected text, got {}", name(key), type_of(value)));
  return **value.as_string();
}

std::string TomlTable::choice(const char* key, const std::vector<std::string>& names) const {
  std::string value = text(key);
  if (std::find(names.begin(), names.end(), value) == names.end()) {
    fail(line(key), fmt::format("{}: unknown value '{}'{}", name(key), value, suggestion(value, names)));
  }
  return value;
}

std::int64_t TomlTable::integer(const char* key, std::int64_t least, std::int64_t most) const {
  const toml::node& value = node(key);
  if (!value.is_integer()) {
    fail(line(key), fmt::format("{}: expected a whole number, got {}", name(key), type_of(value)));
  }
  const std::int64_t number = **value.as_integer();
  if (number < least || number > most) {
    fail(line(key), fmt::format("{}: expected {} to {}, got {}", name(key), least, most, number));
  }
  return number;
}

double TomlTable::number(const char* key) const {
  const toml::node& value = node(key);
  if (!value.is_number()) fail(line(key), fmt::format("{}: expected a number, got {}", name(key), type_of(value)));
  const double number = *value.value<double>();
  if (!std::isfinite(number)) fail(line(key), fmt::format("{}: expected a finite number", name(key)));
  return number;
}

const toml::array& TomlTable::list(const char* key) const {
  const toml::node& value = node(key);
  if (!value.is_array()) fail(line(key), fmt::format("{}: expected a list, got {}", name(key), type_of(value)));
  if (value.as_array()->empty()) fail(line(key), fmt::format("{}: the list is empty", name(key)));
  return *value.as_array();
}

std::vector<Located<std::string>> TomlTable::texts(const char* key) const {
  std::vector<Located<std::string>> values;
  for (const toml::node& element : list(key)) {
    const std::uint32_t at = element.source().begin.line;
    if (!element.is_string()) {
      fail(at, fmt::format("{}: expected a list of names, got {}", name(key), type_of(element)));
    }
    values.push_back({**element.as_string(), at});
  }
  return values;
}

std::vector<Located<std::int64_t>> TomlTable::integers(const char* key, std::int64_t least, std::int64_t most) const {
  std::vector<Located<std::int64_t>> values;
  for (const toml::node& element : list(key)) {
    const std::uint32_t at = element.source().begin.line;
    if (!element.is_integer()) {
      fail(at, fmt::format("{}: expected a list of whole numbers, got {}", name(key), type_of(element)));
    }
    const std::int64_t number = **element.as_integer();
    if (number < least || number > most) {
      fail(at, fmt::format("{}: expected {} to {}, got {}", name(key), least, most, number));
    }
    values.push_back({number, at});
  }
  return values;
}

std::vector<Located<double>> TomlTable::numbers(const char* key) const {
  std::vector<Located<double>> values;
  for (const toml::node& element : list(key)) {
    const std::uint32_t at = element.source().begin.line;
    if (!element.is_number()) {
      fail(at, fmt::format("{}: expected a list of numbers, got {}", name(key), type_of(element)));
    }
    values.push_back({*element.value<double>(), at});
  }
  return values;
}

const toml::table& TomlTable::table(const char* key) const {
  const toml::node* found = table_.get(key);
  if (found == nullptr) fail(std::max(1U, line()), fmt::format("the table [{}] is missing", key));
  if (!found->is_table()) fail(line(key), fmt::format("{}: expected a table [{}]", name(key), key));
  return *found->as_table();
}

std::vector<const toml::table*> TomlTable::tables(const char* key) const {
  std::vector<const toml::table*> found;
  if (!has(key)) return found;
  const toml::node& value = node(key);
  if (!value.is_array()) fail(line(key), fmt::format("{}: expected [[{}]]", name(key), key));
  for (const toml::node& element : *value.as_array()) {
    if (!element.is_table()) fail(line(key), fmt::format("{}: expected [[{}]]", name(key), key));
    found.push_back(element.as_table());
  }
  return found;
}

}  // namespace norma::lab
