// How often operator new ran in this process: norma-bench replaces it with one that counts.
#pragma once

#include <cstdint>

namespace norma::bench {

std::int64_t allocations();

}  // namespace norma::bench
