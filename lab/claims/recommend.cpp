#include "lab/claims/recommend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "lab/claims/situations.h"
#include "lab/results/cells.h"

namespace norma::lab {
namespace {

constexpr double kOtherArchitecture = 1.0 / 3, kOtherBatches = 1.0 / 3, kNearEnough = 0.1;
constexpr double kPoints = 100;

// The rules that a reader can follow without a study of his own.
constexpr std::array<const char*, 3> kPlainRules{"architecture", "always_batch", "always_layer"};

// The predicted error of BatchNorm less that of LayerNorm; NaN if nothing near is known.
double predict(const std::vector<Situation>& all, const Situation& where,
               const std::function<bool(const Situation&)>& left_out) {
  double weights = 0, sum = 0;
  for (const Situation& other : all) {
    if (left_out(other)) continue;
    const double doublings = std::abs(std::log2(static_cast<double>(where.normalization_batch)) -
                                      std::log2(static_cast<double>(other.normalization_batch)));
    double weight = std::pow(0.5, doublings);
    if (other.family != where.family) weight *= kOtherArchitecture;
    if (other.batches != where.batches) weight *= kOtherBatches;
    weights += weight;
    sum += weight * other.difference();
  }
  return weights < kNearEnough ? std::numeric_limits<double>::quiet_NaN() : sum / weights;
}

// Adds what a rule's choice costs at each seed.
void add_regret(const std::vector<Situation>& all, std::size_t at, const std::string& rule, bool layer,
                Recommendation& found) {
  const Situation& situation = all[at];
  const bool layer_is_better = situation.difference() > 0;
  const auto& chosen = layer ? situation.layer_errors : situation.batch_errors;
  const auto& best = layer_is_better ? situation.layer_errors : situation.batch_errors;
  std::vector<double>& regrets = found.regrets[rule];
  for (std::size_t seed = 0; seed < regrets.size(); ++seed) regrets[seed] += chosen[seed] - best[seed];
  Worst& worst = found.worst[rule];
  if (layer == layer_is_better) return;
  if (const double regret = std::abs(situation.difference()); regret > worst.regret) worst = {regret, at};
}

Case case_of(const Situation& situation) {
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  Case found{situation.part,
             situation.model,
             situation.batch->arm,
             situation.normalization_batch,
             layer_by_architecture(situation),
             {kNothing, kNothing, kNothing}};
  std::vector<double> differences;
  const std::size_t seeds = std::min(situation.batch_errors.size(), situation.layer_errors.size());
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    differences.push_back(situation.batch_errors[seed] - situation.layer_errors[seed]);
  }
  if (!differences.empty()) found.difference = seed_interval(differences);
  return found;
}

std::vector<RulePair> pairs_of(const std::map<std::string, std::vector<double>>& regrets) {
  std::vector<RulePair> pairs;
  ClaimContrast lower;
  lower.measure = "regret";
  for (std::size_t a = 0; a < kPlainRules.size(); ++a) {
    for (std::size_t b = a + 1; b < kPlainRules.size(); ++b) {
      std::vector<double> differences = regrets.at(kPlainRules[a]);
      const auto& others = regrets.at(kPlainRules[b]);
      for (std::size_t seed = 0; seed < differences.size(); ++seed) differences[seed] -= others[seed];
      pairs.push_back({kPlainRules[a], kPlainRules[b], measure_differences(differences, lower)});
    }
  }
  std::vector<MeasuredContrast*> measured;
  for (RulePair& pair : pairs) measured.push_back(&pair.contrast);
  judge(std::vector<const ClaimContrast*>(pairs.size(), &lower), measured);
  return pairs;
}

nlohmann::json points(const Interval& interval) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  return interval_json({interval.mean * kPoints, interval.low * kPoints, interval.high * kPoints}, -kAny, kAny);
}

}  // namespace

std::string rule_words(const std::string& rule) {
  if (rule == "architecture") return "by the architecture alone";
  if (rule == "recommender") return "by the recommender";
  return rule == "always_batch" ? "always BatchNorm" : "always LayerNorm";
}

