#include "lab/statistics/bootstrap.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <tuple>

#include "lab/data/random.h"
#include "lab/statistics/blocks.h"
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

// Numbers that draw() takes.
std::uint64_t draw_steps(std::int64_t count) {
  return static_cast<std::uint64_t>((count + 1) / 2);
}

std::vector<std::int64_t> strata_of(const SeedItems& sample) {
  return sample.strata.empty() ? std::vector{sample.items} : sample.strata;
}

// The sums behind a grid's moments. All of whole numbers, so that their order is free, and of 16 bits a number, of
// which the processor takes eight and more at a time.

// The weighted sum of one seed's items; adds them to the columns.
std::int32_t add_row(const std::int16_t* row, const std::int16_t* items, std::size_t count, std::int16_t weight,
                     std::int16_t* column) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += std::int32_t{items[i]} * std::int32_t{row[i]};
    column[i] = static_cast<std::int16_t>(column[i] + weight * row[i]);
  }
  return sum;
}

struct Sums {
  std::int64_t sum = 0, squares = 0;
};

// Of the columns, each as often as its item was drawn.
Sums wide_sums(const std::int16_t* column, const std::int16_t* items, std::size_t count) {
  Sums found;
  for (std::size_t i = 0; i < count; ++i) {
    found.sum += std::int64_t{items[i]} * column[i];
    found.squares += std::int64_t{items[i]} * (std::int64_t{column[i]} * column[i]);
  }
  return found;
}

// The same, where a product of weight and column fits into 16 bits and the sums into 32.
Sums narrow_sums(const std::int16_t* column, const std::int16_t* items, std::size_t count) {
  std::int32_t sum = 0, squares = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto weighted = static_cast<std::int16_t>(items[i] * column[i]);
    sum += weighted;
    squares += std::int32_t{weighted} * std::int32_t{column[i]};
  }
  return {sum, squares};
}

// Mean and standard error of a grid whose seeds and items count as often as their weights say. Items that are 0 for
// every seed (nobody is ever wrong on most of them) add nothing to any sum, so they are left out of the grid.
class Grid {
 public:
  // What a resample is worked out in: one of these for each thread.
  struct Scratch {
    std::vector<std::int16_t> weights, column;  // of the kept items
  };

  explicit Grid(const SeedItems& sample) : seeds_(sample.seeds), items_(sample.items), strata_(strata_of(sample)) {
    const auto n = static_cast<std::size_t>(seeds_), m = static_cast<std::size_t>(items_);
    std::uint32_t i = 0;
    for (const std::int64_t size : strata_) {
      for (const auto end = i + static_cast<std::uint32_t>(size); i < end; ++i) {
        bool any = false;
        for (std::size_t s = 0; s < n; ++s) any = any || sample.values[s * m + i] != 0;
        if (any) kept_.push_back(i);
      }
      kept_ends_.push_back(kept_.size());
    }
    for (std::size_t s = 0; s < n; ++s) {
      for (const std::uint32_t k : kept_) {
        values_.push_back(sample.values[s * m + k]);
        largest_ = std::max(largest_, std::int64_t{std::abs(values_.back())});
      }
    }
    largest_ *= seeds_;
    if (largest_ > std::numeric_limits<std::int16_t>::max()) throw std::length_error("too many seeds to resample");
  }

  // `most`: the largest of the items' weights.
  Moments moments(const std::vector<std::int16_t>& seeds, const std::vector<std::int16_t>& items, std::int16_t most,
                  Scratch& scratch) const {
    const auto n = static_cast<double>(seeds_), m = static_cast<double>(items_);
    scratch.weights.resize(kept_.size());
    for (std::size_t i = 0; i < kept_.size(); ++i) scratch.weights[i] = items[kept_[i]];
    scratch.column.assign(kept_.size(), 0);
    double total = 0, row_squares = 0;
    for (std::size_t s = 0; s < seeds.size(); ++s) {
      if (seeds[s] == 0) continue;
      const std::int32_t sum = add_row(values_.data() + s * kept_.size(), scratch.weights.data(), kept_.size(),
                                       seeds[s], scratch.column.data());
      const double row = sum / m;
      total += seeds[s] * row;
      row_squares += seeds[s] * row * row;
    }
    const double mean = total / n;
    const double rows = n > 1 ? std::max(0.0, row_squares - n * mean * mean) / (n - 1) / n : 0;
    double columns = 0;
    for (std::size_t k = 0; k < strata_.size(); ++k) columns += of_stratum(k, most, scratch) / (m * m);
    return {mean, std::sqrt(rows + columns), rows, columns};
  }

