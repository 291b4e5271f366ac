// Claim 10: is the architecture enough to choose by? A recommender that knows more, made from the study's own cells and
// tried where it has not been: on data sets and architectures that are left out in turn.
//
// A situation is a model of a part at one normalization batch that has both LayerNorm and a BatchNorm arm. In each, a
// rule chooses one of the two, and its regret is the test error of what it chose less that of what was better over all
// seeds (the oracle's choice). The rules:
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

#include "lab/study/plan.h"

namespace norma::lab {

struct Recommendation {
  std::int64_t situations = 0;
  std::int64_t judged = 0, abstained = 0;              // of the recommender: two judgements a situation
  std::map<std::string, std::vector<double>> regrets;  // of each rule, one a seed; empty while trials are missing
};

Recommendation recommend(const Plan& plan, double margin);

// "Regret in points ...; the recommender abstains in 4 of 20 judgements.", of recommendation_json().
std::string recommendation_text(const nlohmann::json& recommendation);

// "recommender" of a claim in the results document.
nlohmann::json recommendation_json(const Recommendation& recommendation);

}  // namespace norma::lab
