// Work on 0, ..., count-1 in one block for each core.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

#include "lab/results/machine.h"

namespace norma::lab {

// Calls work(first, end) for blocks that make up [0, count), each in a thread of its own, the last here. What one
// throws is thrown here, once all have ended. What the blocks write must not depend on how many there are.
template <class Work>
void in_blocks(std::int64_t count, const Work& work) {
  constexpr std::int64_t kMostThreads = 16;
  static const std::int64_t cores = usable_cores();
  const std::int64_t blocks = std::clamp<std::int64_t>(std::min(cores, count), 1, kMostThreads);
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(blocks));
  const auto run = [&](std::int64_t block) {
    try {
      work(count * block / blocks, count * (block + 1) / blocks);
    } catch (...) {
      thrown[static_cast<std::size_t>(block)] = std::current_exception();
    }
  };
  std::vector<std::thread> threads;
  for (std::int64_t block = 0; block + 1 < blocks; ++block) threads.emplace_back(run, block);
  run(blocks - 1);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& one : thrown) {
    if (one) std::rethrow_exception(one);
  }
}

}  // namespace norma::lab
