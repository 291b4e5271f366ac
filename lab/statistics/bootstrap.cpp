#include "lab/statistics/bootstrap.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "lab/data/random.h"

namespace norma::lab {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

struct Moments {
  double mean = 0, standard_error = 0;
};

// How often each of `weights.size()` things was drawn, in as many draws. Two draws a random number: 32 bits are
// plenty for a choice among at most millions.
void draw(Random& random, std::vector<std::int16_t>& weights) {
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

// Mean and standard error of a grid whose seeds and items count as often as their weights say. Items that are 0 for
// every seed (nobody is ever wrong on most of them) add nothing to any sum, so they are left out of the grid.
class Grid {
 public:
  explicit Grid(const SeedItems& sample) : seeds_(sample.seeds), items_(sample.items) {
    const auto n = static_cast<std::size_t>(seeds_), m = static_cast<std::size_t>(items_);
    for (std::size_t i = 0; i < m; ++i) {
      bool any = false;
      for (std::size_t s = 0; s < n; ++s) any = any || sample.values[s * m + i] != 0;
      if (any) kept_.push_back(i);
    }
    for (std::size_t s = 0; s < n; ++s) {
      for (const std::size_t i : kept_) values_.push_back(sample.values[s * m + i]);
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
    std::int64_t column_squares = 0;
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      column_squares += std::int64_t{weights_[i]} * (std::int64_t{column_[i]} * column_[i]);
    }
    const double rows = n > 1 ? std::max(0.0, row_squares - n * mean * mean) / (n - 1) / n : 0;
    const double columns =
        m > 1 ? std::max(0.0, static_cast<double>(column_squares) / (n * n) - m * mean * mean) / (m - 1) / m : 0;
    return {mean, std::sqrt(rows + columns)};
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

  std::int64_t seeds_, items_;
  std::vector<std::size_t> kept_;      // items
  std::vector<std::int16_t> values_;   // seeds x kept items
  std::vector<std::int16_t> weights_;  // of the kept items
  std::vector<std::int32_t> column_;
};

double quantile(const std::vector<double>& sorted, double p) {
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double a = sorted[below], b = sorted[below + 1];
  return a == b ? a : a + (at - static_cast<double>(below)) * (b - a);  // a == b also where both are infinite
}

// A resample without any spread says nothing about the scale: it counts as infinitely far out.
double studentized(double difference, double standard_error) {
  if (standard_error > 0) return difference / standard_error;
  return difference == 0 ? 0 : std::copysign(std::numeric_limits<double>::infinity(), difference);
}

Interval from_resamples(Moments moments, std::vector<double>& t, double level) {
  if (!(moments.standard_error > 0)) return {moments.mean, moments.mean, moments.mean};
  std::sort(t.begin(), t.end());
  const double tail = (1 - level) / 2;
  const double least = quantile(t, tail), most = quantile(t, 1 - tail);
  return {moments.mean, moments.mean - most * moments.standard_error, moments.mean - least * moments.standard_error};
}

}  // namespace

std::vector<Interval> intervals(std::span<const SeedItems> samples, const BootstrapOptions& options) {
  if (samples.empty()) return {};
  const auto items = static_cast<std::size_t>(samples.front().items);
  std::vector<Grid> grids;
  std::vector<Moments> whole;
  std::vector<std::vector<double>> t(samples.size());
  std::vector<std::vector<std::int16_t>> seed_weights;
  std::vector<std::int16_t> item_weights(items, 1);
  for (const SeedItems& sample : samples) {
    assert(sample.items == samples.front().items && sample.seeds >= 1);
    grids.emplace_back(sample);
    seed_weights.emplace_back(static_cast<std::size_t>(sample.seeds), std::int16_t{1});
    whole.push_back(grids.back().moments(seed_weights.back(), item_weights));
  }
  Random random(options.seed);
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    draw(random, item_weights);
    for (std::size_t k = 0; k < samples.size(); ++k) {
      if (samples[k].seeds < 2) continue;
      draw(random, seed_weights[k]);
      const Moments resample = grids[k].moments(seed_weights[k], item_weights);
      t[k].push_back(studentized(resample.mean - whole[k].mean, resample.standard_error));
    }
  }
  std::vector<Interval> found;
  for (std::size_t k = 0; k < samples.size(); ++k) {
    found.push_back(samples[k].seeds < 2 ? Interval{whole[k].mean, kNone, kNone}
                                         : from_resamples(whole[k], t[k], options.level));
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
    return {mean, n > 1 ? std::sqrt(squares / (n - 1) / n) : 0};
  };
  const Moments whole = moments();
  if (values.empty() || !std::isfinite(whole.mean)) return {kNone, kNone, kNone};
  if (values.size() < 2) return {whole.mean, kNone, kNone};
  // Without this the rounding of the mean would pass for spread.
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least == *most) return {*least, *least, *least};
  std::vector<double> t;
  Random random(options.seed);
  for (std::int64_t r = 0; r < options.resamples; ++r) {
    draw(random, weights);
    const Moments resample = moments();
    t.push_back(studentized(resample.mean - whole.mean, resample.standard_error));
  }
  const Interval found = from_resamples(whole, t, options.level);
  // Two or three seeds: too many resamples have no spread to say where the tails are.
  if (!std::isfinite(found.low) || !std::isfinite(found.high)) return {whole.mean, kNone, kNone};
  return found;
}

}  // namespace norma::lab
