// The code version in every trial's key. A commit would be too coarse (a word in the README makes no new trials) and,
// with uncommitted changes, wrong. So it is the version of Norma and a number that is raised by hand whenever a
// change makes the same trial come out otherwise: training, models, initialisation, kernels' bits, splits.
#pragma once

#include <string>

namespace norma::lab {

constexpr int kTrainingRevision = 10;

// "0.1.0+training.1"
std::string code_version();

}  // namespace norma::lab
