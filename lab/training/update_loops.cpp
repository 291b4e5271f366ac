#include "lab/training/update_loops.h"

#include <cmath>

namespace norma::lab {
namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kAdamEps = 1e-8;

}  // namespace

void step_sgd(float* w, const float* g, float* v, std::int64_t count, float rate, float momentum, float shrink) {
  for (std::int64_t i = 0; i < count; ++i) {
    v[i] = momentum * v[i] + shrink * g[i];
    w[i] -= rate * v[i];
  }
}

void step_adam(float* w, const float* g, float* m, float* s, std::int64_t count, float rate, float shrink,
               double steps) {
  const auto beta1 = static_cast<float>(kBeta1), beta2 = static_cast<float>(kBeta2);
  const auto unbias1 = static_cast<float>(1 / (1 - std::pow(kBeta1, steps)));
  const auto unbias2 = static_cast<float>(1 / (1 - std::pow(kBeta2, steps)));
  for (std::int64_t i = 0; i < count; ++i) {
    const float gradient = shrink * g[i];
    m[i] = beta1 * m[i] + (1 - beta1) * gradient;
    s[i] = beta2 * s[i] + (1 - beta2) * gradient * gradient;
    w[i] -= rate * (m[i] * unbias1) / (std::sqrt(s[i] * unbias2) + static_cast<float>(kAdamEps));
  }
}

}  // namespace norma::lab
