// The verdict's words must follow from the numbers, at every edge.
#include "lab/results/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace norma::lab {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Finding finding(std::int64_t batch, Outcome outcome, const std::string& model = "MLP") {
  Finding found;
  found.model = model;
  found.a = "BatchNorm";
  found.b = "LayerNorm";
  found.normalization_batch = batch;
  found.error_a = {0.312, 0.28, 0.351};
  found.error_b = {0.041, 0.035, 0.048};
  found.outcome = outcome;
  return found;
}

constexpr Outcome kLoses = Outcome::kBBetter, kWins = Outcome::kABetter, kOpen = Outcome::kNoDifference,
                  kMissing = Outcome::kNotMeasured;

// One finding for each of the batches 2, 4, 8.
std::vector<Finding> three(Outcome at2, Outcome at4, Outcome at8, const std::string& model = "MLP") {
  return {finding(2, at2, model), finding(4, at4, model), finding(8, at8, model)};
}

TEST(Outcome, NeedsASmallPAndAnIntervalWithoutZero) {
  const Interval worse{0.1, 0.05, 0.15}, better{-0.1, -0.15, -0.05};
  EXPECT_EQ(outcome_of(worse, 0.049, 10), Outcome::kBBetter);
  EXPECT_EQ(outcome_of(better, 0.049, 10), Outcome::kABetter);
  EXPECT_EQ(outcome_of(worse, 0.05, 10), Outcome::kNoDifference);
  EXPECT_EQ(outcome_of({0.1, -0.01, 0.2}, 0.01, 10), Outcome::kNoDifference);
  EXPECT_EQ(outcome_of({0.1, 0, 0.2}, 0.01, 10), Outcome::kNoDifference);
  EXPECT_EQ(outcome_of({-0.1, -0.2, 0.01}, 0.01, 10), Outcome::kNoDifference);
  EXPECT_EQ(outcome_of({0, 0, 0}, 0.01, 10), Outcome::kNoDifference);
  EXPECT_EQ(outcome_of({0.1, std::nan(""), std::nan("")}, 0.01, 10), Outcome::kNoDifference);
  EXPECT_EQ(outcome_of(worse, std::nan(""), 10), Outcome::kNoDifference);
  EXPECT_EQ(outcome_of(worse, 0.01, 0), Outcome::kNotMeasured);
}

TEST(Verdict, NamesTheLargestBatchOfAnUnbrokenLoss) {
  const Verdict words = verdict(three(kLoses, kLoses, kOpen));
  EXPECT_EQ(words.headline,
            "BatchNorm loses to LayerNorm at normalization batch 4 and below on the MLP"
            "; nowhere else is it shown to lose.");
  EXPECT_THAT(
      words.sentences,
      ElementsAre("On this MLP BatchNorm loses to LayerNorm at normalization batch 4 and below: at 2 its test "
                  "error is 31.2% [28.0, 35.1] against 4.1% [3.5, 4.8], at 4 31.2% [28.0, 35.1] against 4.1% "
                  "[3.5, 4.8].",
                  HasSubstr("no difference between BatchNorm and LayerNorm is shown at normalization batch 8")));
}

TEST(Verdict, SaysOneBatchWhenItIsOne) {
  EXPECT_EQ(verdict(three(kLoses, kOpen, kOpen)).headline,
            "BatchNorm loses to LayerNorm at normalization batch 2 on the MLP; nowhere else is it shown to lose.");
}

TEST(Verdict, SaysEveryBatchWhenItAlwaysLoses) {
  EXPECT_EQ(verdict(three(kLoses, kLoses, kLoses)).headline,
            "BatchNorm loses to LayerNorm at every normalization batch tested (2 to 8) on the MLP.");
}

TEST(Verdict, ListsALossWithAGap) {
  EXPECT_EQ(
      verdict(three(kLoses, kOpen, kLoses)).headline,
      "BatchNorm loses to LayerNorm at normalization batch 2 and 8 on the MLP; nowhere else is it shown to lose.");
  EXPECT_EQ(verdict(three(kOpen, kLoses, kLoses)).headline,
            "BatchNorm loses to LayerNorm at normalization batch 4 and above on the MLP; nowhere else is it shown to "
            "lose.");
}

