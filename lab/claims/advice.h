// What a study with claims recommends, in words that follow from its stored numbers.
#pragma once

#include <nlohmann/json.hpp>

namespace norma::lab {

// {"headline", "why", "sure", "sentences"} of the claims of a results document. Where a claim tried rules of choice
// (lab/claims/recommend.h), the headline says what to use where (lab/claims/choices.h); `why` how far apart the two are
// there, `sure` how sure that is; the sentences what a rule without exceptions costs, and at worst. Of a single
// other claim the headline is its verdict; otherwise it counts the verdicts.
nlohmann::json advice(const nlohmann::json& claims, bool complete);

}  // namespace norma::lab
