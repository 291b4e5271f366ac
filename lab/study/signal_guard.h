// Holds back the signals that ask a program to end, so that it ends in its own words.
#pragma once

#include <signal.h>

#include <array>

namespace norma::lab {

// While it lives, SIGINT, SIGTERM and SIGHUP are only noted, and only arrive where `outside()` is let in (ppoll): none
// slips in between looking and waiting. A pipe to a dead worker is no reason to die. Those that came meanwhile are
// forgotten at the end. What was ignored before (nohup) stays ignored. One at a time.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;

  // The signal that came, or 0.
  int arrived() const;
  // The mask to wait with, under which they arrive.
  const sigset_t& outside() const { return before_; }

 private:
  static constexpr std::array<int, 3> kNoted{SIGINT, SIGTERM, SIGHUP};
  sigset_t noted_{}, before_{};
  std::array<struct sigaction, 3> actions_{};
  void (*pipe_)(int) = SIG_DFL;
};

}  // namespace norma::lab
