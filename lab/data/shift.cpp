#include "lab/data/shift.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numbers>

#include "lab/data/listops.h"
#include "lab/data/random.h"
#include "lab/error.h"
#include "lab/study/nearest.h"

namespace norma::lab {
namespace {

struct Name {
  const char* name;
  Shift::Kind kind;
  double least, most;
  bool times;          // written 2x
  bool whole = false;  // a whole number
};

constexpr std::array<Name, 6> kNames{{{"contrast", Shift::Kind::kContrast, 0, 1000, false},
                                      {"offset", Shift::Kind::kOffset, -1000, 1000, false},
                                      {"noise", Shift::Kind::kNoise, 0, 1000, false},
                                      {"padding", Shift::Kind::kPadding, 2, 8, true, true},
                                      {"batch", Shift::Kind::kBatch, 1, 4096, false, true},
                                      {"longer", Shift::Kind::kLonger, 2, 8, true, true}}};

const std::vector<std::int64_t>& indices_of(const Dataset& data, Part part) {
  if (part == Part::kTrain) return data.train;
  return part == Part::kValidation ? data.validation : data.test;
}

template <typename T>
std::vector<T> rows(const std::vector<T>& from, const std::vector<std::int64_t>& samples, std::int64_t size) {
  std::vector<T> to;
  if (from.empty()) return to;
  to.reserve(samples.size() * static_cast<std::size_t>(size));
  for (const std::int64_t sample : samples) {
    const auto first = from.begin() + sample * size;
    to.insert(to.end(), first, first + size);
  }
  return to;
}

void make_all_test(Dataset& data, std::int64_t count) {
  data.train.clear();
  data.validation.clear();
  data.test.resize(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) data.test[static_cast<std::size_t>(i)] = i;
}

// The part alone, as it is.
Dataset alone(const Dataset& data, Part part) {
  const std::vector<std::int64_t>& samples = indices_of(data, part);
  Dataset out;
  out.kind = data.kind;
  out.shape = data.shape;
  out.classes = data.classes;
  out.vocabulary = data.vocabulary;
  out.per_position = data.per_position;
  out.keeps_padding = data.keeps_padding;
  out.mean = data.mean;
  out.sd = data.sd;
  out.checksum = data.checksum;
  out.values = rows(data.values, samples, data.features());
  out.tokens = rows(data.tokens, samples, data.positions());
  out.lengths = rows(data.lengths, samples, 1);
  out.labels = rows(data.labels, samples, data.per_position ? data.positions() : 1);
  make_all_test(out, static_cast<std::int64_t>(samples.size()));
  return out;
}

// The values of each sample that are no padding.
template <typename Action>
void for_each_sample(Dataset& data, Action&& action) {
  for (std::int64_t i = 0; i < data.samples(); ++i) {
    const bool cut = data.kind == SampleKind::kSequences && !data.lengths.empty();
    const std::int64_t count = cut ? data.lengths[static_cast<std::size_t>(i)] * data.shape[0] : data.features();
    action(std::span<float>(data.values.data() + i * data.features(), static_cast<std::size_t>(count)));
  }
}

void change_contrast(Dataset& data, double factor) {
  for_each_sample(data, [&](std::span<float> values) {
    double mean = 0;
    for (const float value : values) mean += value;
    mean /= static_cast<double>(values.size());
    for (float& value : values) value = static_cast<float>(mean + factor * (value - mean));
  });
}

// Box & Muller 1958.
void add_noise(Dataset& data, double sd, std::uint64_t seed) {
  constexpr std::uint64_t kNoiseStream = 0x4e4f495345;
  Random random(seed ^ kNoiseStream);
  for_each_sample(data, [&](std::span<float> values) {
    for (float& value : values) {
      const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
      value += static_cast<float>(sd * radius * std::cos(2 * std::numbers::pi * random.uniform()));
    }
  });
}

// Widens each row of `size` to `times` as much.
template <typename T>
void widen(std::vector<T>& values, std::int64_t size, std::int64_t times, T filling) {
  std::vector<T> wide(values.size() * static_cast<std::size_t>(times), filling);
  for (std::size_t row = 0; row * static_cast<std::size_t>(size) < values.size(); ++row) {
    const auto from = values.begin() + static_cast<std::ptrdiff_t>(row) * size;
    std::copy(from, from + size, wide.begin() + static_cast<std::ptrdiff_t>(row) * size * times);
  }
  values = std::move(wide);
}

void add_padding(Dataset& data, std::int64_t times) {
  const std::int64_t positions = data.positions();
  if (data.lengths.empty()) data.lengths.assign(static_cast<std::size_t>(data.samples()), positions);
  widen(data.values, data.features(), times, 0.0F);
  widen(data.tokens, positions, times, std::int64_t{0});
  if (data.per_position) widen(data.labels, positions, times, kNoLabel);
  data.shape[2] *= times;
  data.keeps_padding = true;
}

// ListOps of other lengths. A tree that is so long must be deeper, so the depth grows alike.
Dataset longer(const Dataset& data, const DataSpec& spec, std::int64_t times, Part part) {
  constexpr std::array<std::uint64_t, 3> kStreams{0x4c4f4e47, 0x4c4f4e48, 0x4c4f4e49};
  DataSpec other = spec;
  other.min_length = spec.max_length + 1;
  other.max_length = spec.max_length * times;
  other.depth = spec.depth * times;
  const auto count = static_cast<std::int64_t>(indices_of(data, part).size());
  Samples samples = draw_listops(other, count, spec.split_seed ^ kStreams[static_cast<std::size_t>(part)]);
  Dataset out;
  out.kind = data.kind;
  out.shape = samples.shape;
  out.classes = data.classes;
  out.vocabulary = data.vocabulary;
  out.checksum = data.checksum;
  out.tokens.assign(samples.tokens.begin(), samples.tokens.end());
  out.lengths = std::move(samples.lengths);
  out.labels = std::move(samples.labels);
  make_all_test(out, count);
  return out;
}

}  // namespace

Shift parse_shift(const std::string& name) {
  const std::size_t equals = name.find('=');
  const std::string word = name.substr(0, equals);
  const auto known = std::find_if(kNames.begin(), kNames.end(), [&](const Name& each) { return each.name == word; });
  if (known == kNames.end()) {
    std::vector<std::string> words;
    for (const Name& each : kNames) words.emplace_back(each.name);
    throw InputError(fmt::format("unknown shift '{}'{}", name, suggestion(word, words)));
  }
  const auto fail = [&]() -> Shift {
    throw InputError(fmt::format("shift '{}': expected '{}={}' with {} from {:g} to {:g}", name, known->name,
                                 known->times   ? "Nx"
                                 : known->whole ? "N"
                                                : "X",
                                 known->whole ? "a whole number" : "a number", known->least, known->most));
  };
  if (equals == std::string::npos) return fail();
  std::string_view text = std::string_view(name).substr(equals + 1);
  if (known->times) {
    if (!text.ends_with('x')) return fail();
    text.remove_suffix(1);
  }
  Shift shift{known->kind, 0};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), shift.amount);
  if (code != std::errc{} || end != text.data() + text.size()) return fail();
  if (!(shift.amount >= known->least && shift.amount <= known->most)) return fail();
  if (known->whole && shift.amount != std::floor(shift.amount)) return fail();
  return shift;
}

