#include "lab/statistics/bootstrap.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>

#include "lab/data/random.h"
#include "lab/statistics/distributions.h"

namespace norma::lab {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Moments {
  double mean = 0, standard_error = 0;
  double of_seeds = 0, of_items = 0;  // what its square is the sum of
};

// How often each of `weights.size()` things was drawn, in as many draws. Two draws a random number: 32 bits are
// plenty for a choice among at most millions.
void draw(Random& random, std::span<std::int16_t> weights) {
  std::fill(weights.begin(), weights.end(), std::int16_t{0});
  const std::uint64_t count = weights.size();
  std::size_t left = weights.size();
  while (left > 0) {
    const std::uint64_t bits = random.next();
    ++weights[((bits >> 32U) * count) >> 32U];
    if (--left == 0) break;
    ++weights[((bits & 0xffffffffU) * count) >> 32U];
    --left;
  }
}

std::vector<std::int64_t> strata_of(const SeedItems& sample) {
  return sample.strata.empty() ? std::vector{sample.items} : sample.strata;
}

// Mean and standard error of a grid whose seeds and items count as often as their weights say. Items that are 0 for
// every seed (nobody is ever wrong on most of them) add nothing to any sum, so they are left out of the grid.
class Grid {
 public:
  explicit Grid(const SeedItems& sample) : seeds_(sample.seeds), items_(sample.items), strata_(strata_of(sample)) {
    const auto n = static_cast<std::size_t>(seeds_), m = static_cast<std::size_t>(items_);
    std::size_t i = 0;
    for (const std::int64_t size : strata_) {
      for (const std::size_t end = i + static_cast<std::size_t>(size); i < end; ++i) {
        bool any = false;
        for (std::size_t s = 0; s < n; ++s) any = any || sample.values[s * m + i] != 0;
        if (any) kept_.push_back(i);
      }
      kept_ends_.push_back(kept_.size());
    }
    for (std::size_t s = 0; s < n; ++s) {
      for (const std::size_t k : kept_) values_.push_back(sample.values[s * m + k]);
    }
    weights_.resize(kept_.size());
    column_.resize(kept_.size());
  }

  Moments moments(const std::vector<std::int16_t>& seeds, const std::vector<std::int16_t>& items) {
    const auto n = static_cast<double>(seeds_), m = static_cast<double>(items_);
    for (std::size_t i = 0; i < kept_.size(); ++i) weights_[i] = items[kept_[i]];
    std::fill(column_.begin(), column_.end(), 0);
    double total = 0, row_squares = 0;
    for (std::size_t s = 0; s < seeds.size(); ++s) {
      if (seeds[s] == 0) continue;
      const double row = add_row(s, seeds[s]) / m;
      total += seeds[s] * row;
      row_squares += seeds[s] * row * row;
    }
    const double mean = total / n;
    const double rows = n > 1 ? std::max(0.0, row_squares - n * mean * mean) / (n - 1) / n : 0;
    double columns = 0;
    for (std::size_t k = 0; k < strata_.size(); ++k) columns += of_stratum(k) / (m * m);
    return {mean, std::sqrt(rows + columns), rows, columns};
  }

 private:
  // The weighted sum of one seed's items; adds them to the columns.
  std::int32_t add_row(std::size_t s, int weight) {
    const std::int16_t* row = values_.data() + s * weights_.size();
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      sum += weights_[i] * row[i];
      column_[i] += weight * row[i];
    }
    return sum;
  }

  // The variance of the sum over a stratum's items of their means over seeds.
  double of_stratum(std::size_t k) const {
    const auto n = static_cast<double>(seeds_), m = static_cast<double>(strata_[k]);
    if (m < 2) return 0;
    std::int64_t sum = 0, squares = 0;
    for (std::size_t i = k == 0 ? 0 : kept_ends_[k - 1]; i < kept_ends_[k]; ++i) {
      sum += std::int64_t{weights_[i]} * column_[i];
      squares += std::int64_t{weights_[i]} * (std::int64_t{column_[i]} * column_[i]);
    }
    const double mean = static_cast<double>(sum) / n / m;
    return std::max(0.0, static_cast<double>(squares) / (n * n) - m * mean * mean) / (m - 1) * m;
  }

