// The parser of one part of a study, in three files: parse.cpp (training, tuning), parse_data.cpp (data),
// parse_models.cpp (models and contrasts). study_file.cpp takes a file apart into its parts.
#pragma once

#include <fmt/format.h>

#include <toml++/toml.h>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lab/models/arm_list.h"
#include "lab/study/study.h"
#include "lab/study/toml_table.h"

namespace norma::lab {

constexpr std::int64_t kMaxSamples = 100'000'000, kMaxSize = 65'536, kMaxSeeds = 1000, kMaxEpochs = 100'000;

template <typename T>
void refuse_duplicates(const TomlTable& table, const char* key, const std::vector<Located<T>>& values) {
  std::set<T> seen;
  for (const Located<T>& element : values) {
    if (!seen.insert(element.value).second) {
      table.fail(element.line, fmt::format("'{}': {} stands there twice", key, element.value));
    }
  }
}

template <typename T>
std::vector<T> values_of(const std::vector<Located<T>>& located) {
  std::vector<T> values;
  for (const Located<T>& element : located) values.push_back(element.value);
  return values;
}

// A list of arms, each known and there once.
std::vector<std::string> read_arms(const TomlTable& table, const char* key);
bool shares_over_batch(const std::string& arm);
// A number above 0.
double positive(const TomlTable& table, const char* key);

// Keys that a part and the top of a file may both have.
std::vector<std::string> part_keys();

// 1 to 64 letters, digits, '-' or '_'.
std::string read_name(const TomlTable& table);

class StudyParser {
 public:
  // The part's own table; above it what the size replaces, below it what the top of the file says for all parts.
  StudyParser(const StudyFile& file, TomlLayers layers);
  StudySpec parse(const std::string& name, std::optional<std::int64_t> seeds);

 private:
  std::string path(const TomlTable& table, const char* key) const;
  void read_data();
  void read_files(const TomlTable& table);
  void read_csv_keys(const TomlTable& table);
  void read_listops_keys(const TomlTable& table);
  void read_sizes(const TomlTable& table);
  void read_training();
  void read_tuning();
  void read_batches();
  void read_watched();

  void read_models();
  const toml::table* size_of_model(const toml::table& toml) const;
  void read_model(const toml::table& toml);
  void check_arms(const TomlTable& table, StudyModel& model);
  void check_values(const TomlTable& table, const StudyModel& model, const Arm& arm);
  void read_groups(const TomlTable& table, StudyModel& model);
  void check_same(const TomlTable& table, const StudyModel& model);
  void read_contrasts();
  void read_contrast(const toml::table& toml);
  void read_contrast_models(const TomlTable& table, StudyContrast& contrast);
  void read_contrast_batches(const TomlTable& table, StudyContrast& contrast);

  const StudyFile& file_;
  TomlLayers layers_;
  TomlTable top_;
  StudySpec spec_;
  Located<std::string> least_batch_;  // the key that says the smallest normalization batch, and where
};

}  // namespace norma::lab
