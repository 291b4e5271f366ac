// The plan: what is trained, at which learning rate, and that the stored results lead back to it.
#include "lab/study/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "lab/study/run.h"
#include "small_study.h"

namespace norma::lab {
namespace {

using norma::testing::small_spec;
using norma::testing::whole;

// Runs everything, with errors by this function, and returns the keys in order.
std::vector<std::string> run_all(Plan& plan, const std::function<TrialResult(const TrialSpec&)>& train) {
  std::vector<std::string> keys;
  while (const auto trial = plan.next()) {
    keys.push_back(trial->key);
    plan.finished(trial->key, train(trial->spec));
  }
  return keys;
}

TrialResult with_error(double error) {
  TrialResult result;
  result.validation_error = result.test_error = error;
  return result;
}

// Best at this learning rate.
auto best_at(double rate) {
  return [rate](const TrialSpec& trial) {
    return with_error(std::abs(std::log(trial.training.learning_rate / rate)) / 10);
  };
}

TEST(Plan, TrainsEveryCellOnceATrial) {
  Plan plan(whole(small_spec()), "1");
  const auto keys = run_all(plan, best_at(0.03));
  // Four cells: none, batch at 2 and 16, layer; 3 rates x 2 tuning seeds and 3 final seeds each.
  EXPECT_EQ(plan.cells().size(), 4U);
  EXPECT_EQ(keys.size(), 4U * (3 * 2 + 3));
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
  EXPECT_EQ(plan.planned(), static_cast<std::int64_t>(keys.size()));
  EXPECT_EQ(plan.done(), plan.planned());
  for (const Cell& cell : plan.cells()) {
    EXPECT_EQ(cell.learning_rate, 0.03);
    EXPECT_FALSE(cell.at_edge);
  }
}

TEST(Plan, TunesOnSeedsOfItsOwnAndNeverOnTest) {
  Plan plan(whole(small_spec()), "1");
  std::set<std::uint64_t> tuning, final;
  run_all(plan, [&](const TrialSpec& trial) {
    (trial.tuning ? tuning : final).insert(trial.seed);
    return best_at(0.03)(trial);
  });
  EXPECT_EQ(final, (std::set<std::uint64_t>{1, 2, 3}));
  for (const std::uint64_t seed : tuning) EXPECT_FALSE(final.contains(seed));
  EXPECT_EQ(tuning.size(), 2U);
}

TEST(Plan, WidensTheGridWhereTheBestIsAtItsEdgeButNotForEver) {
  Plan plan(whole(small_spec()), "1");
  run_all(plan, best_at(1e9));
  for (const Cell& cell : plan.cells()) {
    ASSERT_EQ(cell.tuning.size(), 4U);
    EXPECT_EQ(cell.tuning.back().learning_rate, 0.333);  // 0.1 x 0.1 / 0.03
    EXPECT_EQ(cell.learning_rate, 0.333);
    EXPECT_TRUE(cell.at_edge);
  }
  Plan low(whole(small_spec()), "1");
  run_all(low, best_at(0.004));
  for (const Cell& cell : low.cells()) {
    EXPECT_EQ(cell.tuning.front().learning_rate, 0.00333);
    EXPECT_TRUE(cell.at_edge);
  }
}

// Two models that differ in groups alone are the same model on every arm but "group".
StudySpec twins() {
  StudySpec spec = small_spec();
  spec.arms = {"none", "group"};
  spec.models[0].arms = spec.arms;
  spec.models[0].groups = 2;
  spec.models.push_back(spec.models[0]);
  spec.models[1].spec.name = "twin";
  spec.models[1].groups = 4;
  return spec;
}

TEST(Plan, HandsATrialOfTwoCellsOutOnceAndGivesItToBoth) {
  for (const double best : {0.03, 1e9}) {  // the second makes all grids grow
    Plan plan(whole(twins()), "1");
    EXPECT_EQ(plan.planned(), 3 * (3 * 2 + 3));
    const auto keys = run_all(plan, best_at(best));
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
    EXPECT_EQ(static_cast<std::int64_t>(keys.size()), plan.planned());
    EXPECT_EQ(plan.done(), plan.planned());
    EXPECT_EQ(plan.done_final(), 3 * 3);
    ASSERT_EQ(plan.cells().size(), 4U);
    EXPECT_EQ(plan.cells()[2].learning_rate, plan.cells()[0].learning_rate);
    for (const Cell& cell : plan.cells()) {
      for (const auto& result : cell.final) EXPECT_TRUE(result.has_value());
    }
  }
}

TEST(Plan, TakesNoStepThatRoundsBackIntoTheGrid) {
  StudySpec spec = small_spec();
  spec.learning_rates = {0.000101, 0.00010101};
  for (const double best : {1e-9, 1e9}) {
    Plan plan(whole(spec), "1");
    const auto keys = run_all(plan, best_at(best));
    EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
    EXPECT_EQ(plan.done(), plan.planned());
    for (const Cell& cell : plan.cells()) {
      EXPECT_EQ(cell.tuning.size(), 2U);
      EXPECT_TRUE(cell.at_edge);
    }
  }
}

TEST(Plan, TakesNoStepToZeroOrInfinity) {
  StudySpec spec = small_spec();
  spec.widen = 10;
  spec.learning_rates = {5e-324, 1e-3, 1e300};
  for (const double best : {1e-320, 1e300}) {
    Plan plan(whole(spec), "1");
    run_all(plan, best_at(best));
    EXPECT_EQ(plan.done(), plan.planned());
    for (const Cell& cell : plan.cells()) EXPECT_EQ(cell.tuning.size(), 3U);
  }
}

TEST(Plan, WidensALoneRateBothWays) {
  StudySpec spec = small_spec();
  spec.learning_rates = {0.1};
  Plan plan(whole(spec), "1");
  run_all(plan, best_at(0.1));
  EXPECT_EQ(plan.cells()[0].tuning.size(), 3U);
  EXPECT_EQ(plan.cells()[0].learning_rate, 0.1);
  EXPECT_FALSE(plan.cells()[0].at_edge);
}

TEST(Plan, CountsDivergenceAndNaNAsTheWorstValue) {
  Plan plan(whole(small_spec()), "1");
  run_all(plan, [](const TrialSpec& trial) {
    TrialResult result = with_error(0.5);
    if (trial.training.learning_rate > 0.05) {
      result.status = TrialStatus::kDiverged;
      result.validation_error = 0;
    } else if (trial.training.learning_rate > 0.02) {
      result.validation_error = std::nan("");
    }
    return result;
  });
  for (const Cell& cell : plan.cells()) EXPECT_LT(cell.learning_rate, 0.02);
}

TEST(Plan, BreaksTiesByTheLowerRateAndKeepsOrderOutOfIt) {
  Plan plan(whole(small_spec()), "1");
  std::vector<PlannedTrial> tuning;
  while (const auto trial = plan.next()) tuning.push_back(*trial);
  const auto error = [](const TrialSpec& trial) {
    return with_error(trial.training.learning_rate > 0.02 ? 0.25 : 0.5);
  };
  for (auto trial = tuning.rbegin(); trial != tuning.rend(); ++trial) plan.finished(trial->key, error(trial->spec));
  for (const Cell& cell : plan.cells()) EXPECT_EQ(cell.learning_rate, 0.03);
}

// 36 trials of an MLP of 2 s each, 36 of another of 10 s.
TEST(Plan, TellsTheTimeThatIsLeftOnceATrialOfEachKindIsDone) {
  StudySpec spec = small_spec();
  spec.models.push_back(spec.models.front());
  spec.models.back().spec.name = "slow";
  spec.models.back().spec.width = 64;
  Plan plan(whole(spec), "1");
  std::vector<PlannedTrial> queue;
  const auto finish = [&](const PlannedTrial& trial) {
    TrialResult result = best_at(0.03)(trial.spec);
    result.seconds = trial.spec.model.name == "slow" ? 10 : 2;
    plan.finished(trial.key, result);
  };
  while (const auto trial = plan.next()) queue.push_back(*trial);
  EXPECT_FALSE(plan.seconds_left());
  finish(queue.front());
  EXPECT_FALSE(plan.seconds_left()) << "nothing is known of the other model";
  finish(queue.back());
  ASSERT_TRUE(plan.seconds_left());
  EXPECT_DOUBLE_EQ(*plan.seconds_left(), 35 * 2 + 35 * 10);
  for (std::size_t i = 1; i + 1 < queue.size(); ++i) finish(queue[i]);
  while (const auto trial = plan.next()) finish(*trial);
  EXPECT_EQ(plan.seconds_left(), 0);
}

// Whatever part of the results is stored, in whatever order: replaying them leaves exactly the rest to do.
TEST(Plan, ComesBackFromAnyPartOfItsResults) {
  std::map<std::string, TrialResult> all;
  Plan plan(whole(small_spec()), "1");
  while (const auto trial = plan.next()) {
    all[trial->key] = best_at(0.2)(trial->spec);
    plan.finished(trial->key, all[trial->key]);
  }
  for (std::size_t keep = 0; keep <= all.size(); keep += 7) {
    std::map<std::string, TrialResult> stored;
    for (const auto& entry : all) {
      if (stored.size() < keep) stored.insert(entry);
    }
    Plan again(whole(small_spec()), "1");
    std::set<std::string> missing;
    std::vector<PlannedTrial> queue;
    const auto note = [&](const PlannedTrial& trial) { queue.push_back(trial); };
    replay(again, stored, note);
    while (!queue.empty()) {
      const PlannedTrial trial = queue.back();
      queue.pop_back();
      EXPECT_TRUE(missing.insert(trial.key).second);
      EXPECT_FALSE(stored.contains(trial.key));
      again.finished(trial.key, all.at(trial.key));
      replay(again, stored, note);
    }
    EXPECT_EQ(missing.size() + stored.size(), all.size());
    EXPECT_EQ(again.done(), again.planned());
    EXPECT_EQ(again.cells()[1].learning_rate, plan.cells()[1].learning_rate);
  }
}

}  // namespace
}  // namespace norma::lab
