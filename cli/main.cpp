// The `norma` command: thin, and without torch, so that it answers at once. What trains is norma-trial, a program of
// its own that `norma study` starts.
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "commands.h"
#include "lab/study/nearest.h"
#include "norma/error.h"
#include "norma/machine.h"

namespace {

// "norma explain", as far as the words were understood.
std::string command_of(const CLI::App& app) {
  std::string name = "norma";
  for (const CLI::App* sub : app.get_subcommands()) name += " " + sub->get_name();
  return name;
}

// A first word that is no command gets the nearest one; every other mistake the parser describes well.
std::string mistake(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const bool unknown_command = app.get_subcommands().empty() && argc > 1 && argv[1][0] != '-';
  if (!unknown_command) return error.what();
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return "unknown command '" + std::string(argv[1]) + "'" + norma::lab::suggestion(argv[1], names);
}

// --version, at every command.
void add_version(CLI::App& app) {
  app.set_version_flag("--version", "norma " + std::string(norma::version()));
  for (CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) add_version(*sub);
}

int fail(const CLI::App& app, const std::exception& error, int code) {
  std::fprintf(stderr, "%s: %s\n", command_of(app).c_str(), error.what());
  return code;
}

int run(int argc, char** argv) {
  CLI::App app{"Which normalization should this network use? Norma trains, measures and answers."};
  app.name("norma");
  app.require_subcommand(1);
  norma::cli::add_study(app);
  norma::cli::add_report(app);
  norma::cli::add_data(app);
  norma::cli::add_explain(app);
  norma::cli::add_verify(app);
  add_version(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // --help, --version
    if (asked) return app.exit(error);
    const std::string command = command_of(app);
    std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", command.c_str(), mistake(app, error, argc, argv).c_str(),
                 command.c_str());
    return 2;
  } catch (const norma::cli::ExitCode& exit) {
    return exit.code;
  } catch (const norma::cli::UsageError& error) {
    return fail(app, error, 2);
  } catch (const norma::Error& error) {
    return fail(app, error, 2);
  } catch (const std::exception& error) {
    return fail(app, error, 1);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run(argc, argv);
  // What was said must have arrived: a full disk behind `norma ... > FILE` is no success.
  std::cout.flush();
  if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout) && code == 0) {
    std::fprintf(stderr, "norma: cannot write to standard output\n");
    return 1;
  }
  return code;
}
