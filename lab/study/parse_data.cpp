// The data of a study file: [data].
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "lab/data/listops.h"
#include "lab/data/text.h"
#include "lab/data/view.h"
#include "lab/study/parser.h"

namespace norma::lab {
namespace {

// What each source is told, apart from sizes and seed.
struct Source {
  const char* name;
  std::vector<std::string> files;   // keys of paths that must be there
  std::vector<std::string> more;    // keys of paths that may be there, all or none
  std::vector<std::string> others;  // the source's other keys
};

const std::vector<Source>& sources() {
  static const std::vector<Source> sources{
      {"optdigits", {}, {}, {"view"}},
      {"listops", {}, {}, {"depth", "arguments", "min_length", "max_length"}},
      {"idx", {"train_images", "train_labels"}, {"test_images", "test_labels"}, {"view"}},
      {"cifar10", {"path"}, {}, {"view"}},
      {"npy", {"x", "y"}, {"test_x", "test_y"}, {"path", "view"}},
      {"csv", {"path"}, {"test_path"}, {"label", "header", "ignore", "view"}},
      {"text", {"path"}, {}, {"length"}}};
  return sources;
}

std::vector<std::string> keys_of(const Source& source) {
  std::vector<std::string> keys = source.files;
  keys.insert(keys.end(), source.more.begin(), source.more.end());
  keys.insert(keys.end(), source.others.begin(), source.others.end());
  return keys;
}

std::vector<std::string> all_keys() {
  std::vector<std::string> keys{"source", "name", "train", "validation", "test", "split_seed"};
  for (const Source& source : sources()) {
    for (const std::string& key : keys_of(source)) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
  }
  return keys;
}

const Source& source_of(const TomlTable& table) {
  const std::string name = table.choice("source", data_sources());
  const auto found = std::find_if(sources().begin(), sources().end(), [&](const Source& s) { return s.name == name; });
  const std::vector<std::string> own = keys_of(*found);
  for (const Source& other : sources()) {
    for (const std::string& key : keys_of(other)) {
      if (table.has(key.c_str()) && std::find(own.begin(), own.end(), key) == own.end()) {
        table.fail(table.line(key.c_str()), fmt::format("'{}' in [data] does not go with source = \"{}\"", key, name));
      }
    }
  }
  return *found;
}

}  // namespace

std::string StudyParser::path(const TomlTable& table, const char* key) const {
  const std::filesystem::path written = table.text(key);
  if (written.empty()) table.fail(table.line(key), fmt::format("'{}' in [data]: the path is empty", key));
  const std::filesystem::path whole = written.is_absolute() ? written : file_.folder / written;
  return std::filesystem::absolute(whole).lexically_normal().string();
}

void StudyParser::read_data() {
  const TomlTable table = top_.table("data", all_keys());
  spec_.data_lines[""] = table.line();
  for (const std::string& key : all_keys()) {
    if (table.has(key.c_str())) spec_.data_lines[key] = table.line(key.c_str());
  }
  DataSpec& data = spec_.data;
  data.source = source_of(table).name;
  read_files(table);
  const auto path = data.files.find("path");
  const std::string stem = path == data.files.end() ? "" : std::filesystem::path(path->second).stem().string();
  data.name = table.text("name", stem.empty() ? data.source : stem);
  if (table.has("view")) data.view = table.choice("view", view_names());
  if (data.source == "csv") read_csv_keys(table);
  if (data.source == "listops") read_listops_keys(table);
  if (data.source == "text") data.length = table.integer("length", 2, kMaxSize, kDefaultWindow);
  read_sizes(table);
}

void StudyParser::read_files(const TomlTable& table) {
  const Source& source = source_of(table);
  auto& files = spec_.data.files;
  // An archive instead of arrays in files of their own.
  if (source.name == std::string("npy") && table.has("path")) {
    for (const char* key : {"x", "y", "test_x", "test_y"}) {
      if (table.has(key)) table.fail(table.line(key), fmt::format("'{}' in [data] does not go with 'path'", key));
    }
    files["path"] = path(table, "path");
    return;
  }
  for (const std::string& key : source.files) files[key] = path(table, key.c_str());
  const auto given = [&](const std::string& key) { return table.has(key.c_str()); };
  if (std::none_of(source.more.begin(), source.more.end(), given)) return;
  for (const std::string& key : source.more) files[key] = path(table, key.c_str());
}

void StudyParser::read_csv_keys(const TomlTable& table) {
  DataSpec& data = spec_.data;
  if (table.has("label")) data.label = table.column("label");
  if (table.has("ignore")) data.ignore = table.columns("ignore");
  if (table.has("header")) data.header = table.flag("header") ? "yes" : "no";
}

void StudyParser::read_listops_keys(const TomlTable& table) {
  constexpr std::int64_t kMostDepth = 100, kMostArguments = 100, kMostLength = 10'000;
  DataSpec& data = spec_.data;
  data.depth = table.integer("depth", 2, kMostDepth, kDefaultListops.depth);
  data.arguments = table.integer("arguments", 2, kMostArguments, kDefaultListops.arguments);
  data.min_length = table.integer("min_length", 1, kMostLength, kDefaultListops.min_length);
  data.max_length = table.integer("max_length", 1, kMostLength, kDefaultListops.max_length);
  if (data.max_length < data.min_length) {
    table.fail(table.has("max_length") ? table.line("max_length") : table.line("min_length"),
               fmt::format("'max_length' in [data]: {} is below 'min_length', {}", data.max_length, data.min_length));
  }
}

void StudyParser::read_sizes(const TomlTable& table) {
  DataSpec& data = spec_.data;
  data.split_seed = static_cast<std::uint64_t>(table.integer("split_seed", 0, INT64_MAX, 0));
  if (data.source == "text" && table.has("split_seed")) {
    table.fail(table.line("split_seed"),
               "'split_seed' in [data] does not go with source = \"text\": it is split by "
               "position");
  }
  const bool any = table.has("train") || table.has("validation") || table.has("test");
  if (!any) {
    // Shares of what there is, once that is known (attach_data); of what is generated there is no whole.
    if (data.source != "listops") return;
    data.train = kDefaultListops.train;
    data.validation = kDefaultListops.validation;
    data.test = kDefaultListops.test;
    return;
  }
  const std::int64_t most = data.source == "listops" ? kMaxGenerated : kMaxSamples;
  data.train = table.integer("train", 1, most);
  data.validation = table.integer("validation", 1, most);
  data.test = table.integer("test", 1, most);
}

}  // namespace norma::lab
