#include "lab/data/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "lab/data/labels.h"
#include "lab/data/zip.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

constexpr std::size_t kMaxHeader = std::size_t{64} << 10U;
constexpr std::array<const char*, 5> kTypes{"f4", "f8", "u1", "i4", "i8"};

std::int64_t item_size(const std::string& type) {
  return type.back() - '0';
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ","));
}

// Where the header's text begins, and how long it is.
std::pair<std::size_t, std::size_t> header_place(Bytes file, const std::string& what) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  const std::size_t same = std::min(kMagic.size(), file.size());
  if (!std::equal(kMagic.begin(), kMagic.begin() + static_cast<std::ptrdiff_t>(same), file.begin(),
                  [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; })) {
    throw InputError(what + ": not an NPY file: it does not start with \\x93NUMPY");
  }
  if (file.size() < 12)
    throw InputError(fmt::format("{}: truncated: expected a header, found {} bytes", what, file.size()));
  const int major = file[6];
  if (major < 1 || major > 3) throw InputError(fmt::format("{}: NPY version {}, expected 1, 2 or 3", what, major));
  const std::size_t digits = major == 1 ? 2 : 4;
  const std::size_t size = little_endian(file, 8, digits);
  if (size > kMaxHeader) {
    throw InputError(fmt::format("{}: an NPY header of {} bytes, expected at most {}", what, size, kMaxHeader));
  }
  const std::size_t start = 8 + digits;
  if (file.size() - start < size) {
    throw InputError(
        fmt::format("{}: truncated: expected a header of {} bytes, found {}", what, size, file.size() - start));
  }
  return {start, size};
}

std::string checked_type(const NpyHeader& header, const std::string& what) {
  const std::string& found = header.type;
  for (const std::string type : kTypes) {
    if (found == "<" + type || found == "|" + type || (type == "u1" && found == "u1")) return type;
    if (found == ">" + type && type != "u1") {
      throw InputError(fmt::format("{}: big-endian elements ({}), expected little-endian", what, found));
    }
  }
  throw InputError(fmt::format("{}: elements of type '{}', expected one of: {}", what, found, fmt::join(kTypes, ", ")));
}

template <typename T>
std::vector<T> elements(const NpyArray& array) {
  std::vector<T> values(array.bytes.size() / sizeof(T));
  std::memcpy(values.data(), array.bytes.data(), values.size() * sizeof(T));
  return values;
}

// Calls use(values) with the elements in their own type.
template <typename Use>
auto with_elements(const NpyArray& array, Use&& use) {
  if (array.type == "f4") return use(elements<float>(array));
  if (array.type == "f8") return use(elements<double>(array));
  if (array.type == "i4") return use(elements<std::int32_t>(array));
  if (array.type == "i8") return use(elements<std::int64_t>(array));
  return use(elements<std::uint8_t>(array));
}

template <typename T>
void refuse_not_finite(const std::vector<T>& values, std::int64_t per_sample, const std::string& name) {
  const auto bad =
      std::find_if(values.begin(), values.end(), [](T x) { return !(std::abs(double{x}) <= kLargestFeature); });
  if (bad == values.end()) return;
  const auto at = bad - values.begin();
  throw InputError(fmt::format("{}: sample {}, value {} (from 0): expected a number of at most {:g}, got {}", name,
                               at / per_sample, at % per_sample, kLargestFeature, *bad));
}

std::vector<std::int64_t> labels_of(const NpyArray& y, const std::string& name) {
  return with_elements(y, [&](const auto& values) {
    std::vector<std::int64_t> labels;
    for (const auto value : values) {
      const auto number = static_cast<double>(value);
      if (!(number >= 0 && number < static_cast<double>(kMaxClasses)) || number != std::floor(number)) {
        throw InputError(fmt::format("{}: sample {} (from 0): expected a label, a whole number from 0 to {}, got {}",
                                     name, labels.size(), kMaxClasses - 1, value));
      }
      labels.push_back(static_cast<std::int64_t>(number));
    }
    return labels;
  });
}

}  // namespace

std::int64_t NpyArray::count() const {
  return static_cast<std::int64_t>(bytes.size()) / item_size(type);
}

