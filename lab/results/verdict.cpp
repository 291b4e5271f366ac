#include "lab/results/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace norma::lab {
namespace {

// "2", "2 and 4", "2, 4 and 8".
std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    text += i == 0 ? "" : i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

// The findings of one model and one pair of arms.
struct Group {
  std::vector<const Finding*> all;

  const Finding& first() const { return *all.front(); }
  std::vector<const Finding*> with(Outcome outcome) const {
    std::vector<const Finding*> found;
    for (const Finding* finding : all) {
      if (finding->outcome == outcome) found.push_back(finding);
    }
    return found;
  }
  bool by_batch() const { return first().normalization_batch > 0; }
};

std::vector<Group> grouped(const std::vector<Finding>& findings) {
  std::vector<Group> groups;
  for (const Finding& finding : findings) {
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& other) {
      return other.first().model == finding.model && other.first().a == finding.a && other.first().b == finding.b;
    });
    if (group == groups.end()) group = groups.emplace(group);
    group->all.push_back(&finding);
  }
  return groups;
}

std::string batches(const std::vector<const Finding*>& findings) {
  std::vector<std::string> words;
  for (const Finding* finding : findings) words.push_back(std::to_string(finding->normalization_batch));
  return listed(words);
}

// Where this outcome holds: "at every normalization batch tested (2 to 64)", "at normalization batch 4 and below",
// "at normalization batch 16 and above", "at normalization batch 2 and 16".
std::string where(const Group& group, Outcome outcome) {
  const auto found = group.with(outcome);
  if (!group.by_batch()) return "";
  if (found.size() == 1) return fmt::format(" at normalization batch {}", batches(found));
  if (found.size() == group.all.size()) {
    return fmt::format(" at {} normalization batch tested ({} to {})",
                       outcome == Outcome::kNoDifference ? "any" : "every", found.front()->normalization_batch,
                       found.back()->normalization_batch);
  }
  const bool from_first = std::equal(found.begin(), found.end(), group.all.begin());
  const bool to_last = std::equal(found.rbegin(), found.rend(), group.all.rbegin());
  if (from_first) return fmt::format(" at normalization batch {} and below", found.back()->normalization_batch);
  if (to_last) return fmt::format(" at normalization batch {} and above", found.front()->normalization_batch);
  return fmt::format(" at normalization batch {}", batches(found));
}

std::string numbers(const Finding& finding) {
  return fmt::format("{} against {}", percent(finding.error_a), percent(finding.error_b));
}

// The two ends of what an outcome holds for, with their errors.
std::string ends(const Group& group, const std::vector<const Finding*>& found) {
  if (!group.by_batch()) return fmt::format("its test error is {}", numbers(*found.front()));
  if (found.size() == 1) return fmt::format("its test error there is {}", numbers(*found.front()));
  return fmt::format("at {} its test error is {}, at {} {}", found.front()->normalization_batch,
                     numbers(*found.front()), found.back()->normalization_batch, numbers(*found.back()));
}

void describe_group(const Group& group, std::vector<std::string>& sentences) {
  const auto& [model, a, b] = std::tie(group.first().model, group.first().a, group.first().b);
  const auto losses = group.with(Outcome::kBBetter), wins = group.with(Outcome::kABetter);
  const auto open = group.with(Outcome::kNoDifference), missing = group.with(Outcome::kNotMeasured);
  if (!losses.empty()) {
    sentences.push_back(fmt::format("On this {} {} loses to {}{}: {}.", model, a, b, where(group, Outcome::kBBetter),
                                    ends(group, losses)));
  }
  if (!wins.empty()) {
    sentences.push_back(
        fmt::format("On this {} {} beats {}{}: {}.", model, a, b, where(group, Outcome::kABetter), ends(group, wins)));
  }
  if (!open.empty()) {
    sentences.push_back(fmt::format("On this {} no difference between {} and {} is shown{}: {}.", model, a, b,
                                    where(group, Outcome::kNoDifference), ends(group, open)));
  }
  if (!missing.empty()) {
    sentences.push_back(
        fmt::format("On this {} {} and {} are not measured yet{}.", model, a, b, where(group, Outcome::kNotMeasured)));
  }
}