  std::int64_t seeds_, items_;
  std::vector<std::int64_t> strata_;    // items in each
  std::vector<std::size_t> kept_ends_;  // kept items up to the end of each stratum
  std::vector<std::size_t> kept_;       // items
  std::vector<std::int16_t> values_;    // seeds x kept items
  std::vector<std::int16_t> weights_;   // of the kept items
  std::vector<std::int32_t> column_;
};

// Reorders the values.
double quantile(std::vector<double>& values, double p) {
  const double at = p * static_cast<double>(values.size() - 1);
  const auto below = values.begin() + static_cast<std::ptrdiff_t>(at);
  std::nth_element(values.begin(), below, values.end());
  const double a = *below, part = at - static_cast<double>(below - values.begin());
  if (part == 0 || std::isinf(a)) return a;
  const double b = *std::min_element(below + 1, values.end());  // may be infinite
  return a == b ? a : a + part * (b - a);
}

// A resample without any spread says nothing about the scale: it counts as infinitely far out.
double studentized(double difference, double standard_error) {
  if (standard_error > 0) return difference / standard_error;
  return difference == 0 ? 0 : std::copysign(std::numeric_limits<double>::infinity(), difference);
}

// Satterthwaite's, of a standard error whose square is a sum over n seeds and m items.
double degrees_of_freedom(const Moments& moments, const SeedItems& sample) {
  const double sum = moments.of_seeds + moments.of_items;
  return sum * sum /
         (moments.of_seeds * moments.of_seeds / static_cast<double>(sample.seeds - 1) +
          moments.of_items * moments.of_items / static_cast<double>(std::max<std::int64_t>(1, sample.items - 1)));
}

double p_of(const SeedItems& sample, const Moments& moments, const std::vector<double>& t) {
  const double observed = moments.mean / moments.standard_error;
  const auto beyond =
      std::count_if(t.begin(), t.end(), [&](double one) { return observed > 0 ? one >= observed : one <= observed; });
  const double by_resamples = 2 * static_cast<double>(beyond + 1) / static_cast<double>(t.size() + 1);
  return std::min(1.0, std::max(by_resamples, student_p(observed, degrees_of_freedom(moments, sample))));
}

// Reorders t.
Interval from_resamples(const Moments& moments, std::vector<double>& t, double level) {
  const double tail = (1 - level) / 2;
  const double least = quantile(t, tail), most = quantile(t, 1 - tail);
  return {moments.mean, moments.mean - most * moments.standard_error, moments.mean - least * moments.standard_error};
}

// The ends of the two proportions that make up the mean, of the highest value that can be and of the lowest (answers
// that are wrong with a alone, and with b alone), by Clopper and Pearson, where so many units were counted.
Interval by_proportions(const SeedItems& sample, const Moments& moments, double units, double level) {
  double above = 0, below = 0;
  for (const std::int16_t value : sample.values) (value > 0 ? above : below) += value;
  const double share = units / static_cast<double>(sample.values.size()), tail = (1 - level) / 2;
  const auto low = [&](double sum, int whole) {
    return whole == 0 ? 0 : whole * proportion_lower(sum / whole * share, units, tail);
  };
  const auto high = [&](double sum, int whole) {
    return whole == 0 ? 0 : whole * proportion_upper(sum / whole * share, units, tail);
  };
  return {moments.mean, low(above, sample.most) + high(below, sample.least),
          high(above, sample.most) + low(below, sample.least), moments.mean == 0 ? 1.0 : 0.0};
}

// How far out the ends can lie at most: as far as those that count seeds, or those that count items, widened in
// proportion to what lies between seeds; the closer of the two. Without any spread: items where nobody is wrong; seeds
// where all are wrong on everything, since that is how training fails, seed by seed.
Interval widest(const SeedItems& sample, const Moments& moments, double level) {
  const Interval seeds = by_proportions(sample, moments, static_cast<double>(sample.seeds), level);
  const Interval items = by_proportions(sample, moments, static_cast<double>(sample.items), level);
  if (!(moments.standard_error > 0)) return moments.mean == 0 ? items : seeds;
  if (!(moments.of_items > 0)) return seeds;
  const double wider = std::sqrt(1 + moments.of_seeds / moments.of_items);
  return {moments.mean, std::max(seeds.low, moments.mean - wider * (moments.mean - items.low)),
          std::min(seeds.high, moments.mean + wider * (items.high - moments.mean))};
}

