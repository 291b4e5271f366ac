// No answer is timed before it is checked.
#pragma once

#include "contender.h"

namespace norma::bench {

// Runs it and throws if one of its answers is off by more than `tolerance` of that answer's largest element.
void check(const Case& c, Contender& contender, const Answers& expected, double tolerance);

}  // namespace norma::bench
