// A study with a claim, of trials that are made up.
#pragma once

#include <functional>
#include <string>

#include "lab/claims/answers.h"
#include "made_up_trials.h"

namespace norma::lab {

inline const std::string kClaimStudy = R"(name = "made-up"
arms = ["none", "batch", "layer"]
normalization_batches = [2, 8]
seeds = 10
)" + kDataAndTraining + R"([tuning]
learning_rates = [0.01, 0.1]
seeds = 10
widen = 0
[[model]]
kind = "mlp"
depth = 1
width = 16
[claim]
number = 3
says = "Words."
expects = "Other words."
expected_verdict = "qualified"
)";

inline Study claim_study(const std::string& claim) {
  return parse_study({"made-up.toml", kClaimStudy + claim, ""});
}

inline nlohmann::json answer(const std::string& claim,
                             const std::function<void(const TrialSpec&, TrialResult&)>& outcome) {
  return claims_section(trained(claim_study(claim), outcome)).at(0);
}

}  // namespace norma::lab
