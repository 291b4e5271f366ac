// What the kernels run on: instruction sets and threads.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace norma {

// The instruction sets that this build has kernels for and this machine can run, best first: e.g.
// {"avx512", "avx2", "sse4", "scalar"}.
std::vector<std::string> available_isas();
// The one in use: the best, unless the environment variable NORMA_FORCE_ISA or force_isa names another.
std::string current_isa();
// Uses that instruction set from here on, in the whole process. Throws Error for an unknown name or one this
// machine lacks; never a silent fallback. An empty name goes back to the best.
void force_isa(std::string_view name);
// Threads that a large call of this thread uses at most (norma/threads.h); by default OpenMP's own setting
// (OMP_NUM_THREADS).
int max_threads();
// "0.1.0".
std::string_view version();

}  // namespace norma
