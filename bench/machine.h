// What the figures belong to: the machine and how fast it copies.
#pragma once

#include <cstdint>
#include <string>

namespace norma::bench {

std::string cpu_name();
std::int64_t last_cache_bytes();
// What a tensor must fit to count as in cache: the above, but no more than a core complex has to itself. A virtual
// machine may report its host's caches together.
std::int64_t reachable_cache_bytes();
// The roof: bytes read and written a second by a copy of memory much larger than the caches, with streaming stores, on
// so many threads. The median of several runs.
double copy_bandwidth(int threads);

// Outputs cost page faults or not: `reuse` keeps freed memory in the process (as preallocated outputs would be),
// otherwise the allocator is as the C library sets it up.
void reuse_freed_memory();

}  // namespace norma::bench
