// Which arms a table marks: one rule for the terminal, the document and the page.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "lab/results/contrasts.h"

namespace norma::lab {

// "best" of the results document. Of each model and normalization batch (a column of the table, in which an arm that
// does not share over the batch stands with its one cell): the arm with the lowest error, and the best ones, which are
// that and all that are not shown to be worse. Where no arm is shown to be worse, none is marked as best.
nlohmann::json best_section(const StudySpec& spec, const std::vector<Cell>& cells,
                            const std::vector<Contrast>& contrasts, const std::vector<std::optional<Interval>>& errors);

}  // namespace norma::lab