Interval interval_of(const SeedItems& sample, const Moments& moments, std::vector<double>& t, double level) {
  if (sample.seeds < 2) return {moments.mean, kNone, kNone};
  const Interval limits = widest(sample, moments, level);
  if (!(moments.standard_error > 0)) return limits;
  Interval found = from_resamples(moments, t, level);
  found.p = p_of(sample, moments, t);
  found.low = std::max(found.low, limits.low);
  found.high = std::min(found.high, limits.high);
  return found;
}

}  // namespace

std::vector<Interval> intervals(std::span<const SeedItems> samples, const BootstrapOptions& options) {
  if (samples.empty()) return {};
  const auto items = static_cast<std::size_t>(samples.front().items);
  const std::vector<std::int64_t> strata = strata_of(samples.front());
  std::vector<Grid> grids;
  std::vector<Moments> whole;
  std::vector<std::vector<double>> t(samples.size());
  std::vector<std::vector<std::int16_t>> seed_weights;
  std::vector<std::int16_t> item_weights(items, 1);
  for (const SeedItems& sample : samples) {
    assert(sample.items == samples.front().items && strata_of(sample) == strata && sample.seeds >= 1);
    grids.emplace_back(sample);
    seed_weights.emplace_back(static_cast<std::size_t>(sample.seeds), std::int16_t{1});
    whole.push_back(grids.back().moments(seed_weights.back(), item_weights));
  }
  Random random(options.seed);
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    auto undrawn = std::span(item_weights);
    for (const std::int64_t size : strata) {
      draw(random, undrawn.first(static_cast<std::size_t>(size)));
      undrawn = undrawn.subspan(static_cast<std::size_t>(size));
    }
    for (std::size_t k = 0; k < samples.size(); ++k) {
      if (samples[k].seeds < 2) continue;
      draw(random, seed_weights[k]);
      const Moments resample = grids[k].moments(seed_weights[k], item_weights);
      t[k].push_back(studentized(resample.mean - whole[k].mean, resample.standard_error));
    }
  }
  std::vector<Interval> found;
  for (std::size_t k = 0; k < samples.size(); ++k) {
    found.push_back(interval_of(samples[k], whole[k], t[k], options.level));
  }
  return found;
}

Interval seed_interval(std::span<const double> values, const BootstrapOptions& options) {
  const auto n = static_cast<double>(values.size());
  std::vector<std::int16_t> weights(values.size(), 1);
  const auto moments = [&]() -> Moments {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
    const double mean = sum / n;
    for (std::size_t i = 0; i < values.size(); ++i) squares += weights[i] * (values[i] - mean) * (values[i] - mean);
    const double square = n > 1 ? squares / (n - 1) / n : 0;
    return {mean, std::sqrt(square), square, 0};
  };
  const Moments whole = moments();
  if (values.empty() || !std::isfinite(whole.mean)) return {kNone, kNone, kNone};
  if (values.size() < 2) return {whole.mean, kNone, kNone};
  // Without this the rounding of the mean would pass for spread, of all values and of a resample that drew one alone.
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least == *most) return {*least, *least, *least};
  const double rounding = std::max(1e-12 * (*most - *least), 1e-15 * std::max(std::abs(*least), std::abs(*most)));
  std::vector<double> t;
  Random random(options.seed);
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    draw(random, weights);
    const Moments resample = moments();
    const double spread = resample.standard_error > rounding ? resample.standard_error : 0;
    t.push_back(studentized(resample.mean - whole.mean, spread));
  }
  const Interval found = from_resamples(whole, t, options.level);
  // Two or three seeds: too many resamples have no spread to say where the tails are.
  if (!std::isfinite(found.low) || !std::isfinite(found.high)) return {whole.mean, kNone, kNone};
  return found;
}

}  // namespace norma::lab
