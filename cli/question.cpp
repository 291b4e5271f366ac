#include "question.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "errors.h"
#include "joined.h"
#include "lab/study/nearest.h"

namespace norma::cli {
namespace {

struct Norm {
  std::string_view name;
  std::string_view title;
  std::string_view source;
};
constexpr std::array<Norm, 5> kNorms{{{"batch", "BatchNorm", "Ioffe & Szegedy 2015"},
                                      {"layer", "LayerNorm", "Ba, Kiros & Hinton 2016"},
                                      {"group", "GroupNorm", "Wu & He 2018"},
                                      {"instance", "InstanceNorm", "Ulyanov, Vedaldi & Lempitsky 2016"},
                                      {"rms", "RMSNorm", "Zhang & Sennrich 2019"}}};

// n: sample, c: feature (channel), t: position in a sequence, d h w: position in space. Of each rank the first is the
// one taken where --layout is not given.
constexpr std::array<std::string_view, 7> kLayoutNames{"nc", "ntc", "nct", "nchw", "nhwc", "ncdhw", "ndhwc"};

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const Norm& norm : kNorms) list.emplace_back(norm.name);
  return list;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::vector<std::int64_t> parse_sizes(const std::string& text) {
  std::vector<std::int64_t> sizes;
  for (const std::string& part : split(text)) {
    std::int64_t size = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), size);
    if (error == std::errc::result_out_of_range) throw UsageError("--shape " + text + ": " + part + " is too large");
    if (error != std::errc() || end != part.data() + part.size()) {
      throw UsageError("--shape " + text + ": expected whole numbers with commas between, such as 8,16,4,4; '" + part +
                       "' is none");
    }
    if (size < 1) throw UsageError("--shape " + text + ": every size must be at least 1, got " + part);
    sizes.push_back(size);
  }
  return sizes;
}

std::string_view choose_layout(const ExplainOptions& options, std::size_t rank) {
  if (options.layout.empty()) {
    const auto* found = std::ranges::find(kLayoutNames, rank, &std::string_view::size);
    if (found != kLayoutNames.end()) return *found;
    throw UsageError("--shape " + options.shape + ": expected 2 to 5 sizes, samples and features among them, got " +
                     std::to_string(rank));
  }
  const auto* found = std::ranges::find(kLayoutNames, options.layout);
  if (found == kLayoutNames.end()) {
    throw UsageError("unknown layout '" + options.layout + "'" +
                     lab::suggestion(options.layout, {kLayoutNames.begin(), kLayoutNames.end()}));
  }
  if (found->size() != rank) {
    throw UsageError("--shape " + options.shape + " has " + std::to_string(rank) + " sizes, but layout " +
                     options.layout + " has " + std::to_string(found->size()) + " axes");
  }
  return *found;
}

// Samples and features first, the rest as they come.
std::string logical_order(std::string_view layout) {
  std::string letters = "nc";
  for (const char letter : layout) {
    if (letter != 'n' && letter != 'c') letters += letter;
  }
  return letters;
}

// A set of axes given as letters of the layout ("hw") or as numbers that count in the order of --shape ("2,3"), as
// bits in logical order.
std::uint32_t parse_axes(const std::string& option, const std::string& text, const Question& question) {
  const auto fail = [&] {
    throw UsageError(
        option + " " + text + ": expected letters of the layout " + question.layout +
        (option == "--axes" ? ", or numbers from 0 to " + std::to_string(question.layout.size() - 1) : "") +
        ", each once");
  };
  std::string letters;
  for (const std::string& part : split(text)) {
    if (option == "--axes" && part.size() == 1 && part[0] >= '0' && part[0] <= '9') {
      const auto axis = static_cast<std::size_t>(part[0] - '0');
      if (axis >= question.layout.size()) fail();
      letters += question.layout[axis];
    } else {
      letters += part;
    }
  }
  std::uint32_t bits = 0;
  for (const char letter : letters) {
    const std::size_t axis = question.letters.find(letter);
    if (axis == std::string::npos || (bits >> axis & 1U) != 0) fail();
    bits |= 1U << axis;
  }
  if (bits == 0) fail();
  return bits;
}