TEST(Verdict, ClaimsNoLossWithoutOne) {
  EXPECT_EQ(verdict(three(kOpen, kOpen, kOpen)).headline,
            "No difference between BatchNorm and LayerNorm is shown at any normalization batch tested.");
  const Verdict wins = verdict(three(kOpen, kOpen, kWins));
  EXPECT_EQ(wins.headline,
            "BatchNorm is not shown to lose to LayerNorm at any normalization batch tested; it beats it at "
            "normalization batch 8 on the MLP.");
  for (const std::string& sentence : wins.sentences) EXPECT_THAT(sentence, Not(HasSubstr("loses")));
}

TEST(Verdict, TellsLossesAndWinsInTheHeadline) {
  const Verdict words = verdict(three(kLoses, kOpen, kWins));
  EXPECT_EQ(words.headline,
            "BatchNorm loses to LayerNorm at normalization batch 2 on the MLP and beats it at normalization batch 8 on "
            "the MLP; elsewhere no difference is shown.");
  EXPECT_THAT(words.sentences, Contains(HasSubstr("BatchNorm beats LayerNorm at normalization batch 8")));
  EXPECT_EQ(verdict(three(kLoses, kLoses, kWins)).headline,
            "BatchNorm loses to LayerNorm at normalization batch 4 and below on the MLP and beats it at normalization "
            "batch 8 on the MLP.");
  EXPECT_EQ(verdict(three(kLoses, kMissing, kWins)).headline,
            "BatchNorm loses to LayerNorm at normalization batch 2 on the MLP and beats it at normalization batch 8 on "
            "the MLP; not all is measured yet.");
}

TEST(Verdict, TellsModelsTogetherOnlyWhereTheyAgree) {
  std::vector<Finding> findings = three(kLoses, kLoses, kOpen);
  for (const Finding& more : three(kLoses, kLoses, kOpen, "CNN")) findings.push_back(more);
  EXPECT_EQ(verdict(findings).headline,
            "BatchNorm loses to LayerNorm at normalization batch 4 and below on the MLP and the CNN; nowhere "
            "else is it shown to lose.");
  findings[4].outcome = kOpen;
  EXPECT_EQ(verdict(findings).headline,
            "BatchNorm loses to LayerNorm at normalization batch 4 and below on the MLP and at "
            "normalization batch 2 on the CNN; nowhere else is it shown to lose.");
}

TEST(Verdict, DoesNotDecideWhatIsNotMeasured) {
  EXPECT_THAT(verdict(three(kMissing, kMissing, kMissing)).headline, HasSubstr("is not measured yet"));
  EXPECT_THAT(verdict(three(kOpen, kMissing, kOpen)).headline, HasSubstr("is not measured yet"));
  EXPECT_EQ(verdict(three(kLoses, kMissing, kOpen)).headline,
            "BatchNorm loses to LayerNorm at normalization batch 2 on the MLP; not all is measured yet.");
  EXPECT_THAT(verdict(three(kLoses, kMissing, kOpen)).sentences.back(),
              HasSubstr("not measured yet at normalization batch 4"));
}

TEST(Verdict, NeedsNoNormalizationBatch) {
  Finding found = finding(0, kLoses);
  found.a = "GroupNorm";
  EXPECT_EQ(verdict({found}).headline, "GroupNorm loses to LayerNorm on the MLP.");
  found.outcome = kOpen;
  EXPECT_EQ(verdict({found}).headline, "No difference between GroupNorm and LayerNorm is shown.");
}

TEST(Verdict, IsSilentWithoutContrasts) {
  EXPECT_THAT(verdict({}).headline, HasSubstr("no primary contrast"));
}

TEST(Percent, LeavesOutAnIntervalThatIsNotThere) {
  EXPECT_EQ(percent({0.5, std::nan(""), std::nan("")}), "50.0%");
  EXPECT_EQ(percent({0.5, 0.25, 0.75}), "50.0% [25.0, 75.0]");
}

}  // namespace
}  // namespace norma::lab
