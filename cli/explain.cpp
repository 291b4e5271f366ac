// norma explain: which elements share statistics, drawn and counted, in the terms of the question "batch or layer?": a
// feature is the output of one neuron; who normalizes whom; what follows for the batch.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "picture.h"
#include "question.h"

namespace norma::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kLabel = 20;

// A label, and a text wrapped beside it.
void print_fact(const std::string& label, const std::string& text) {
  std::string line = "  " + label;
  line.resize(kLabel, ' ');
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (line.size() > kLabel && line.size() + 1 + word.size() > kWidth) {
      std::printf("%s\n", line.c_str());
      line = std::string(kLabel, ' ');
    }
    line += (line.size() > kLabel ? " " : "") + word;
    start = end + 1;
  }
  std::printf("%s\n", line.c_str());
}

std::string counted(std::int64_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

// What the drawing and the facts are made of.
struct Facts {
  std::int64_t samples, features, positions;
  std::int64_t statistics, share;
  bool over_samples, over_features, over_all_positions, over_some_positions;
  std::string place;        // "pixel" or "position"
  std::string place_sizes;  // "4 x 4 positions"
};

Facts facts_of(const Question& question) {
  const Shape& shape = question.shape;
  const std::uint32_t shares = question.descriptor.statistics.resolve(shape.rank(), question.descriptor.name);
  Facts facts{};
  facts.samples = shape[0];
  facts.features = shape[1];
  facts.positions = 1;
  facts.over_samples = (shares & 1U) != 0;
  facts.over_features = (shares & 2U) != 0;
  facts.over_all_positions = true;
  for (int axis = 2; axis < shape.rank(); ++axis) {
    facts.positions *= shape[axis];
    const bool shared = (shares >> axis & 1U) != 0;
    facts.over_all_positions &= shared;
    facts.over_some_positions |= shared;
    facts.place_sizes += (axis > 2 ? " x " : "") + std::to_string(shape[axis]);
  }
  facts.place_sizes += facts.positions == 1 ? " position" : " positions";
  facts.statistics = statistics_shape(question.descriptor, shape).elements();
  facts.share = normalized_size(question.descriptor, shape);
  return facts;
}

std::string memory_words(const Question& question) {
  std::string words;
  for (std::size_t axis = 0; axis < question.layout.size(); ++axis) {
    words += (axis == 0 ? "" : ", ") + std::string(1, static_cast<char>(question.layout[axis] - 'a' + 'A')) + " " +
             std::to_string(question.memory_sizes[axis]);
  }
  return words;
}

// "one feature, over all 8 samples and all 4 x 4 positions".
std::string who_shares(const Question& question, const Facts& facts) {
  const std::int64_t groups = question.descriptor.groups;
  std::string features = "one feature";
  if (facts.over_features && groups > 1) {
    features = "a group of " + counted(facts.features / groups, "feature", "features");
  } else if (facts.over_features) {
    features = "all " + counted(facts.features, "feature", "features");
  }
  const std::string samples = facts.over_samples ? "all " + counted(facts.samples, "sample", "samples") : "one sample";
  std::string text = features + (facts.over_samples ? " over " : " of ") + samples;
  if (question.shape.rank() == 2) return text;
  if (facts.over_all_positions) return text + ", at all " + facts.place_sizes;
  if (!facts.over_some_positions) return text + ", at one position";
  std::string along;
  const std::uint32_t shares = question.descriptor.statistics.resolve(question.shape.rank(), "explain");
  for (int axis = 2; axis < question.shape.rank(); ++axis) {
    if ((shares >> axis & 1U) == 0) continue;
    along += (along.empty() ? "" : ", ") + std::string(1, static_cast<char>(question.letters[axis] - 'a' + 'A'));
  }
  return text + ", at the positions along " + along;
}

std::string batch_of_one(const Facts& facts) {
  const std::int64_t left = facts.share / (facts.over_samples ? facts.samples : 1);
  if (facts.over_samples && left == 1) {
    return "does not train: every value would be its own mean. Training with one value per statistic is an error";
  }
  if (facts.over_samples) {
    return "trains, on the " + std::to_string(left) + " values that are left per statistic; no companions, so what " +
           "inference sees differs from training all the more";
  }
  if (left == 1) return "every value is its own mean, at any batch: the output is beta everywhere";
  return "trains the same as any other batch";
}

void print_facts(const Question& question, const Facts& facts) {
  const Descriptor& descriptor = question.descriptor;
  const bool centred = descriptor.centred;
  const std::string kind = centred ? "mean and variance" : "root mean square";
  print_fact("shared by", who_shares(question, facts));
  print_fact("statistics",
             (facts.statistics == 1 ? "1 " + kind : std::to_string(facts.statistics) + " pairs of " + kind) +
                 ", each from " + counted(facts.share, "element", "elements"));
  print_fact(centred ? "mean, rstd" : "rstd", "shape " + statistics_shape(descriptor, question.shape).to_string());
  const Shape affine = affine_shape(descriptor, question.shape);
  print_fact("gamma, beta", "shape " + affine.to_string() + ": " + std::to_string(affine.elements()) + " each");
  if (facts.over_samples) {
    print_fact("samples", "each statistic couples all " + std::to_string(facts.samples) +
                              ": a sample's output depends on its companions in the batch");
    print_fact("at inference", "takes running averages of mean and variance, gathered in training");
  } else {
    print_fact("samples", "none coupled: a sample's output is the same whatever its companions");
    print_fact("at inference", "the same computation as in training; nothing to remember");
  }
  print_fact("a batch of 1", batch_of_one(facts));
}

void explain(const ExplainOptions& options) {
  const Question question = understand(options);
  const Facts facts = facts_of(question);
  std::printf("%s%s\n", question.title.c_str(), question.source.empty() ? "" : ("  (" + question.source + ")").c_str());
  std::printf("x: %s\n", memory_words(question).c_str());
  std::printf("A feature is the output of one neuron%s\n\n",
              facts.positions > 1 ? "; here it has one at every position." : ".");
  for (const std::string& line : draw_sharing(question.descriptor, question.shape, style_of_terminal())) {
    std::printf("%s\n", line.c_str());
  }
  std::printf("\n");
  print_facts(question, facts);
}

}  // namespace

void add_explain(CLI::App& app) {
  CLI::App* command = app.add_subcommand("explain", "Draw and count which elements share statistics under a norm");
  auto options = std::make_shared<ExplainOptions>();
  command->add_option("--norm", options->norm, "The normalization: " + norm_names());
  command->add_option("--shape", options->shape, "Sizes of the tensor, in the order of the layout: 8,16,4,4")
      ->required();
  command->add_option("--layout", options->layout,
                      "Order of the axes: " + layout_names() +
                          " (n samples, c features, t or d h w positions); by default the first that fits");
  command->add_option("--groups", options->groups, "With group: how many parts the features are split in (default 4)");
  command->add_option("--over", options->over,
                      "With layer and rms: the axes of a sample that share, such as c or chw (default all; c in ntc)");
  command->add_option("--axes", options->axes,
                      "Instead of --norm: the axes that share statistics, as letters (hw) or numbers (2,3)");
  command->footer(
      "Examples:\n"
      "  norma explain --norm batch --shape 8,16,4,4\n"
      "  norma explain --norm layer --shape 8,10,64 --layout ntc\n"
      "  norma explain --norm layer --over c --shape 8,4,4,16 --layout nhwc");
  command->callback([options] { explain(*options); });
}

}  // namespace norma::cli
