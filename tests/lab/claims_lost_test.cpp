// How a trial that diverged counts in a claim: as the worst there is, on either side, whatever is claimed.
#include <gtest/gtest.h>

#include <algorithm>

#include "lab/results/cells.h"
#include "lab/results/targets.h"
#include "made_up_claims.h"

namespace norma::lab {
namespace {

struct Asked {
  std::string measure, direction, a, b, more;
};

std::string claim_of(const Asked& asked) {
  return "[claim.primary]\nmeasure = '" + asked.measure + "'\ndirection = '" + asked.direction + "'\na = '" + asked.a +
         "'\nb = '" + asked.b + "'\n" + asked.more;
}

// Every trial has the measure at 0.5; of these arms the first `lost` seeds diverged.
nlohmann::json primary_where_lost(const Asked& asked, const std::vector<std::string>& arms, std::uint64_t lost) {
  const std::string watched = "probes = ['gradient_shift', 'smoothness', 'statistics_gap']\nshifts = ['noise=1']\n";
  const Study of = parse_study({"made-up.toml", watched + kClaimStudy + claim_of(asked), ""});
  const auto row = claims_section(trained(of, [&](const TrialSpec& spec, TrialResult& result) {
                     set_wrong(result, 1);
                     result.measures = {{asked.measure, 0.5}};
                     const bool diverges = std::find(arms.begin(), arms.end(), spec.arm) != arms.end();
                     if (!diverges || spec.seed > lost) return;
                     result.status = TrialStatus::kDiverged;
                     result.measures.clear();
                     set_wrong(result, 10);
                   })).at(0);
  auto primary = row.at("primary");
  primary["verdict"] = row.at("verdict");
  return primary;
}

int infinite(const nlohmann::json& primary, const char* end) {
  const auto& effect = primary.at("effect");
  return effect.contains("infinite") ? effect.at("infinite").value(end, 0) : 0;
}

TEST(LostTrial, CountsAsTheLargestErrorWhateverIsClaimed) {
  for (const std::string measure : {"train_error", "error@noise=1"}) {
    for (const auto& [direction, a, b, verdict, effect] :
         {std::tuple("a higher", "layer", "none", "contradicted", -50.0),
          std::tuple("a lower", "layer", "none", "supported", -50.0),
          std::tuple("a higher", "none", "layer", "supported", 50.0),
          std::tuple("a lower", "none", "layer", "contradicted", 50.0)}) {
      const auto primary = primary_where_lost({measure, direction, a, b, ""}, {"none"}, 10);
      EXPECT_EQ(primary.at("verdict"), verdict) << measure << ", " << a << " " << direction;
      EXPECT_NEAR(primary.at("effect").at("mean").get<double>(), effect, 1e-9);
      EXPECT_EQ(infinite(primary, "mean"), 0);
    }
    EXPECT_EQ(primary_where_lost({measure, "a higher", "none", "layer", ""}, {"none", "layer"}, 10).at("verdict"),
              "inconclusive");
  }
}

TEST(LostTrial, IsInfinitelyBadWhereAMeasureHasNoLargestValue) {
  for (const std::string measure : {"loss_range", "gradient_change", "statistics_gap_mean"}) {
    for (const auto& [direction, a, b, verdict] :
         {std::tuple("a higher", "layer", "none", "contradicted"), std::tuple("a lower", "layer", "none", "supported"),
          std::tuple("a higher", "none", "layer", "supported"),
          std::tuple("a lower", "none", "layer", "contradicted")}) {
      const auto primary = primary_where_lost({measure, direction, a, b, ""}, {"none"}, 10);
      EXPECT_EQ(primary.at("verdict"), verdict) << measure << ", " << a << " " << direction;
      EXPECT_EQ(infinite(primary, "mean"), std::string(a) == "none" ? 1 : -1) << measure;
    }
    EXPECT_EQ(primary_where_lost({measure, "a higher", "none", "layer", ""}, {"none", "layer"}, 10).at("verdict"),
              "inconclusive");
  }
}

// Neither a high nor a low shift is the worse: what is lost supports nothing, on no side, and refutes nothing either.
TEST(LostTrial, OfAMeasureWithoutAWorseSideCountsAgainstTheClaimAndDecidesNothing) {
  for (const std::string direction : {"a higher", "a lower", "same"}) {
    for (const std::vector<std::string>& lost :
         {std::vector<std::string>{"none"}, std::vector<std::string>{"layer"}, {"none", "layer"}}) {
      const std::string margin = direction == "same" ? "margin = 0.1\n" : "";
      const auto primary = primary_where_lost({"gradient_shift", direction, "layer", "none", margin}, lost, 10);
      EXPECT_EQ(primary.at("verdict"), "inconclusive") << direction;
      EXPECT_EQ(infinite(primary, "mean"), direction == "a higher" ? -1 : 1) << direction;
    }
  }
}

// The worst of several cells, and a slope with a weight below 0 at the smaller batch, leave a lost trial what it is.
TEST(LostTrial, StaysAgainstTheClaimInAWorstValueAndInASlope) {
  for (const std::string reduce : {"worst", "slope_log2", "mean"}) {
    for (const std::string direction : {"a higher", "a lower"}) {
      const auto primary = primary_where_lost(
          {"gradient_shift", direction, "batch", "layer", "reduce = '" + reduce + "'\n"}, {"batch"}, 10);
      EXPECT_EQ(infinite(primary, "mean"), direction == "a higher" ? -1 : 1) << reduce << ", a " << direction;
      EXPECT_EQ(primary.at("verdict"), "inconclusive");
    }
  }
}

// One seed of ten: what the other nine show all alike still stands against it or not, by the test's own p.
TEST(LostTrial, OneOfTenLeavesTheRestTheirSay) {
  const auto primary = primary_where_lost({"train_error", "a higher", "none", "layer", ""}, {"none"}, 1);
  EXPECT_NEAR(primary.at("effect").at("mean").get<double>(), 5, 1e-12);
  EXPECT_EQ(primary.at("verdict"), "inconclusive");
  EXPECT_EQ(primary.at("n"), 10);
}

TEST(LostTrial, HasTheLargestSpreadAlsoWhereAllAreLost) {
  const auto primary = primary_where_lost({"spread", "a lower", "none", "layer", ""}, {"none"}, 10);
  EXPECT_NEAR(primary.at("effect").at("mean").get<double>(), 100, 1e-9);
  EXPECT_EQ(primary.at("verdict"), "contradicted");
}

// Of a cell's own measures the mean is over what is left, so the document says how many are not in it.
TEST(LostTrial, IsCountedBesideTheMeanOfWhatIsLeft) {
  const Study of = claim_study(claim_of({"train_error", "a lower", "layer", "none", ""}));
  const Plan plan = trained(of, [](const TrialSpec& spec, TrialResult& result) {
    result.measures = {{"train_error", 0.5}};
    if (spec.seed > 2) return;
    result.measures.clear();
    result.status = TrialStatus::kDiverged;
  });
  const auto cells = plan.cells_of(0);
  const auto section = cells_section(of.parts[0], cells, cell_errors(cells, kItems), targets_of(of.parts[0], cells));
  for (const auto& cell : section) {
    EXPECT_EQ(cell.at("measures").at("train_error").at("n"), 8);
    EXPECT_EQ(cell.at("measures").at("train_error").at("lost"), 2);
  }
}

}  // namespace
}  // namespace norma::lab
