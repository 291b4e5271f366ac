// What to use where: the recommender, the kinds of situation, and the words that come of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "lab/claims/advice.h"
#include "lab/claims/answers.h"
#include "lab/claims/recommend.h"
#include "made_up_trials.h"

namespace norma::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// BatchNorm is wrong on eight of ten at normalization batch 2, on two at 8 and 16; LayerNorm always on four.
void worse_at_2(const TrialSpec& spec, TrialResult& result) {
  set_wrong(result, spec.arm != "batch" ? 4 : spec.normalization_batch == 2 ? 8 : 2);
}

const std::string kTraining = kDataAndTraining + R"([tuning]
learning_rates = [0.1]
seeds = 1
widen = 0
)";

const std::string kClaim = R"([claim]
number = 10
says = "Words"
[claim.recommender]
margin = 0.01
)";

// An MLP and a CNN at three normalization batches.
Study situations() {
  const std::string head = R"(name = "situations"
arms = ["none", "batch", "layer"]
normalization_batches = [2, 8, 16]
seeds = 10
)";
  const std::string models = R"([[model]]
kind = "mlp"
depth = 1
width = 16
[[model]]
kind = "cnn"
channels = [4]
)";
  return parse_study({"situations.toml", head + kTraining + models + kClaim, ""});
}

TEST(Recommender, LearnsFromTheOtherArchitectureWhatTheArchitectureDoesNotSay) {
  const Plan plan = trained(situations(), worse_at_2);
  const Recommendation found = recommend(plan, 0.01);
  EXPECT_EQ(found.cases.size(), 6U);  // two models at three normalization batches
  EXPECT_EQ(found.judged, 12);
  // With the data set left out nothing is known; with the architecture left out the other one tells.
  EXPECT_EQ(found.abstained, 6);
  // Always BatchNorm, as both architectures say, costs 40% at 2; always LayerNorm 20% at 8 and 16.
  EXPECT_NEAR(found.regrets.at("architecture").at(0), 0.4 / 3, 1e-12);
  EXPECT_NEAR(found.regrets.at("always_batch").at(0), 0.4 / 3, 1e-12);
  EXPECT_NEAR(found.regrets.at("always_layer").at(0), 2 * 0.2 / 3, 1e-12);
  EXPECT_NEAR(found.regrets.at("recommender").at(0), 0.4 / 3 / 2, 1e-12);
  const auto row = claims_section(plan).at(0);
  EXPECT_EQ(row.at("verdict"), "contradicted");
  EXPECT_EQ(row.at("recommender").at("abstained"), 6);
}

// As worse_at_2, and wrong on everything there.
void ruined_at_2(const TrialSpec& spec, TrialResult& result) {
  set_wrong(result, spec.arm != "batch" ? 4 : spec.normalization_batch == 2 ? 10 : 2);
}

TEST(Recommender, TellsTheDifferenceInEverySituation) {
  const Plan plan = trained(situations(), worse_at_2);
  const auto cases = claims_section(plan).at(0).at("recommender").at("cases");
  EXPECT_EQ(cases.at(0).at("model"), "mlp");
  EXPECT_EQ(cases.at(0).at("normalization_batch"), 2);
  EXPECT_EQ(cases.at(0).at("layer_by_architecture"), false);
  EXPECT_NEAR(cases.at(0).at("difference").at("mean").get<double>(), 40, 1e-9);
  EXPECT_NEAR(cases.at(1).at("difference").at("mean").get<double>(), -20, 1e-9);
}

TEST(Recommender, TellsWhereARuleCostsMost) {
  const Plan plan = trained(situations(), worse_at_2);
  const auto regrets = claims_section(plan).at(0).at("recommender").at("regrets");
  EXPECT_NEAR(regrets.at("always_batch").at("worst").at("mean").get<double>(), 40, 1e-9);
  EXPECT_EQ(regrets.at("always_batch").at("worst").at("normalization_batch"), 2);
  EXPECT_NEAR(regrets.at("always_layer").at("worst").at("mean").get<double>(), 20, 1e-9);
  EXPECT_EQ(regrets.at("always_layer").at("worst").at("normalization_batch"), 8);
}

