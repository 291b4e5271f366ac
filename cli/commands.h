// The subcommands of `norma`, one file each. Every add_ function registers its options and returns through the
// callback; a callback throws UsageError for a caller's mistake (exit code 2) or any other exception (exit code 1),
// or ExitCode to end with a code of its own.
#pragma once

#include <CLI/CLI.hpp>
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

void add_study(CLI::App& app);
void add_report(CLI::App& app);
void add_data(CLI::App& app);
void add_explain(CLI::App& app);
void add_verify(CLI::App& app);

}  // namespace norma::cli
