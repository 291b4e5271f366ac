// The pictures of the claims' pages: what is drawn, and where.
#include "lab/claims/pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace norma::lab {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// The middle of every dot, and its colour.
std::vector<std::pair<double, std::string>> dots(const std::string& svg) {
  static const std::regex dot("<circle cx=\"([0-9.]+)\"[^>]*fill=\"([^\"]+)\"");
  std::vector<std::pair<double, std::string>> found;
  for (std::sregex_iterator at(svg.begin(), svg.end(), dot), end; at != end; ++at) {
    found.emplace_back(std::stod((*at)[1]), (*at)[2]);
  }
  return found;
}

json check(const char* measure, const json& most, const json& least, double worst, bool holds) {
  return {{"measure", measure}, {"at_most", most}, {"at_least", least}, {"worst", worst}, {"n", 10}, {"holds", holds}};
}

TEST(ClaimPicture, OfExactChecksHasEachWorstValueWithinItsLimitOrInRed) {
  const json claim{{"recommender", nullptr},
                   {"primary", nullptr},
                   {"exact",
                    {check("layer_coupling", 0.0, nullptr, 0.0, true), check("batch_mean", 1e-9, nullptr, 1e-16, true),
                     check("a<b", 1e-9, nullptr, 0.1, false), check("batch_coupling", nullptr, 1e-3, 0.5, true)}}};
  const auto [svg, shows] = claim_picture(claim, {});
  const auto found = dots(svg);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_LT(found[0].first, found[1].first);
  EXPECT_LT(found[1].first, found[2].first);
  EXPECT_LT(found[2].first, found[3].first);
  EXPECT_EQ(found[1].second, found[3].second);
  EXPECT_NE(found[1].second, found[2].second);
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
  EXPECT_THAT(shows, HasSubstr("limit"));
}

TEST(ClaimPicture, OfARecommenderHasTheRegretOfEachRule) {
  const auto regret = [](double mean) { return json{{"mean", mean}, {"low", mean - 0.1}, {"high", mean + 0.1}}; };
  const json claim{
      {"recommender",
       {{"regrets", {{"architecture", regret(3)}, {"always_batch", regret(4)}, {"always_layer", regret(1)}}}}},
      {"primary", nullptr},
      {"exact", json::array()}};
  const auto [svg, shows] = claim_picture(claim, {});
  const auto found = dots(svg);
  ASSERT_EQ(found.size(), 3U);  // the fourth was not measured
  // By name: always_batch, always_layer, architecture.
  EXPECT_GT(found[0].first, found[2].first);
  EXPECT_GT(found[2].first, found[1].first);
  EXPECT_THAT(shows, HasSubstr("regret"));
  // A scale of round numbers that reaches beyond the furthest end, 4.1.
  EXPECT_THAT(svg, AllOf(HasSubstr(">4<"), HasSubstr(">5<"), Not(HasSubstr(">6<")), Not(HasSubstr("4.1"))));
  EXPECT_THAT(svg, HasSubstr("by the architecture alone"));
}

TEST(ClaimPicture, OfAnotherMeasureThanTheTestErrorHasThatWithWhatIsLostInRedAtTheEdge) {
  const auto cell = [](const char* arm, const json& value) {
    return json{
        {"part", "claim3-tuned"}, {"model", "mlp"}, {"arm", arm}, {"normalization_batch", nullptr}, {"value", value}};
  };
  const json lost{
      {"mean", nullptr}, {"low", nullptr}, {"high", nullptr}, {"infinite", {{"mean", 1}, {"low", 1}, {"high", 1}}}};
  const json claim{{"recommender", nullptr},
                   {"exact", json::array()},
                   {"by_cell",
                    {{"measure", "shift"},
                     {"unit", "sd"},
                     {"cells",
                      {cell("batch", {{"mean", -0.5}, {"low", -1}, {"high", 0}}),
                       cell("layer", {{"mean", 0.5}, {"low", 0.4}, {"high", 0.6}}), cell("none", lost)}}}}};
  const json part{{"name", "claim3-tuned"}, {"arms", json::array()}},
      other{{"name", "claim3-shared"}, {"arms", json::array()}};
  const auto [svg, shows] = claim_picture(claim, {&part, &other});
  const auto found = dots(svg);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_LT(found[0].first, found[1].first);
  EXPECT_LT(found[1].first, found[2].first);
  EXPECT_EQ(found[0].second, found[1].second);
  EXPECT_NE(found[1].second, found[2].second);
  EXPECT_THAT(svg, HasSubstr(">tuned, mlp, batch<"));
  EXPECT_EQ(shows, "Shift (sd) in every cell, with its 95% interval over seeds");
}

TEST(ClaimPicture, IsNoneWhereNothingWasMeasured) {
  EXPECT_EQ(claim_picture({{"recommender", nullptr}, {"exact", json::array()}}, {}).svg, "");
}

}  // namespace
}  // namespace norma::lab
