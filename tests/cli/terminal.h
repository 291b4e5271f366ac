// Runs a built command in a terminal of its own, as a person would.
//
//   const Outcome norma = run_in_terminal({NORMA_COMMAND, "study", "quick"}, 80);
//
// Standard output and error are the one terminal: what it showed is in `out`, with line ends as in a file.
#pragma once

#include <fcntl.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "run_command.h"

namespace norma::testing {

// Not every container has pseudo-terminals.
inline bool has_terminals() {
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0) return false;
  const bool opens = grantpt(terminal) == 0 && unlockpt(terminal) == 0 && ptsname(terminal) != nullptr &&
                     access(ptsname(terminal), R_OK | W_OK) == 0;
  close(terminal);
  return opens;
}

inline Outcome run_in_terminal(const std::vector<std::string>& command, unsigned short columns,
                               std::vector<std::pair<std::string, std::string>> environment = {}) {
  environment.insert(environment.begin(), {{"TERM", "xterm"}, {"NO_COLOR", ""}, {"COLUMNS", ""}});
  winsize size{};
  size.ws_row = 40;
  size.ws_col = columns;
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  if (child < 0) throw std::runtime_error("no terminal");
  if (child == 0) detail::become(command, {.environment = environment}, STDOUT_FILENO, STDERR_FILENO);
  Outcome outcome;
  std::array<char, 4096> buffer;
  for (;;) {  // ends with EIO where the child has closed the terminal
    const ssize_t got = read(terminal, buffer.data(), buffer.size());
    if (got > 0) outcome.out.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  close(terminal);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  for (std::size_t at = 0; (at = outcome.out.find("\r\n", at)) != std::string::npos;) outcome.out.erase(at, 1);
  return outcome;
}

}  // namespace norma::testing
