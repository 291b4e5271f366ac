// The `norma` command: thin, and without torch, so that it answers at once. What trains is norma-trial, a program of
// its own that `norma study` starts.
#include <cstdio>
#include <exception>
#include <string>

#include "commands.h"
#include "norma/error.h"
#include "norma/machine.h"

int main(int argc, char** argv) {
  CLI::App app{"Which normalization should this network use? Norma trains, measures and answers."};
  app.name("norma");
  app.require_subcommand(1);
  app.set_version_flag("--version", "norma " + std::string(norma::version()));
  app.failure_message(CLI::FailureMessage::help);
  norma::cli::add_study(app);
  norma::cli::add_report(app);
  norma::cli::add_data(app);
  norma::cli::add_explain(app);
  norma::cli::add_verify(app);

  const auto command = [&app] {
    std::string name = "norma";
    for (const CLI::App* sub : app.get_subcommands()) name += " " + sub->get_name();
    return name;
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // --help, --version
    if (asked) return app.exit(error);
    std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", command().c_str(), error.what(), command().c_str());
    return 2;
  } catch (const norma::cli::ExitCode& exit) {
    return exit.code;
  } catch (const norma::cli::UsageError& error) {
    std::fprintf(stderr, "%s: %s\n", command().c_str(), error.what());
    return 2;
  } catch (const norma::Error& error) {
    std::fprintf(stderr, "%s: %s\n", command().c_str(), error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", command().c_str(), error.what());
    return 1;
  }
  return 0;
}
