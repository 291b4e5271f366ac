// The exact checks of the operators that claims 1 and 7 rest on.
#include "lab/training/checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "lab/claims/measure_names.h"
#include "lab/study/study.h"
#include "trials.h"

namespace norma::lab {
namespace {

TrialResult checked(std::uint64_t seed) {
  TrialSpec spec = test::mlp_trial("none");
  spec.model = {.name = "checks", .kind = "checks", .channels = {}, .activation = "linear"};
  spec.seed = seed;
  return run_checks(spec, 10);
}

TEST(Checks, KeepEveryLimitThatTheClaimsSet) {
  for (const char* name : {"claim1", "claim7"}) {
    const Study study = parse_study(*builtin_study(name));
    ASSERT_EQ(study.claims.size(), 1U);
    EXPECT_GE(study.claims.front().exact.size(), 2U);
    for (const std::uint64_t seed : {1U, 2U, 1001U}) {
      const TrialResult result = checked(seed);
      for (const ExactCheck& check : study.claims.front().exact) {
        ASSERT_TRUE(result.measures.contains(check.measure)) << check.measure;
        const double value = result.measures.at(check.measure);
        if (check.at_most) {
          EXPECT_LE(value, *check.at_most) << check.measure;
        }
        if (check.at_least) {
          EXPECT_GE(value, *check.at_least) << check.measure;
        }
      }
    }
  }
}

TEST(Checks, MeasureWhatAClaimMayName) {
  std::vector<std::string> measured, named = check_measures();
  for (const auto& [name, value] : checked(1).measures) measured.push_back(name);
  std::sort(named.begin(), named.end());
  EXPECT_EQ(measured, named);
}

TEST(Checks, AreATrialLikeAnyOther) {
  const TrialResult result = checked(3);
  EXPECT_EQ(result.status, TrialStatus::kOk);
  EXPECT_EQ(result.test_wrong, std::string(10, '0'));
  EXPECT_EQ(result.measures, checked(3).measures);
  EXPECT_NE(result.measures.at("batch_train_coupling"), checked(4).measures.at("batch_train_coupling"));
}

}  // namespace
}  // namespace norma::lab
