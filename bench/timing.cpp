#include "timing.h"

#include <ATen/Parallel.h>
#include <omp.h>

#include <algorithm>
#include <chrono>

namespace norma::bench {
namespace {

using Clock = std::chrono::steady_clock;

// After one call that brings back into the caches what the others' calls have put out of them.
double seconds_of(Contender& contender, int calls) {
  contender.run();
  const auto start = Clock::now();
  for (int call = 0; call < calls; ++call) contender.run();
  return std::chrono::duration<double>(Clock::now() - start).count() / calls;
}

}  // namespace

void use_threads(int threads) {
  omp_set_num_threads(threads);
  at::set_num_threads(threads);
}

std::vector<double> time_in_turns(const std::vector<std::unique_ptr<Contender>>& contenders, double budget) {
  std::vector<int> calls;
  double slowest = 0;
  for (const auto& contender : contenders) {
    contender->run();
    const double once = seconds_of(*contender, 1);
    contender->release();
    calls.push_back(std::clamp(static_cast<int>(2e-4 / once), 1, 1000));
    slowest = std::max(slowest, once * calls.back());
  }
  const int rounds = std::clamp(static_cast<int>(budget / slowest), 7, 101);
  std::vector<std::vector<double>> times(contenders.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < contenders.size(); ++turn) {
      const std::size_t which = (turn + static_cast<std::size_t>(round)) % contenders.size();
      times[which].push_back(seconds_of(*contenders[which], calls[which]));
      contenders[which]->release();
    }
  }
  std::vector<double> medians;
  for (auto& of_one : times) {
    std::ranges::nth_element(of_one, of_one.begin() + rounds / 2);
    medians.push_back(of_one[static_cast<std::size_t>(rounds / 2)]);
  }
  return medians;
}

}  // namespace norma::bench
