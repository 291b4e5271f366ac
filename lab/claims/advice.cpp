#include "lab/claims/advice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

#include "lab/claims/answers.h"
#include "lab/claims/words.h"
#include "lab/study/study.h"

namespace norma::lab {
namespace {

using nlohmann::json;

struct Rule {
  const char *name, *noun;
};
constexpr std::array<Rule, 3> kRules{{
    {"always_layer", "LayerNorm everywhere"},
    {"architecture", "choice by architecture"},
    {"always_batch", "BatchNorm everywhere"},
}};

constexpr std::array<std::pair<const char*, const char*>, 5> kFamilies{{{"mlp", "MLPs"},
                                                                        {"cnn", "CNNs"},
                                                                        {"recurrent", "recurrent networks"},
                                                                        {"transformer", "Transformers"},
                                                                        {"decoder", "decoders"}}};

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
    const json& regret = recommender.at("regrets").at(rule.name);
    const json& worst = regret.at("worst");
    costs.push_back(fmt::format("{} {}", rule.noun, interval_text(regret)));
    if (const auto most = worst.at("mean").get<double>(); most > 0) {
      costs.back() += fmt::format(", at worst {:.1f} ({} at {})", most, worst.at("model").get<std::string>(),
                                  worst.at("normalization_batch").get<std::int64_t>());
    }
  }
  return fmt::format(
      "Test error beyond that of the better of the two, at the mean over {} situations, which a single one can carry: "
      "{}.",
      recommender.at("situations").get<std::int64_t>(), fmt::join(costs, "; "));
}

// What the rules cost less one another.
std::string rules_sentence(const json& recommender) {
  auto rules = kRules;
  std::stable_sort(rules.begin(), rules.end(),
                   [&](const Rule& a, const Rule& b) { return regret_of(recommender, a) < regret_of(recommender, b); });
  std::vector<std::string> compared;
  for (const Rule& rule : {rules[1], rules[2]}) {
    const Against found = against(recommender, rules[0], rule);
    compared.push_back(fmt::format("{} {}: {} (p {} after Holm)", found.better ? "it beats" : "not shown to beat",
                                   rule.noun, interval_text(found.difference),
                                   found.p < 0.001 ? "< 0.001" : fmt::format("= {:.3f}", found.p)));
  }
  return fmt::format("By that mean {} costs least: {}.", rules[0].noun, fmt::join(compared, "; "));
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

// Choices of one kind of network under one order of batches.
struct Kinds {
  std::string family, batches;
  std::vector<const json*> choices;  // by normalization batch
};

std::vector<Kinds> kinds_of(const json& recommender) {
  std::vector<Kinds> kinds;
  for (const json& choice : recommender.at("choices")) {
    const auto family = choice.at("family").get<std::string>(), batches = choice.at("batches").get<std::string>();
    if (kinds.empty() || kinds.back().family != family || kinds.back().batches != batches) {
      kinds.push_back({family, batches, {}});
    }
    kinds.back().choices.push_back(&choice);
  }
  return kinds;
}

std::string noun_of(const std::string& family) {
  const auto found = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const auto& f) { return f.first == family; });
  return found == kFamilies.end() ? family : found->second;
}

std::string order_words(const std::string& batches) {
  if (batches == "sorted") return " on batches sorted by class";
  return batches == "random" ? " on batches of random sizes" : "";
}

std::int64_t size_of(const json& choice) {
  return choice.at("normalization_batch").get<std::int64_t>();
}

// "2", "2 and 4", "2, 8 and 64"; "2 to 16" of three and more that follow one another among those measured.
std::string sizes_text(const Kinds& kinds, const char* arm) {
  std::vector<std::string> sizes;
  std::size_t first = kinds.choices.size(), last = 0;
  for (std::size_t i = 0; i < kinds.choices.size(); ++i) {
    if (kinds.choices[i]->at("choice") != arm) continue;
    first = std::min(first, i);
    last = i;
    sizes.push_back(std::to_string(size_of(*kinds.choices[i])));
  }
  if (sizes.empty()) return "";
  if (sizes.size() == 1) return sizes.front();
  if (sizes.size() > 2 && last - first + 1 == sizes.size()) return sizes.front() + " to " + sizes.back();
  const std::string end = sizes.back();
  sizes.pop_back();
  return fmt::format("{} and {}", fmt::join(sizes, ", "), end);
}

std::string joined(std::vector<std::string> words) {
  if (words.size() < 2) return words.empty() ? "" : words.front();
  const std::string end = words.back();
  words.pop_back();
  return fmt::format("{} and {}", fmt::join(words, ", "), end);
}

// "Use BatchNorm in MLPs at normalization batch 16 and 64; LayerNorm in MLPs at 2 and in CNNs at 2; elsewhere neither
// is shown to err less."
std::string headline_of(const json& recommender) {
  const std::vector<Kinds> all = kinds_of(recommender);
  std::vector<std::string> uses;
  bool first = true;
  for (const auto& [arm, name] : {std::pair{"batch", "BatchNorm"}, std::pair{"layer", "LayerNorm"}}) {
    std::vector<std::string> places;
    for (const Kinds& kinds : all) {
      const std::string sizes = sizes_text(kinds, arm);
      if (sizes.empty()) continue;
      places.push_back(fmt::format("in {} at {}{}{}", noun_of(kinds.family), first ? "normalization batch " : "", sizes,
                                   order_words(kinds.batches)));
      first = false;
    }
    if (!places.empty()) uses.push_back(fmt::format("{} {}", name, joined(places)));
  }
  if (uses.empty()) return "Neither BatchNorm nor LayerNorm is shown to err less anywhere.";
  const auto& choices = recommender.at("choices");
  if (std::any_of(choices.begin(), choices.end(), [](const json& one) { return one.at("choice").is_null(); })) {
    uses.emplace_back("elsewhere neither is shown to err less");
  }
  return fmt::format("Use {}.", fmt::join(uses, "; "));
}

