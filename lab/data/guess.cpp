#include "lab/data/guess.h"

#include <algorithm>
#include <filesystem>

#include "lab/data/gzip.h"
#include "lab/data/text.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

namespace fs = std::filesystem;

// Inflated, if it is gzipped.
std::string first_bytes(const std::string& path, std::size_t count) {
  std::vector<std::uint8_t> bytes;
  ByteReader(path).read(bytes, count);
  return {bytes.begin(), bytes.end()};
}

bool is_cifar10_folder(const std::string& path) {
  std::error_code code;
  return fs::is_directory(path, code) &&
         (fs::exists(fs::path(path) / "data_batch_1.bin", code) || fs::exists(fs::path(path) / "test_batch.bin", code));
}

}  // namespace

FileKind guess_kind(const std::string& path) {
  const std::string start = first_bytes(path, 4096);
  std::string name = fs::path(path).filename().string();
  std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  if (name.ends_with(".npz") || start.starts_with("PK")) return FileKind::kNpz;
  if (name.ends_with(".npy") || start.starts_with("\x93NUMPY")) return FileKind::kNpy;
  if (name.ends_with(".csv") || name.ends_with(".tsv")) return FileKind::kCsv;
  if (name.ends_with(".bin")) return FileKind::kCifar10;
  const bool zeros = start.size() >= 2 && start[0] == '\0' && start[1] == '\0';
  if (zeros || name.find("ubyte") != std::string::npos || name.find("idx") != std::string::npos) return FileKind::kIdx;
  if (start.empty()) throw InputError(path + ": empty");
  if (start.find('\0') == std::string::npos) return FileKind::kText;
  throw InputError(path + ": of no kind that is understood: expected IDX, NPY, NPZ, CSV, CIFAR-10 (.bin) or text");
}

std::optional<DataSpec> guess_data(const std::string& path) {
  DataSpec spec;
  std::error_code code;
  if (is_cifar10_folder(path)) {
    spec.source = "cifar10";
  } else if (fs::is_directory(path, code)) {
    return std::nullopt;
  } else {
    switch (guess_kind(path)) {
      case FileKind::kNpz:
        spec.source = "npy";
        break;
      case FileKind::kCsv:
        spec.source = "csv";
        break;
      case FileKind::kText:
        spec.source = "text";
        spec.length = kDefaultWindow;
        break;
      default:
        return std::nullopt;
    }
  }
  spec.name = fs::path(path).stem().string();
  spec.files["path"] = path;
  return spec;
}

}  // namespace norma::lab
