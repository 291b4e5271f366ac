// What a claim's measure comes to in every cell, arm by arm: the two sides of its contrast before they are subtracted.
#pragma once

#include <nlohmann/json.hpp>

#include "lab/claims/claim.h"
#include "lab/study/plan.h"

namespace norma::lab {

// Of each cell in the claim's parts that has the primary contrast's measure, its mean over seeds with a 95% interval
// over them, or its median where a value is infinite. Null for the test error, which every cell has anyway.
nlohmann::json by_cell_json(const Plan& plan, const ClaimSpec& claim, const ClaimContrast& primary);

}  // namespace norma::lab
