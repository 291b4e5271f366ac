#include "lab/study/run.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "lab/study/worker_process.h"

namespace norma::lab {
namespace {

constexpr int kMostFailedStarts = 3;
constexpr long kPollNanoseconds = 500'000'000;
constexpr double kLeastLimit = 600, kFirstLimit = 6 * 3600, kTimesTheSlowest = 20;  // seconds, seconds, -

class Run {
 public:
  Run(Store& store, Plan& plan, const RunOptions& options, const SignalGuard& signals)
      : store_(store), plan_(plan), options_(options), signals_(signals), stored_trials_(store.trials()) {}

  int run() {
    collect();
    if (waiting_.empty()) return 0;
    store_.begin_session(options_.session);
    while (signals_.arrived() == 0) {
      hand_out();
      if (std::none_of(workers_.begin(), workers_.end(), [](const auto& w) { return busy(*w); }) && waiting_.empty()) {
        return 0;
      }
      wait();
      if (signals_.arrived() == 0) read();
      if (signals_.arrived() == 0) end_overdue();
      if (options_.progress) options_.progress({plan_, stored_, seconds(), options_.workers});
    }
    return signals_.arrived();
  }

 private:
  static bool busy(const WorkerProcess& worker) { return worker.state() == WorkerProcess::State::kBusy; }

  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

  // Moves what the plan has ready to the waiting trials, or past them if the store has it.
  void collect() {
    stored_ += replay(
        plan_, stored_trials_, [this](const PlannedTrial& trial) { waiting_.push_back(trial); },
        [this](const PlannedTrial& trial, const TrialResult& result) {
          begun_.insert(trial.kind);
          limit_.saw(trial.spec, result);
        });
  }

  double limit(const TrialSpec& trial) const {
    return options_.trial_timeout ? *options_.trial_timeout : limit_.seconds(trial);
  }

  // What has come was read before: a worker that finished while this process was stopped is not late.
  void end_overdue() {
    for (auto& worker : workers_) {
      const bool starting = worker->state() == WorkerProcess::State::kStarting;
      const bool at_work = busy(*worker);
      if (!starting && !at_work) continue;
      const double most = at_work ? limit(worker->trial().spec) : options_.trial_timeout.value_or(kLeastLimit);
      if (worker->seconds() <= most) continue;
      worker->end(
          fmt::format("{} within {:g} s (--trial-timeout): ended", at_work ? "not finished" : "not ready", most));
      mourn(*worker, starting, at_work);
    }
    bury_dead();
  }

  PlannedTrial take() {
    // One of every kind before all others, so that it is soon known how long the study takes. Tuning first: it is what
    // later trials wait for. Then seed by seed, so that all cells grow alike.
    const auto order = [this](const PlannedTrial& trial) {
      return std::tuple(begun_.contains(trial.kind), !trial.spec.tuning, trial.spec.seed);
    };
    const auto chosen = std::min_element(waiting_.begin(), waiting_.end(),
                                         [&](const auto& a, const auto& b) { return order(a) < order(b); });
    PlannedTrial trial = *chosen;
    begun_.insert(trial.kind);
    waiting_.erase(chosen);
    return trial;
  }

  void hand_out() {
    for (auto& worker : workers_) {
      if (worker->state() == WorkerProcess::State::kIdle && !waiting_.empty()) worker->start(take());
    }
    const auto spare = static_cast<std::size_t>(
        std::count_if(workers_.begin(), workers_.end(), [](const auto& w) { return !busy(*w); }));
    const std::size_t most = static_cast<std::size_t>(options_.workers);
    for (std::size_t i = spare; i < waiting_.size() && workers_.size() < most; ++i) {
      try {
        workers_.push_back(std::make_unique<WorkerProcess>(options_.program));
      } catch (const std::runtime_error&) {
        // The system has no room for one more just now: those there are go on, and it is tried again.
        if (workers_.empty()) throw;
        return;
      }
    }
  }

