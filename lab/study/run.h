// Runs a study: hands its trials to workers and writes what comes back to the store, until all is done or a signal
// asks for an end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "lab/store/store.h"
#include "lab/study/plan.h"
#include "lab/study/signal_guard.h"

namespace norma::lab {

struct RunProgress {
  const Plan& plan;
  std::int64_t stored = 0;  // trials that were done before this run
  double seconds = 0;       // since this run began
  std::int64_t workers = 1;
};

struct RunOptions {
  std::int64_t workers = 1;
  std::string program;  // norma-trial
  // Seconds that a trial may take, and a worker's start; one that takes longer is ended and recorded as crashed.
  // Nothing: what TrialLimit says.
  std::optional<double> trial_timeout;
  Session session;  // begun in the store if there is anything to run
  // Called after every finished trial and at least every half second.
  std::function<void(const RunProgress&)> progress;
  // Called before a trial is recorded as crashed; throws where the fault is not the trial's (data that is gone).
  std::function<void()> before_crash;
  // Called once, when the first worker that is ready has said what it runs on.
  std::function<void(const nlohmann::json& versions)> versions;
};

// How long a trial may take where nobody said: 20 times the slowest finished trial of its model, at least 10 minutes;
// 6 hours while none is finished. A model that trains for an hour must not be ended by the measure of one that takes a
// second.
class TrialLimit {
 public:
  void saw(const TrialSpec& trial, const TrialResult& result);
  double seconds(const TrialSpec& trial) const;

 private:
  std::map<std::string, double> slowest_;  // by the model's name
};

// Feeds the plan all that the store holds and returns how many trials that were. Trials that are missing are handed
// to `missing` in the plan's order, the others with their results to `there`.
std::int64_t replay(Plan& plan, const std::map<std::string, TrialResult>& stored,
                    const std::function<void(const PlannedTrial&)>& missing,
                    const std::function<void(const PlannedTrial&, const TrialResult&)>& there = {});

// Returns 0 when all trials are done, or the signal of `signals` that stopped it, with all workers dead.
// A worker that dies takes its trial with it as crashed, and is replaced; so does one that takes too long. Throws
// std::runtime_error if workers do not even start.
int run_study(Store& store, Plan& plan, const RunOptions& options, const SignalGuard& signals);

}  // namespace norma::lab
