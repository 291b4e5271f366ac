#include "lab/results/best.h"

#include <algorithm>

namespace norma::lab {
namespace {

using nlohmann::json;

bool shown_worse(std::size_t cell, std::size_t than, const std::vector<Contrast>& contrasts) {
  return std::any_of(contrasts.begin(), contrasts.end(), [&](const Contrast& contrast) {
    return (contrast.a == cell && contrast.b == than && contrast.outcome == Outcome::kBBetter) ||
           (contrast.b == cell && contrast.a == than && contrast.outcome == Outcome::kABetter);
  });
}

}  // namespace

json best_section(const StudySpec& spec, const std::vector<Cell>& cells, const std::vector<Contrast>& contrasts,
                  const std::vector<std::optional<Interval>>& errors) {
  json section = json::array();
  const std::vector<std::int64_t> any{0};
  for (std::size_t model = 0; model < spec.models.size(); ++model) {
    for (const std::int64_t batch : spec.normalization_batches.empty() ? any : spec.normalization_batches) {
      std::vector<std::size_t> column;
      for (std::size_t c = 0; c < cells.size(); ++c) {
        const std::int64_t own = cells[c].normalization_batch;
        if (cells[c].model == model && (own == 0 || own == batch) && errors[c]) column.push_back(c);
      }
      if (column.empty()) continue;
      const std::size_t lowest = *std::min_element(column.begin(), column.end(), [&](std::size_t a, std::size_t b) {
        return errors[a]->mean < errors[b]->mean;
      });
      json arms = json::array();
      for (const std::size_t c : column) {
        if (!shown_worse(c, lowest, contrasts)) arms.push_back(cells[c].arm);
      }
      if (arms.size() == column.size()) arms.clear();
      section.push_back({{"model", spec.models[model].spec.name},
                         {"normalization_batch", batch > 0 ? json(batch) : json(nullptr)},
                         {"lowest", cells[lowest].arm},
                         {"arms", std::move(arms)}});
    }
  }
  return section;
}

}  // namespace norma::lab
