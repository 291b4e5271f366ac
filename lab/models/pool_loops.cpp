#include "lab/models/pool_loops.h"

namespace norma::lab {
namespace {

// As one instruction: which of two is the larger cannot be predicted.
inline float larger(float a, float b) {
  return a > b ? a : b;
}

}  // namespace

void pool_row(const float* upper, const float* lower, std::int64_t columns, float* y) {
  for (std::int64_t j = 0; j < columns; ++j) {
    y[j] = larger(larger(upper[2 * j], upper[2 * j + 1]), larger(lower[2 * j], lower[2 * j + 1]));
  }
}

void unpool_row(const float* upper, const float* lower, const float* y, const float* dy, std::int64_t columns,
                float* upper_dx, float* lower_dx) {
  for (std::int64_t j = 0; j < columns; ++j) {
    const bool a = upper[2 * j] == y[j], b = !a & (upper[2 * j + 1] == y[j]), c = !a & !b & (lower[2 * j] == y[j]);
    const bool d = !a & !b & !c;
    upper_dx[2 * j] = a ? dy[j] : 0;
    upper_dx[2 * j + 1] = b ? dy[j] : 0;
    lower_dx[2 * j] = c ? dy[j] : 0;
    lower_dx[2 * j + 1] = d ? dy[j] : 0;
  }
}

}  // namespace norma::lab