Recommendation recommend(const Plan& plan, double margin) {
  Recommendation found;
  const std::vector<Situation> all = situations_of(plan);
  std::size_t seeds = std::numeric_limits<std::size_t>::max();
  std::vector<Interval> differences;
  for (const Situation& situation : all) {
    found.cases.push_back(case_of(situation));
    differences.push_back(found.cases.back().difference);
    seeds = std::min({seeds, situation.batch_errors.size(), situation.layer_errors.size()});
  }
  if (all.empty() || seeds == 0) return found;
  found.choices = choices_of(plan, all, differences);
  for (const char* rule : {"architecture", "recommender", "always_batch", "always_layer"}) {
    found.regrets[rule].assign(seeds, 0);
  }
  for (std::size_t at = 0; at < all.size(); ++at) {
    const Situation& situation = all[at];
    const bool by_architecture = layer_by_architecture(situation);
    for (const bool by_data : {true, false}) {
      const double difference = predict(all, situation, [&](const Situation& other) {
        return by_data ? other.data == situation.data : other.family == situation.family;
      });
      const bool abstains = !(std::abs(difference) >= margin);
      ++found.judged;
      found.abstained += abstains ? 1 : 0;
      add_regret(all, at, "architecture", by_architecture, found);
      add_regret(all, at, "recommender", abstains ? by_architecture : difference > 0, found);
      add_regret(all, at, "always_batch", false, found);
      add_regret(all, at, "always_layer", true, found);
    }
  }
  for (auto& [rule, regrets] : found.regrets) {
    for (double& regret : regrets) regret /= static_cast<double>(found.judged);
  }
  found.pairs = pairs_of(found.regrets);
  return found;
}

nlohmann::json recommendation_json(const Recommendation& recommendation) {
  nlohmann::json regrets = nlohmann::json::object(), cases = nlohmann::json::array(), pairs = nlohmann::json::array();
  for (const auto& [rule, values] : recommendation.regrets) {
    regrets[rule] = points(seed_interval(values));
    const auto worst = recommendation.worst.find(rule);
    if (worst == recommendation.worst.end()) continue;
    const Case& at = recommendation.cases[worst->second.situation];
    regrets[rule]["worst"] = {{"mean", number(kPoints * worst->second.regret)},
                              {"part", at.part},
                              {"model", at.model},
                              {"normalization_batch", at.normalization_batch}};
  }
  for (const Case& one : recommendation.cases) {
    cases.push_back({{"part", one.part},
                     {"model", one.model},
                     {"arm", one.arm},
                     {"normalization_batch", one.normalization_batch},
                     {"layer_by_architecture", one.layer_by_architecture},
                     {"difference", points(one.difference)}});
  }
  for (const auto& [a, b, contrast] : recommendation.pairs) {
    pairs.push_back({{"a", a},
                     {"b", b},
                     {"difference", points(contrast.effect)},
                     {"p_holm", number(contrast.p_holm)},
                     {"standing", standing_name(contrast.standing)}});
  }
  return {{"situations", recommendation.cases.size()},
          {"cases", std::move(cases)},
          {"choices", choices_json(recommendation.choices)},
          {"pairs", std::move(pairs)},
          {"judged", recommendation.judged},
          {"abstained", recommendation.abstained},
          {"regrets", std::move(regrets)}};
}

std::string recommendation_text(const nlohmann::json& recommendation) {
  std::vector<std::string> rules;
  for (const auto& [rule, interval] : recommendation.at("regrets").items()) {
    if (interval.at("mean").is_null()) continue;
    rules.push_back(fmt::format("{} {:.2f}", rule_words(rule), interval.at("mean").get<double>()));
  }
  return fmt::format("Mean regret in points over {} situations: {}; the recommender abstains in {} of {} judgements.",
                     recommendation.at("situations").get<std::int64_t>(), fmt::join(rules, ", "),
                     recommendation.at("abstained").get<std::int64_t>(),
                     recommendation.at("judged").get<std::int64_t>());
}

}  // namespace norma::lab