// Where and on which models an outcome holds; models that share the where are told together: "at normalization batch 4
// and below on the MLP and the CNN". Empty if it holds nowhere.
std::string places(const std::vector<Group>& groups, Outcome outcome) {
  std::vector<std::pair<std::string, std::vector<std::string>>> models_by_place;
  for (const Group& group : groups) {
    if (group.with(outcome).empty()) continue;
    const std::string place = where(group, outcome);
    auto known = std::find_if(models_by_place.begin(), models_by_place.end(),
                              [&](const auto& entry) { return entry.first == place; });
    if (known == models_by_place.end()) known = models_by_place.insert(known, {place, {}});
    known->second.push_back("the " + group.first().model);
  }
  std::vector<std::string> words;
  for (const auto& [place, models] : models_by_place) {
    words.push_back(fmt::format("{} on {}", place, listed(models)).substr(1));
  }
  return listed(words);
}

// The headline's sentence for one pair of arms over its models.
std::string headline_of(const std::vector<Group>& groups) {
  const Finding& pair = groups.front().first();
  const std::string losses = places(groups, Outcome::kBBetter), wins = places(groups, Outcome::kABetter);
  const std::string missing = places(groups, Outcome::kNotMeasured);
  const std::string tested = pair.normalization_batch > 0 ? " at any normalization batch tested" : "";
  if (losses.empty() && !missing.empty()) {
    return fmt::format("Whether {} loses to {} is not measured yet {}.", pair.a, pair.b, missing);
  }
  if (losses.empty() && wins.empty()) {
    return fmt::format("No difference between {} and {} is shown{}.", pair.a, pair.b, tested);
  }
  if (losses.empty()) {
    return fmt::format("{} is not shown to lose to {}{}; it beats it {}.", pair.a, pair.b, tested, wins);
  }
  const bool open = std::any_of(groups.begin(), groups.end(),
                                [](const Group& group) { return !group.with(Outcome::kNoDifference).empty(); });
  const std::string beats = wins.empty() ? "" : fmt::format(" and beats it {}", wins);
  const char* rest = !missing.empty() ? "; not all is measured yet"
                     : !open          ? ""
                     : wins.empty()   ? "; nowhere else is it shown to lose"
                                      : "; elsewhere no difference is shown";
  return fmt::format("{} loses to {} {}{}{}.", pair.a, pair.b, losses, beats, rest);
}

}  // namespace

Outcome outcome_of(const Interval& difference, double p_holm, std::int64_t seeds) {
  if (seeds < 1) return Outcome::kNotMeasured;
  if (!(p_holm < kLevel)) return Outcome::kNoDifference;
  if (difference.mean < 0 && difference.high < 0) return Outcome::kABetter;
  if (difference.mean > 0 && difference.low > 0) return Outcome::kBBetter;
  return Outcome::kNoDifference;
}

const char* outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kABetter:
      return "a better";
    case Outcome::kBBetter:
      return "b better";
    case Outcome::kNoDifference:
      return "no difference shown";
    case Outcome::kNotMeasured:
      return "not measured";
  }
  return "";
}

std::string percent(const Interval& error) {
  if (!std::isfinite(error.low) || !std::isfinite(error.high)) return fmt::format("{:.1f}%", 100 * error.mean);
  return fmt::format("{:.1f}% [{:.1f}, {:.1f}]", 100 * error.mean, 100 * error.low, 100 * error.high);
}

Verdict verdict(const std::vector<Finding>& findings) {
  Verdict found;
  const std::vector<Group> groups = grouped(findings);
  if (groups.empty()) {
    found.headline = "The study names no primary contrast, so it gives no verdict.";
    return found;
  }
  std::vector<bool> told(groups.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    describe_group(groups[i], found.sentences);
    if (told[i]) continue;
    std::vector<Group> same_pair;
    for (std::size_t j = i; j < groups.size(); ++j) {
      if (groups[j].first().a != groups[i].first().a || groups[j].first().b != groups[i].first().b) continue;
      same_pair.push_back(groups[j]);
      told[j] = true;
    }
    found.headline += found.headline.empty() ? "" : " ";
    found.headline += headline_of(same_pair);
  }
  return found;
}

}  // namespace norma::lab
