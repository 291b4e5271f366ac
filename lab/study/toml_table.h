// A table of a study file: its values by name and type. Every complaint is an InputError that starts with the file and
// the line: "study.toml:7: ...".
#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <string>
#include <vector>

namespace norma::lab {

// A value with the line it stands on.
template <typename T>
struct Located {
  T value{};
  std::uint32_t line = 0;
};

// Tables that stand in for one: a value is looked up in `over`, then in the table itself, then in `under`. Each may be
// null.
struct TomlLayers {
  const toml::table* over = nullptr;
  const toml::table* own = nullptr;
  const toml::table* under = nullptr;
};

class TomlTable {
 public:
  // `where`: how messages name the table, e.g. "[data]"; empty for the top. Keys other than `known` are refused, in
  // every layer.
  TomlTable(TomlLayers layers, const std::string& file, std::string where, std::vector<std::string> known);
  TomlTable(const toml::table& table, const std::string& file, std::string where, std::vector<std::string> known)
      : TomlTable(TomlLayers{nullptr, &table, nullptr}, file, std::move(where), std::move(known)) {}
  // Without a look at the keys.
  TomlTable(TomlLayers layers, const std::string& file) : layers_(layers), file_(file) {}

  bool has(const char* key) const { return find(key) != nullptr; }
  std::uint32_t line(const char* key) const;
  // Line of the table's head; 1 if it is not there itself.
  std::uint32_t line() const;

  std::string text(const char* key) const;
  std::string text(const char* key, const std::string& otherwise) const { return has(key) ? text(key) : otherwise; }
  // One of these names.
  std::string choice(const char* key, const std::vector<std::string>& names) const;
  std::string choice(const char* key, const std::vector<std::string>& names, const std::string& otherwise) const {
    return has(key) ? choice(key, names) : otherwise;
  }
  std::int64_t integer(const char* key, std::int64_t least, std::int64_t most) const;
  std::int64_t integer(const char* key, std::int64_t least, std::int64_t most, std::int64_t otherwise) const {
    return has(key) ? integer(key, least, most) : otherwise;
  }
  double number(const char* key) const;
  bool flag(const char* key) const;
  // Names or whole numbers, as text: columns of a table.
  std::string column(const char* key) const;
  std::vector<std::string> columns(const char* key) const;
  std::vector<Located<std::string>> texts(const char* key) const;
  std::vector<Located<std::int64_t>> integers(const char* key, std::int64_t least, std::int64_t most) const;
  std::vector<Located<double>> numbers(const char* key) const;

  // This table alone, without what stands above and below it.
  const toml::table* own() const { return layers_.own; }
  // A table within, of this table alone; null if the key is not there or something else.
  const toml::table* own(const char* key) const;
  // A table within, layer by layer; one of them must be there.
  TomlTable table(const char* key, std::vector<std::string> known) const;
  // The same; without any of them a table without keys.
  TomlTable table_or_empty(const char* key, std::vector<std::string> known) const;
  // The tables of [[key]], its own or those below; empty if there are none.
  std::vector<const toml::table*> tables(const char* key) const;

  [[noreturn]] void fail(std::uint32_t line, const std::string& message) const;

 private:
  const toml::node* find(const char* key) const;
  const toml::node& node(const char* key) const;
  const toml::array& list(const char* key) const;
  std::string column_of(const char* key, const toml::node& value) const;
  // "'epochs' in [training]".
  std::string name(const char* key) const;

  TomlLayers layers_;
  const std::string& file_;
  std::string where_;
};

}  // namespace norma::lab
