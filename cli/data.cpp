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
#include "lab/data/cifar10.h"
#include "lab/data/dataset.h"
#include "lab/data/guess.h"
#include "lab/data/idx.h"
#include "lab/data/labels.h"
#include "lab/data/npy.h"
#include "lab_errors.h"

namespace norma::cli {
namespace {

namespace fs = std::filesystem;

// Of tables.
struct CheckOptions {
  std::string label;
  std::vector<std::string> ignore;
};

// "3 classes: 0:5 1:5 2:4", and what a study would refuse in them.
std::string histogram(const std::vector<std::uint8_t>& labels) {
  std::map<int, std::int64_t> counts;
  for (const std::uint8_t label : labels) ++counts[label];
  std::string text = fmt::format("{} class{}:", counts.size(), counts.size() == 1 ? "" : "es");
  for (const auto& [label, count] : counts) text += fmt::format(" {}:{}", label, count);
  const std::string fault = lab::label_fault({labels.begin(), labels.end()});
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
                  "Generated:\n"
                  "  listops     nested MIN, MAX, MED and SM (sum modulo 10) of digits; the value is the label\n"
                  "Understood, named in a study file (docs/studies.md), gzipped or not:\n"
                  "  idx         MNIST's format: images of 2 to 4 axes of unsigned bytes, labels of 1\n"
                  "  cifar10     a folder with data_batch_1.bin to data_batch_5.bin and test_batch.bin\n"
                  "  npy         NumPy arrays, x.npy and y.npy or one .npz of both; f4, f8, u1, i4, i8\n"
                  "  csv         numbers and a column of labels; commas, semicolons or tabs\n"
                  "  text        UTF-8, to predict the next character\n",
                  optdigits.train_available, fmt::join(optdigits.shape, "x"), optdigits.classes, optdigits.licence)
          .c_str(),
      stdout);
}

// "4 features", "images of 1x28x28", "windows of 64 characters".
std::string samples_text(const lab::DataDescription& data) {
  if (data.per_position) return fmt::format("windows of {} characters", data.shape[2]);
  const char* plural = data.train_available == 1 ? "" : "s";
  if (data.shape[0] > 1 || data.shape[1] > 1) return fmt::format("image{} of {}", plural, fmt::join(data.shape, "x"));
  return fmt::format("sample{} of {} feature{}", plural, data.shape[2], data.shape[2] == 1 ? "" : "s");
}

std::string classes_text(const lab::DataDescription& data) {
  constexpr std::size_t kMostListed = 20;
  if (data.per_position) return fmt::format("a vocabulary of {} in the first 60%", data.vocabulary);
  std::string text = fmt::format("{} class{}:", data.classes, data.classes == 1 ? "" : "es");
  for (std::size_t i = 0; i < std::min(kMostListed, data.class_counts.size()); ++i) {
    const std::string name = data.class_names.empty() ? std::to_string(i) : data.class_names[i];
    text += fmt::format(" {}:{}", name, data.class_counts[i]);
  }
  return data.class_counts.size() > kMostListed ? text + " ..." : text;
}

// What a study would find in it.
void check_data(lab::DataSpec spec) {
  const lab::DataDescription data = lab::describe(spec);
  fmt::print("{}: {}, {} {}", spec.files.at("path"), spec.source, data.train_available, samples_text(data));
  if (data.test_available > 0) fmt::print(" and {} to test", data.test_available);
  fmt::print(", {}\n", classes_text(data));
  const auto& counts = data.class_counts;
  if (counts.empty()) return;
  const auto most = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  const auto all = static_cast<double>(data.train_available + data.test_available);
  fmt::print("  always answering the most frequent class errs in {:.1f}%\n", 100 * (1 - most / all));
}

void check_idx(const std::string& path) {
  const lab::IdxArray array = lab::read_idx(path);
  fmt::print("{}: unsigned bytes, shape ({})", path, fmt::join(array.shape, ","));
  if (array.shape.size() == 1) {
    fmt::print(", {}\n", histogram(array.values));
  } else {
    const auto [least, most] = std::minmax_element(array.values.begin(), array.values.end());
    fmt::print(", values {} to {}\n", *least, *most);
  }
}

void check_npy(const std::string& path) {
  const lab::NpyArray array = lab::parse_npy(lab::read_whole(path, lab::kMaxFileBytes), path);
  fmt::print("{}: {}, shape ({})\n", path, array.type, fmt::join(array.shape, ","));
}

void check_cifar10(const std::string& path) {
  const lab::Samples samples = lab::read_cifar10_batch(path);
  fmt::print("{}: {} images of {}\n", path, samples.count, fmt::join(samples.shape, "x"));
}

// A file that is no data set by itself.
void check_file(const std::string& path) {
  switch (lab::guess_kind(path)) {
    case lab::FileKind::kNpy:
      return check_npy(path);
    case lab::FileKind::kCifar10:
      return check_cifar10(path);
    default:
      return check_idx(path);
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
    throw lab::InputError(
        folder.string() +
        ": no CIFAR-10 (data_batch_1.bin) and no IDX pair in it (names like train-images-idx3-ubyte and "
        "train-labels-idx1-ubyte, with or without .gz; also .idx3-ubyte)");
  }
}

void check(const std::string& path, const CheckOptions& options) {
  std::error_code code;
  auto spec = lab::guess_data(path);
  const bool table = spec && spec->source == "csv";
  if (!table && (!options.label.empty() || !options.ignore.empty())) {
    throw lab::InputError(path + ": no table: --label and --ignore name columns of CSV files");
  }
  if (spec) {
    spec->label = options.label;
    spec->ignore = options.ignore;
    check_data(*spec);
  } else if (fs::is_directory(path, code)) {
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
  auto options = std::make_shared<CheckOptions>();
  check_command->add_option("PATH", *path, "A file of one of the formats, or a folder of IDX or CIFAR-10 files")
      ->required();
  check_command->add_option("--label", options->label, "The column of a table's labels, by name or number");
  check_command->add_option("--ignore", options->ignore, "A column of a table that is no feature; may stand repeatedly")
      ->allow_extra_args(false);
  command->callback([command, list_command, check_command, path, options] {
    if (check_command->parsed()) {
      checking_input([&] { check(*path, *options); });
    } else if (list_command->parsed() || command->get_subcommands().empty()) {
      checking_input([&] { list(); });
    }
  });
}

}  // namespace norma::cli
