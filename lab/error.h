// What the lab throws for bad input: a study file, a data file, a folder, a store. The message names what was
// expected and what came; the command ends with exit code 2.
#pragma once

#include <stdexcept>

namespace norma::lab {

struct InputError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace norma::lab
