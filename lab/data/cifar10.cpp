#include "lab/data/cifar10.h"

#include <fmt/format.h>

#include <filesystem>

#include "lab/data/bytes.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

constexpr std::size_t kPixels = std::size_t{3} * 32 * 32, kRecord = 1 + kPixels;
constexpr std::int64_t kMaxBatch = 1'000'000 * std::int64_t{kRecord};
constexpr int kClasses = 10, kBatches = 5;

}  // namespace

Samples read_cifar10_batch(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_whole(path, kMaxBatch);
  if (bytes.empty() || bytes.size() % kRecord != 0) {
    throw InputError(
        fmt::format("{}: expected records of {} bytes (a label and 3x32x32), got {} bytes: {} records and "
                    "{} bytes",
                    path, kRecord, bytes.size(), bytes.size() / kRecord, bytes.size() % kRecord));
  }
  Samples samples;
  samples.shape = {3, 32, 32};
  samples.count = static_cast<std::int64_t>(bytes.size() / kRecord);
  std::vector<std::uint8_t> pixels;
  pixels.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size(); at += kRecord) {
    if (bytes[at] >= kClasses) {
      throw InputError(
          fmt::format("{}: record {} (from 0): expected a label from 0 to 9, got {}", path, at / kRecord, bytes[at]));
    }
    samples.labels.push_back(bytes[at]);
    pixels.insert(pixels.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at + 1),
                  bytes.begin() + static_cast<std::ptrdiff_t>(at + kRecord));
  }
  samples.values = std::move(pixels);
  return samples;
}

Contents read_cifar10_contents(const DataSpec& spec) {
  const std::filesystem::path folder = spec.files.at("path");
  std::error_code code;
  if (!std::filesystem::is_directory(folder, code)) {
    throw InputError(fmt::format("{}: expected a folder with data_batch_1.bin and test_batch.bin", folder.string()));
  }
  Contents contents;
  contents.training = read_cifar10_batch(folder / "data_batch_1.bin");
  auto& pixels = std::get<std::vector<std::uint8_t>>(contents.training.values);
  for (int i = 2; i <= kBatches; ++i) {
    const std::filesystem::path path = folder / fmt::format("data_batch_{}.bin", i);
    if (!std::filesystem::exists(path, code)) break;
    const Samples batch = read_cifar10_batch(path);
    const auto& more = std::get<std::vector<std::uint8_t>>(batch.values);
    pixels.insert(pixels.end(), more.begin(), more.end());
    contents.training.labels.insert(contents.training.labels.end(), batch.labels.begin(), batch.labels.end());
    contents.training.count += batch.count;
  }
  contents.test = read_cifar10_batch(folder / "test_batch.bin");
  contents.scale = 255;
  contents.classes = kClasses;
  return contents;
}

}  // namespace norma::lab
