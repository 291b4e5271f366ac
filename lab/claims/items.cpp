// Contrasts as weighted sums of cells, and as grids of seeds x test items.
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>

#include "lab/claims/terms.h"
#include "lab/claims/values.h"
#include "lab/results/cells.h"

namespace norma::lab {
namespace {

// The least-squares slope on log2(normalization batch) as weights of the cells; none where there is one cell only.
std::vector<double> slope_weights(const std::vector<const Cell*>& cells) {
  std::vector<double> x, weights(cells.size(), 0);
  for (const Cell* cell : cells) {
    x.push_back(std::log2(static_cast<double>(std::max<std::int64_t>(1, cell->normalization_batch))));
  }
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  double squares = 0;
  for (const double value : x) squares += (value - mean) * (value - mean);
  if (squares == 0) return weights;
  for (std::size_t i = 0; i < x.size(); ++i) weights[i] = (x[i] - mean) / squares;
  return weights;
}

// A factor that makes all weights whole; 0 if there is no small one.
std::int64_t whole_factor(const std::vector<Term>& terms) {
  constexpr std::int64_t kMost = 4000;
  for (std::int64_t factor = 1; factor <= kMost; ++factor) {
    double total = 0;
    const bool whole = std::all_of(terms.begin(), terms.end(), [&](const Term& term) {
      const double value = term.weight * static_cast<double>(factor);
      total += std::abs(value);
      return std::abs(value - std::round(value)) < 1e-9;
    });
    if (whole && total <= std::numeric_limits<std::int16_t>::max()) return factor;
  }
  return 0;
}

// The test items of a part, as far as two parts may share them: how a sample is looked at is not in it.
std::string test_of(const Plan& plan, const Cell& cell) {
  const DataSpec& data = plan.study().parts[cell.part].data;
  return nlohmann::json{data.source, data.checksum, data.split_seed, data.test}.dump();
}

// One set of test items among those that a contrast takes.
struct Stratum {
  std::string test;
  std::int64_t items = 0;
};

std::vector<Stratum> strata_of(const Plan& plan, const std::vector<Term>& terms) {
  std::vector<Stratum> strata;
  for (const Term& term : terms) {
    const std::string test = test_of(plan, *term.cell);
    const bool known = std::any_of(strata.begin(), strata.end(), [&](const Stratum& s) { return s.test == test; });
    if (!known) strata.push_back({test, plan.study().parts[term.cell->part].data.test});
  }
  return strata;
}

}  // namespace

std::vector<Term> terms_of(const std::vector<Spot>& spots, Reduce reduce) {
  std::vector<Term> terms;
  for (const Spot& spot : spots) {
    const auto count = static_cast<double>(spot.cells.size());
    const std::vector<double> weights =
        reduce == Reduce::kSlope ? slope_weights(spot.cells) : std::vector<double>(spot.cells.size(), 1 / count);
    for (std::size_t i = 0; i < spot.cells.size(); ++i) {
      terms.push_back({spot.cells[i], weights[i] / static_cast<double>(spots.size())});
    }
  }
  return terms;
}

std::optional<ScaledItems> difference_items(const Plan& plan, const std::vector<Spot>& a, const std::vector<Spot>& b,
                                            const ClaimContrast& contrast) {
  if (contrast.measure != "test_error" || contrast.reduce == Reduce::kWorst) return std::nullopt;
  std::vector<Term> terms = terms_of(a, contrast.reduce);
  for (Term term : terms_of(b, contrast.reduce)) {
    term.weight = -term.weight;
    terms.push_back(term);
  }
  const std::vector<Stratum> strata = strata_of(plan, terms);
  std::int64_t all = 0;
  for (const Stratum& stratum : strata) all += stratum.items;
  // The mean over the items of all strata shall be the sum of the means over each.
  std::vector<std::size_t> first(terms.size(), 0);
  for (std::size_t t = 0; t < terms.size(); ++t) {
    const std::string test = test_of(plan, *terms[t].cell);
    std::size_t stratum = 0;
    for (; strata[stratum].test != test; ++stratum) first[t] += static_cast<std::size_t>(strata[stratum].items);
    terms[t].weight *= static_cast<double>(all) / static_cast<double>(strata[stratum].items);
  }
  const std::int64_t factor = whole_factor(terms);
  if (terms.empty() || factor == 0) return std::nullopt;
  ScaledItems found;
  found.scale = 1 / static_cast<double>(factor);
  found.items.items = all;
  for (const Stratum& stratum : strata) found.items.strata.push_back(stratum.items);
  found.items.most = 0;
  for (const Term& term : terms) {
    const auto weight = static_cast<int>(std::lround(term.weight * static_cast<double>(factor)));
    (weight > 0 ? found.items.most : found.items.least) += weight;
  }
  std::size_t seeds = terms.front().cell->final.size();
  for (const Term& term : terms) seeds = std::min(seeds, term.cell->final.size());
  for (std::size_t seed = 0; seed < seeds; ++seed) {
    const bool whole =
        std::all_of(terms.begin(), terms.end(), [&](const Term& term) { return term.cell->final[seed].has_value(); });
    if (!whole) continue;
    std::vector<std::int16_t> row(static_cast<std::size_t>(all), 0);
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const auto weight = static_cast<std::int16_t>(std::lround(terms[t].weight * static_cast<double>(factor)));
      const auto wrong = wrong_items(*terms[t].cell->final[seed], plan.study().parts[terms[t].cell->part].data.test);
      for (std::size_t i = 0; i < wrong.size(); ++i) {
        auto& value = row[first[t] + i];
        value = static_cast<std::int16_t>(value + weight * wrong[i]);
      }
    }
    found.items.values.insert(found.items.values.end(), row.begin(), row.end());
    ++found.items.seeds;
  }
  return found;
}

}  // namespace norma::lab