 private:
  // The variance of the sum over a stratum's items of their means over seeds.
  double of_stratum(std::size_t k, std::int16_t most, const Scratch& scratch) const {
    const auto n = static_cast<double>(seeds_), m = static_cast<double>(strata_[k]);
    if (m < 2) return 0;
    const std::size_t first = k == 0 ? 0 : kept_ends_[k - 1], count = kept_ends_[k] - first;
    const bool narrow = most * largest_ <= std::numeric_limits<std::int16_t>::max() &&
                        m * static_cast<double>(largest_ * largest_) < std::numeric_limits<std::int32_t>::max();
    const auto sums = narrow ? narrow_sums : wide_sums;
    const auto [sum, squares] = sums(scratch.column.data() + first, scratch.weights.data() + first, count);
    const double mean = static_cast<double>(sum) / n / m;
    return std::max(0.0, static_cast<double>(squares) / (n * n) - m * mean * mean) / (m - 1) * m;
  }

  std::int64_t seeds_, items_, largest_ = 0;  // largest: that a column can be
  std::vector<std::int64_t> strata_;          // items in each
  std::vector<std::size_t> kept_ends_;        // kept items up to the end of each stratum
  std::vector<std::uint32_t> kept_;           // items
  std::vector<std::int16_t> values_;          // seeds x kept items
};

// Reorders the values.
double quantile(std::vector<double>& values, double p) {
  const double at = p * static_cast<double>(values.size() - 1);
  const auto below = values.begin() + static_cast<std::ptrdiff_t>(at);
  const double part = at - static_cast<double>(below - values.begin());
  double a = 0, b = 0;        // the values around it; b may be infinite
  if (part > 0 && p < 0.5) {  // the neighbour is sought on the side where fewer are
    std::nth_element(values.begin(), below + 1, values.end());
    a = *std::max_element(values.begin(), below + 1);
    b = below[1];
  } else {
    std::nth_element(values.begin(), below, values.end());
    a = *below;
    b = part > 0 ? *std::min_element(below + 1, values.end()) : a;
  }
  if (part == 0 || std::isinf(a) || a == b) return a;
  return a + part * (b - a);
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
  std::uint64_t steps = 0;  // of the generator, for one resample
  for (const std::int64_t size : strata) steps += draw_steps(size);
  for (std::size_t k = 0; k < samples.size(); ++k) {
    const SeedItems& sample = samples[k];
    assert(sample.items == samples.front().items && strata_of(sample) == strata && sample.seeds >= 1);
    grids.emplace_back(sample);
    Grid::Scratch scratch;
    const std::vector<std::int16_t> once(static_cast<std::size_t>(sample.seeds), 1);
    whole.push_back(grids.back().moments(once, std::vector<std::int16_t>(items, 1), 1, scratch));
    if (sample.seeds < 2) continue;
    t[k].resize(static_cast<std::size_t>(options.resamples));
    steps += draw_steps(sample.seeds);
  }
  // Each block of resamples goes on where the ones before it leave the one generator.
  in_blocks(options.resamples, [&](std::int64_t first, std::int64_t end) {
    Random random(options.seed);
    random.skip(steps * static_cast<std::uint64_t>(first));
    std::vector<std::int16_t> item_weights(items), seed_weights;
    Grid::Scratch scratch;
    for (std::int64_t r = first; r < end; ++r) {
      auto undrawn = std::span(item_weights);
      for (const std::int64_t size : strata) {
        draw(random, undrawn.first(static_cast<std::size_t>(size)));
        undrawn = undrawn.subspan(static_cast<std::size_t>(size));
      }
      const std::int16_t most = *std::max_element(item_weights.begin(), item_weights.end());
      for (std::size_t k = 0; k < samples.size(); ++k) {
        if (samples[k].seeds < 2) continue;
        seed_weights.resize(static_cast<std::size_t>(samples[k].seeds));
        draw(random, seed_weights);
        const Moments resample = grids[k].moments(seed_weights, item_weights, most, scratch);
        t[k][static_cast<std::size_t>(r)] = studentized(resample.mean - whole[k].mean, resample.standard_error);
      }
    }
  });
  std::vector<Interval> found(samples.size());
  in_blocks(static_cast<std::int64_t>(samples.size()), [&](std::int64_t first, std::int64_t end) {
    for (auto k = static_cast<std::size_t>(first); k < static_cast<std::size_t>(end); ++k) {
      found[k] = interval_of(samples[k], whole[k], t[k], options.level);
    }
  });
  return found;
}

