#include "browser.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

namespace norma::cli {
namespace {

#ifdef __APPLE__
constexpr const char* kOpener = "open";
#else
constexpr const char* kOpener = "xdg-open";
#endif

bool set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

// In a session of its own and without our streams: it may stay, and what it prints is not ours. 0, or why it did not
// start.
int start(const char* program, const std::string& path, pid_t& child) {
  posix_spawn_file_actions_t streams;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&streams);
  posix_spawnattr_init(&attributes);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&streams, stream, "/dev/null", O_RDWR, 0);
  }
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  std::string name = program;
  std::string argument = path;
  std::array<char*, 3> words{name.data(), argument.data(), nullptr};
  const int failed = posix_spawnp(&child, program, &streams, &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&streams);
  return failed;
}

// Openers that find nothing to open with end at once; whoever is still there after a moment shows the file.
bool ended_badly(pid_t child) {
  for (int i = 0; i < 50; ++i) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

}  // namespace

std::string open_in_browser(const std::string& path) {
  const char* program = set("BROWSER") ? std::getenv("BROWSER") : kOpener;
#ifndef __APPLE__
  // Without a screen the opener would start a browser for terminals, and hang in it.
  if (!set("BROWSER") && !set("DISPLAY") && !set("WAYLAND_DISPLAY")) return "there is no screen here";
#endif
  pid_t child = 0;
  const int failed = start(program, std::filesystem::absolute(path).string(), child);
  if (failed != 0) return std::string(program) + ": " + std::strerror(failed);
  if (ended_badly(child)) return std::string(program) + " could not open it";
  return "";
}

}  // namespace norma::cli