Axes axes_of(std::uint32_t bits) {
  std::vector<int> axes;
  for (int axis = 0; axis < kMaxRank; ++axis) {
    if ((bits >> axis & 1U) != 0) axes.push_back(axis);
  }
  return Axes::of(axes);
}

// Layer and rms: which axes of a sample share. All of them, except in sequences, where every position is normalized by
// itself as in Transformers.
std::uint32_t chosen_axes(const ExplainOptions& options, const Question& question) {
  if (!options.over.empty()) {
    const std::uint32_t bits = parse_axes("--over", options.over, question);
    if ((bits & 1U) != 0)
      throw UsageError("--over " + options.over + ": " + question.title + " never shares over samples");
    return bits;
  }
  const bool sequence = question.layout == "ntc";
  return sequence ? 0b10U : (1U << question.letters.size()) - 2U;
}

Descriptor named(const ExplainOptions& options, const Question& question) {
  if (options.norm == "batch") return batch_norm();
  if (options.norm == "instance") return instance_norm();
  if (options.norm == "group") return group_norm(options.groups.value_or(4));
  Descriptor descriptor = options.norm == "rms" ? rms_norm() : layer_norm();
  descriptor.statistics = axes_of(chosen_axes(options, question));
  descriptor.affine = descriptor.statistics;
  return descriptor;
}

const Norm& find_norm(const std::string& name) {
  const auto* found = std::ranges::find(kNorms, name, &Norm::name);
  if (found == kNorms.end()) throw UsageError("unknown norm '" + name + "'" + lab::suggestion(name, names()));
  return *found;
}

void check_options(const ExplainOptions& options) {
  if (options.norm.empty() == options.axes.empty()) {
    throw UsageError("expected either --norm (" + norm_names() + ") or --axes, the axes that share statistics");
  }
  if (options.groups && options.norm != "group") throw UsageError("--groups goes with --norm group");
  if (!options.over.empty() && options.norm != "layer" && options.norm != "rms") {
    throw UsageError("--over goes with --norm layer or --norm rms");
  }
}

void check_groups(const Descriptor& descriptor, std::int64_t features) {
  const std::int64_t groups = descriptor.groups;
  if (groups >= 1 && features % groups == 0) return;
  std::string possible;
  std::int64_t listed = 0;
  for (std::int64_t g = 1; g <= features && listed < 12; ++g) {
    if (features % g != 0) continue;
    possible += (listed == 0 ? "" : ", ") + std::to_string(g);
    ++listed;
  }
  throw UsageError("--groups " + std::to_string(groups) + ": " + std::to_string(features) +
                   " features do not split in that many equal parts; possible: " + possible);
}

}  // namespace

std::string norm_names() {
  return joined(names());
}
std::string layout_names() {
  return joined(kLayoutNames);
}

Question understand(const ExplainOptions& options) {
  check_options(options);
  Question question;
  if (!options.norm.empty()) {
    const Norm& norm = find_norm(options.norm);
    question.title = norm.title;
    question.source = norm.source;
  }
  question.memory_sizes = parse_sizes(options.shape);
  question.layout = choose_layout(options, question.memory_sizes.size());
  question.letters = logical_order(question.layout);
  std::vector<std::int64_t> sizes;
  for (const char letter : question.letters) sizes.push_back(question.memory_sizes[question.layout.find(letter)]);
  question.shape = Shape(sizes);
  if (options.norm.empty()) {
    question.title = "Statistics over " + options.axes;
    question.descriptor.statistics = axes_of(parse_axes("--axes", options.axes, question));
    question.descriptor.affine = Axes::of({1});
  } else {
    question.descriptor = named(options, question);
    if (options.norm == "group") check_groups(question.descriptor, question.shape[1]);
  }
  return question;
}

}  // namespace norma::cli
