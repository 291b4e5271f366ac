#include "lab/data/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "lab/data/checksum.h"
#include "lab/data/contents.h"
#include "lab/data/random.h"
#include "lab/data/text.h"
#include "lab/data/view.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

using Indices = std::vector<std::int64_t>;

void add_samples(Checksum& checksum, const Samples& samples) {
  checksum.add(std::vector<std::int64_t>{samples.count, samples.shape[0], samples.shape[1], samples.shape[2]});
  std::visit([&](const auto& values) { checksum.add(values); }, samples.values);
  checksum.add(samples.tokens);
  checksum.add(samples.lengths);
  checksum.add(samples.labels);
}

std::string checksum_of(const Contents& contents) {
  Checksum checksum;
  add_samples(checksum, contents.training);
  if (contents.test) add_samples(checksum, *contents.test);
  return checksum.text();
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

// The samples of each part, of the training samples and, where there are some, of the test samples.
struct Split {
  Indices train, validation, test;
};

Split split(const DataSpec& spec, const Contents& contents) {
  const auto order_of = [&](const Samples& samples) {
    if (!contents.in_random_order) return permutation(samples.count, spec.split_seed);
    Indices order(static_cast<std::size_t>(samples.count));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    return order;
  };
  const auto take = [](std::span<const std::int64_t>& rest, std::int64_t count) {
    const auto part = rest.first(static_cast<std::size_t>(count));
    rest = rest.subspan(part.size());
    return Indices(part.begin(), part.end());
  };
  const Indices order = order_of(contents.training);
  std::span<const std::int64_t> rest(order);
  Split parts;
  if (contents.test) {
    const Indices test_order = order_of(*contents.test);
    std::span<const std::int64_t> test_rest(test_order);
    parts.test = take(test_rest, spec.test);
  } else {
    parts.test = take(rest, spec.test);
  }
  parts.validation = take(rest, spec.validation);
  parts.train = take(rest, spec.train);
  return parts;
}

double value_of(std::uint8_t byte, int scale) {
  return static_cast<float>(byte) / static_cast<float>(scale);
}
double value_of(float value, int /*scale*/) {
  return value;
}
double value_of(double value, int /*scale*/) {
  return value;
}

// Sets mean and sd over the training part: of each feature, or of all values together.
template <typename T>
void measure(const std::vector<T>& values, const Contents& contents, const Indices& train, bool by_feature,
             Dataset& data) {
  const auto size = static_cast<std::size_t>(data.features());
  const std::size_t groups = by_feature ? size : 1;
  const auto count = static_cast<double>(train.size() * size / groups);
  const auto over_training = [&](auto&& add) {
    for (const std::int64_t sample : train) {
      const T* from = values.data() + static_cast<std::size_t>(sample) * size;
      for (std::size_t i = 0; i < size; ++i) add(i % groups, value_of(from[i], contents.scale));
    }
  };
  data.mean.assign(groups, 0);
  data.sd.assign(groups, 0);
  over_training([&](std::size_t group, double x) { data.mean[group] += x; });
  for (double& mean : data.mean) mean /= count;
  over_training(
      [&](std::size_t group, double x) { data.sd[group] += (x - data.mean[group]) * (x - data.mean[group]); });
  for (double& sd : data.sd) {
    sd = std::sqrt(sd / count);
    if (!(sd > 0)) sd = 1;  // all alike
  }
}

// Appends these samples, standardised, in the view's order.
template <typename T>
void append_values(const std::vector<T>& values, const Contents& contents, const Indices& samples, const View& view,
                   Dataset& data) {
  const std::size_t size = view.order.size(), groups = data.mean.size();
  for (const std::int64_t sample : samples) {
    const T* from = values.data() + static_cast<std::size_t>(sample) * size;
    for (const std::size_t i : view.order) {
      const double value = value_of(from[i], contents.scale);
      data.values.push_back(static_cast<float>((value - data.mean[i % groups]) / data.sd[i % groups]));
    }
  }
}

// Appends these samples and returns where they are.
Indices append(const Samples& from, const Contents& contents, const Indices& samples, const View& view, Dataset& data) {
  if (contents.kind == SampleKind::kTokens) {
    const std::int64_t size = from.shape[2];
    for (const std::int64_t sample : samples) {
      const auto first = from.tokens.begin() + sample * size;
      data.tokens.insert(data.tokens.end(), first, first + size);
    }
  } else {
    std::visit([&](const auto& values) { append_values(values, contents, samples, view, data); }, from.values);
  }
  Indices indices;
  for (const std::int64_t sample : samples) {
    indices.push_back(static_cast<std::int64_t>(data.labels.size()));
    data.labels.push_back(from.labels[static_cast<std::size_t>(sample)]);
    if (!from.lengths.empty()) data.lengths.push_back(from.lengths[static_cast<std::size_t>(sample)]);
  }
  return indices;
}

using Reader = Contents (*)(const DataSpec&);

const std::map<std::string, Reader>& readers() {
  static const std::map<std::string, Reader> readers{
      {"optdigits", read_optdigits_contents}, {"listops", generate_listops}, {"idx", read_idx_contents},
      {"cifar10", read_cifar10_contents},     {"npy", read_npy_contents},    {"csv", read_csv_contents}};
  return readers;
}

Contents read_contents(const DataSpec& spec) {
  const auto reader = readers().find(spec.source);
  if (reader == readers().end()) {
    throw InputError(
        fmt::format("unknown data source '{}', expected one of: {}", spec.source, fmt::join(data_sources(), ", ")));
  }
  Contents contents = reader->second(spec);
  const Samples& training = contents.training;
  if (contents.test && training.shape != contents.test->shape) {
    throw InputError(fmt::format("data '{}': training samples of {}, but test samples of {}", spec.name,
                                 fmt::join(training.shape, "x"), fmt::join(contents.test->shape, "x")));
  }
  if (contents.classes == 0) contents.classes = 1 + *std::max_element(training.labels.begin(), training.labels.end());
  return contents;
}

void check_checksum(const DataSpec& spec, const std::string& found) {
  if (!spec.checksum.empty() && spec.checksum != found) {
    throw InputError(fmt::format("data '{}': the contents changed since the study began (checksum {}, expected {})",
                                 spec.name, found, spec.checksum));
  }
}

// What is most frequent among `train`, and how often it is wrong of `test`.
double majority_error_of(const Indices& train, const Indices& test) {
  std::map<std::int64_t, std::int64_t> counts;
  for (const std::int64_t label : train) ++counts[label];
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto right = std::count(test.begin(), test.end(), most->first);
  return 1 - static_cast<double>(right) / static_cast<double>(test.size());
}

}  // namespace

