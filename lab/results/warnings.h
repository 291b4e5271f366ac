// What a reader must know before he believes a result: in the document's list of warnings, and the gravest of them in
// the headline itself.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "lab/results/contrasts.h"
#include "lab/results/verdict.h"
#include "lab/study/plan.h"

namespace norma::lab {

// "warnings" of the results document; `run` is its section of that name.
nlohmann::json warnings_section(const Plan& plan, const nlohmann::json& run);

// Takes into the headline of a part what makes it weak: nearly all trials lost and too few seeds to show
// anything go first, learning rates of the primary contrasts at the edge of their grid behind.
void add_caveats(const StudySpec& spec, const std::vector<Cell>& cells, const std::vector<Contrast>& contrasts,
                 Verdict& verdict);

}  // namespace norma::lab
