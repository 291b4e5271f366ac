// The runner with workers that do not behave, and the results document of what they leave.
#include "lab/study/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>

#include "lab/error.h"
#include "lab/results/machine.h"
#include "lab/results/results.h"
#include "small_study.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using norma::testing::small_spec;
using norma::testing::small_store;
using norma::testing::Temporary;
using norma::testing::whole;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::int64_t kTrials = 36;

class Runner : public ::testing::Test {
 protected:
  ~Runner() override {
    unsetenv("FAKE_TRIAL");
    unsetenv("FAKE_TRIAL_ONCE");
  }
  // Runs the small study, or its first seeds, with fake workers that behave like this.
  nlohmann::json run(const std::string& how, std::int64_t workers = 2, std::int64_t seeds = 3) {
    setenv("FAKE_TRIAL", how.c_str(), 1);
    Store store = small_store(folder_.path());
    StudySpec spec = small_spec();
    spec.seeds = seeds;
    Plan plan(whole(spec), code_version());
    const SignalGuard signals;
    RunOptions options;
    options.workers = workers;
    options.program = program_;
    options.session.started = utc_now();
    options.session.machine = options.session.versions = nlohmann::json::object();
    options.before_crash = before_crash_;
    options.trial_timeout = trial_timeout_;
    options.progress = [this](const RunProgress& progress) { last_done_ = progress.plan.done(); };
    EXPECT_EQ(run_study(store, plan, options, signals), 0);
    return results_of(store);
  }

  Temporary folder_;
  std::string program_ = FAKE_TRIAL_PROGRAM;
  std::function<void()> before_crash_;
  std::optional<double> trial_timeout_;
  std::int64_t last_done_ = 0;
};

// Everything of the results that must not depend on how they came about.
nlohmann::json findings(nlohmann::json results) {
  results.erase("run");
  return results;
}

TEST_F(Runner, TrainsAllAndTellsIt) {
  const nlohmann::json results = run("");
  EXPECT_EQ(last_done_, kTrials);
  EXPECT_EQ(results.at("run").at("complete"), true);
  EXPECT_EQ(results.at("run").at("trials").at("ok"), kTrials);
  EXPECT_EQ(results.at("run").at("trials").at("tuning"), 24);
  EXPECT_EQ(results.at("run").at("versions").at("blas"), "fake");
  EXPECT_THAT(results.at("verdict").at("headline"), Not(HasSubstr("Provisional")));
  EXPECT_EQ(results.at("cells").size(), 4U);
  EXPECT_EQ(results.at("cells")[1].at("trials").size(), 3U);
  EXPECT_EQ(results.at("cells")[0].at("normalization_batch"), nullptr);
  EXPECT_EQ(results.at("contrasts").size(), 2U + 3U);
  EXPECT_EQ(results.at("contrasts")[0].at("n"), 3);
  EXPECT_EQ(results.at("contrasts")[0].at("p"), 0.25);
  EXPECT_EQ(results.at("contrasts")[0].at("p_holm"), 0.5);
  EXPECT_EQ(results.at("contrasts")[0].at("outcome"), "no difference shown");
  const nlohmann::json& difference = results.at("contrasts")[0].at("difference");
  EXPECT_LE(difference.at("low"), difference.at("mean"));
  EXPECT_GE(difference.at("high"), difference.at("mean"));
  const double a = results.at("cells")[1].at("error").at("mean"), b = results.at("cells")[3].at("error").at("mean");
  EXPECT_NEAR(difference.at("mean"), a - b, 1e-12);
  EXPECT_THAT(results.at("warnings"), Contains(HasSubstr("no difference can be shown")));
}

TEST_F(Runner, FindsTheSameWithOneWorkerAsWithMany) {
  const nlohmann::json many = findings(run("", 5));
  const Temporary other;
  Store store = small_store(other.path());
  Plan plan(whole(small_spec()), code_version());
  const SignalGuard signals;
  RunOptions options;
  options.program = program_;
  options.session.machine = options.session.versions = nlohmann::json::object();
  run_study(store, plan, options, signals);
  EXPECT_EQ(findings(results_of(store)).dump(), many.dump());
}

TEST_F(Runner, DoesNothingTwice) {
  run("");
  program_ = "/nonexistent";  // would be an error if it were started
  EXPECT_EQ(run("").at("run").at("sessions"), 1);
}

TEST_F(Runner, WarnsOfSessionsThatComputedWithDifferentKernels) {
  const auto differ = Contains(HasSubstr("sessions that differ in blas (reference; then fake)"));
  EXPECT_THAT(run("slow blas", 2, 2).at("warnings"), Not(differ));
  const nlohmann::json results = run("");
  EXPECT_EQ(results.at("run").at("mixed").dump(), R"({"blas":["reference","fake"]})");
  EXPECT_THAT(results.at("warnings"), differ);
}

