// The loops over a parameter's elements of optimizer.h. They know no torch: what includes it is compiled for the time
// that compiling takes.
#pragma once

#include <cstdint>

namespace norma::lab {

// v = momentum v + shrink g;  w -= rate v
void step_sgd(float* w, const float* g, float* v, std::int64_t count, float rate, float momentum, float shrink);

// Adam's update number `steps`, of the gradient shrink g; m and s as optimizer.h has them.
void step_adam(float* w, const float* g, float* m, float* s, std::int64_t count, float rate, float shrink,
               double steps);

}  // namespace norma::lab
