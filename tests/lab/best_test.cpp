// Which arms a table marks, and what a headline warns of.
#include "lab/results/best.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/results/warnings.h"

namespace norma::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

StudySpec study() {
  StudySpec spec;
  spec.models.resize(1);
  spec.models[0].spec.name = "one";
  spec.normalization_batches = {2, 4};
  spec.seeds = 10;
  spec.contrasts = {{.a = "batch", .b = "layer", .models = {"one"}, .normalization_batches = {2, 4}}};
  return spec;
}

// batch at 2 and at 4, layer, none, in this order.
std::vector<Cell> cells() {
  std::vector<Cell> made(4);
  for (Cell& cell : made) cell.final.resize(10, TrialResult{});
  made[0].arm = made[1].arm = "batch";
  made[0].normalization_batch = 2;
  made[1].normalization_batch = 4;
  made[2].arm = "layer";
  made[3].arm = "none";
  return made;
}

Contrast contrast(std::size_t a, std::size_t b, Outcome outcome) {
  Contrast made;
  made.primary = true;
  made.a = a;
  made.b = b;
  made.outcome = outcome;
  return made;
}

std::vector<std::optional<Interval>> errors(const std::vector<double>& means) {
  std::vector<std::optional<Interval>> found;
  for (const double mean : means) found.emplace_back(Interval{mean, mean, mean});
  return found;
}

// At 2 batch is shown to lose to none, the lowest; layer is higher too, but not shown to be worse. At 4 nothing is
// shown.
TEST(Best, AreTheLowestAndAllThatAreNotShownToBeWorse) {
  const std::vector<Contrast> contrasts{contrast(0, 3, Outcome::kBBetter), contrast(0, 2, Outcome::kBBetter),
                                        contrast(3, 2, Outcome::kNoDifference)};
  const nlohmann::json best = best_section(study(), cells(), contrasts, errors({0.3, 0.06, 0.05, 0.04}));
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(
      best[0],
      (nlohmann::json{{"model", "one"}, {"normalization_batch", 2}, {"lowest", "none"}, {"arms", {"layer", "none"}}}));
  EXPECT_EQ(best[1].at("lowest"), "none");
  EXPECT_TRUE(best[1].at("arms").empty());
}

TEST(Best, ReadAContrastFromEitherSideAndLeaveOutWhatIsNotMeasured) {
  std::vector<std::optional<Interval>> some = errors({0.3, 0.06, 0.05, 0.04});
  some[2].reset();
  const nlohmann::json best = best_section(study(), cells(), {contrast(3, 1, Outcome::kABetter)}, some);
  EXPECT_TRUE(best[0].at("arms").empty());
  EXPECT_EQ(best[1].at("arms"), nlohmann::json{"none"});
}

std::string headline(const StudySpec& spec, const std::vector<Cell>& with) {
  Verdict verdict;
  verdict.headline = "BatchNorm loses.";
  add_caveats(spec, with, {contrast(0, 2, Outcome::kBBetter)}, verdict);
  return verdict.headline;
}

TEST(Caveats, AreNoneInASoundStudy) {
  EXPECT_EQ(headline(study(), cells()), "BatchNorm loses.");
}

TEST(Caveats, SayFirstThatNearlyAllTrialsAreLost) {
  std::vector<Cell> lost = cells();
  for (Cell& cell : lost) {
    for (std::size_t seed = 0; seed < 8; ++seed) cell.final[seed]->status = TrialStatus::kDiverged;
  }
  EXPECT_EQ(headline(study(), lost),
            "32 of 40 final trials diverged or crashed: there is next to nothing to compare. BatchNorm loses.");
  lost[0].final[0]->status = TrialStatus::kOk;
  EXPECT_EQ(headline(study(), lost), "BatchNorm loses.");
  for (Cell& cell : lost) {
    for (auto& result : cell.final) result->status = TrialStatus::kCrashed;
  }
  EXPECT_THAT(headline(study(), lost), StartsWith("All 40 final trials diverged or crashed"));
}

TEST(Caveats, NameTooFewSeeds) {
  StudySpec spec = study();
  spec.seeds = 6;
  EXPECT_EQ(headline(spec, cells()), "Too few seeds to show any difference (6 where it takes 7). BatchNorm loses.");
}

TEST(Caveats, NameLearningRatesAtTheEdgeOfCellsThatAreCompared) {
  std::vector<Cell> edge = cells();
  edge[3].at_edge = true;  // of no primary contrast
  EXPECT_EQ(headline(study(), edge), "BatchNorm loses.");
  edge[0].at_edge = true;
  EXPECT_EQ(
      headline(study(), edge),
      "BatchNorm loses. The learning rate of BatchNorm at normalization batch 2 on one is at the edge of its grid: "
      "a better one may lie outside.");
  edge[2].at_edge = true;
  EXPECT_THAT(headline(study(), edge), HasSubstr("learning rates of 2 of the cells compared are at the edge"));
}

}  // namespace
}  // namespace norma::lab