NpyArray parse_npy(std::vector<std::uint8_t> file, const std::string& what) {
  const auto [start, size] = header_place(file, what);
  const auto text = file.begin() + static_cast<std::ptrdiff_t>(start);
  const NpyHeader header = parse_npy_header(std::string(text, text + static_cast<std::ptrdiff_t>(size)), what);
  NpyArray array;
  array.type = checked_type(header, what);
  array.shape = header.shape;
  if (header.fortran_order && array.shape.size() > 1) {
    throw InputError(what + ": in Fortran order, expected C order (numpy.ascontiguousarray)");
  }
  std::int64_t bytes = item_size(array.type);
  for (const std::int64_t axis : array.shape) {
    if (axis == 0) throw InputError(fmt::format("{}: empty: shape {}", what, shape_text(array.shape)));
    if (axis > kMaxFileBytes / bytes) {
      throw InputError(fmt::format("{}: shape {} is more than {} bytes", what, shape_text(array.shape), kMaxFileBytes));
    }
    bytes *= axis;
  }
  const std::size_t found = file.size() - start - size;
  if (found != static_cast<std::size_t>(bytes)) {
    throw InputError(fmt::format("{}: {}shape {} of {} expects {} bytes, found {}", what,
                                 found < static_cast<std::size_t>(bytes) ? "truncated: " : "", shape_text(array.shape),
                                 array.type, bytes, found));
  }
  file.erase(file.begin(), text + static_cast<std::ptrdiff_t>(size));
  array.bytes = std::move(file);
  return array;
}

Samples npy_samples(const NpyArray& x, const std::string& x_name, const NpyArray& y, const std::string& y_name) {
  if (x.shape.size() < 2 || x.shape.size() > 4) {
    throw InputError(fmt::format("{}: shape {}, expected (n,features), (n,height,width) or (n,channels,height,width)",
                                 x_name, shape_text(x.shape)));
  }
  if (y.shape.size() != 1) {
    throw InputError(fmt::format("{}: shape {}, expected labels: one axis", y_name, shape_text(y.shape)));
  }
  if (x.shape[0] != y.shape[0]) {
    throw InputError(
        fmt::format("{} holds {} samples, but {} holds {} labels", x_name, x.shape[0], y_name, y.shape[0]));
  }
  Samples samples;
  samples.count = x.shape[0];
  std::copy(x.shape.begin() + 1, x.shape.end(), samples.shape.end() - static_cast<std::ptrdiff_t>(x.shape.size() - 1));
  const std::int64_t per_sample = samples.shape[0] * samples.shape[1] * samples.shape[2];
  if (x.type == "u1") {
    samples.values = x.bytes;
  } else if (x.type == "f4") {
    auto values = elements<float>(x);
    refuse_not_finite(values, per_sample, x_name);
    samples.values = std::move(values);
  } else {
    samples.values =
        with_elements(x, [](const auto& values) { return std::vector<double>(values.begin(), values.end()); });
    refuse_not_finite(std::get<std::vector<double>>(samples.values), per_sample, x_name);
  }
  samples.labels = labels_of(y, y_name);
  return samples;
}

Contents read_npz(const std::string& path) {
  const ZipArchive archive(path);
  const std::vector<std::string> names = archive.names();
  const auto has = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name + ".npy") != names.end();
  };
  const auto samples = [&](const std::string& x, const std::string& y) {
    const std::string x_name = path + ": " + x + ".npy", y_name = path + ": " + y + ".npy";
    const NpyArray values = parse_npy(archive.read(x + ".npy"), x_name);
    return npy_samples(values, x_name, parse_npy(archive.read(y + ".npy"), y_name), y_name);
  };
  Contents contents;
  if (has("x") && has("y")) {
    contents.training = samples("x", "y");
  } else if (has("x_train") && has("y_train")) {
    contents.training = samples("x_train", "y_train");
    if (has("x_test") && has("y_test")) contents.test = samples("x_test", "y_test");
  } else {
    throw InputError(
        fmt::format("{}: expected the arrays x and y, or x_train, y_train, x_test and y_test; it holds: {}", path,
                    fmt::join(names, ", ")));
  }
  return contents;
}

Contents read_npy_contents(const DataSpec& spec) {
  Contents contents;
  const auto& files = spec.files;
  if (files.count("path") > 0) {
    contents = read_npz(files.at("path"));
  } else {
    const auto samples = [&](const std::string& x, const std::string& y) {
      const NpyArray values = parse_npy(read_whole(x, kMaxFileBytes), x);
      return npy_samples(values, x, parse_npy(read_whole(y, kMaxFileBytes), y), y);
    };
    contents.training = samples(files.at("x"), files.at("y"));
    if (files.count("test_x") > 0) contents.test = samples(files.at("test_x"), files.at("test_y"));
  }
  const std::string& named = files.count("path") > 0 ? files.at("path") : files.at("y");
  const auto test_named = files.find("test_y");
  check_labels(contents.training.labels, named, contents.test ? &contents.test->labels : nullptr,
               test_named == files.end() ? named : test_named->second);
  const auto& shape = contents.training.shape;
  contents.by_feature = shape[0] == 1 && shape[1] == 1;
  contents.scale = 1;
  return contents;
}

}  // namespace norma::lab
