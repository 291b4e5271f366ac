// Claim 10: is the architecture enough to choose by? A recommender that knows more, made from the study's own cells and
// tried where it has not been: on data sets and architectures that are left out in turn.
//
// In every situation (lab/claims/situations.h) a rule chooses one of the two, and its regret is the test error of what
// it chose less that of what was better over all seeds (the oracle's choice). The rules:
//   architecture   the article's: BatchNorm in MLPs and CNNs, LayerNorm in recurrent networks and Transformers
//   recommender    predicts the difference from the situations that are not left out, each weighted by how near it is:
//                  half for every doubling of the normalization batch between them, a third for another architecture,
//                  a third for another order of batches; where it predicts less than the margin, or knows nothing near,
//                  it abstains and leaves the choice to the architecture
//   always_batch, always_layer
// Every situation is judged twice, with its data set left out and with its architecture left out.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/claims/choices.h"
#include "lab/claims/measure.h"
#include "lab/study/plan.h"

namespace norma::lab {

// A situation, and BatchNorm's test error less LayerNorm's there.
struct Case {
  std::string part, model, arm;  // arm: what stands for BatchNorm
  std::int64_t normalization_batch = 0;
  bool layer_by_architecture = false;
  Interval difference;
};

// What one rule costs less another, with Holm's correction over all pairs.
struct RulePair {
  std::string a, b;
  MeasuredContrast contrast;
};

// Where a rule costs most, at the mean over seeds.
struct Worst {
  double regret = 0;
  std::size_t situation = 0;  // index of a case
};

struct Recommendation {
  std::vector<Case> cases;                             // all situations; without differences while trials are missing
  std::vector<Choice> choices;                         // what to use where
  std::vector<RulePair> pairs;                         // of the rules that need no study
  std::int64_t judged = 0, abstained = 0;              // of the recommender: two judgements a situation
  std::map<std::string, std::vector<double>> regrets;  // of each rule, one a seed; empty while trials are missing
  std::map<std::string, Worst> worst;                  // of each rule
};

// "by the architecture alone".
std::string rule_words(const std::string& rule);

Recommendation recommend(const Plan& plan, double margin);

// "Regret in points ...; the recommender abstains in 4 of 20 judgements.", of recommendation_json().
std::string recommendation_text(const nlohmann::json& recommendation);

// "recommender" of a claim in the results document.
nlohmann::json recommendation_json(const Recommendation& recommendation);

}  // namespace norma::lab
