// A stand-in for norma-trial: the protocol without the training. Its results are a function of the trial alone, and
// have the shape that real ones have: an arm that shares over the batch is worse the smaller the normalization batch,
// and a learning rate of 0.03 is best.
//
// FAKE_TRIAL chooses what goes wrong: "crash" (abort in final seed 2), "killed" (SIGKILL there, as of memory), "exit"
// (code 3 there), "hang" (no end there), "refuse" (ends before it is ready), "refuse killed" (by SIGKILL), "refuse
// silently" (never ready), "garbage" (an answer that is no JSON in final seed 2), "error" (a crashed result), "diverge"
// (final seed 2 of the arm batch), "diverge all" (every trial), "told" (SIGTERM to itself in final seed 2, once for
// every file FAKE_TRIAL_ONCE), "told each" (the same in each such trial, once for every folder FAKE_TRIAL_ONCE), "slow
// blas" (it names the reference BLAS). FAKE_TRIAL_MS: how long a trial takes. FAKE_TRIAL_LOG: a file that gets one line
// for every trial begun.
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

#include "lab/data/random.h"
#include "lab/trial/spec.h"
#include "lab/trial/version.h"

namespace {

using namespace norma::lab;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

double error_of(const TrialSpec& trial) {
  const double batch = static_cast<double>(trial.normalization_batch);
  const double base = trial.normalization_batch > 0 ? 0.04 + 0.6 / (batch * batch) : trial.arm == "none" ? 0.1 : 0.05;
  return std::min(0.9, base + 0.1 * std::abs(std::log10(trial.training.learning_rate / 0.03)));
}

TrialResult result_of(const TrialSpec& trial) {
  TrialResult result;
  const double error = error_of(trial);
  // By the trial alone: its fate must not change with the code version.
  Random random(std::stoull(trial_key(trial, "made-up").substr(0, 16), nullptr, 16));
  result.validation_error = error;
  result.steps = trial.training.epochs * (trial.data.train / trial.training.sgd_batch);
  result.seconds = 0.01 * static_cast<double>(trial.seed);
  for (const std::int64_t step : {result.steps / 2, result.steps}) {
    result.curve.push_back({step, 1.0 / static_cast<double>(1 + step), error});
  }
  if (trial.tuning) return result;
  std::int64_t wrong = 0;
  for (std::int64_t i = 0; i < trial.data.test; ++i) {
    const bool is_wrong = random.uniform() < error;
    result.test_wrong += is_wrong ? '1' : '0';
    wrong += is_wrong ? 1 : 0;
  }
  result.test_error = static_cast<double>(wrong) / static_cast<double>(trial.data.test);
  return result;
}

TrialResult misbehave(const std::string& how, const TrialSpec& trial, TrialResult result) {
  if (how == "crash") std::abort();
  if (how == "killed") raise(SIGKILL);
  if (how == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
  if (how == "exit") {
    std::cerr << "out of luck\n";
    std::exit(3);
  }
  if (how == "garbage") std::cout << "no JSON at all" << std::endl;
  if (how == "error") {
    result.status = TrialStatus::kCrashed;
    result.reason = "it said so";
  }
  if (how == "diverge all" || (how == "diverge" && trial.arm == "batch")) {
    result = {};
    result.status = TrialStatus::kDiverged;
    result.reason = "training loss not finite";
    result.seconds = 0;
    result.validation_error = result.test_error = std::nan("");
  }
  if (how == "told" || how == "told each") {
    std::string once = environment("FAKE_TRIAL_ONCE");
    if (how == "told each") once += "/" + trial_key(trial, code_version());
    if (!std::ifstream(once)) {
      std::ofstream(once) << "x";
      raise(SIGTERM);
    }
  }
  return result;
}

}  // namespace

int main() {
  const std::string how = environment("FAKE_TRIAL"), pause = environment("FAKE_TRIAL_MS");
  const std::string log = environment("FAKE_TRIAL_LOG");
  if (how == "refuse") {
    std::cerr << "no such library\n";
    return 4;
  }
  if (how == "refuse killed") raise(SIGKILL);
  if (how == "refuse silently") std::this_thread::sleep_for(std::chrono::hours(1));
  std::cout << R"({"ready":true,"versions":{"torch":"none","blas":")" << (how == "slow blas" ? "reference" : "fake")
            << R"(","isa":"fake"}})" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const nlohmann::json request = nlohmann::json::parse(line);
    const TrialSpec trial = trial_spec_from_json(request.at("trial"));
    if (!log.empty()) std::ofstream(log, std::ios::app) << trial_key(trial, code_version()) + "\n";
    if (!pause.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(pause)));
    TrialResult result = result_of(trial);
    if (trial.seed == 2 || how == "diverge all") result = misbehave(how, trial, result);
    const nlohmann::json answer = {{"id", request.at("id")}, {"result", to_json(result)}};
    std::cout << answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  }
}
