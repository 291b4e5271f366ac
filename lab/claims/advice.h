// What a study with claims recommends, in words that follow from its stored numbers.
#pragma once

#include <nlohmann/json.hpp>

namespace norma::lab {

// {"headline", "why", "sure", "sentences"} of the claims of a results document. Where a claim tried rules of choice
// (lab/claims/recommend.h), the headline names the one of the lowest regret, and with it those that are not shown to
// cost more; `sure` says by how much they differ. Otherwise the headline counts the verdicts.
nlohmann::json advice(const nlohmann::json& claims, bool complete);

}  // namespace norma::lab
