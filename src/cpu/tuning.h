// Tuning thresholds in one place, each with the measurement that chose it in docs/kernels.md. None changes a bit of any
// result: the block sizes that fix the order of a reduction stand beside the kernels.
#pragma once

#include <cstdint>

namespace norma::cpu {

// Below this many elements a thread, forking costs more than it saves.
inline constexpr std::int64_t kElementsPerThread = 32768;
// With given statistics an element costs a fraction: 128x16x8x8 took 13 to 18 us on one thread and 18 to 27 on two.
inline constexpr std::int64_t kInferenceShare = 4;
// Gradients have sums of their own for every thread to add up: LN backward 128x768 took 30 us on one thread, 40 on two.
inline constexpr std::int64_t kGradientShare = 2;

// Threads that take pieces of the same rows of memory meet at every row: each one's prefetchers run on into what the
// other writes. With pieces under a page one thread was faster up to so many elements (docs/kernels.md, 30th).
inline constexpr std::int64_t kPieceBytes = 4096;
inline constexpr std::int64_t kElementsInPieces = std::int64_t{1} << 20;

// Do tensors of so many bytes together leave the caches before they are used again?
constexpr bool beyond_caches(std::int64_t bytes) {
  return bytes >= (std::int64_t{16} << 20);
}

// Are tensors of so many bytes together more than one core's own caches hold?
constexpr bool beyond_core(std::int64_t bytes) {
  return bytes >= (std::int64_t{1} << 20);
}

// Should `output` be written past the caches, in a call whose `tensors` are of `bytes` each? Not if its pages are yet
// to be mapped: the kernel clears a fresh page through the cache, where ordinary stores then find it.
bool stream_output(const void* output, std::int64_t tensors, std::int64_t bytes);

}  // namespace norma::cpu
