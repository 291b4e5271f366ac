// On what a call runs its parts: OpenMP, or the caller's own pool of threads. Results are the same to the bit whatever
// the pool, the number of its threads and the order in which it runs tasks.
#pragma once

namespace norma {

// A caller's pool: runs body(body_context, task) once for every task from 0 to tasks - 1, in any order, on any threads
// and at any time, the calling thread included, and returns after the last has ended, on the thread that called it. No
// task waits for another, so one thread alone may run them all. The body does not throw. What parallel_for itself
// throws leaves the operation that called it, with that operation's outputs half-written; no task may run any more by
// then.
using ParallelFor = void (*)(void* context, int tasks, void (*body)(void* body_context, int task), void* body_context);

struct Threads {
  // Parts that a large call is cut into at most. 0: as many as OpenMP's own setting says (OMP_NUM_THREADS), which needs
  // OpenMP.
  int count = 0;
  // Null: OpenMP.
  ParallelFor parallel_for = nullptr;
  // Handed to parallel_for.
  void* context = nullptr;
};

// What the calls of this thread run on, as long as the scope lives; then what it was before. Other threads' calls are
// not touched. Throws Error for a count below 0 or above 65536, and for one of 0 with a parallel_for.
class ThreadsScope {
 public:
  explicit ThreadsScope(const Threads& threads);
  ~ThreadsScope();
  ThreadsScope(const ThreadsScope&) = delete;
  ThreadsScope& operator=(const ThreadsScope&) = delete;

 private:
  Threads before_;
};

// The same without a scope: from here on, for this thread. Returns what it was.
Threads set_threads(const Threads& threads);

}  // namespace norma