nlohmann::json advised(const Study& study, const std::function<void(const TrialSpec&, TrialResult&)>& outcome) {
  return advice(claims_section(trained(study, outcome)), true);
}

TEST(Advice, SaysWhatToUseWhere) {
  const auto found = advised(situations(), ruined_at_2);
  EXPECT_EQ(found.at("headline"),
            "Use BatchNorm in MLPs at normalization batch 8 and 16 and in CNNs at 8 and 16; LayerNorm in MLPs at 2 and "
            "in CNNs at 2.");
  EXPECT_THAT(found.at("why").get<std::string>(),
              HasSubstr("MLPs at 2 +60.0; MLPs at 8 -20.0; MLPs at 16 -20.0; CNNs"));
  EXPECT_THAT(found.at("why").get<std::string>(), HasSubstr("errs more than LayerNorm in 2 and less in 4"));
  EXPECT_THAT(found.at("sure").get<std::string>(), HasSubstr("Holm's correction over 6 kinds of situation"));
  EXPECT_THAT(found.at("sentences").at(0).get<std::string>(),
              HasSubstr("BatchNorm everywhere 20.00 points [20.00, 20.00], at worst 60.0 (mlp at 2)"));
  EXPECT_THAT(
      found.at("sentences").at(1).get<std::string>(),
      HasSubstr("LayerNorm everywhere costs least: it beats choice by architecture: -6.67 points [-6.67, -6.67]"));
}

TEST(Advice, NamesRangesOfNormalizationBatches) {
  const Study study = situations();
  const auto headline = [&](std::int64_t open) {
    return advised(study,
                   [&](const TrialSpec& spec, TrialResult& result) {
                     const bool same = spec.model.kind == "cnn" || spec.normalization_batch == open;
                     set_wrong(result, spec.arm == "layer" || same ? 2 : 4);
                   })
        .at("headline");
  };
  EXPECT_EQ(headline(0),
            "Use LayerNorm in MLPs at normalization batch 2 to 16; elsewhere neither is shown to err less.");
  EXPECT_EQ(headline(8),
            "Use LayerNorm in MLPs at normalization batch 2 and 16; elsewhere neither is shown to err less.");
}

TEST(Advice, NamesNothingWhereTheDifferenceMayBeChance) {
  // LayerNorm is better on one seed, BatchNorm on the next.
  const auto found = advised(situations(), [](const auto& spec, auto& result) {
    set_wrong(result, (spec.arm == "layer") == (spec.seed % 2 == 0) ? 4 : 3);
  });
  EXPECT_EQ(found.at("headline"), "Neither BatchNorm nor LayerNorm is shown to err less anywhere.");
  EXPECT_THAT(found.at("why").get<std::string>(), Not(HasSubstr("from situation to situation")));
}

// Two MLPs at one normalization batch.
Study two_mlps(const std::string& more = "", std::int64_t seeds = 10) {
  const std::string head = R"(name = "situations"
arms = ["batch", "layer"]
normalization_batches = [16]
)";
  const std::string models = R"([[model]]
name = "small"
kind = "mlp"
depth = 1
width = 16
[[model]]
name = "deep"
kind = "mlp"
depth = 6
width = 16
)";
  return parse_study({"situations.toml", head + kTraining + models + kClaim + more, ""}, seeds);
}

// BatchNorm is wrong on so many of ten in each model, LayerNorm on two.
std::function<void(const TrialSpec&, TrialResult&)> batch_wrong(int small, int deep) {
  return [=](const TrialSpec& spec, TrialResult& result) {
    set_wrong(result, spec.arm == "layer" ? 2 : spec.model.name == "small" ? small : deep);
  };
}

TEST(Choices, ACollapseDoesNotOutvoteASituationThatSpeaksForTheOther) {
  const auto found = advised(two_mlps(), batch_wrong(1, 10));
  EXPECT_EQ(found.at("headline"), "Neither BatchNorm nor LayerNorm is shown to err less anywhere.");
  EXPECT_THAT(found.at("why").get<std::string>(), HasSubstr("Situations disagree: MLPs at 16."));
  EXPECT_THAT(found.at("sure").get<std::string>(), HasSubstr("without another of its kind against it"));
}