// Final seed 2 of all four cells ends each time; the other 32 trials stand, and the study is complete.
TEST_F(Runner, RecordsAWorkerThatAbortsAndGoesOn) {
  const nlohmann::json results = run("crash");
  EXPECT_EQ(results.at("run").at("trials").at("crashed"), 4);
  EXPECT_EQ(results.at("run").at("complete"), true);
  const nlohmann::json& trial = results.at("cells")[0].at("trials")[1];
  EXPECT_EQ(trial.at("status"), "crashed");
  EXPECT_EQ(trial.at("error"), 1.0);
  EXPECT_THAT(trial.at("reason"), HasSubstr("signal 6"));
  EXPECT_THAT(results.at("warnings"), Contains(HasSubstr("crashed")));
}

TEST_F(Runner, RecordsAnExitCodeWithTheLastWords) {
  EXPECT_THAT(run("exit").at("cells")[0].at("trials")[1].at("reason"),
              AllOf(HasSubstr("exit code 3"), HasSubstr("out of luck")));
}

TEST_F(Runner, TellsASignalFromAnExitCode) {
  EXPECT_THAT(run("killed").at("cells")[0].at("trials")[1].at("reason"),
              AllOf(StartsWith("ended by signal 9 (Killed, as the system does where memory runs out)"),
                    Not(HasSubstr("exit code"))));
}

// Final seed 2 of all four cells never ends.
TEST_F(Runner, EndsATrialThatHangsAndGoesOn) {
  trial_timeout_ = 0.5;
  const nlohmann::json results = run("hang");
  EXPECT_EQ(results.at("run").at("complete"), true);
  EXPECT_EQ(results.at("run").at("trials").at("crashed"), 4);
  EXPECT_EQ(results.at("run").at("trials").at("ok"), kTrials - 4);
  EXPECT_EQ(results.at("cells")[0].at("trials")[1].at("reason"), "not finished within 0.5 s (--trial-timeout): ended");
}

TrialResult took(double seconds, TrialStatus status = TrialStatus::kOk) {
  TrialResult result;
  result.status = status;
  result.seconds = seconds;
  return result;
}

TEST(TrialLimit, IsTwentyTimesTheSlowestOfTheModel) {
  TrialSpec small, large;
  small.model.name = "small";
  large.model.name = "large";
  TrialLimit limit;
  EXPECT_EQ(limit.seconds(large), 6 * 3600);
  limit.saw(small, took(1));
  EXPECT_EQ(limit.seconds(small), 600);
  EXPECT_EQ(limit.seconds(large), 6 * 3600);
  limit.saw(large, took(100));
  limit.saw(large, took(50));
  limit.saw(large, took(9000, TrialStatus::kCrashed));
  EXPECT_EQ(limit.seconds(large), 2000);
}

TEST_F(Runner, EndsAWorkerThatTalksNonsense) {
  EXPECT_THAT(run("garbage").at("cells")[0].at("trials")[1].at("reason"), HasSubstr("no JSON at all"));
}

TEST_F(Runner, KeepsDivergenceAsTheWorstValue) {
  const nlohmann::json results = run("diverge");
  EXPECT_EQ(results.at("run").at("trials").at("diverged"), 2);
  const nlohmann::json& cell = results.at("cells")[1];
  EXPECT_EQ(cell.at("diverged"), 1);
  EXPECT_EQ(cell.at("trials")[1].at("error"), 1.0);
  EXPECT_GT(cell.at("error").at("mean"), 1.0 / 3);
  EXPECT_NEAR(cell.at("seconds"), 0.02, 1e-12);  // of seeds 1 and 3, which ran to their end: 0.01 and 0.03
  EXPECT_EQ(cell.at("curve")[0].at("validation_error").at("mean").get<double>() > 1.0 / 3, true);
  EXPECT_THAT(results.at("warnings"),
              Contains(HasSubstr("1 of 3 trials of BatchNorm at normalization batch 2 on mlp diverged")));
}

TEST_F(Runner, SaysFirstThatAllTrialsDiverged) {
  const nlohmann::json results = run("diverge all");
  EXPECT_THAT(results.at("verdict").at("headline"),
              StartsWith("All 12 final trials diverged or crashed: there is next to nothing to compare."));
  // 3 of 3 seeds failed, which says little of a fourth.
  EXPECT_NEAR(results.at("cells")[0].at("error").at("low"), std::cbrt(0.025), 1e-9);
}

TEST_F(Runner, RunsATrialAgainWhoseWorkerWasToldToEnd) {
  setenv("FAKE_TRIAL_ONCE", (folder_.path() + "-once").c_str(), 1);
  const nlohmann::json results = run("told", 1);
  unlink((folder_.path() + "-once").c_str());
  EXPECT_EQ(results.at("run").at("trials").at("crashed"), 0);
  EXPECT_EQ(results.at("run").at("complete"), true);
}

