// The subcommands of `norma`, one file each. Every add_ function registers its options and returns through the
// callback; a callback throws UsageError for a caller's mistake (exit code 2) or any other exception (exit code 1),
// or ExitCode to end with a code of its own.
#pragma once

#include <CLI/CLI.hpp>

#include "errors.h"

namespace norma::cli {

void add_study(CLI::App& app);
void add_report(CLI::App& app);
void add_claims(CLI::App& app);
void add_data(CLI::App& app);
void add_explain(CLI::App& app);
void add_verify(CLI::App& app);

}  // namespace norma::cli
