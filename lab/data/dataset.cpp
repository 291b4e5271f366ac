#include "lab/data/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>

#include "lab/data/idx.h"
#include "lab/data/optdigits.h"
#include "lab/data/random.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

// Everything of a source, as it was read.
struct Contents {
  IdxPair training;
  std::optional<IdxPair> test;
  int max_pixel = 255;
  std::string checksum;
};

void hash_pair(XXH3_state_t& state, const IdxPair& pair) {
  const std::array<std::int64_t, 4> shape{pair.count, pair.channels, pair.height, pair.width};
  XXH3_128bits_update(&state, shape.data(), sizeof shape);
  XXH3_128bits_update(&state, pair.pixels.data(), pair.pixels.size());
  XXH3_128bits_update(&state, pair.labels.data(), pair.labels.size());
}

std::string checksum_of(const Contents& contents) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  hash_pair(state, contents.training);
  if (contents.test) hash_pair(state, *contents.test);
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

// Labels from 0 to 255 by whether they occur.
std::array<bool, 256> present(const std::vector<std::uint8_t>& labels) {
  std::array<bool, 256> found{};
  for (const std::uint8_t label : labels) found[label] = true;
  return found;
}

// "3", "3 or 5", "3, 5 or 7".
std::string alternatives(const std::vector<std::size_t>& labels) {
  std::string text;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == labels.size() ? " or " : ", ") + std::to_string(labels[i]);
  }
  return text;
}

std::int64_t class_count(const Contents& contents) {
  const auto& labels = contents.training.labels;
  return std::int64_t{*std::max_element(labels.begin(), labels.end())} + 1;
}

void check_labels(const DataSpec& spec, const Contents& contents) {
  const std::string fault = label_fault(contents.training.labels);
  if (!fault.empty()) throw InputError(fmt::format("{}: {}", spec.train_labels, fault));
  if (!contents.test) return;
  const std::array<bool, 256> known = present(contents.training.labels), tested = present(contents.test->labels);
  std::vector<std::size_t> strange;
  for (std::size_t label = 0; label < known.size(); ++label) {
    if (tested[label] && !known[label]) strange.push_back(label);
  }
  if (strange.empty()) return;
  throw InputError(fmt::format("{}: has label {}, which is not among those of {}: 0 to {}", spec.test_labels,
                               fmt::join(strange, ", "), spec.train_labels, class_count(contents) - 1));
}

Contents read_contents(const DataSpec& spec) {
  Contents contents;
  if (spec.source == "optdigits") {
    contents.training = read_optdigits();
    contents.max_pixel = kOptdigitsMax;
  } else if (spec.source == "idx") {
    contents.training = read_idx_pair(spec.train_images, spec.train_labels);
    if (!spec.test_images.empty()) {
      contents.test = read_idx_pair(spec.test_images, spec.test_labels);
      const IdxPair& a = contents.training;
      const IdxPair& b = *contents.test;
      if (a.channels != b.channels || a.height != b.height || a.width != b.width) {
        throw InputError(fmt::format("{} holds images of {}x{}x{}, but {} of {}x{}x{}", spec.train_images, a.channels,
                                     a.height, a.width, spec.test_images, b.channels, b.height, b.width));
      }
    }
  } else {
    throw InputError(fmt::format("unknown data source '{}', expected 'optdigits' or 'idx'", spec.source));
  }
  if (spec.source == "idx") check_labels(spec, contents);
  contents.checksum = checksum_of(contents);
  return contents;
}

// Appends these samples, in [0,1], and returns where they are.
std::vector<std::int64_t> append(Dataset& data, const IdxPair& from, std::span<const std::int64_t> samples,
                                 int max_pixel) {
  const auto size = static_cast<std::size_t>(data.features());
  std::vector<std::int64_t> indices;
  for (const std::int64_t sample : samples) {
    const std::uint8_t* pixels = from.pixels.data() + static_cast<std::size_t>(sample) * size;
    indices.push_back(data.samples());
    data.labels.push_back(from.labels[static_cast<std::size_t>(sample)]);
    for (std::size_t i = 0; i < size; ++i) {
      data.values.push_back(static_cast<float>(pixels[i]) / static_cast<float>(max_pixel));
    }
  }
  return indices;
}

