// norma explain: which elements share statistics, drawn and counted, in the terms of the question "batch or layer?": a
// feature is the output of one neuron; who normalizes whom; what follows for the batch.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "browser.h"
#include "commands.h"
#include "explain_page.h"
#include "picture.h"
#include "question.h"
#include "report/report.h"
#include "report_files.h"

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

// "all 8 samples", "the one sample".
std::string all_of(std::int64_t count, const std::string& what) {
  return count == 1 ? "the one " + what : "all " + std::to_string(count) + " " + what + "s";
}

// What the drawing and the facts are made of.
struct Facts {
  std::int64_t samples, features, positions;
  std::int64_t statistics, share;
  bool over_samples, over_features, over_all_positions, over_some_positions;
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
    features = all_of(facts.features, "feature");
  }
  const std::string samples = facts.over_samples ? all_of(facts.samples, "sample") : "one sample";
  std::string text = features + (facts.over_samples ? " over " : " of ") + samples;
  if (facts.positions == 1) return text;
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

std::string batch_of_one(const Facts& facts, bool centred) {
  const std::int64_t left = facts.share / (facts.over_samples ? facts.samples : 1);
  if (facts.over_samples && left == 1) {
    return "does not train: every value would be its own mean. Training with one value per statistic is an error";
  }
  if (facts.over_samples) {
    return "trains, on the " + std::to_string(left) + " values that are left for each statistic";
  }
  if (left == 1 && centred) return "every value is its own mean, at any batch: the output is beta everywhere";
  if (left == 1) return "every value is divided by its own size, at any batch: only its sign is left";
  return "trains the same as any other batch";
}

void print_facts(const Question& question, const Facts& facts) {
  const Descriptor& descriptor = question.descriptor;
  const bool centred = descriptor.centred;
  const std::string number = std::to_string(facts.statistics);
  const std::string plural = facts.statistics == 1 ? "" : "s";
  const std::string kinds = centred ? number + " mean" + plural + " and " + number + " variance" + plural
                                    : number + " root mean square" + plural;
  print_fact("shared by", who_shares(question, facts));
  print_fact("statistics", kinds + ", each from " + counted(facts.share, "element", "elements"));
  print_fact(centred ? "mean, rstd" : "rstd", "shape " + statistics_shape(descriptor, question.shape).to_string());
  print_fact("gamma, beta", "shape " + affine_shape(descriptor, question.shape).to_string());
  if (facts.over_samples) {
    const std::string coupled = facts.samples == 1 ? "coupled, but here is only one"
                                                   : "each statistic couples all " + std::to_string(facts.samples);
    print_fact("samples", coupled + ": a sample's output depends on its companions in the batch");
    print_fact("at inference", "takes running averages of mean and variance, gathered in training");
  } else {
    print_fact("samples", "none coupled: a sample's output is the same whatever its companions");
    print_fact("at inference", "the same computation as in training; nothing to remember");
  }
  print_fact("a batch of 1", batch_of_one(facts, centred));
}

void explain(const ExplainOptions& options) {
  const Question question = understand(options);
  const Facts facts = facts_of(question);
  const Style style = style_of_terminal();
  const std::string title = style.colour ? "\033[1m" + question.title + "\033[0m" : question.title;
  std::printf("%s%s\n\n", title.c_str(), question.source.empty() ? "" : ("  (" + question.source + ")").c_str());
  std::printf("  %s\n", question.descriptor.centred ? "y = gamma * (x - mean) / sqrt(variance + eps) + beta"
                                                    : "y = gamma * x / sqrt(mean of squares + eps) + beta");
  std::printf("  x: %s. A feature is the output of one neuron%s.\n\n", memory_words(question).c_str(),
              facts.positions > 1 ? ",\n  here one value at every position" : "");
  for (const std::string& line : draw_sharing(question.descriptor, question.shape, style)) {
    std::printf("%s\n", line.c_str());
  }
  std::printf("\n");
  print_facts(question, facts);
}

constexpr const char* kPageName = "norma-explain.html";

struct PageOptions {
  bool open = false;
  std::optional<std::string> file;
};

// The path is the one line on standard output. A page that no browser shows is still a page: that is no failure.
void write_page(const ExplainOptions& options, const PageOptions& page) {
  const std::string path = page.file.value_or(kPageName);
  write_file(path, report::render_explainer(explain_document(options)));
  say_written(path);
  std::fflush(stdout);
  if (!page.open) return;
  const std::string trouble = open_in_browser(path);
  if (trouble.empty()) return;
  std::fprintf(stderr, "norma explain: %s; open %s in a browser yourself\n", trouble.c_str(), path.c_str());
}

}  // namespace

void add_explain(CLI::App& app) {
  CLI::App* command = app.add_subcommand("explain", "Draw and count which elements share statistics under a norm");
  auto options = std::make_shared<ExplainOptions>();
  auto page = std::make_shared<PageOptions>();
  command->add_option("--norm", options->norm, "The normalization: " + norm_names());
  command->add_option("--shape", options->shape, "Sizes of x in the order of the layout: 8,16,4,4");
  command->add_option("--layout", options->layout,
                      "Order of the axes, by default the first that fits:\n" + layout_names() +
                          "\n(n samples, c features, t or d h w positions)");
  command->add_option("--groups", options->groups, "group: parts the features are split in (default 4)");
  command->add_option("--over", options->over,
                      "layer, rms: axes that share, such as c or chw\n(default: all of a sample; c in ntc)");
  command->add_option("--axes", options->axes,
                      "Instead of --norm: the axes that share,\nas letters (hw) or numbers (2,3)");
  command->add_flag("--open", page->open,
                    std::string("Write the page to touch and try (") + kPageName +
                        ", or --html),\nopen it in a browser, print its path");
  command->add_option("--html", page->file, "Write that page to this file, without opening it");
  command->footer(
      "Examples:\n"
      "  norma explain --open\n"
      "  norma explain --norm batch --shape 8,16,4,4\n"
      "  norma explain --norm layer --shape 8,10,64 --layout ntc\n"
      "  norma explain --norm layer --over c --shape 8,4,4,16 --layout nhwc");
  command->callback([command, options, page] {
    if (page->open || page->file) return write_page(*options, *page);
    if (command->count("--shape") == 0) throw CLI::RequiredError("--shape");
    explain(*options);
  });
}

}  // namespace norma::cli