const char* sample_kind_name(SampleKind kind) {
  if (kind == SampleKind::kTokens) return "tokens";
  return kind == SampleKind::kSequences ? "sequences" : "images";
}

std::vector<std::string> data_sources() {
  return {"optdigits", "listops", "idx", "cifar10", "npy", "csv", "text"};
}

bool predicts_next(const DataSpec& spec) {
  return spec.source == "text";
}

Dataset load(const DataSpec& spec) {
  if (spec.source == "text") {
    Dataset data = load_text(spec);
    check_checksum(spec, data.checksum);
    return data;
  }
  const Contents contents = read_contents(spec);
  Dataset data;
  data.checksum = checksum_of(contents);
  check_checksum(spec, data.checksum);
  check_sizes(spec, contents);

  const Samples& training = contents.training;
  const bool tokens = contents.kind == SampleKind::kTokens;
  const View view = tokens ? View() : view_of(spec.view, training.shape);
  data.kind = tokens ? contents.kind : view.kind;
  data.shape = tokens ? training.shape : view.shape;
  data.classes = contents.classes;
  data.vocabulary = contents.vocabulary;
  const Split parts = split(spec, contents);
  const auto wanted = static_cast<std::size_t>(spec.train + spec.validation + spec.test);
  if (!tokens) {
    // In a sequence, the columns of a table are one feature at several positions.
    const bool by_feature = contents.by_feature && spec.view.empty();
    std::visit([&](const auto& values) { measure(values, contents, parts.train, by_feature, data); }, training.values);
    data.values.reserve(wanted * static_cast<std::size_t>(data.features()));
  }
  data.labels.reserve(wanted);
  data.test = append(contents.test ? *contents.test : training, contents, parts.test, view, data);
  data.validation = append(training, contents, parts.validation, view, data);
  data.train = append(training, contents, parts.train, view, data);
  return data;
}

double majority_error(const Dataset& data) {
  const std::int64_t each = data.per_position ? data.positions() : 1;
  const auto labels_of = [&](const Indices& part) {
    Indices labels;
    for (const std::int64_t sample : part) {
      const auto first = data.labels.begin() + sample * each;
      std::copy_if(first, first + each, std::back_inserter(labels),
                   [](std::int64_t label) { return label != kNoLabel; });
    }
    return labels;
  };
  return majority_error_of(labels_of(data.train), labels_of(data.test));
}

DataDescription describe(const DataSpec& spec) {
  if (spec.source == "text") return describe_text(spec);
  const Contents contents = read_contents(spec);
  const Samples& training = contents.training;
  DataDescription description;
  description.licence = contents.licence;
  description.kind = contents.kind;
  description.shape = training.shape;
  if (contents.kind != SampleKind::kTokens) {
    const View view = view_of(spec.view, training.shape);
    description.kind = view.kind;
    description.shape = view.shape;
  }
  description.classes = contents.classes;
  description.class_names = contents.class_names;
  description.class_counts.resize(static_cast<std::size_t>(contents.classes));
  for (const Samples* part : {&training, contents.test ? &*contents.test : nullptr}) {
    if (part == nullptr) continue;
    for (const std::int64_t label : part->labels) ++description.class_counts[static_cast<std::size_t>(label)];
  }
  description.vocabulary = contents.vocabulary;
  description.train_available = training.count;
  description.test_available = contents.test ? contents.test->count : 0;
  description.checksum = checksum_of(contents);
  DataSpec sized = spec;
  if (sized.train == 0) share_out(sized, description);
  const std::int64_t left = description.train_available - sized.train - sized.validation;
  const bool fits = contents.test ? left >= 0 && sized.test <= contents.test->count : left >= sized.test;
  if (fits && std::min({sized.train, sized.validation, sized.test}) > 0) {
    const auto labels_of = [](const Samples& samples, const Indices& part) {
      Indices labels;
      for (const std::int64_t sample : part) labels.push_back(samples.labels[static_cast<std::size_t>(sample)]);
      return labels;
    };
    const Split parts = split(sized, contents);
    description.majority_error = majority_error_of(labels_of(training, parts.train),
                                                   labels_of(contents.test ? *contents.test : training, parts.test));
  }
  return description;
}

void share_out(DataSpec& spec, const DataDescription& description) {
  const std::int64_t all = description.train_available;
  if (description.test_available > 0) {
    spec.test = description.test_available;
    spec.validation = all / 4;
    spec.train = all - spec.validation;
  } else {
    spec.test = spec.validation = all / 5;
    spec.train = all - spec.validation - spec.test;
  }
}

}  // namespace norma::lab
