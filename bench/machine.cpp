#include "machine.h"

#include <malloc.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

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

std::int64_t reachable_cache_bytes() {
  return std::min(last_cache_bytes(), std::int64_t{32} << 20);
}

namespace {

// to[i] = from[i] past the caches, as far as the instruction set of this build (the baseline's) has streaming stores.
void stream_copy(const float* from, float* to, std::int64_t count) {
#if defined(__SSE2__)
  constexpr std::int64_t kAhead = 1024;
  for (std::int64_t i = 0; i < count; i += 16) {
    _mm_prefetch(reinterpret_cast<const char*>(from + i + kAhead), _MM_HINT_T0);
    for (std::int64_t part = 0; part < 16; part += 4) _mm_stream_ps(to + i + part, _mm_loadu_ps(from + i + part));
  }
  _mm_sfence();
#else
  std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
#endif
}

}  // namespace

double copy_bandwidth(int threads) {
  constexpr std::int64_t kFloats = std::int64_t{64} << 20;
  constexpr int kRounds = 9;
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  const auto take = [] {
    auto* const p = static_cast<float*>(std::aligned_alloc(4096, kFloats * sizeof(float)));
    std::fill(p, p + kFloats, 1.0F);
    return std::unique_ptr<float, Free>(p);
  };
  const auto from = take();
  const auto to = take();
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
#pragma omp parallel num_threads(threads)
    {
      const std::int64_t count = kFloats / omp_get_num_threads() / 16 * 16;
      const std::int64_t first = count * omp_get_thread_num();
      stream_copy(from.get() + first, to.get() + first, count);
    }
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::nth_element(seconds, seconds.begin() + kRounds / 2);
  return 2.0 * kFloats * sizeof(float) / seconds[kRounds / 2];
}

void reuse_freed_memory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_TOP_PAD, 64 << 20);
}

}  // namespace norma::bench
