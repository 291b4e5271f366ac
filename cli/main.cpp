// The `norma` command: thin, and without torch, so that it answers at once. What trains is norma-trial, a program of
// its own that `norma study` starts.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "commands.h"
#include "lab/study/nearest.h"
#include "norma/error.h"
#include "norma/machine.h"

namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

// The command that the first words name, and how many words that were; `unknown` is the word that should have named
// one and does not. Looked at before the parser, which answers a --help behind such a word.
struct Named {
  const CLI::App* command;
  std::string path = "norma";  // "norma data check"
  int words = 1;
  std::string unknown = {};
};

Named named(const CLI::App& app, int argc, char** argv) {
  Named found{&app};
  while (found.words < argc && argv[found.words][0] != '-') {
    const auto commands = commands_of(*found.command);
    if (commands.empty()) break;
    const std::string word = argv[found.words];
    const auto next = std::ranges::find_if(commands, [&](const CLI::App* sub) { return sub->get_name() == word; });
    if (next == commands.end()) {
      found.unknown = word;
      break;
    }
    found.command = *next;
    found.path += " " + word;
    ++found.words;
  }
  return found;
}

std::string unknown_command(const Named& at) {
  std::vector<std::string> names;
  for (const CLI::App* sub : commands_of(*at.command)) names.push_back(sub->get_name());
  return "unknown command '" + at.unknown + "'" + norma::lab::suggestion(at.unknown, names);
}

// The first option that the command does not have, with the nearest that it has; "" if it has all.
std::string unknown_option(const Named& at, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::Option* option : at.command->get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (int i = at.words; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string_view whole = argv[i];
    const std::string word(whole.substr(0, whole.find('=')));
    const bool option = word.size() > 1 && word[0] == '-' && std::isdigit(static_cast<unsigned char>(word[1])) == 0;
    if (option && at.command->get_option_no_throw(word) == nullptr) {
      return "unknown option '" + word + "'" + norma::lab::suggestion(word, names);
    }
  }
  return "";
}

// What is wrong with the words: what the parser calls unexpected or missing may be a name that is not known.
std::string mistake(const CLI::ParseError& error, const Named& at, int argc, char** argv) {
  const std::string option = unknown_option(at, argc, argv);
  if (!option.empty()) return option;
  if (at.words >= argc && !commands_of(*at.command).empty()) {
    std::string names;
    for (const CLI::App* sub : commands_of(*at.command)) names += (names.empty() ? "" : ", ") + sub->get_name();
    return "expected a command: " + names;
  }
  return error.what();
}

int refuse(const std::string& command, const std::string& message) {
  std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", command.c_str(), message.c_str(), command.c_str());
  return 2;
}

// --version, at every command.
void add_version(CLI::App& app) {
  app.set_version_flag("--version", "norma " + std::string(norma::version()));
  for (CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) add_version(*sub);
}

int fail(const Named& at, const std::exception& error, int code) {
  std::fprintf(stderr, "%s: %s\n", at.path.c_str(), error.what());
  return code;
}

int run(int argc, char** argv) {
  CLI::App app{"Which normalization should this network use? Norma trains, measures and answers."};
  app.name("norma");
  app.require_subcommand(1);
  norma::cli::add_study(app);
  norma::cli::add_report(app);
  norma::cli::add_claims(app);
  norma::cli::add_data(app);
  norma::cli::add_explain(app);
  norma::cli::add_verify(app);
  add_version(app);
  const Named at = named(app, argc, argv);
  if (!at.unknown.empty()) return refuse(at.path, unknown_command(at));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const bool asked = error.get_exit_code() == 0;  // --help, --version
    if (asked) return app.exit(error);
    return refuse(at.path, mistake(error, at, argc, argv));
  } catch (const norma::cli::ExitCode& exit) {
    return exit.code;
  } catch (const norma::cli::UsageError& error) {
    return fail(at, error, 2);
  } catch (const norma::Error& error) {
    return fail(at, error, 2);
  } catch (const std::exception& error) {
    return fail(at, error, 1);
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
