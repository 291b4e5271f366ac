#include "machine.h"

#include <malloc.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <vector>

namespace norma::bench {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

std::int64_t last_cache_bytes() {
  // What the system says of the core's caches, "32768K"; sysconf multiplies wrongly on some virtual machines.
  const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index";
  std::int64_t largest = 0;
  for (int index = 0; index < 8; ++index) {
    std::ifstream file(folder + std::to_string(index) + "/size");
    std::int64_t size = 0;
    char unit = ' ';
    if (!(file >> size)) continue;
    file >> unit;
    largest = std::max(largest, size << (unit == 'M' ? 20 : unit == 'K' ? 10 : 0));
  }
  return largest > 0 ? largest : std::max(0L, sysconf(_SC_LEVEL3_CACHE_SIZE));
}

double copy_bandwidth(int threads) {
  constexpr std::int64_t kFloats = std::int64_t{64} << 20;
  constexpr int kRounds = 7;
  std::vector<float> from(kFloats, 1.0F);
  std::vector<float> to(kFloats, 0.0F);
  const auto run = [&](bool loop) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel num_threads(threads)
    {
      const std::int64_t first = kFloats / omp_get_num_threads() * omp_get_thread_num();
      const std::int64_t count = kFloats / omp_get_num_threads();
      if (loop) {
        for (std::int64_t i = first; i < first + count; ++i)
          to[static_cast<std::size_t>(i)] = from[static_cast<std::size_t>(i)] * 2.0F;
      } else {
        std::memcpy(to.data() + first, from.data() + first, static_cast<std::size_t>(count) * sizeof(float));
      }
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double best = 0;
  for (const bool loop : {false, true}) {
    std::vector<double> seconds;
    for (int round = 0; round < kRounds; ++round) seconds.push_back(run(loop));
    std::ranges::nth_element(seconds, seconds.begin() + kRounds / 2);
    best = std::max(best, 2.0 * kFloats * sizeof(float) / seconds[kRounds / 2]);
  }
  return best;
}

void reuse_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace norma::bench