void standardise(Dataset& data) {
  const auto size = static_cast<std::size_t>(data.features());
  const auto count = static_cast<double>(data.train.size() * size);
  const auto over_training = [&](auto&& add) {
    for (const std::int64_t sample : data.train) {
      const float* from = data.values.data() + static_cast<std::size_t>(sample) * size;
      for (std::size_t i = 0; i < size; ++i) add(double{from[i]});
    }
  };
  double sum = 0, squares = 0;
  over_training([&](double x) { sum += x; });
  data.mean = sum / count;
  over_training([&](double x) { squares += (x - data.mean) * (x - data.mean); });
  data.sd = std::sqrt(squares / count);
  if (!(data.sd > 0)) data.sd = 1;  // all pixels alike
  for (float& value : data.values) value = static_cast<float>((double{value} - data.mean) / data.sd);
}

void check_sizes(const DataSpec& spec, const Contents& contents) {
  if (spec.train < 1 || spec.validation < 1 || spec.test < 1) {
    throw InputError(fmt::format("data '{}': train, validation and test are {}, {} and {}; expected at least 1 each",
                                 spec.name, spec.train, spec.validation, spec.test));
  }
  const std::int64_t available = contents.training.count;
  const std::int64_t test_available = contents.test ? contents.test->count : available;
  if (spec.test > test_available) {
    throw InputError(
        fmt::format("data '{}': test wants {} samples, there are {}", spec.name, spec.test, test_available));
  }
  const std::int64_t left = contents.test ? available : available - spec.test;
  if (spec.train > left || spec.validation > left - spec.train) {
    throw InputError(fmt::format("data '{}': train {} and validation {}{} want more than the {} samples there are",
                                 spec.name, spec.train, spec.validation,
                                 contents.test ? std::string() : fmt::format(" and test {}", spec.test), available));
  }
}

}  // namespace

std::string label_fault(const std::vector<std::uint8_t>& labels) {
  const std::array<bool, 256> found = present(labels);
  const std::size_t last = *std::max_element(labels.begin(), labels.end());
  std::vector<std::size_t> missing;
  for (std::size_t label = 0; label < last; ++label) {
    if (!found[label]) missing.push_back(label);
  }
  if (missing.size() == last) return fmt::format("label {} alone: expected at least 2 classes", last);
  if (missing.empty()) return "";
  constexpr std::size_t kMostNamed = 8;
  const std::size_t more = missing.size() > kMostNamed ? missing.size() - kMostNamed : 0;
  missing.resize(missing.size() - more);
  return fmt::format("no label {}{}: expected every one from 0 to {}", alternatives(missing),
                     more > 0 ? fmt::format(" and {} more", more) : "", last);
}

Dataset load(const DataSpec& spec) {
  const Contents contents = read_contents(spec);
  if (!spec.checksum.empty() && spec.checksum != contents.checksum) {
    throw InputError(fmt::format("data '{}': the contents changed since the study began (checksum {}, expected {})",
                                 spec.name, contents.checksum, spec.checksum));
  }
  check_sizes(spec, contents);

  Dataset data;
  const IdxPair& training = contents.training;
  data.shape = {training.channels, training.height, training.width};
  data.classes = class_count(contents);
  data.checksum = contents.checksum;
  const auto wanted = static_cast<std::size_t>(spec.train + spec.validation + spec.test);
  data.values.reserve(wanted * static_cast<std::size_t>(data.features()));
  data.labels.reserve(wanted);

  const std::vector<std::int64_t> order = permutation(training.count, spec.split_seed);
  std::span<const std::int64_t> rest(order);
  const auto take = [&](std::int64_t count) {
    const auto part = rest.first(static_cast<std::size_t>(count));
    rest = rest.subspan(part.size());
    return append(data, training, part, contents.max_pixel);
  };
  if (contents.test) {
    const std::vector<std::int64_t> test_order = permutation(contents.test->count, spec.split_seed);
    data.test = append(data, *contents.test, std::span(test_order).first(static_cast<std::size_t>(spec.test)),
                       contents.max_pixel);
  } else {
    data.test = take(spec.test);
  }
  data.validation = take(spec.validation);
  data.train = take(spec.train);
  standardise(data);
  return data;
}

DataDescription describe(const DataSpec& spec) {
  const Contents contents = read_contents(spec);
  DataDescription description;
  if (spec.source == "optdigits") description.licence = kOptdigitsLicence;
  description.shape = {contents.training.channels, contents.training.height, contents.training.width};
  description.classes = class_count(contents);
  description.train_available = contents.training.count;
  description.test_available = contents.test ? contents.test->count : 0;
  description.checksum = contents.checksum;
  return description;
}

}  // namespace norma::lab
