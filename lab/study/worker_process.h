// A worker: a norma-trial process that trains one trial at a time.
//
// It speaks JSON, one object a line. It begins with {"ready":true,"versions":{...}}; to {"id":N,"trial":{...}} it
// answers {"id":N,"result":{...}} (lab/training/serve.h is its side). It has a process group of its
// own, so that Ctrl-C reaches `norma` alone, and dies with `norma`, however that ends.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/study/plan.h"

namespace norma::lab {

class WorkerProcess {
 public:
  enum class State : std::uint8_t { kStarting, kIdle, kBusy, kDead };

  // Starts the program; that it cannot run shows as an early death. Throws std::runtime_error if the system has no
  // more processes or pipes.
  explicit WorkerProcess(const std::string& program);
  // Kills it.
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  State state() const { return state_; }
  // Pipes to wait on: its output and its errors; -1 where closed.
  int output() const { return output_; }
  int errors() const { return errors_; }

  void start(const PlannedTrial& trial);
  const PlannedTrial& trial() const { return trial_; }

  // Reads what has come, without waiting. Returns the result if the trial is finished. A line that breaks the protocol
  // kills the worker.
  std::optional<TrialResult> read();

  // What it said about itself, once it is ready.
  const nlohmann::json& versions() const { return versions_; }
  // Seconds that it has been starting, or at its trial.
  double seconds() const;
  // Ends it; death() gives the reason.
  void end(const std::string& reason) { bury(reason); }

  // Once dead: "ended by signal 6 (Aborted)", "ended with exit code 3", with the last it wrote to its errors.
  std::string death() const;
  // Once dead: whether somebody asked it to end (SIGTERM, SIGINT, SIGHUP), e.g. the machine shutting down.
  bool was_told_to_end() const;

 private:
  void read_errors();
  std::optional<TrialResult> handle(const std::string& line);
  void bury(const std::string& complaint);
  void await_end() const;

  pid_t process_ = -1;
  int input_ = -1, output_ = -1, errors_ = -1;
  State state_ = State::kStarting;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  PlannedTrial trial_;
  std::int64_t id_ = 0;
  std::string unread_, last_words_, complaint_;
  nlohmann::json versions_;
  int status_ = 0;
};

}  // namespace norma::lab
