#include "lab/claims/advice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "lab/claims/answers.h"

namespace norma::lab {
namespace {

using nlohmann::json;

struct Rule {
  const char *name, *advice, *noun;
};
// As they are told; the first has the shortest noun for what takes a sentence to say.
constexpr std::array<Rule, 3> kRules{{
    {"always_layer", "LayerNorm everywhere", "LayerNorm everywhere"},
    {"architecture", "BatchNorm in MLPs and CNNs, LayerNorm in recurrent networks and Transformers",
     "choice by architecture"},
    {"always_batch", "BatchNorm everywhere", "BatchNorm everywhere"},
}};

double regret_of(const json& recommender, const Rule& rule) {
  return recommender.at("regrets").at(rule.name).at("mean").get<double>();
}

std::string interval_text(const json& interval) {
  const std::string mean = fmt::format("{:.2f} points", interval.at("mean").get<double>());
  if (interval.at("low").is_null()) return mean;
  return fmt::format("{} [{:.2f}, {:.2f}]", mean, interval.at("low").get<double>(), interval.at("high").get<double>());
}

struct Against {
  json difference;  // the rule less the other
  double p = 1;
  bool better = false;
};

Against against(const json& recommender, const Rule& rule, const Rule& other) {
  for (const json& pair : recommender.at("pairs")) {
    const bool first = pair.at("a") == rule.name && pair.at("b") == other.name;
    if (!first && (pair.at("a") != other.name || pair.at("b") != rule.name)) continue;
    json difference = pair.at("difference");
    if (!first) {
      const auto negative = [](const json& value) { return value.is_null() ? value : json(-value.get<double>()); };
      const json low = negative(difference["high"]), high = negative(difference["low"]);
      difference = {{"mean", negative(difference["mean"])}, {"low", low}, {"high", high}};
    }
    return {difference, pair.at("p_holm").get<double>(), pair.at("standing") == (first ? "shown" : "refuted")};
  }
  return {};
}

std::string cost_sentence(const json& recommender) {
  std::vector<std::string> costs;
  for (const Rule& rule : kRules) {
    costs.push_back(fmt::format("{} {}", rule.noun, interval_text(recommender.at("regrets").at(rule.name))));
  }
  return fmt::format("Test error beyond that of the better of the two, at the mean over {} situations: {}.",
                     recommender.at("situations").get<std::int64_t>(), fmt::join(costs, ", "));
}

// Situations one by one, without a correction: a description, not a test.
std::string cases_sentence(const json& recommender) {
  std::int64_t more = 0, less = 0;
  for (const json& one : recommender.at("cases")) {
    const json &low = one.at("difference").at("low"), &high = one.at("difference").at("high");
    more += !low.is_null() && low.get<double>() > 0 ? 1 : 0;
    less += !high.is_null() && high.get<double>() < 0 ? 1 : 0;
  }
  return fmt::format(
      "Of {} situations BatchNorm errs more than LayerNorm in {} and less in {} by an interval that leaves out zero, "
      "each taken alone.",
      recommender.at("situations").get<std::int64_t>(), more, less);
}

// The normalization batches at which one of the two errs less in most situations; empty where there are none.
std::string batches_sentence(const json& recommender) {
  struct Count {
    std::int64_t all = 0, more = 0, less = 0;
  };
  std::map<std::int64_t, Count> counts;
  for (const json& one : recommender.at("cases")) {
    const json &low = one.at("difference").at("low"), &high = one.at("difference").at("high");
    Count& count = counts[one.at("normalization_batch").get<std::int64_t>()];
    ++count.all;
    count.more += !low.is_null() && low.get<double>() > 0 ? 1 : 0;
    count.less += !high.is_null() && high.get<double>() < 0 ? 1 : 0;
  }
  std::vector<std::string> layer, batch;
  for (const auto& [size, count] : counts) {
    if (2 * count.more > count.all) layer.push_back(fmt::format("{} ({} of {})", size, count.more, count.all));
    if (2 * count.less > count.all) batch.push_back(fmt::format("{} ({} of {})", size, count.less, count.all));
  }
  std::vector<std::string> words;
  if (!layer.empty()) words.push_back(fmt::format("LayerNorm at {}", fmt::join(layer, ", ")));
  if (!batch.empty()) words.push_back(fmt::format("BatchNorm at {}", fmt::join(batch, ", ")));
  if (words.empty()) return "";
  return fmt::format(" By the normalization batch, what errs less in most: {}.", fmt::join(words, "; "));
}

std::string differs_sentence(const json& claims) {
  std::vector<std::string> differing;
  for (const json& claim : claims) {
    if (!claim.at("differs").is_null()) {
      differing.push_back(
          fmt::format("claim {} ({})", claim.at("number").get<std::int64_t>(), claim.at("differs").get<std::string>()));
    }
  }
  return differing.empty() ? "" : fmt::format("Not as the literature expects: {}.", fmt::join(differing, ", "));
}

}  // namespace

json advice(const json& claims, bool complete) {
  const std::string counts = claims_headline(claims);
  std::string headline = counts, why, sure;
  std::vector<std::string> sentences;
  for (const json& claim : claims) {
    const json& recommender = claim.at("recommender");
    if (recommender.is_null() || recommender.at("pairs").empty()) continue;
    auto rules = kRules;
    std::stable_sort(rules.begin(), rules.end(), [&](const Rule& a, const Rule& b) {
      return regret_of(recommender, a) < regret_of(recommender, b);
    });
    const Rule& best = rules.front();
    std::vector<std::string> open, compared;
    for (const Rule& rule : {rules[1], rules[2]}) {
      const Against found = against(recommender, best, rule);
      if (!found.better) open.emplace_back(rule.noun);
      compared.push_back(fmt::format("{} {}: {} (p {} after Holm)", found.better ? "it beats" : "not shown to beat",
                                     rule.noun, interval_text(found.difference),
                                     found.p < 0.001 ? "< 0.001" : fmt::format("= {:.3f}", found.p)));
    }
    headline = fmt::format("Use {}", best.advice);
    if (open.size() == 1) headline += fmt::format("; {} is not shown to be worse", open.front());
    if (open.size() == 2) {
      headline = fmt::format("No choice is shown to be best; {} erred least", best.advice);
    }
    headline += ".";
    sure = fmt::format("{} over {} situations: {}.", best.noun, recommender.at("situations").get<std::int64_t>(),
                       fmt::join(compared, "; "));
    sure.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(sure.front())));
    why = cases_sentence(recommender) + batches_sentence(recommender);
    sentences = {cost_sentence(recommender)};
    break;
  }
  if (headline != counts) sentences.push_back(counts);
  if (std::string differing = differs_sentence(claims); !differing.empty()) sentences.push_back(differing);
  // From whichever trials happen to be done: not to be quoted as the study's answer.
  if (!complete) headline = "Provisional: " + headline;
  return {{"headline", headline}, {"why", why}, {"sure", sure}, {"sentences", sentences}};
}

}  // namespace norma::lab
