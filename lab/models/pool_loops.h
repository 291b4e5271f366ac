// The loops over a row of max_pool.h. They know no torch: what includes it is compiled for the time that compiling
// takes.
#pragma once

#include <cstdint>

namespace norma::lab {

// y[j] = the largest of the four at 2j and 2j + 1 of two rows.
void pool_row(const float* upper, const float* lower, std::int64_t columns, float* y);

// dy goes to the first of the four that is the maximum, y; the others get 0.
void unpool_row(const float* upper, const float* lower, const float* y, const float* dy, std::int64_t columns,
                float* upper_dx, float* lower_dx);

}  // namespace norma::lab
