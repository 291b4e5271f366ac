// norma data: the data that is there, and whether files of one's own are sound.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "commands.h"
#include "lab/data/dataset.h"
#include "lab/data/idx.h"
#include "lab_errors.h"

namespace norma::cli {
namespace {

namespace fs = std::filesystem;

// "3 classes: 0:5 1:5 2:4", and what a study would refuse in them.
std::string histogram(const std::vector<std::uint8_t>& labels) {
  std::map<int, std::int64_t> counts;
  for (const std::uint8_t label : labels) ++counts[label];
  std::string text = fmt::format("{} class{}:", counts.size(), counts.size() == 1 ? "" : "es");
  for (const auto& [label, count] : counts) text += fmt::format(" {}:{}", label, count);
  const std::string fault = lab::label_fault(labels);
  return fault.empty() ? text : text + "; no study can train on these alone: " + fault;
}

void list() {
  lab::DataSpec spec;
  spec.name = spec.source = "optdigits";
  const lab::DataDescription optdigits = lab::describe(spec);
  std::fputs(
      fmt::format("Embedded:\n"
                  "  optdigits   {} images of {}, {} classes\n"
                  "              {}\n"
                  "Understood, named in a study file (docs/studies.md):\n"
                  "  idx         MNIST's format: images of 2 to 4 axes of unsigned bytes, labels of 1; gzipped "
                  "or not\n",
                  optdigits.train_available, fmt::join(optdigits.shape, "x"), optdigits.classes, optdigits.licence)
          .c_str(),
      stdout);
}

void check_file(const fs::path& path) {
  const lab::IdxArray array = lab::read_idx(path.string());
  fmt::print("{}: unsigned bytes, shape ({})", path.string(), fmt::join(array.shape, ","));
  if (array.shape.size() == 1) {
    fmt::print(", {}\n", histogram(array.values));
  } else {
    const auto [least, most] = std::minmax_element(array.values.begin(), array.values.end());
    fmt::print(", values {} to {}\n", *least, *most);
  }
}

// The labels that go with a file of images, by the names of MNIST and its kin: "train-images-idx3-ubyte.gz" with
// "train-labels-idx1-ubyte", gzipped or not, "idx" behind a dash or a dot. Empty if the name is not of that kind or
// there are none.
std::optional<fs::path> labels_of(const fs::path& images) {
  std::string name = images.filename().string();
  const std::size_t at = name.find("images");
  if (at == std::string::npos) return std::nullopt;
  name.replace(at, 6, "labels");
  std::vector<std::string> spellings{name.ends_with(".gz") ? name.substr(0, name.size() - 3) : name};
  if (const std::size_t rank = spellings.front().find("idx"); rank != std::string::npos && rank > 0) {
    std::string& first = spellings.front();
    if (rank + 3 < first.size() && first[rank + 3] >= '2' && first[rank + 3] <= '4') first[rank + 3] = '1';
    std::string other = first;
    other[rank - 1] = first[rank - 1] == '.' ? '-' : '.';
    spellings.push_back(other);
  }
  for (const std::string& spelling : spellings) {
    for (const std::string& candidate : {spelling, spelling + ".gz"}) {
      if (fs::exists(images.parent_path() / candidate)) return images.parent_path() / candidate;
    }
  }
  return std::nullopt;
}

void check_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  int pairs = 0;
  for (const fs::path& images : files) {
    const auto labels = labels_of(images);
    if (!labels) continue;
    const lab::IdxPair pair = lab::read_idx_pair(images.string(), labels->string());
    fmt::print("{} with {}: {} images of {}x{}x{}, {}\n", images.string(), labels->filename().string(), pair.count,
               pair.channels, pair.height, pair.width, histogram(pair.labels));
    ++pairs;
  }
  if (pairs == 0) {
    throw lab::InputError(folder.string() +
                          ": no IDX pair in it (names like train-images-idx3-ubyte and "
                          "train-labels-idx1-ubyte, with or without .gz; also .idx3-ubyte)");
  }
}

void check(const std::string& path) {
  std::error_code code;
  if (fs::is_directory(path, code)) {
    check_folder(path);
  } else {
    check_file(path);
  }
}

}  // namespace

void add_data(CLI::App& app) {
  CLI::App* command = app.add_subcommand("data", "The data there is, and checks of your own");
  command->require_subcommand(0, 1);
  CLI::App* list_command = command->add_subcommand("list", "Embedded data, and the formats that are understood");
  CLI::App* check_command = command->add_subcommand("check", "Read data files and say what is in them");
  auto path = std::make_shared<std::string>();
  check_command->add_option("PATH", *path, "An IDX file, or a folder of pairs of images and labels")->required();
  command->callback([command, list_command, check_command, path] {
    if (check_command->parsed()) {
      checking_input([&] { check(*path); });
    } else if (list_command->parsed() || command->get_subcommands().empty()) {
      checking_input([&] { list(); });
    }
  });
}

}  // namespace norma::cli
