#include "lab/statistics/paired.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "lab/data/random.h"

namespace norma::lab {
namespace {

constexpr std::size_t kMostExact = 40;

// The sums of all choices of signs, ascending; written to `memory`, 2 (2^n + 1) of it.
std::span<const std::int64_t> signed_sums(std::span<const std::int64_t> values, std::int64_t* memory) {
  constexpr std::int64_t kBeyond = std::numeric_limits<std::int64_t>::max() / 4;  // behind the last, above every sum
  std::int64_t* sums = memory;
  std::int64_t* next = memory + (std::size_t{1} << values.size()) + 1;
  std::size_t count = 1;
  sums[0] = 0;
  sums[1] = kBeyond;
  for (const std::int64_t value : values) {
    const std::int64_t size = std::abs(value);
    // Those with a minus and those with a plus are in order each; merged without a branch, which would be a guess.
    std::size_t minus = 0, plus = 0;
    for (std::size_t i = 0; i < 2 * count; ++i) {
      const std::int64_t low = sums[minus] - size, high = sums[plus] + size;
      next[i] = std::min(low, high);
      minus += low <= high ? 1 : 0;
      plus += low <= high ? 0 : 1;
    }
    count *= 2;
    next[count] = kBeyond;
    std::swap(sums, next);
  }
  return {sums, count};
}

// The fraction of all choices of signs whose sum is at least this.
double exact_above(std::span<const std::int64_t> differences, std::int64_t least) {
  const std::size_t half = differences.size() / 2;
  const std::size_t size_a = 2 * ((std::size_t{1} << half) + 1);
  const std::size_t size_b = 2 * ((std::size_t{1} << (differences.size() - half)) + 1);
  const auto memory = std::make_unique_for_overwrite<std::int64_t[]>(size_a + size_b);
  const std::span<const std::int64_t> a = signed_sums(differences.first(half), memory.get());
  const std::span<const std::int64_t> b = signed_sums(differences.subspan(half), memory.get() + size_a);
  // As a rises, fewer of b suffice for a + b >= least.
  std::size_t from = b.size();
  double upper = 0;
  for (const std::int64_t sum : a) {
    while (from > 0 && sum + b[from - 1] >= least) --from;
    upper += static_cast<double>(b.size() - from);
  }
  return upper / (static_cast<double>(a.size()) * static_cast<double>(b.size()));
}

// By symmetry the lower tail is as large.
double exact_p(std::span<const std::int64_t> differences, std::int64_t observed) {
  return observed == 0 ? 1.0 : 2 * exact_above(differences, observed);
}

// The same by random choices; of either sign if both tails are wanted.
double random_p(std::span<const std::int64_t> differences, std::int64_t observed, bool both) {
  constexpr std::int64_t kChoices = 1'000'000;
  Random random(1979);
  std::int64_t reached = 0;
  for (std::int64_t i = 0; i < kChoices; ++i) {
    std::int64_t sum = 0;
    std::uint64_t bits = 0;
    for (std::size_t s = 0; s < differences.size(); ++s) {
      if (s % 64 == 0) bits = random.next();
      sum += (bits & 1U) != 0 ? differences[s] : -differences[s];
      bits >>= 1U;
    }
    if ((both ? std::abs(sum) : sum) >= observed) ++reached;
  }
  return static_cast<double>(reached + 1) / static_cast<double>(kChoices + 1);
}

// Infinite ones made finite, further out than every other.
std::vector<double> made_finite(std::span<const double> values) {
  double largest = 0;
  for (const double value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  const double far = largest == 0 ? 1 : 2 * largest;
  std::vector<double> finite(values.begin(), values.end());
  for (double& value : finite) {
    if (std::isinf(value)) value = std::copysign(far, value);
  }
  return finite;
}

template <typename T>
double effect_size_of(std::span<const T> differences) {
  const auto n = static_cast<double>(differences.size());
  if (differences.size() < 3) return std::numeric_limits<double>::quiet_NaN();
  const double mean = static_cast<double>(std::accumulate(differences.begin(), differences.end(), T{0})) / n;
  double squares = 0;
  for (const T d : differences) {
    squares += (static_cast<double>(d) - mean) * (static_cast<double>(d) - mean);
  }
  if (squares == 0) return mean == 0 ? 0 : std::numeric_limits<double>::quiet_NaN();
  const double correction = 1 - 3 / (4 * (n - 1) - 1);
  return correction * mean / std::sqrt(squares / (n - 1));
}

template <typename T>
double probability_of(std::span<const T> differences) {
  double better = 0;
  for (const T d : differences) better += d < 0 ? 1 : d == 0 ? 0.5 : 0;
  return better / static_cast<double>(differences.size());
}

}  // namespace

double effect_size(std::span<const std::int64_t> differences) {
  return effect_size_of(differences);
}
double effect_size(std::span<const double> differences) {
  return effect_size_of(differences);
}

double probability_a_better(std::span<const std::int64_t> differences) {
  return probability_of(differences);
}
double probability_a_better(std::span<const double> differences) {
  return probability_of(differences);
}

double sign_flip_p(std::span<const std::int64_t> differences) {
  const std::int64_t observed = std::abs(std::accumulate(differences.begin(), differences.end(), std::int64_t{0}));
  if (differences.empty()) return 1;
  return differences.size() <= kMostExact ? exact_p(differences, observed) : random_p(differences, observed, true);
}

double sign_flip_above_p(std::span<const double> differences, double least) {
  if (differences.empty()) return 1;
  std::vector<double> values = made_finite(differences);
  double largest = 0;
  for (double& value : values) {
    value -= least;
    if (std::isnan(value)) return 1;
    largest = std::max(largest, std::abs(value));
  }
  if (largest == 0) return 1;
  // As whole numbers, fine enough to lose nothing and small enough for any sum. Rounding moves a sum by at most half a
  // unit a seed: sums that near count as ties, which is the careful side.
  constexpr double kUnits = 1099511627776.0;  // 2^40
  std::vector<std::int64_t> whole;
  for (const double value : values) whole.push_back(std::llround(value / largest * kUnits));
  const std::int64_t observed = std::accumulate(whole.begin(), whole.end(), std::int64_t{0});
  const std::int64_t reached = observed - static_cast<std::int64_t>(whole.size());
  return whole.size() <= kMostExact ? exact_above(whole, reached) : random_p(whole, reached, false);
}

Interval sign_flip_interval(std::span<const double> differences) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN(), kTail = 0.025;
  constexpr int kHalvings = 60;
  if (differences.empty()) return {kNone, kNone, kNone};
  const auto [least, most] = std::minmax_element(differences.begin(), differences.end());
  const double mean =
      std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(differences.size());
  const bool enough = std::pow(0.5, static_cast<double>(differences.size())) <= kTail;
  if (!enough || !std::isfinite(*least) || !std::isfinite(*most)) return {mean, kNone, kNone};
  // The lowest value that is not refused as too low, of the differences as they are and with their signs turned.
  const auto lowest = [&](std::span<const double> of, double refused, double kept) {
    for (int i = 0; i < kHalvings; ++i) {
      const double middle = refused + (kept - refused) / 2;
      (sign_flip_above_p(of, middle) <= kTail ? refused : kept) = middle;
    }
    return kept;
  };
  std::vector<double> negated(differences.begin(), differences.end());
  for (double& d : negated) d = -d;
  return {mean, lowest(differences, *least, mean), -lowest(negated, -*most, -mean)};
}

Equivalence equivalence(std::span<const double> differences, double margin) {
  std::vector<double> negated(differences.begin(), differences.end());
  for (double& d : negated) d = -d;
  const auto above = [&](double least) { return sign_flip_above_p(differences, least); };
  const auto below = [&](double most) { return sign_flip_above_p(negated, -most); };
  return {std::max(above(-margin), below(margin)), std::min(above(margin), below(-margin))};
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order(p.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(p.size() - rank) * p[order[rank]]));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

}  // namespace norma::lab
