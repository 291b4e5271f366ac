#include "lab/study/signal_guard.h"

namespace norma::lab {
namespace {

volatile sig_atomic_t last_signal = 0;

void note_signal(int number) {
  last_signal = number;
}

// Takes one that is held back; false if there is none.
bool take_pending(const sigset_t& signals) {
  const timespec at_once{0, 0};
  const int number = sigtimedwait(&signals, nullptr, &at_once);
  if (number > 0) last_signal = number;
  return number > 0;
}

}  // namespace

SignalGuard::SignalGuard() {
  last_signal = 0;
  sigemptyset(&noted_);
  for (std::size_t i = 0; i < kNoted.size(); ++i) {
    sigaction(kNoted[i], nullptr, &actions_[i]);
    if (actions_[i].sa_handler != SIG_IGN) sigaddset(&noted_, kNoted[i]);
  }
  sigprocmask(SIG_BLOCK, &noted_, &before_);
  struct sigaction action {};
  action.sa_handler = note_signal;
  for (const int number : kNoted) {
    if (sigismember(&noted_, number) == 1) sigaction(number, &action, nullptr);
  }
  pipe_ = signal(SIGPIPE, SIG_IGN);
}

SignalGuard::~SignalGuard() {
  while (take_pending(noted_)) {
  }
  for (std::size_t i = 0; i < kNoted.size(); ++i) sigaction(kNoted[i], &actions_[i], nullptr);
  signal(SIGPIPE, pipe_);
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int SignalGuard::arrived() const {
  if (last_signal == 0) take_pending(noted_);
  return last_signal;
}

}  // namespace norma::lab
