// Threads: one parallel region a call, each thread on a contiguous share of the tasks, barriers between the stages.
// What a task computes never depends on who runs it, so results do not depend on the number of threads.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "cpu/tuning.h"

namespace norma::cpu {

inline int threads_for(std::int64_t elements, std::int64_t tasks) {
  if (elements < 2 * kElementsPerThread || tasks < 2 || omp_in_parallel() != 0) return 1;
  const std::int64_t useful = std::min(elements / kElementsPerThread, tasks);
  return static_cast<int>(std::min<std::int64_t>(useful, omp_get_max_threads()));
}

struct Share {
  std::int64_t first;
  std::int64_t last;
};

class Team {
 public:
  Team(int member, int size) : member_(member), size_(size) {}
  int member() const { return member_; }
  // This thread's part of n tasks.
  Share share(std::int64_t n) const {
    return {n / size_ * member_ + std::min<std::int64_t>(member_, n % size_),
            n / size_ * (member_ + 1) + std::min<std::int64_t>(member_ + 1, n % size_)};
  }
  void barrier() const {
    if (size_ > 1) {
#pragma omp barrier
    }
  }

 private:
  int member_;
  int size_;
};

// Runs body(team) on each of the threads. The body does not throw.
template <class Body>
void run_team(int threads, const Body& body) {
  if (threads <= 1) {
    body(Team(0, 1));
    return;
  }
#pragma omp parallel num_threads(threads) default(none) shared(body)
  body(Team(omp_get_thread_num(), omp_get_num_threads()));
}

}  // namespace norma::cpu
