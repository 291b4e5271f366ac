#include "lab/data/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lab/data/gzip.h"
#include "lab/data/labels.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

constexpr int kMaxRank = 4;
// Of one file, inflated: far above any data set that this lab trains on, far below a machine's memory.
constexpr std::int64_t kMaxBytes = std::int64_t{4} << 30U;

const char* type_name(std::uint8_t type) {
  switch (type) {
    case 0x08:
      return "unsigned byte";
    case 0x09:
      return "signed byte";
    case 0x0B:
      return "16-bit integer";
    case 0x0C:
      return "32-bit integer";
    case 0x0D:
      return "32-bit float";
    case 0x0E:
      return "64-bit float";
    default:
      return nullptr;
  }
}

std::vector<std::int64_t> read_shape(ByteReader& reader, const std::string& path) {
  std::vector<std::uint8_t> magic;
  if (reader.read(magic, 4) != 4) {
    throw InputError(
        fmt::format("{}: truncated: expected the 4 bytes of an IDX magic number, found {}", path, magic.size()));
  }
  const char* type = magic[0] == 0 && magic[1] == 0 ? type_name(magic[2]) : nullptr;
  if (type == nullptr) {
    throw InputError(fmt::format("{}: not an IDX file: it starts with {:02x}, expected 00 00, a type and a rank", path,
                                 fmt::join(magic, " ")));
  }
  if (magic[2] != 0x08) {
    throw InputError(
        fmt::format("{}: holds elements of type {} (0x{:02x}), expected unsigned byte (0x08)", path, type, magic[2]));
  }
  const int rank = magic[3];
  if (rank < 1 || rank > kMaxRank) {
    throw InputError(fmt::format("{}: rank {}, expected 1 to {}", path, rank, kMaxRank));
  }
  std::vector<std::uint8_t> sizes;
  const std::size_t expected = 4 * static_cast<std::size_t>(rank);
  if (reader.read(sizes, expected) != expected) {
    throw InputError(
        fmt::format("{}: truncated: expected a header of {} bytes, found {}", path, 4 + expected, 4 + sizes.size()));
  }
  std::vector<std::int64_t> shape;
  for (std::size_t i = 0; i < expected; i += 4) {
    shape.push_back((std::int64_t{sizes[i]} << 24U) | (std::int64_t{sizes[i + 1]} << 16U) |
                    (std::int64_t{sizes[i + 2]} << 8U) | std::int64_t{sizes[i + 3]});
  }
  return shape;
}

}  // namespace

IdxArray read_idx(const std::string& path) {
  ByteReader reader(path);
  IdxArray array;
  array.shape = read_shape(reader, path);
  std::int64_t count = 1;
  for (const std::int64_t size : array.shape) {
    if (size == 0) throw InputError(fmt::format("{}: empty: shape ({})", path, fmt::join(array.shape, ",")));
    if (size > kMaxBytes / count) {
      throw InputError(
          fmt::format("{}: shape ({}) is more than {} bytes", path, fmt::join(array.shape, ","), kMaxBytes));
    }
    count *= size;
  }
  const std::size_t found = reader.read(array.values, static_cast<std::size_t>(count));
  if (found != static_cast<std::size_t>(count)) {
    throw InputError(fmt::format("{}: truncated: shape ({}) expects {} bytes, found {}", path,
                                 fmt::join(array.shape, ","), count, found));
  }
  std::vector<std::uint8_t> rest;
  if (reader.read(rest, 1) != 0) {
    reader.check_rest(count);  // a gzip stream that is damaged is called that
    throw InputError(
        fmt::format("{}: shape ({}) expects {} bytes, found more", path, fmt::join(array.shape, ","), count));
  }
  if (reader.broken_off()) {
    throw InputError(
        fmt::format("{}: truncated: its gzip stream breaks off behind the {} bytes it holds", path, count));
  }
  return array;
}

IdxPair read_idx_pair(const std::string& images, const std::string& labels) {
  IdxArray image_array = read_idx(images);
  IdxArray label_array = read_idx(labels);
  const auto& shape = image_array.shape;
  if (shape.size() < 2) {
    throw InputError(fmt::format("{}: shape ({}), expected images: (n,height,width) or (n,channels,height,width)",
                                 images, fmt::join(shape, ",")));
  }
  if (label_array.shape.size() != 1) {
    throw InputError(
        fmt::format("{}: shape ({}), expected labels: one axis", labels, fmt::join(label_array.shape, ",")));
  }
  if (shape[0] != label_array.shape[0]) {
    throw InputError(
        fmt::format("{} holds {} images, but {} holds {} labels", images, shape[0], labels, label_array.shape[0]));
  }
  IdxPair pair;
  pair.count = shape[0];
  pair.width = shape.back();
  if (shape.size() >= 3) pair.height = shape[shape.size() - 2];
  if (shape.size() == 4) pair.channels = shape[1];
  pair.pixels = std::move(image_array.values);
  pair.labels = std::move(label_array.values);
  return pair;
}

Samples samples_of(IdxPair pair) {
  Samples samples;
  samples.count = pair.count;
  samples.shape = {pair.channels, pair.height, pair.width};
  samples.labels.assign(pair.labels.begin(), pair.labels.end());
  samples.values = std::move(pair.pixels);
  return samples;
}

Contents read_idx_contents(const DataSpec& spec) {
  Contents contents;
  const auto& files = spec.files;
  contents.training = samples_of(read_idx_pair(files.at("train_images"), files.at("train_labels")));
  if (files.count("test_images") > 0) {
    contents.test = samples_of(read_idx_pair(files.at("test_images"), files.at("test_labels")));
  }
  check_labels(contents.training.labels, files.at("train_labels"), contents.test ? &contents.test->labels : nullptr,
               contents.test ? files.at("test_labels") : "");
  contents.scale = 255;
  return contents;
}

}  // namespace norma::lab
