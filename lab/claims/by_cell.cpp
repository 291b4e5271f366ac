#include "lab/claims/by_cell.h"

#include <algorithm>
#include <cmath>

#include "lab/claims/measure.h"
#include "lab/claims/units.h"
#include "lab/claims/values.h"

namespace norma::lab {

using nlohmann::json;

json by_cell_json(const Plan& plan, const ClaimSpec& claim, const ClaimContrast& primary) {
  if (primary.measure == "test_error") return nullptr;
  ClaimContrast of_cell = primary;
  of_cell.reduce = Reduce::kMean;  // one cell is neither a slope nor the worst of several
  const Unit unit = unit_of(of_cell);
  json cells = json::array();
  for (const Cell& cell : plan.cells()) {
    const StudySpec& part = plan.study().parts[cell.part];
    if (std::find(claim.parts.begin(), claim.parts.end(), part.name) == claim.parts.end()) continue;
    std::vector<double> values;
    for (const auto& value : cell_values(plan, cell, of_cell)) {
      if (value) values.push_back(*value);
    }
    if (values.empty()) continue;
    const bool infinite = std::any_of(values.begin(), values.end(), [](double value) { return std::isinf(value); });
    cells.push_back({{"part", part.name},
                     {"model", part.models[cell.model].spec.name},
                     {"arm", cell.arm},
                     {"normalization_batch", cell.normalization_batch > 0 ? json(cell.normalization_batch) : json()},
                     {"value", scaled_json(interval_over_seeds(values), unit.scale)},
                     {"location", infinite ? "median" : "mean"},
                     {"n", values.size()}});
  }
  return {{"measure", unit.name}, {"unit", unit.of}, {"cells", std::move(cells)}};
}

}  // namespace norma::lab
