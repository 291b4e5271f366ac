// Experiments that are made up, so that their truth is known: what the statistics say of them can be counted.
//
// A model answers an item wrongly where a score is above a bound: the item's difficulty, the seed's luck, the arm's own
// trouble with the item and noise, all normal, and a fixed shift on seeds that collapse. So the mean error over all
// seeds and items is known.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <string>
#include <vector>

#include "lab/data/random.h"
#include "lab/statistics/bootstrap.h"
#include "lab/statistics/distributions.h"

namespace norma::lab::simulation {

inline constexpr std::int64_t kItems = 900;  // as the test part of the study quick
inline constexpr double kOfItems = 2;        // sd of the items' difficulty, where the noise's is 1
inline constexpr double kCollapse = 4;       // what a seed that collapses has on top of its luck

// `usual`, or as many thousands as NORMA_EXPERIMENTS says: for figures with another digit.
inline int experiments(int usual) {
  const char* wanted = std::getenv("NORMA_EXPERIMENTS");
  return wanted == nullptr ? usual : 1000 * std::atoi(wanted);
}

class Normal {
 public:
  explicit Normal(std::uint64_t seed) : random_(seed) {}
  // Box & Muller (1958), in pairs.
  double operator()() {
    full_ = !full_;
    if (!full_) return other_;
    const double radius = std::sqrt(-2 * std::log1p(-random_.uniform()));
    const double angle = 2 * std::numbers::pi * random_.uniform();
    other_ = radius * std::sin(angle);
    return radius * std::cos(angle);
  }
  double uniform() { return random_.uniform(); }
  std::uint64_t bits() { return random_.next(); }

 private:
  Random random_;
  double other_ = 0;
  bool full_ = false;
};

// The probability that a standard normal variable is below z.
inline double normal_below(double z) {
  return 0.5 * std::erfc(-z / std::numbers::sqrt2);
}

// The same times 2^32, of the nearest of 32,769 z from -8 to 8.
inline std::uint32_t chances_below(double z) {
  constexpr double kEnd = 8, kSteps = 2048;
  static const std::vector<std::uint32_t> table = [] {
    std::vector<std::uint32_t> values;
    for (int i = 0; i <= static_cast<int>(2 * kEnd * kSteps); ++i) {
      values.push_back(static_cast<std::uint32_t>(std::fmin(0x1p32 - 1, 0x1p32 * normal_below(i / kSteps - kEnd))));
    }
    return values;
  }();
  return table[static_cast<std::size_t>((std::fmin(std::fmax(z, -kEnd), kEnd) + kEnd) * kSteps + 0.5)];
}

// The bound above which a standard normal variable lies with this probability, turned around.
inline double shift_for(double error) {
  double low = -10, high = 10;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (normal_below(middle) < error ? low : high) = middle;
  }
  return low;
}

struct Arm {
  double error = 0;      // of seeds that do not collapse
  double of_seeds = 0;   // sd of the seeds' luck
  double own = 0;        // sd of the arm's own trouble with items
  double collapses = 0;  // the part of seeds that do

  double sd() const { return std::sqrt(kOfItems * kOfItems + of_seeds * of_seeds + own * own + 1); }
  double truth() const {
    if (collapses == 0) return error;
    return (1 - collapses) * error + collapses * normal_below(shift_for(error) + kCollapse / sd());
  }
};

using Values = std::vector<double>;

// Standard normal.
inline Values numbers(std::int64_t count, Normal& normal) {
  Values made(static_cast<std::size_t>(count));
  for (double& one : made) one = normal();
  return made;
}

// The luck of so many seeds.
inline Values luck(const Arm& arm, std::int64_t seeds, Normal& normal) {
  Values made = numbers(seeds, normal);
  for (double& one : made) {
    one = arm.of_seeds * one + (arm.collapses > 0 && normal.uniform() < arm.collapses ? kCollapse : 0);
  }
  return made;
}

// Where the scores of an arm on these items lie, by which it is wrong: one draw of its own trouble with them.
inline Values scores(const Arm& arm, const Values& items, Normal& normal) {
  const double shift = shift_for(arm.error) * arm.sd();
  Values made;
  for (const double item : items) made.push_back(shift + kOfItems * item + (arm.own > 0 ? arm.own * normal() : 0));
  return made;
}

// Wrong (1) or right (0), seed by seed, at these scores.
inline std::vector<std::int16_t> answers(const Values& at, const Values& of_seeds, Normal& normal) {
  std::vector<std::int16_t> wrong(of_seeds.size() * at.size());
  std::uint64_t bits = 0;
  std::size_t next = 0;
  for (const double own : of_seeds) {
    for (const double score : at) {
      bits = next % 2 == 0 ? normal.bits() : bits >> 32U;
      wrong[next++] = (bits & 0xffffffffU) < chances_below(score + own) ? 1 : 0;
    }
  }
  return wrong;
}

inline SeedItems sample(const Arm& arm, std::int64_t seeds, const Values& items, Normal& normal) {
  const Values at = scores(arm, items, normal);
  return {seeds, static_cast<std::int64_t>(items.size()), answers(at, luck(arm, seeds, normal), normal)};
}

// How often something held, in so many experiments.
struct Count {
  int held = 0, of = 0;
  double width = 0;  // the intervals' sum

  void add(const Interval& interval, double truth) {
    add(interval.low <= truth && truth <= interval.high);
    width += interval.high - interval.low;
  }
  void add(bool holds) {
    held += holds ? 1 : 0;
    ++of;
  }
  double share() const { return static_cast<double>(held) / of; }
  // Whether a true share of this much or less (more) would hold so often less than once in a thousand.
  bool shown_above(double share) const { return proportion_lower(held, of, 0.001) > share; }
  bool shown_below(double share) const { return proportion_upper(held, of, 0.001) < share; }
};

}  // namespace norma::lab::simulation