std::string signed_points(double points) {
  const std::string text = fmt::format("{:+.1f}", points);
  return text == "-0.0" || text == "+0.0" ? "0.0" : text;
}

// How far apart the two are where one is chosen, from situation to situation, and where situations disagree.
std::string distances_sentence(const json& recommender) {
  std::vector<std::string> chosen, divided;
  for (const Kinds& kinds : kinds_of(recommender)) {
    for (const json* choice : kinds.choices) {
      const std::string place =
          fmt::format("{} at {}{}", noun_of(kinds.family), size_of(*choice), order_words(kinds.batches));
      if (choice->at("against").get<std::int64_t>() > 0) divided.push_back(place);
      if (choice->at("choice").is_null()) continue;
      const std::string least = signed_points(choice->at("least").get<double>());
      const std::string most = signed_points(choice->at("most").get<double>());
      chosen.push_back(least == most ? fmt::format("{} {}", place, least)
                                     : fmt::format("{} {} to {}", place, least, most));
    }
  }
  std::string text;
  if (!chosen.empty()) {
    text = fmt::format("BatchNorm's test error less LayerNorm's, in points, from situation to situation: {}. ",
                       fmt::join(chosen, "; "));
  }
  if (!divided.empty()) text += fmt::format("Situations disagree: {}. ", fmt::join(divided, "; "));
  return text;
}

std::string sure_of(const json& recommender) {
  const json& choices = recommender.at("choices");
  const auto kinds = static_cast<std::int64_t>(choices.size());
  std::int64_t seeds = choices.empty() ? 0 : choices.front().at("n").get<std::int64_t>();
  for (const json& choice : choices) seeds = std::min(seeds, choice.at("n").get<std::int64_t>());
  const bool any = std::any_of(choices.begin(), choices.end(), [](const json& c) { return !c.at("choice").is_null(); });
  std::string text;
  if (any) {
    text = fmt::format(
        "each choice is shown over the seeds and test items of its situations (p < 0.05 after Holm's correction over "
        "{} "
        "kinds of situation), and no single situation's interval speaks for the other.",
        kinds);
  } else if (const std::int64_t needed = seeds_needed(kinds); seeds < needed) {
    text = fmt::format("{} seeds are too few to show anything over {} kinds of situation: it takes {}.", seeds, kinds,
                       needed);
  } else {
    text = fmt::format(
        "no kind of situation out of {} passes Holm's correction without another of its kind against it.", kinds);
  }
  text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
  const Rule& best = *std::min_element(kRules.begin(), kRules.end(), [&](const Rule& a, const Rule& b) {
    return regret_of(recommender, a) < regret_of(recommender, b);
  });
  return text +
         fmt::format(
             " That holds for these networks and data: on data sets and architectures left out, going by what the "
             "others show costs {:.2f} points at the mean, {} {:.2f}.",
             recommender.at("regrets").at("recommender").at("mean").get<double>(), best.noun,
             regret_of(recommender, best));
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

// Of a study of one claim.
std::string single_headline(const json& claim) {
  return fmt::format("{}: {}.", claim.at("says").get<std::string>(), claim.at("verdict").get<std::string>());
}

// What was compared, how it came out, and the qualifiers that hold.
std::string single_why(const json& claim) {
  const json& primary = claim.at("primary");
  std::vector<std::string> found;
  if (!primary.is_null()) found.push_back(comparison_text(primary));
  if (!claim.at("exact").empty()) found.push_back(exact_text(claim.at("exact")));
  for (const json& qualifier : claim.at("qualifiers")) {
    if (qualifier.at("holds") != true) continue;
    found.push_back(fmt::format("{} ({})", qualifier.at("says").get<std::string>(), effect_text(qualifier)));
  }
  return found.empty() ? "" : fmt::format("{}.", fmt::join(found, "; "));
}

}  // namespace

json advice(const json& claims, bool complete) {
  const std::string counts = claims_headline(claims);
  std::string headline = counts, why, sure;
  std::vector<std::string> sentences;
  if (claims.size() == 1) {
    headline = single_headline(claims[0]);
    why = single_why(claims[0]);
    if (!claims[0].at("primary").is_null()) sure = standing_text(claims[0].at("primary"));
    if (claims[0].at("limits") != "") {
      sentences = {fmt::format("What this cannot say: {}.", claims[0].at("limits").get<std::string>())};
    }
  }
  bool told = false;
  for (const json& claim : claims) {
    const json& recommender = claim.at("recommender");
    if (recommender.is_null() || recommender.at("pairs").empty()) continue;
    headline = headline_of(recommender);
    told = true;
    why = distances_sentence(recommender) + cases_sentence(recommender);
    sure = sure_of(recommender);
    sentences = {cost_sentence(recommender), rules_sentence(recommender)};
    break;
  }
  if (told && claims.size() > 1) sentences.push_back(counts);
  if (std::string differing = differs_sentence(claims); !differing.empty()) sentences.push_back(differing);
  // From whichever trials happen to be done: not to be quoted as the study's answer.
  if (!complete) headline = "Provisional: " + headline;
  return {{"headline", headline}, {"why", why}, {"sure", sure}, {"sentences", sentences}};
}

}  // namespace norma::lab