namespace {

// How often each of n values is drawn, for many resamples: the same for all that have as many values, so they are drawn
// once. By blocks of kBlock resamples; within one, value by value, the resamples side by side.
class SeedDraws {
 public:
  static constexpr std::size_t kBlock = 16;

  SeedDraws(std::size_t values, const BootstrapOptions& options) : values_(values) {
    const auto resamples = static_cast<std::size_t>(options.resamples);
    weights_.resize((resamples + kBlock - 1) / kBlock * kBlock * values);
    std::vector<std::int16_t> weights(values);
    Random random(options.seed);
    for (std::size_t r = 0; r < resamples; ++r) {
      draw(random, weights);
      std::int16_t* out = weights_.data() + r / kBlock * kBlock * values + r % kBlock;
      for (std::size_t i = 0; i < values; ++i) out[i * kBlock] = weights[i];
    }
  }

  // Of the resamples from `first` on, which begins a block: weights of value i at [i * kBlock].
  const std::int16_t* block(std::size_t first) const { return weights_.data() + first * values_; }

  // Kept for the next call.
  static std::shared_ptr<const SeedDraws> of(std::size_t values, const BootstrapOptions& options) {
    constexpr std::size_t kMostKept = 64;  // values: 1.3 MB at 10,000 resamples
    if (values > kMostKept) return std::make_shared<const SeedDraws>(values, options);
    static std::mutex mutex;
    static std::map<std::tuple<std::size_t, std::int64_t, std::uint64_t>, std::shared_ptr<const SeedDraws>> kept;
    const std::scoped_lock lock(mutex);
    auto& one = kept[{values, options.resamples, options.seed}];
    if (!one) one = std::make_shared<const SeedDraws>(values, options);
    return one;
  }

 private:
  std::size_t values_;
  std::vector<std::int16_t> weights_;
};

// Mean and standard error of each resample of a block.
void resample(std::span<const double> values, const std::int16_t* weights, double* means, double* errors) {
  constexpr std::size_t kBlock = SeedDraws::kBlock;
  const auto n = static_cast<double>(values.size());
  std::array<double, kBlock> sums{}, squares{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t r = 0; r < kBlock; ++r) sums[r] += weights[i * kBlock + r] * values[i];
  }
  for (std::size_t r = 0; r < kBlock; ++r) means[r] = sums[r] / n;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t r = 0; r < kBlock; ++r) {
      squares[r] += weights[i * kBlock + r] * (values[i] - means[r]) * (values[i] - means[r]);
    }
  }
  for (std::size_t r = 0; r < kBlock; ++r) errors[r] = std::sqrt(squares[r] / (n - 1) / n);
}

}  // namespace

Interval seed_interval(std::span<const double> values, const BootstrapOptions& options) {
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  for (const double value : values) squares += (value - sum / n) * (value - sum / n);
  const double square = n > 1 ? squares / (n - 1) / n : 0;
  const Moments whole{sum / n, std::sqrt(square), square, 0};
  if (values.empty() || !std::isfinite(whole.mean)) return {kNone, kNone, kNone};
  if (values.size() < 2) return {whole.mean, kNone, kNone};
  // Without this the rounding of the mean would pass for spread, of all values and of a resample that drew one alone.
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least == *most) return {*least, *least, *least};
  const auto draws = SeedDraws::of(values.size(), options);
  std::vector<double> t(static_cast<std::size_t>(options.resamples));
  std::array<double, SeedDraws::kBlock> means{}, errors{};
  const double rounding = std::max(1e-12 * (*most - *least), 1e-15 * std::max(std::abs(*least), std::abs(*most)));
  for (std::size_t r = 0; r < t.size(); ++r) {
    const std::size_t at = r % SeedDraws::kBlock;
    if (at == 0) resample(values, draws->block(r), means.data(), errors.data());
    t[r] = studentized(means[at] - whole.mean, errors[at] > rounding ? errors[at] : 0);
  }
  const Interval found = from_resamples(whole, t, options.level);
  // Two or three seeds: too many resamples have no spread to say where the tails are.
  if (!std::isfinite(found.low) || !std::isfinite(found.high)) return {whole.mean, kNone, kNone};
  return found;
}

}  // namespace norma::lab