TEST(Choices, ACollapseDecidesWhereNoSituationSpeaksAgainstIt) {
  const auto found = advised(two_mlps(), batch_wrong(2, 10));
  EXPECT_EQ(found.at("headline"), "Use LayerNorm in MLPs at normalization batch 16.");
  EXPECT_THAT(found.at("why").get<std::string>(), HasSubstr("MLPs at 16 0.0 to +80.0"));
}

TEST(Choices, NetworksThatHaveNotLearnedDecideNothing) {
  Study study = two_mlps();
  study.parts[0].majority_error = 0.9;
  EXPECT_EQ(advised(study, batch_wrong(10, 10)).at("headline"), "Use LayerNorm in MLPs at normalization batch 16.");
  study.parts[0].majority_error = 0.2;
  EXPECT_EQ(advised(study, batch_wrong(10, 10)).at("headline"),
            "Neither BatchNorm nor LayerNorm is shown to err less anywhere.");
}

constexpr const char* kSorted =
    "[[part]]\nname = 'plain'\n[[part]]\nname = 'sorted'\ntraining = { batches = 'sorted' }\n";

TEST(Choices, AnotherOrderOfBatchesIsAnotherKindOfSituation) {
  const auto found = advised(two_mlps(kSorted), [](const TrialSpec& spec, TrialResult& result) {
    set_wrong(result, spec.arm == "layer" ? 3 : spec.training.batches == "sorted" ? 6 : 2);
  });
  EXPECT_EQ(found.at("headline"),
            "Use BatchNorm in MLPs at normalization batch 16; LayerNorm in MLPs at 16 on batches sorted by class.");
}

// 6 seeds of one sign: p = 2 / 2^6 = 0.031, which two kinds double.
TEST(Choices, NeedAPThatPassesTheCorrectionOverAllKinds) {
  EXPECT_EQ(advised(two_mlps("", 6), batch_wrong(4, 4)).at("headline"),
            "Use LayerNorm in MLPs at normalization batch 16.");
  const auto found = advised(two_mlps(kSorted, 6), batch_wrong(4, 4));
  EXPECT_EQ(found.at("headline"), "Neither BatchNorm nor LayerNorm is shown to err less anywhere.");
  EXPECT_THAT(found.at("sure").get<std::string>(),
              HasSubstr("6 seeds are too few to show anything over 2 kinds of situation: it takes 7."));
  EXPECT_THAT(
      advised(two_mlps(kSorted, 7), batch_wrong(4, 4)).at("headline").get<std::string>(),
      HasSubstr("Use LayerNorm in MLPs at normalization batch 16 and in MLPs at 16 on batches sorted by class."));
}

TEST(Situations, ThatShareTheirTrialsCountOnce) {
  const std::string twice = "[[part]]\nname = 'one'\n[[part]]\nname = 'other'\n";
  const Plan plan = trained(two_mlps(twice), batch_wrong(4, 4));
  EXPECT_EQ(recommend(plan, 0.01).cases.size(), 2U);
  const Plan apart = trained(two_mlps(kSorted), batch_wrong(4, 4));
  EXPECT_EQ(recommend(apart, 0.01).cases.size(), 4U);
}

TEST(Advice, IsTheVerdictOfASingleClaimWhereNoRuleIsMeasured) {
  const Plan plan(situations(), "1");
  EXPECT_EQ(advice(claims_section(plan), false).at("headline"), "Provisional: Words: inconclusive.");
}

TEST(Recommender, IsNotMeasuredWhileTrialsAreMissing) {
  const Plan plan(situations(), "1");
  EXPECT_TRUE(recommend(plan, 0.01).regrets.empty());
  EXPECT_EQ(claims_section(plan).at(0).at("verdict"), "inconclusive");
}

}  // namespace
}  // namespace norma::lab