  void wait() {
    std::vector<pollfd> ends;
    for (const auto& worker : workers_) {
      for (const int end : {worker->output(), worker->errors()}) {
        if (end >= 0) ends.push_back({end, POLLIN, 0});
      }
    }
    const timespec timeout{0, kPollNanoseconds};
    if (ppoll(ends.data(), ends.size(), &timeout, &signals_.outside()) < 0 && errno != EINTR) {
      throw std::runtime_error(fmt::format("cannot wait for workers: {}", std::strerror(errno)));
    }
  }

  void read() {
    for (auto& worker : workers_) {
      const bool was_starting = worker->state() == WorkerProcess::State::kStarting;
      const bool was_busy = busy(*worker);
      if (const auto result = worker->read()) record(worker->trial(), *result);
      if (was_starting && worker->state() == WorkerProcess::State::kIdle) greet(*worker);
      if (worker->state() == WorkerProcess::State::kDead) mourn(*worker, was_starting, was_busy);
    }
    bury_dead();
  }

  void bury_dead() {
    std::erase_if(workers_, [](const auto& worker) { return worker->state() == WorkerProcess::State::kDead; });
  }

  void greet(const WorkerProcess& worker) {
    failed_starts_ = 0;
    if (greeted_) return;
    greeted_ = true;
    store_.set_versions(worker.versions());
    if (options_.versions) options_.versions(worker.versions());
  }

  void mourn(const WorkerProcess& worker, bool was_starting, bool was_busy) {
    if (was_starting && !worker.was_told_to_end()) {
      if (++failed_starts_ >= kMostFailedStarts) {
        throw std::runtime_error(fmt::format("the workers do not start: {}: {}", options_.program, worker.death()));
      }
    } else if (was_busy && worker.was_told_to_end()) {
      // Neither its own doing nor the trial's: somebody ended it. The trial is run again.
      waiting_.push_front(worker.trial());
    } else if (was_busy) {
      TrialResult crashed;
      crashed.status = TrialStatus::kCrashed;
      crashed.reason = worker.death();
      record(worker.trial(), crashed);
    }
  }

  void record(const PlannedTrial& trial, const TrialResult& result) {
    if (result.status == TrialStatus::kCrashed && options_.before_crash) options_.before_crash();
    store_.add(trial.key, trial.spec, result);
    limit_.saw(trial.spec, result);
    plan_.finished(trial.key, result);
    collect();
  }

  Store& store_;
  Plan& plan_;
  const RunOptions& options_;
  const SignalGuard& signals_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const std::map<std::string, TrialResult> stored_trials_;
  TrialLimit limit_;
  std::deque<PlannedTrial> waiting_;
  std::set<std::string> begun_;  // kinds of trials
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
  std::int64_t stored_ = 0;
  int failed_starts_ = 0;
  bool greeted_ = false;
};

}  // namespace

void TrialLimit::saw(const TrialSpec& trial, const TrialResult& result) {
  if (result.status != TrialStatus::kOk || !std::isfinite(result.seconds)) return;
  double& slowest = slowest_[trial.model.name];
  slowest = std::max(slowest, result.seconds);
}

double TrialLimit::seconds(const TrialSpec& trial) const {
  const auto found = slowest_.find(trial.model.name);
  return found == slowest_.end() ? kFirstLimit : std::max(kLeastLimit, kTimesTheSlowest * found->second);
}

std::int64_t replay(Plan& plan, const std::map<std::string, TrialResult>& stored,
                    const std::function<void(const PlannedTrial&)>& missing,
                    const std::function<void(const PlannedTrial&, const TrialResult&)>& there) {
  std::int64_t count = 0;
  while (const auto trial = plan.next()) {
    const auto found = stored.find(trial->key);
    if (found == stored.end()) {
      missing(*trial);
    } else {
      if (there) there(*trial, found->second);
      plan.finished(trial->key, found->second);
      ++count;
    }
  }
  return count;
}

int run_study(Store& store, Plan& plan, const RunOptions& options, const SignalGuard& signals) {
  return Run(store, plan, options, signals).run();
}

}  // namespace norma::lab
