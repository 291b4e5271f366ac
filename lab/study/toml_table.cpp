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

TomlTable::TomlTable(TomlLayers layers, const std::string& file, std::string where, std::vector<std::string> known)
    : layers_(layers), file_(file), where_(std::move(where)) {
  for (const toml::table* layer : {layers.over, layers.own, layers.under}) {
    if (layer == nullptr) continue;
    for (const auto& [key, node] : *layer) {
      if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
        fail(key.source().begin.line,
             fmt::format("unknown key {}{}", name(std::string(key.str()).c_str()), suggestion(key.str(), known)));
      }
    }
  }
}

std::uint32_t TomlTable::line() const {
  return layers_.own == nullptr ? 1 : std::max(1U, layers_.own->source().begin.line);
}

void TomlTable::fail(std::uint32_t line, const std::string& message) const {
  throw InputError(fmt::format("{}:{}: {}", file_, line, message));
}

std::string TomlTable::name(const char* key) const {
  return where_.empty() ? fmt::format("'{}'", key) : fmt::format("'{}' in {}", key, where_);
}

const toml::node* TomlTable::find(const char* key) const {
  for (const toml::table* layer : {layers_.over, layers_.own, layers_.under}) {
    const toml::node* found = layer == nullptr ? nullptr : layer->get(key);
    if (found != nullptr) return found;
  }
  return nullptr;
}

const toml::node& TomlTable::node(const char* key) const {
  const toml::node* found = find(key);
  if (found == nullptr) fail(line(), fmt::format("{} is missing", name(key)));
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

const toml::table* TomlTable::own(const char* key) const {
  const toml::node* found = layers_.own == nullptr ? nullptr : layers_.own->get(key);
  return found == nullptr ? nullptr : found->as_table();
}

bool TomlTable::flag(const char* key) const {
  const toml::node& value = node(key);
  if (!value.is_boolean()) {
    fail(line(key), fmt::format("{}: expected true or false, got {}", name(key), type_of(value)));
  }
  return **value.as_boolean();
}

std::string TomlTable::column_of(const char* key, const toml::node& value) const {
  if (value.is_string()) return **value.as_string();
  if (value.is_integer()) return std::to_string(**value.as_integer());
  fail(value.source().begin.line,
       fmt::format("{}: expected a column, by name or number from 1, got {}", name(key), type_of(value)));
}

std::string TomlTable::column(const char* key) const {
  return column_of(key, node(key));
}

std::vector<std::string> TomlTable::columns(const char* key) const {
  std::vector<std::string> values;
  for (const toml::node& element : list(key)) values.push_back(column_of(key, element));
  return values;
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

TomlTable TomlTable::table(const char* key, std::vector<std::string> known) const {
  if (find(key) == nullptr) fail(line(), fmt::format("the table [{}] is missing", key));
  const auto within = [&](const toml::table* layer) -> const toml::table* {
    const toml::node* found = layer == nullptr ? nullptr : layer->get(key);
    if (found == nullptr) return nullptr;
    if (!found->is_table()) {
      fail(found->source().begin.line, fmt::format("{}: expected a table [{}]", name(key), key));
    }
    return found->as_table();
  };
  const TomlLayers inner{within(layers_.over), within(layers_.own), within(layers_.under)};
  return {inner, file_, fmt::format("[{}]", key), std::move(known)};
}

TomlTable TomlTable::table_or_empty(const char* key, std::vector<std::string> known) const {
  if (has(key)) return table(key, std::move(known));
  return {TomlLayers{}, file_, fmt::format("[{}]", key), std::move(known)};
}

std::vector<const toml::table*> TomlTable::tables(const char* key) const {
  std::vector<const toml::table*> found;
  for (const toml::table* layer : {layers_.own, layers_.under}) {
    const toml::node* value = layer == nullptr ? nullptr : layer->get(key);
    if (value == nullptr) continue;
    const auto wrong = [&] { fail(value->source().begin.line, fmt::format("{}: expected [[{}]]", name(key), key)); };
    if (!value->is_array()) wrong();
    for (const toml::node& element : *value->as_array()) {
      if (!element.is_table()) wrong();
      found.push_back(element.as_table());
    }
    break;
  }
  return found;
}

}  // namespace norma::lab
