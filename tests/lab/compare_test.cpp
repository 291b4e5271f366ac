// Two results documents side by side: which cells go together, what is paired, what counts as a change.
#include "lab/results/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

namespace norma::lab {
namespace {

using nlohmann::json;

constexpr int kSeeds = 10;

// One arm at one normalization batch: the error at each seed is `error`, and a little more on each second one.
json cell(const std::string& arm, const json& batch, double error) {
  json trials = json::array();
  for (int seed = 1; seed <= kSeeds; ++seed) {
    trials.push_back({{"seed", seed}, {"error", error + (seed % 2 == 0 ? 0.01 : 0.0)}});
  }
  return {{"model", "mlp"},
          {"arm", arm},
          {"normalization_batch", batch},
          {"n", kSeeds},
          {"learning_rate", 0.1},
          {"error", {{"mean", error + 0.005}, {"low", error}, {"high", error + 0.01}}},
          {"trials", trials}};
}

json results(const std::vector<json>& cells, int epochs = 5, const std::string& checksum = "1") {
  return {{"format", "norma-results/1"},
          {"norma", {{"version", "1"}, {"code", "1"}}},
          {"study", {{"name", "some"}}},
          {"run",
           {{"command", "norma study"},
            {"finished", "2026-01-01T00:00:00Z"},
            {"complete", true},
            {"seconds", 1},
            {"trials", {{"done", 20}}},
            {"versions", {{"torch", "1"}}},
            {"machine", {{"cpu", "one"}}}}},
          {"data", {{"name", "digits"}, {"checksum", checksum}, {"train", 60}, {"validation", 20}, {"test", 20}}},
          {"training", {{"epochs", epochs}}},
          {"seeds", json::array({1, 2})},
          {"tuning_seeds", json::array({1001})},
          {"learning_rates", {0.1}},
          {"normalization_batches", {2}},
          {"models", {{{"name", "mlp"}, {"label", "the MLP"}}}},
          {"arms", {{{"name", "batch"}, {"label", "BatchNorm"}}, {{"name", "layer"}, {"label", "LayerNorm"}}}},
          {"cells", cells}};
}

TEST(Compare, FindsNothingBetweenAStudyAndItself) {
  const json one = results({cell("batch", 2, 0.2), cell("layer", nullptr, 0.1)});
  const json found = comparison_of(one, one);
  EXPECT_TRUE(found.at("settings").empty());
  EXPECT_EQ(found.at("cells").size(), 2U);
  for (const json& row : found.at("cells")) {
    EXPECT_EQ(row.at("outcome"), "no difference shown");
    EXPECT_EQ(row.at("difference").at("mean"), 0);
  }
}

TEST(Compare, PairsSeedsOnTheSameSamplesAndTestsWhatChanged) {
  const json found = comparison_of(results({cell("batch", 2, 0.2), cell("layer", nullptr, 0.1)}),
                                   results({cell("batch", 2, 0.15), cell("layer", nullptr, 0.1)}, 8));
  ASSERT_EQ(found.at("settings").size(), 1U);
  EXPECT_EQ(found.at("settings")[0], (json{{"part", ""}, {"setting", "training.epochs"}, {"a", 5}, {"b", 8}}));
  const json& batch = found.at("cells")[0];
  EXPECT_EQ(batch.at("model"), "the MLP");
  EXPECT_EQ(batch.at("arm"), "BatchNorm");
  EXPECT_EQ(batch.at("pairs"), kSeeds);
  EXPECT_NEAR(batch.at("difference").at("mean").get<double>(), -0.05, 1e-12);
  EXPECT_NEAR(batch.at("p").get<double>(), 2.0 / 1024, 1e-12);
  EXPECT_NEAR(batch.at("p_holm").get<double>(), 2 * 2.0 / 1024, 1e-12);  // two cells
  EXPECT_EQ(batch.at("outcome"), "b lower");
  EXPECT_EQ(found.at("headline"),
            "Of 2 cells in both studies the test error is lower in the second in 1, higher in 0; 1 setting differs.");
}

TEST(Compare, TakesOtherSamplesAsIndependent) {
  const json found =
      comparison_of(results({cell("batch", 2, 0.2)}), results({cell("batch", 2, 0.3)}, 5, "of other samples"));
  const json& row = found.at("cells")[0];
  EXPECT_EQ(row.at("pairs"), 0);
  EXPECT_TRUE(row.at("p").is_null());
  // Both intervals reach 0.005 to each side.
  EXPECT_NEAR(row.at("difference").at("low").get<double>(), 0.1 - 0.005 * std::sqrt(2.0), 1e-12);
  EXPECT_NEAR(row.at("difference").at("high").get<double>(), 0.1 + 0.005 * std::sqrt(2.0), 1e-12);
  EXPECT_EQ(row.at("outcome"), "b higher");
}

TEST(Compare, NamesTheCellsOfOneStudyAloneAndThoseThatAreNotMeasured) {
  json missing = cell("layer", nullptr, 0.1);
  missing["error"] = nullptr;
  missing["trials"] = json::array();
  const json found = comparison_of(results({cell("batch", 2, 0.2), cell("layer", nullptr, 0.1)}),
                                   results({cell("batch", 4, 0.2), missing}));
  EXPECT_EQ(found.at("only").at("a")[0].at("normalization_batch"), 2);
  EXPECT_EQ(found.at("only").at("b")[0].at("normalization_batch"), 4);
  ASSERT_EQ(found.at("cells").size(), 1U);
  EXPECT_EQ(found.at("cells")[0].at("outcome"), "not measured");
  EXPECT_TRUE(found.at("cells")[0].at("difference").at("mean").is_null());
}

TEST(Compare, PutsPartsTogetherByNameAndVerdictsByNumber) {
  const auto study = [](const std::string& verdict, double error) {
    json whole = results({});
    json part = results({cell("batch", 2, error)});
    part["name"] = "small";
    whole["parts"] = json::array({part});
    whole["claims"] = json::array(
        {{{"number", 6},
          {"says", "words"},
          {"verdict", verdict},
          {"primary", {{"effect", {{"mean", 1}, {"low", 0}, {"high", 2}}}, {"unit", "points"}, {"n", 10}}}}});
    return whole;
  };
  const json found = comparison_of(study("inconclusive", 0.3), study("supported", 0.1));
  EXPECT_EQ(found.at("cells")[0].at("part"), "small");
  EXPECT_EQ(found.at("claims")[0].at("a").at("verdict"), "inconclusive");
  EXPECT_EQ(found.at("claims")[0].at("b").at("verdict"), "supported");
  EXPECT_EQ(found.at("claims")[0].at("b").at("effect").at("high"), 2);
  EXPECT_NE(found.at("headline").get<std::string>().find("1 of 1 verdicts differ"), std::string::npos);
}

}  // namespace
}  // namespace norma::lab
