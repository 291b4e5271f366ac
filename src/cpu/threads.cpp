#include "cpu/threads.h"

#include <string>

#include "norma/error.h"

namespace norma {
namespace {

constexpr int kMostThreads = 65536;

thread_local Threads in_use;

}  // namespace

const Threads& cpu::threads_in_use() {
  return in_use;
}

Threads set_threads(const Threads& threads) {
  const int least = threads.parallel_for == nullptr ? 0 : 1;
  if (threads.count < least || threads.count > kMostThreads) {
    throw Error("[threads] count: expected " + std::to_string(least) + " to " + std::to_string(kMostThreads) +
                (least == 1 ? " with a parallel_for" : "") + ", got " + std::to_string(threads.count));
  }
  const Threads before = in_use;
  in_use = threads;
  return before;
}

ThreadsScope::ThreadsScope(const Threads& threads) : before_(set_threads(threads)) {}

ThreadsScope::~ThreadsScope() {
  in_use = before_;
}

}  // namespace norma