std::string shift_refusal(const Shift& shift, SampleKind kind, const std::string& source) {
  switch (shift.kind) {
    case Shift::Kind::kPadding:
      return kind == SampleKind::kImages ? "images have no padding" : "";
    case Shift::Kind::kLonger:
      return source == "listops" ? "" : "longer samples can be had of the source 'listops' alone";
    case Shift::Kind::kBatch:
      return "";
    default:
      return kind == SampleKind::kTokens ? "tokens are no quantities" : "";
  }
}

Dataset shifted(const Dataset& data, const DataSpec& spec, const Shift& shift, Part part) {
  if (const std::string refusal = shift_refusal(shift, data.kind, spec.source); !refusal.empty()) {
    throw InputError(fmt::format("data '{}' cannot be shifted so: {}", spec.name, refusal));
  }
  const auto times = static_cast<std::int64_t>(shift.amount);
  if (shift.kind == Shift::Kind::kLonger) return longer(data, spec, times, part);
  Dataset out = alone(data, part);
  if (shift.kind == Shift::Kind::kContrast) change_contrast(out, shift.amount);
  if (shift.kind == Shift::Kind::kNoise)
    add_noise(out, shift.amount, spec.split_seed + static_cast<std::uint64_t>(part));
  if (shift.kind == Shift::Kind::kPadding) add_padding(out, times);
  if (shift.kind == Shift::Kind::kOffset) {
    for_each_sample(out, [&](std::span<float> values) {
      for (float& value : values) value += static_cast<float>(shift.amount);
    });
  }
  return out;
}

}  // namespace norma::lab