// Four trials of final seed 2 are told to end at once, and so are their successors, each once.
TEST_F(Runner, GoesOnHoweverManyWorkersAreToldToEnd) {
  const Temporary once;
  setenv("FAKE_TRIAL_ONCE", once.path().c_str(), 1);
  const nlohmann::json results = run("told each", 4);
  EXPECT_EQ(results.at("run").at("trials").at("crashed"), 0);
  EXPECT_EQ(results.at("run").at("complete"), true);
}

// There is room for the pipes of two or three workers, not of eight.
TEST_F(Runner, GoesOnWithTheWorkersThereAreWhereTheSystemHasNoRoomForMore) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(0);
  ASSERT_GE(next, 0);
  close(next);
  constexpr int kStoreAndTwo = 4 + 2 * 3 + 3;
  const rlimit low{static_cast<rlim_t>(next + kStoreAndTwo), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  nlohmann::json results;
  EXPECT_NO_THROW(results = run("", 8));
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(results.at("run").at("complete"), true);
  EXPECT_EQ(results.at("run").at("trials").at("ok"), kTrials);
}

TEST(SignalGuard, NotesSignalsAndForgetsThemAtItsEnd) {
  signal(SIGINT, SIG_DFL);  // a shell that starts the tests in its background ignores it
  {
    const SignalGuard signals;
    EXPECT_EQ(signals.arrived(), 0);
    raise(SIGINT);
    raise(SIGTERM);
    EXPECT_EQ(signals.arrived(), SIGINT);
    EXPECT_EQ(signals.arrived(), SIGINT);
  }  // SIGTERM would end the test here
  const SignalGuard again;
  EXPECT_EQ(again.arrived(), 0);
}

TEST(SignalGuard, LeavesWhatWasIgnoredIgnored) {
  const auto before = signal(SIGHUP, SIG_IGN);
  {
    const SignalGuard signals;
    raise(SIGHUP);
    EXPECT_EQ(signals.arrived(), 0);
  }
  EXPECT_EQ(signal(SIGHUP, before), SIG_IGN);
}

TEST_F(Runner, GivesUpOnWorkersThatDoNotStart) {
  EXPECT_THAT(message_of<std::runtime_error>([&] { run("refuse"); }),
              AllOf(HasSubstr("do not start"), HasSubstr("no such library")));
  EXPECT_THAT(message_of<std::runtime_error>([&] { run("refuse"); }), HasSubstr("exit code 4"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { run("refuse killed"); }),
              AllOf(HasSubstr("do not start"), HasSubstr("signal 9 (Killed"), Not(HasSubstr("exit code"))));
  trial_timeout_ = 0.2;
  EXPECT_THAT(message_of<std::runtime_error>([&] { run("refuse silently"); }), HasSubstr("not ready within 0.2 s"));
  program_ = "/nonexistent";
  EXPECT_THAT(message_of<std::runtime_error>([&] { run(""); }), HasSubstr("No such file"));
}

TEST_F(Runner, BlamesNoTrialForDataThatIsGone) {
  before_crash_ = [] { throw InputError("the data is gone"); };
  EXPECT_THAT(message_of<InputError>([&] { run("error"); }), HasSubstr("the data is gone"));
  before_crash_ = nullptr;
  EXPECT_EQ(run("").at("run").at("trials").at("crashed"), 0);
}

TEST(Results, OfAnEmptyStoreSayThatNothingIsMeasured) {
  const Temporary folder;
  const nlohmann::json results = results_of(small_store(folder.path()));
  EXPECT_EQ(results.at("run").at("complete"), false);
  EXPECT_EQ(results.at("run").at("trials").at("planned"), kTrials);
  EXPECT_EQ(results.at("cells")[0].at("error"), nullptr);
  EXPECT_EQ(results.at("contrasts")[0].at("difference"), nullptr);
  EXPECT_EQ(results.at("contrasts")[0].at("outcome"), "not measured");
  EXPECT_THAT(results.at("verdict").at("headline"), AllOf(StartsWith("Provisional: "), HasSubstr("not measured yet")));
  EXPECT_THAT(results.at("warnings"), Contains(HasSubstr("not complete: 0 of 36")));
}

TEST(Cores, AreNoMoreThanTheControlGroupsQuotaComesTo) {
  const Temporary root;
  EXPECT_EQ(cores_of_quota(root.path(), "/"), 0);
  EXPECT_EQ(cores_of_quota(root.path(), "/not/there"), 0);
  std::filesystem::create_directories(root.path() + "/a/b");
  root.write("a/cpu.max", "250000 100000\n");
  root.write("a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(cores_of_quota(root.path(), "/a/b"), 3);
  EXPECT_EQ(cores_of_quota(root.path(), "/a"), 3);
  EXPECT_EQ(cores_of_quota(root.path(), "/"), 0);
  root.write("a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(cores_of_quota(root.path(), "/a/b"), 1);
  root.write("a/b/cpu.max", "words");
  EXPECT_EQ(cores_of_quota(root.path(), "/a/b"), 3);
}

}  // namespace
}  // namespace norma::lab
