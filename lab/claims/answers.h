// The answers of a study to its claims: "claims" of the results document.
#pragma once

#include <nlohmann/json.hpp>

#include "lab/study/plan.h"

namespace norma::lab {

// One row a claim (docs/results.md). Holm's correction runs over the primary contrasts of all claims, one that is not
// measured yet counting with p = 1, and apart from them over each claim's qualifiers.
nlohmann::json claims_section(const Plan& plan);

// "Of 10 claims 3 are supported, 5 qualified, 1 contradicted and 1 inconclusive."
std::string claims_headline(const nlohmann::json& claims);

}  // namespace norma::lab
