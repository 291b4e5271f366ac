// Threads: a call's work is cut in stages, and each stage over the members of a team, every member on a contiguous
// share of the tasks. A stage begins when all members have ended the one before. What a task computes never depends on
// who runs it, so results do not depend on the number of threads.
//
// With OpenMP all stages are one parallel region with barriers between them. A caller's pool has no barriers, and may
// run the members one after the other: there every stage is a parallel_for of its own.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu/tuning.h"
#include "norma/threads.h"

namespace norma::cpu {

// What this thread's calls run on.
const Threads& threads_in_use();

// 1 in a parallel region of OpenMP: its threads have work of their own.
inline int most_threads() {
  const Threads& threads = threads_in_use();
  if (threads.parallel_for != nullptr) return threads.count;
  if (omp_in_parallel() != 0) return 1;
  return threads.count > 0 ? threads.count : omp_get_max_threads();
}

inline int threads_for(std::int64_t elements, std::int64_t tasks) {
  if (elements < 2 * kElementsPerThread || tasks < 2) return 1;
  const std::int64_t useful = std::min(elements / kElementsPerThread, tasks);
  return static_cast<int>(std::min<std::int64_t>(useful, most_threads()));
}

// Of so many threads, where every row of memory, of so many bytes, is cut into pieces, one a thread.
inline int threads_for_pieces(int threads, std::int64_t elements, std::int64_t row_bytes) {
  return elements < kElementsInPieces && row_bytes < threads * kPieceBytes ? 1 : threads;
}

struct Share {
  std::int64_t first;
  std::int64_t last;
};

// One member of a team.
class Team {
 public:
  Team(int member, int size) : member_(member), size_(size) {}
  int member() const { return member_; }
  // This member's part of n tasks, the same in every stage.
  Share share(std::int64_t n) const {
    return {n / size_ * member_ + std::min<std::int64_t>(member_, n % size_),
            n / size_ * (member_ + 1) + std::min<std::int64_t>(member_ + 1, n % size_)};
  }

 private:
  int member_;
  int size_;
};

// Hands one stage to the caller's pool.
template <class Stage>
void run_on_pool(const Threads& threads, int members, const Stage& stage) {
  struct Task {
    const Stage& stage;
    int members;
  } task{stage, members};
  threads.parallel_for(
      threads.context, members,
      [](void* context, int member) {
        const Task& mine = *static_cast<const Task*>(context);
        mine.stage(Team(member, mine.members));
      },
      &task);
}

// The other stages, each after all threads of this region have ended the one before.
template <class... Stages>
void run_after_barriers([[maybe_unused]] const Team& team, const Stages&... stages) {
  (
      [&] {
#pragma omp barrier
        stages(team);
      }(),
      ...);
}

// Runs stage(team) on every member of a team of at most `threads`, stage after stage. Stages do not throw.
template <class First, class... Others>
void run_team(int threads, const First& first, const Others&... others) {
  if (threads <= 1) {
    const Team alone(0, 1);
    first(alone);
    (others(alone), ...);
    return;
  }
  // A copy: the pool might change the setting between two stages.
  if (const Threads own = threads_in_use(); own.parallel_for != nullptr) {
    run_on_pool(own, threads, first);
    (run_on_pool(own, threads, others), ...);
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const Team team(omp_get_thread_num(), omp_get_num_threads());
    first(team);
    run_after_barriers(team, others...);
  }
}

}  // namespace norma::cpu
