#include "bits.h"

#include <vector>

#include "norma/machine.h"
#include "score.h"

namespace norma::accuracy {
namespace {

using reference::Norm;

std::vector<Trap> bit_problems() {
  std::vector<Trap> all;
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
      all.push_back(problem(Norm::kBatch, 1, {32, 48, 14, 14}, layout, dtype, 0.5));
      all.push_back(problem(Norm::kGroup, 8, {32, 48, 14, 14}, layout, dtype, 0.5));
      all.push_back(problem(Norm::kInstance, 1, {32, 48, 14, 14}, layout, dtype, 0.5));
    }
    all.push_back(problem(Norm::kLayer, 1, {300, 768}, Layout::kChannelsFirst, dtype, 0.5));
    all.push_back(problem(Norm::kRms, 1, {300, 768}, Layout::kChannelsFirst, dtype, 0.5));
  }
  for (Trap& trap : all) {
    if (trap.norm == Norm::kInstance) trap.dy.clear();  // libtorch's has no backward pass of its own
  }
  return all;
}

std::optional<Answer> run(System& system, const Trap& trap) {
  try {
    return system.run(trap);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

Count across_threads(System& system) {
  Count count;
  const int before = max_threads();
  for (const Trap& trap : bit_problems()) {
    system.set_threads(1);
    const auto alone = run(system, trap);
    for (int threads = 2; alone && threads <= 16; ++threads) {
      system.set_threads(threads);
      count.add(*run(system, trap), *alone);
    }
  }
  system.set_threads(before);
  return count;
}

Count across_isas(System& system) {
  Count count;
  for (const Trap& trap : bit_problems()) {
    std::optional<Answer> first;
    for (const std::string& isa : available_isas()) {
      if (isa == "sse4" || isa == "scalar") continue;  // without FMA
      force_isa(isa);
      const auto found = run(system, trap);
      if (first) count.add(*found, *first);
      if (!first) first = found;
    }
  }
  force_isa("");
  return count;
}

// One sample alone, and among others at several places.
Count across_batches(System& system) {
  Count count;
  for (const Trap& whole : bit_problems()) {
    if (whole.norm == Norm::kBatch) continue;
    const auto all = run(system, whole);
    const std::int64_t samples = whole.shape[0], size = whole.shape.elements() / samples;
    for (const std::int64_t first : {std::int64_t{0}, std::int64_t{1}, std::int64_t{7}, samples - 3}) {
      for (const std::int64_t length : {1, 2, 3}) {
        const auto cut = [&](const Values& from) {
          return from.empty() ? from : Values(from.begin() + first * size, from.begin() + (first + length) * size);
        };
        Trap part = whole;
        std::vector<std::int64_t> sizes(whole.shape.sizes().begin(), whole.shape.sizes().end());
        sizes[0] = length;
        part.shape = Shape(sizes);
        part.x = cut(whole.x);
        part.dy = cut(whole.dy);
        const auto some = run(system, part);
        if (!some || !all) continue;
        count.add(some->y, cut(all->y));
        count.add(some->gradients.dx, cut(all->gradients.dx));
      }
    }
  }
  return count;
}

template <class Compare>
Count across_layouts(System& system, Compare compare) {
  Count count;
  for (const Trap& trap : bit_problems()) {
    if (trap.layout != Layout::kChannelsLast) continue;
    Trap first = trap;
    first.layout = Layout::kChannelsFirst;
    const auto a = run(system, trap), b = run(system, first);
    if (a && b) compare(count, *a, *b);
  }
  return count;
}

Count inference_across_layouts(System& system) {
  return across_layouts(system,
                        [](Count& count, const Answer& a, const Answer& b) { count.add(a.inferred, b.inferred); });
}

Count sums_across_layouts(System& system) {
  return across_layouts(system, [](Count& count, Answer a, Answer b) {
    a.inferred.clear();
    b.inferred.clear();
    count.add(a, b);
  });
}

}  // namespace norma::accuracy
