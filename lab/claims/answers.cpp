#include "lab/claims/answers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string_view>
#include <utility>

#include "lab/claims/by_cell.h"
#include "lab/claims/measure.h"
#include "lab/claims/recommend.h"
#include "lab/claims/units.h"
#include "lab/models/arm_list.h"
#include "lab/results/cells.h"

namespace norma::lab {
namespace {

using nlohmann::json;

std::string label_of(const ClaimSide& side, bool each = false) {
  std::vector<std::string> labels;
  for (const std::string& arm : side.arms) labels.emplace_back(find_arm(arm)->label);
  std::string text = labels.size() == 1 ? labels.front() : fmt::format("the best of ({})", fmt::join(labels, "; "));
  // Every part on its own: the effect is that of the one furthest from 0, and the words must not make it one of all.
  const auto& several = side.parts.size() > 1 ? side.parts : side.models;
  if (each && several.size() > 1) return fmt::format("the largest of {} ({})", text, fmt::join(several, " | "));
  if (each)
    return side.parts.empty() ? fmt::format("the largest of {} at each model", text)
                              : fmt::format("the largest of {} ({})", text, side.parts.front());
  if (!side.parts.empty()) text += fmt::format(" ({})", fmt::join(side.parts, ", "));
  return text;
}

json reached_json(const MeasuredContrast& measured) {
  const auto side = [](const Reached& reached) {
    return json{{"reached", reached.reached}, {"trials", reached.trials}};
  };
  if (measured.reached_a.trials == 0) return nullptr;
  return {{"a", side(measured.reached_a)}, {"b", side(measured.reached_b)}};
}

json contrast_json(const ClaimContrast& contrast, const MeasuredContrast& measured) {
  const Unit unit = unit_of(contrast);
  const bool there = measured.seeds > 0;
  const auto value = [&](double x) { return there ? number(x) : json(nullptr); };
  const bool regret = contrast.measure == "regret";
  return {{"a", !regret                 ? label_of(contrast.a, contrast.reduce == Reduce::kEach)
                : contrast.says.empty() ? "choice by architecture alone"
                                        : "choice by the recommender"},
          {"b", !regret                 ? label_of(contrast.b)
                : contrast.says.empty() ? "the oracle"
                                        : "choice by architecture alone"},
          {"measure", unit.name},
          {"reduce", reduce_name(contrast.reduce)},
          {"claimed", direction_name(contrast.direction)},
          {"margin", contrast.direction == Direction::kSame ? json(contrast.margin * unit.scale) : json(nullptr)},
          {"unit", unit.of},
          {"effect", there ? scaled_json(measured.effect, unit.scale) : json(nullptr)},
          {"location", measured.median ? "median" : "mean"},
          {"n", measured.seeds},
          {"effect_size", value(measured.effect_size)},
          {"p_a_lower", value(measured.p_a_better)},
          {"p", value(measured.p)},
          {"p_holm", value(measured.p_holm)},
          {"learned", measured.learned},
          {"target", reached_json(measured)},
          {"standing", standing_name(measured.standing)}};
}

// The furthest that a measure goes beyond its limit over all seeds and cells of the claim.
struct ExactResult {
  std::optional<bool> holds;
  double worst = 0;
  std::int64_t n = 0;
};

ExactResult exact_of(const Plan& plan, const ClaimSpec& claim, const ExactCheck& check) {
  ExactResult result;
  bool missing = false, all = true;
  for (const Cell& cell : plan.cells()) {
    const std::string& part = plan.study().parts[cell.part].name;
    if (std::find(claim.parts.begin(), claim.parts.end(), part) == claim.parts.end()) continue;
    if (plan.study().parts[cell.part].models[cell.model].spec.kind != "checks") continue;
    for (const auto& trial : cell.final) {
      if (!trial) {
        missing = true;
        continue;
      }
      const auto found = trial->measures.find(check.measure);
      const double value = found == trial->measures.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
      const bool within = (!check.at_most || value <= *check.at_most) && (!check.at_least || value >= *check.at_least);
      all = all && std::isfinite(value) && within;
      if (result.n == 0 || !std::isfinite(value) || (check.at_most ? value > result.worst : value < result.worst)) {
        result.worst = value;
      }
      ++result.n;
    }
  }
  if (!missing && result.n > 0) result.holds = all;
  return result;
}

json exact_json(const ExactCheck& check, const ExactResult& result) {
  return {{"measure", check.measure},
          {"at_most", check.at_most ? json(*check.at_most) : json(nullptr)},
          {"at_least", check.at_least ? json(*check.at_least) : json(nullptr)},
          {"worst", result.n > 0 ? number(result.worst) : json(nullptr)},
          {"n", result.n},
          {"holds", result.holds ? json(*result.holds) : json(nullptr)}};
}

// The choice by architecture alone is enough if its regret is that of the oracle, within the margin.
ClaimContrast recommender_contrast(double margin) {
  ClaimContrast contrast;
  contrast.measure = "regret";
  contrast.direction = Direction::kSame;
  contrast.margin = margin;
  return contrast;
}

// Knowing more than the architecture costs less.
ClaimContrast knowing_more() {
  ClaimContrast contrast;
  contrast.measure = "regret";
  contrast.direction = Direction::kALower;
  contrast.says = "a recommender that knows the normalization batch and the order of batches too chooses better";
  return contrast;
}

struct Answer {
  const ClaimSpec* claim = nullptr;
  // As the claim has them, or those of the recommender.
  std::optional<ClaimContrast> contrast;
  std::vector<ClaimContrast> asked;
  std::optional<Recommendation> recommendation;
  MeasuredContrast primary;
  std::vector<MeasuredContrast> qualifiers;
};

void answer_recommender(const Plan& plan, Answer& answer) {
  const double margin = answer.claim->recommender_margin;
  answer.recommendation = recommend(plan, margin);
  answer.contrast = recommender_contrast(margin);
  answer.asked = {knowing_more()};
  auto& regrets = answer.recommendation->regrets;
  answer.primary = measure_differences(regrets["architecture"], *answer.contrast);
  std::vector<double> gain = regrets["recommender"];
  for (std::size_t seed = 0; seed < gain.size(); ++seed) gain[seed] -= regrets["architecture"][seed];
  answer.qualifiers = {measure_differences(gain, answer.asked.front())};
}

Answer answer_of(const Plan& plan, const ClaimSpec& claim) {
  Answer answer;
  answer.claim = &claim;
  answer.contrast = claim.primary;
  answer.asked = claim.qualifiers;
  if (claim.primary) answer.primary = measure(plan, claim, *claim.primary);
  for (const ClaimContrast& qualifier : claim.qualifiers) answer.qualifiers.push_back(measure(plan, claim, qualifier));
  if (claim.recommender_margin > 0) answer_recommender(plan, answer);
  std::vector<const ClaimContrast*> contrasts;
  std::vector<MeasuredContrast*> measured;
  for (std::size_t i = 0; i < answer.asked.size(); ++i) {
    contrasts.push_back(&answer.asked[i]);
    measured.push_back(&answer.qualifiers[i]);
  }
  judge(contrasts, measured);
  return answer;
}

std::vector<std::size_t> parts_of(const Plan& plan, const ClaimSpec& claim) {
  std::vector<std::size_t> found;
  const auto& parts = plan.study().parts;
  for (std::size_t part = 0; part < parts.size(); ++part) {
    if (std::find(claim.parts.begin(), claim.parts.end(), parts[part].name) != claim.parts.end()) found.push_back(part);
  }
  return found;
}

std::set<std::string> trials_of(const Plan& plan, const ClaimSpec& claim) {
  std::set<std::string> keys;
  for (const std::size_t part : parts_of(plan, claim)) {
    keys.insert(plan.trials_of(part).begin(), plan.trials_of(part).end());
  }
  return keys;
}

// The other claims that rest on some of the same trials, and on how many.
json shared_json(const Plan& plan, const ClaimSpec& claim) {
  const std::set<std::string> own = trials_of(plan, claim);
  json found = json::array();
  for (const ClaimSpec& other : plan.study().claims) {
    if (other.number == claim.number) continue;
    const std::set<std::string> its = trials_of(plan, other);
    const auto count = std::count_if(own.begin(), own.end(), [&](const auto& key) { return its.contains(key); });
    if (count > 0) found.push_back({{"claim", other.number}, {"trials", count}});
  }
  return found;
}

json row_of(const Plan& plan, const Answer& answer) {
  const ClaimSpec& claim = *answer.claim;
  json exact = json::array(), qualifiers = json::array();
  std::optional<bool> exact_holds;
  bool exact_measured = true;
  for (const ExactCheck& check : claim.exact) {
    const ExactResult result = exact_of(plan, claim, check);
    exact.push_back(exact_json(check, result));
    exact_measured = exact_measured && result.holds.has_value();
    if (result.holds) exact_holds = exact_holds.value_or(true) && *result.holds;
  }
  bool qualified = false;
  for (std::size_t i = 0; i < answer.asked.size(); ++i) {
    json one = contrast_json(answer.asked[i], answer.qualifiers[i]);
    const bool holds = answer.qualifiers[i].standing == Standing::kShown;
    one["says"] = answer.asked[i].says;
    one["holds"] = holds;
    qualified = qualified || holds;
    qualifiers.push_back(std::move(one));
  }
  std::optional<Standing> primary;
  if (answer.contrast) primary = answer.primary.standing;
  if (!exact_measured && exact_holds.value_or(true)) primary = Standing::kNotMeasured;
  const std::string verdict = verdict_name(verdict_of(exact_holds, primary, qualified));
  const Spent spent = plan.spent(parts_of(plan, claim));
  const bool differ =
      !claim.expected_verdict.empty() && claim.expected_verdict != kDisputed && claim.expected_verdict != verdict;
  return {
      {"number", claim.number},
      {"says", claim.says},
      {"verdict", verdict},
      {"primary", answer.contrast ? contrast_json(*answer.contrast, answer.primary) : json(nullptr)},
      {"by_cell", claim.primary ? by_cell_json(plan, claim, *claim.primary) : json(nullptr)},
      {"recommender", answer.recommendation ? recommendation_json(*answer.recommendation) : json(nullptr)},
      {"exact", std::move(exact)},
      {"qualifiers", std::move(qualifiers)},
      {"expects", claim.expects},
      {"limits", claim.limits},
      {"expected_verdict", claim.expected_verdict.empty() ? json(nullptr) : json(claim.expected_verdict)},
      {"differs", differ ? json(fmt::format("expected {}, found {}", claim.expected_verdict, verdict)) : json(nullptr)},
      {"parts", claim.parts},
      {"shares", shared_json(plan, claim)},
      {"trials", spent.trials},
      {"steps", spent.steps},
      {"minutes", spent.seconds / 60}};
}

}  // namespace

json claims_section(const Plan& plan) {
  std::vector<Answer> answers;
  for (const ClaimSpec& claim : plan.study().claims) answers.push_back(answer_of(plan, claim));
  std::vector<const ClaimContrast*> contrasts;
  std::vector<MeasuredContrast*> measured;
  for (Answer& answer : answers) {
    if (!answer.contrast) continue;
    contrasts.push_back(&*answer.contrast);
    measured.push_back(&answer.primary);
  }
  judge(contrasts, measured);
  json rows = json::array();
  for (const Answer& answer : answers) rows.push_back(row_of(plan, answer));
  std::stable_sort(rows.begin(), rows.end(), [](const json& a, const json& b) { return a["number"] < b["number"]; });
  return rows;
}

std::string claims_headline(const json& claims) {
  std::vector<std::string> counts;
  for (const char* verdict : {"supported", "qualified", "contradicted", "inconclusive"}) {
    const auto count =
        std::count_if(claims.begin(), claims.end(), [&](const json& row) { return row.at("verdict") == verdict; });
    if (count > 0) counts.push_back(fmt::format("{} {}", count, verdict));
  }
  return fmt::format("Of {} claim{}: {}.", claims.size(), claims.size() == 1 ? "" : "s", fmt::join(counts, ", "));
}

}  // namespace norma::lab
