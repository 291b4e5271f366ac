#include "lab/results/contrasts.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "lab/models/arm_list.h"
#include "lab/results/cells.h"
#include "lab/statistics/paired.h"

namespace norma::lab {
namespace {

using nlohmann::json;

bool uses_batch(const std::string& arm) {
  return find_arm(arm)->uses_batch;
}

std::size_t cell_at(const std::vector<Cell>& cells, std::size_t model, const std::string& arm, std::int64_t batch) {
  const std::int64_t wanted = uses_batch(arm) ? batch : 0;
  const auto found = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return cell.model == model && cell.arm == arm && cell.normalization_batch == wanted;
  });
  if (found == cells.end()) throw std::logic_error("a contrast of cells that are not there");
  return static_cast<std::size_t>(found - cells.begin());
}

std::vector<Contrast> primary_of(const StudySpec& spec, const std::vector<Cell>& cells) {
  std::vector<Contrast> found;
  for (const StudyContrast& contrast : spec.contrasts) {
    for (const std::string& name : contrast.models) {
      const auto model = static_cast<std::size_t>(
          std::find_if(spec.models.begin(), spec.models.end(), [&](const auto& m) { return m.spec.name == name; }) -
          spec.models.begin());
      const std::vector<std::int64_t> neither{0};
      for (const std::int64_t batch :
           contrast.normalization_batches.empty() ? neither : contrast.normalization_batches) {
        Contrast one;
        one.primary = true;
        one.a = cell_at(cells, model, contrast.a, batch);
        one.b = cell_at(cells, model, contrast.b, batch);
        one.normalization_batch = batch;
        found.push_back(one);
      }
    }
  }
  return found;
}

// All other pairs of arms on a model; the one that shares over the batch, or else the later one, is a.
void append_secondary(const std::vector<Cell>& cells, std::vector<Contrast>& contrasts) {
  const std::size_t primaries = contrasts.size();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::int64_t of_i = cells[i].normalization_batch, of_j = cells[j].normalization_batch;
      if (cells[i].model != cells[j].model || cells[i].arm == cells[j].arm) continue;
      if (of_i != 0 && of_j != 0 && of_i != of_j) continue;
      const bool taken =
          std::any_of(contrasts.begin(), contrasts.begin() + static_cast<std::ptrdiff_t>(primaries),
                      [&](const Contrast& c) { return (c.a == i && c.b == j) || (c.a == j && c.b == i); });
      if (taken) continue;
      Contrast one;
      const bool j_first = of_j != 0 && of_i == 0;
      one.a = j_first ? j : i;
      one.b = j_first ? i : j;
      one.normalization_batch = std::max(of_i, of_j);
      contrasts.push_back(one);
    }
  }
}

void measure(std::vector<Contrast>& contrasts, const std::vector<Cell>& cells, std::int64_t items) {
  std::vector<SeedItems> samples;
  std::vector<Contrast*> owners;
  for (Contrast& contrast : contrasts) {
    PairedItems pair = paired(cells[contrast.a], cells[contrast.b], items);
    contrast.seeds = pair.items.seeds;
    if (contrast.seeds == 0) continue;
    contrast.effect_size = effect_size(pair.differences);
    contrast.p_a_better = probability_a_better(pair.differences);
    contrast.p = sign_flip_p(pair.differences);
    samples.push_back(std::move(pair.items));
    owners.push_back(&contrast);
  }
  const std::vector<Interval> found = intervals(samples);
  for (std::size_t i = 0; i < owners.size(); ++i) owners[i]->difference = found[i];
}

template <class InFamily>
void correct(std::vector<Contrast>& contrasts, InFamily in_family) {
  std::vector<double> p;
  for (const Contrast& contrast : contrasts) {
    if (in_family(contrast)) p.push_back(std::max(contrast.p, contrast.difference.p));
  }
  const std::vector<double> corrected = holm(p);
  auto next = corrected.begin();
  for (Contrast& contrast : contrasts) {
    if (!in_family(contrast)) continue;
    contrast.p_holm = *next++;
    contrast.outcome = outcome_of(contrast.difference, contrast.p_holm, contrast.seeds);
  }
}

json side(const Cell& cell) {
  return {{"arm", cell.arm},
          {"normalization_batch", cell.normalization_batch > 0 ? json(cell.normalization_batch) : json(nullptr)}};
}

}  // namespace

std::vector<Contrast> contrasts_of(const StudySpec& spec, const std::vector<Cell>& cells, bool secondary) {
  std::vector<Contrast> contrasts = primary_of(spec, cells);
  if (secondary) append_secondary(cells, contrasts);
  measure(contrasts, cells, spec.data.test);
  correct(contrasts, [](const Contrast& contrast) { return contrast.primary; });
  for (std::size_t model = 0; model < spec.models.size(); ++model) {
    correct(contrasts, [&](const Contrast& contrast) { return !contrast.primary && cells[contrast.a].model == model; });
  }
  return contrasts;
}

json contrasts_section(const StudySpec& spec, const std::vector<Cell>& cells, const std::vector<Contrast>& contrasts) {
  json section = json::array();
  for (const Contrast& contrast : contrasts) {
    const bool measured = contrast.seeds > 0;
    const auto value = [&](double x) { return measured ? number(x) : json(nullptr); };
    section.push_back({{"primary", contrast.primary},
                       {"model", spec.models[cells[contrast.a].model].spec.name},
                       {"a", side(cells[contrast.a])},
                       {"b", side(cells[contrast.b])},
                       {"difference", measured ? interval_json(contrast.difference, -1, 1) : json(nullptr)},
                       {"effect_size", value(contrast.effect_size)},
                       {"p_a_better", value(contrast.p_a_better)},
                       {"n", contrast.seeds},
                       {"p", value(contrast.p)},
                       {"p_items", value(contrast.difference.p)},
                       {"p_holm", value(contrast.p_holm)},
                       {"outcome", outcome_name(contrast.outcome)}});
  }
  return section;
}

std::vector<Finding> findings_of(const StudySpec& spec, const std::vector<Cell>& cells,
                                 const std::vector<Contrast>& contrasts,
                                 const std::vector<std::optional<Interval>>& errors) {
  std::vector<Finding> findings;
  for (const Contrast& contrast : contrasts) {
    if (!contrast.primary) continue;
    const ModelSpec& model = spec.models[cells[contrast.a].model].spec;
    const auto alike = std::count_if(spec.models.begin(), spec.models.end(),
                                     [&](const auto& other) { return other.spec.kind == model.kind; });
    Finding finding;
    const std::string label = model_label(model, 0, 0);
    finding.model = label.substr(0, label.find(' '));
    if (alike > 1) finding.model += fmt::format(" '{}'", model.name);
    finding.a = find_arm(cells[contrast.a].arm)->label;
    finding.b = find_arm(cells[contrast.b].arm)->label;
    finding.normalization_batch = contrast.normalization_batch;
    finding.error_a = errors[contrast.a].value_or(Interval{});
    finding.error_b = errors[contrast.b].value_or(Interval{});
    finding.outcome = contrast.outcome;
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace norma::lab
