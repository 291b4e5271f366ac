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

class TomlTable {
 public:
  // `where`: how messages name the table, e.g. "[data]"; empty for the top. Keys other than `known` are refused.
  TomlTable(const toml::table& table, const std::string& file, std::string where, std::vector<std::string> known);

  bool has(const char* key) const { return table_.contains(key); }
  std::uint32_t line(const char* key) const;
  // Line of the table's head.
  std::uint32_t line() const { return table_.source().begin.line; }

  std::string text(const char* key) const;
  std::string text(const char* key, const std::string& otherwise) const { return has(key) ? text(key) : otherwise; }
  // One of these names.
  std::string choice(const char* key, const std::vector<std::string>& names) const;
  std::int64_t integer(const char* key, std::int64_t least, std::int64_t most) const;
  double number(const char* key) const;
  std::vector<Located<std::string>> texts(const char* key) const;
  std::vector<Located<std::int64_t>> integers(const char* key, std::int64_t least, std::int64_t most) const;
  std::vector<Located<double>> numbers(const char* key) const;

  // A table within; it must be there.
  const toml::table& table(const char* key) const;
  // The tables of [[key]]; empty if there are none.
  std::vector<const toml::table*> tables(const char* key) const;

  [[noreturn]] void fail(std::uint32_t line, const std::string& message) const;

 private:
  const toml::node& node(const char* key) const;
  const toml::array& list(const char* key) const;
  // "'epochs' in [training]".
  std::string name(const char* key) const;

  const toml::table& table_;
  const std::string& file_;
  std::string where_;
  std::vector<std::string> known_;
};

}  // namespace norma::lab
