#include "lab/claims/recommend.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "lab/models/arm_list.h"
#include "lab/results/cells.h"

namespace norma::lab {
namespace {

// The first of these that a model has is its BatchNorm.
constexpr std::array<const char*, 5> kBatchArms{"batch", "batch_masked", "batch_recurrent", "batch_input",
                                                "batch_naive"};
constexpr double kOtherArchitecture = 1.0 / 3, kOtherBatches = 1.0 / 3, kNearEnough = 0.1;

// The rules that a reader can follow without a study of his own.
constexpr std::array<const char*, 3> kPlainRules{"architecture", "always_batch", "always_layer"};

struct Situation {
  std::string part, model, arm;
  unsigned architecture = 0;
  std::string data, batches;
  std::int64_t normalization_batch = 0;
  std::vector<double> batch, layer;  // test errors, one a seed

  double difference() const { return mean(batch) - mean(layer); }
  static double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  }
};

// Empty while trials are missing.
std::vector<double> errors_of(const Cell& cell) {
  std::vector<double> errors;
  for (const auto& result : cell.final) {
    if (!result) return {};
    errors.push_back(result->status == TrialStatus::kOk ? result->test_error : 1);
  }
  return errors;
}

std::vector<Situation> situations_of(const Plan& plan) {
  std::vector<Situation> found;
  for (const Cell& batch : plan.cells()) {
    const StudySpec& part = plan.study().parts[batch.part];
    const StudyModel& model = part.models[batch.model];
    const auto has = [&](const std::string& arm) {
      return std::find(model.arms.begin(), model.arms.end(), arm) != model.arms.end();
    };
    const auto own = std::find_if(kBatchArms.begin(), kBatchArms.end(), has);
    // At a rate that is another arm's, nobody chose.
    if (own == kBatchArms.end() || batch.arm != *own || !part.rate_of.empty()) continue;
    for (const Cell& layer : plan.cells()) {
      if (layer.part != batch.part || layer.model != batch.model || layer.arm != "layer") continue;
      found.push_back({part.name, model.spec.name, batch.arm, family_of(model.spec.kind), part.data.name,
                       part.training.batches, batch.normalization_batch, errors_of(batch), errors_of(layer)});
    }
  }
  return found;
}

bool layer_by_architecture(const Situation& situation) {
  return (situation.architecture & (kRecurrent | kEncoder | kDecoder)) != 0;
}

// The predicted error of BatchNorm less that of LayerNorm; NaN if nothing near is known.
double predict(const std::vector<Situation>& all, const Situation& where,
               const std::function<bool(const Situation&)>& left_out) {
  double weights = 0, sum = 0;
  for (const Situation& other : all) {
    if (left_out(other)) continue;
    const double doublings = std::abs(std::log2(static_cast<double>(where.normalization_batch)) -
                                      std::log2(static_cast<double>(other.normalization_batch)));
    double weight = std::pow(0.5, doublings);
    if (other.architecture != where.architecture) weight *= kOtherArchitecture;
    if (other.batches != where.batches) weight *= kOtherBatches;
    weights += weight;
    sum += weight * other.difference();
  }
  return weights < kNearEnough ? std::numeric_limits<double>::quiet_NaN() : sum / weights;
}

// Adds what a choice costs at each seed.
void add_regret(const Situation& situation, bool layer, std::vector<double>& regrets) {
  const auto& chosen = layer ? situation.layer : situation.batch;
  const auto& best = situation.difference() > 0 ? situation.layer : situation.batch;
  for (std::size_t seed = 0; seed < regrets.size(); ++seed) regrets[seed] += chosen[seed] - best[seed];
}

std::string rule_words(const std::string& rule) {
  if (rule == "architecture") return "by the architecture alone";
  if (rule == "recommender") return "by the recommender";
  return rule == "always_batch" ? "always BatchNorm" : "always LayerNorm";
}

Case case_of(const Situation& situation) {
  constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
  Case found{situation.part,
             situation.model,
             situation.arm,
             situation.normalization_batch,
             layer_by_architecture(situation),
             {kNothing, kNothing, kNothing}};
  std::vector<double> differences;
  const std::size_t seeds = std::min(situation.batch.size(), situation.layer.size());
  for (std::size_t seed = 0; seed < seeds; ++seed) differences.push_back(situation.batch[seed] - situation.layer[seed]);
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
  constexpr double kPoints = 100, kAny = std::numeric_limits<double>::infinity();
  return interval_json({interval.mean * kPoints, interval.low * kPoints, interval.high * kPoints}, -kAny, kAny);
}

}  // namespace

Recommendation recommend(const Plan& plan, double margin) {
  Recommendation found;
  const std::vector<Situation> all = situations_of(plan);
  for (const Situation& situation : all) found.cases.push_back(case_of(situation));
  std::size_t seeds = std::numeric_limits<std::size_t>::max();
  for (const Situation& situation : all) seeds = std::min({seeds, situation.batch.size(), situation.layer.size()});
  if (all.empty() || seeds == 0) return found;
  for (const char* rule : {"architecture", "recommender", "always_batch", "always_layer"}) {
    found.regrets[rule].assign(seeds, 0);
  }
  for (const Situation& situation : all) {
    const bool by_architecture = layer_by_architecture(situation);
    for (const bool by_data : {true, false}) {
      const double difference = predict(all, situation, [&](const Situation& other) {
        return by_data ? other.data == situation.data : other.architecture == situation.architecture;
      });
      const bool abstains = !(std::abs(difference) >= margin);
      ++found.judged;
      found.abstained += abstains ? 1 : 0;
      add_regret(situation, by_architecture, found.regrets["architecture"]);
      add_regret(situation, abstains ? by_architecture : difference > 0, found.regrets["recommender"]);
      add_regret(situation, false, found.regrets["always_batch"]);
      add_regret(situation, true, found.regrets["always_layer"]);
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
  for (const auto& [rule, values] : recommendation.regrets) regrets[rule] = points(seed_interval(values));
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
