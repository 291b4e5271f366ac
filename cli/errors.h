// How a command ends when it does not end well.
#pragma once

#include <stdexcept>

namespace norma::cli {

// Bad input: main prints "norma COMMAND: what()" on standard error and exits with 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Ends the program with this code; whatever there was to say has been said.
struct ExitCode {
  int code;
};

}  // namespace norma::cli
