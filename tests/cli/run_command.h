// Runs a built command as a stranger would and gives back what it said: for tests through the door.
//
//   const Outcome norma = run({NORMA_COMMAND, "explain", "--norm", "batch"});
//   EXPECT_EQ(norma.code, 0) << norma.err;
//
// The child's standard input is empty; its standard output and error are pipes, so it sees no terminal.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace norma::testing {

struct Outcome {
  int code = -1;       // exit code; 128 + signal if a signal ended it
  std::string out;     // standard output
  std::string err;     // standard error
  double seconds = 0;  // from start to end
};

struct RunOptions {
  // Set in the child's environment; an empty value takes the variable out.
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::string directory = {};  // where it runs; empty: here
  // Sent to the child after this many seconds, if positive (e.g. SIGKILL, SIGINT).
  double signal_after = 0;
  int signal_number = SIGKILL;
};

namespace detail {

inline void become(const std::vector<std::string>& command, const RunOptions& options, int out, int err) {
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  for (const auto& [name, value] : options.environment) {
    if (value.empty()) {
      unsetenv(name.c_str());
    } else {
      setenv(name.c_str(), value.c_str(), 1);
    }
  }
  if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(126);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

// Reads both pipes to their ends, and sends the signal when its time has come.
inline void drain(std::array<int, 2> pipes, std::array<std::string*, 2> texts, pid_t child, const RunOptions& options,
                  std::chrono::steady_clock::time_point start) {
  bool to_signal = options.signal_after > 0;
  while (pipes[0] >= 0 || pipes[1] >= 0) {
    std::array<pollfd, 2> waiting{pollfd{pipes[0], POLLIN, 0}, pollfd{pipes[1], POLLIN, 0}};
    if (poll(waiting.data(), waiting.size(), to_signal ? 5 : -1) < 0 && errno != EINTR) break;
    const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (to_signal && elapsed >= options.signal_after) {
      kill(child, options.signal_number);
      to_signal = false;
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (pipes[i] < 0 || waiting[i].revents == 0) continue;
      std::array<char, 65536> buffer;
      const ssize_t got = read(pipes[i], buffer.data(), buffer.size());
      if (got > 0) {
        texts[i]->append(buffer.data(), static_cast<std::size_t>(got));
      } else if (got == 0 || errno != EINTR) {
        close(pipes[i]);
        pipes[i] = -1;
      }
    }
  }
}

}  // namespace detail

inline Outcome run(const std::vector<std::string>& command, const RunOptions& options = {}) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no child process");
  if (child == 0) detail::become(command, options, out[1], err[1]);
  close(out[1]);
  close(err[1]);
  Outcome outcome;
  detail::drain({out[0], err[0]}, {&outcome.out, &outcome.err}, child, options, start);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace norma::testing
