// Claims: what their answers are called, in the results document, on the terminal and on the pages.
#include "lab/claims/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "made_up_claims.h"

namespace norma::lab {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// The effect is that of one part, the one furthest from 0: the words must not make it that of all.
TEST(ClaimWords, OfPartsEachOnItsOwnSaysThatItsEffectIsTheLargest) {
  const std::string parts =
      "[[part]]\nname = 'a'\n[[part]]\nname = 'b'\ntraining = { epochs = 3 }\n"
      "[[part]]\nname = 'c'\ntraining = { epochs = 4 }\n";
  const std::string claim =
      "[claim.primary]\nreduce = 'each'\ndirection = 'same'\nmargin = 0.3\n"
      "a = { arm = 'layer', parts = ['a', 'b'] }\nb = { arm = 'layer', parts = ['c'] }\n";
  std::string text = kClaimStudy + claim;
  text.insert(text.find("[claim]"), parts);
  const auto row = claims_section(trained(parse_study({"made-up.toml", text, ""}), [](const auto& spec, auto& result) {
                     set_wrong(result, spec.training.epochs == 3 ? 3 : 1);
                   })).at(0);
  EXPECT_EQ(row.at("primary").at("a"), "the largest of LayerNorm (a | b)");
  EXPECT_THAT(comparison_text(row.at("primary")),
              HasSubstr("the largest of LayerNorm (a | b) less LayerNorm (c), test error: 20.0"));
  EXPECT_THAT(answer_effect_text(row.at("primary")), HasSubstr("the largest: 20.0"));
}

// A literature that disagrees with itself cannot be differed from.
TEST(ClaimWords, IsNotAgainstALiteratureThatIsDisputed) {
  std::string text = kClaimStudy + "[claim.primary]\ndirection = 'a lower'\na = 'layer'\nb = 'none'\n";
  text.replace(text.find("\"qualified\""), 11, "\"disputed\"");
  const auto row = claims_section(trained(parse_study({"made-up.toml", text, ""}), [](const auto&, auto& result) {
                     set_wrong(result, 1);
                   })).at(0);
  EXPECT_EQ(row.at("expected_verdict"), "disputed");
  EXPECT_TRUE(row.at("differs").is_null());
}

TEST(ClaimWords, OfAnotherMeasureThanTheTestErrorHasItCellByCell) {
  const std::string claim =
      "[claim.primary]\nmeasure = 'train_error'\ndirection = 'a lower'\na = 'layer'\nb = 'none'\n";
  const auto row = answer(claim, [](const TrialSpec& spec, TrialResult& result) {
    set_wrong(result, 1);
    result.measures = {{"train_error", spec.arm == "layer" ? 0.25 : 0.5}};
    if (spec.arm == "none") result.status = TrialStatus::kDiverged;
  });
  const auto& cells = row.at("by_cell").at("cells");
  ASSERT_EQ(cells.size(), 4U);  // batch at two normalization batches
  for (const auto& cell : cells) {
    const double expected = cell.at("arm") == "layer" ? 25 : cell.at("arm") == "none" ? 100 : 50;
    EXPECT_EQ(cell.at("value").at("mean"), expected) << cell.at("arm");
    EXPECT_EQ(cell.at("n"), 10);
  }
  EXPECT_EQ(row.at("by_cell").at("measure"), "training error");
  EXPECT_TRUE(
      answer("[claim.primary]\ndirection = 'a lower'\na = 'layer'\nb = 'none'\n", [](const auto&, auto&) { return; })
          .at("by_cell")
          .is_null());
}

TEST(ClaimWords, SignsInEffectsAreSaidInWordsOnce) {
  const auto claim = [](const nlohmann::json& effect) {
    return nlohmann::json{{"primary", {{"effect", effect}, {"unit", ""}}}, {"qualifiers", nlohmann::json::array()}};
  };
  const nlohmann::json plain{{"mean", 1}, {"low", 0}, {"high", 2}}, unknown{{"mean", 1}, {"low", {}}, {"high", {}}},
      infinite{{"mean", {}}, {"low", {}}, {"high", {}}, {"infinite", {{"mean", 1}, {"low", 1}, {"high", 1}}}};
  EXPECT_EQ(signs_text(nlohmann::json::array({claim(plain)})), "");
  EXPECT_EQ(signs_text(nlohmann::json::array({claim(plain), claim(unknown)})), "?: too few seeds to say.");
  EXPECT_THAT(signs_text(nlohmann::json::array({claim(infinite), claim(infinite)})),
              AllOf(HasSubstr("∞: "), Not(HasSubstr("?"))));
  EXPECT_EQ(counted(1, "minute"), "1 minute");
  EXPECT_EQ(counted(0, "minute"), "0 minutes");
}

}  // namespace
}  // namespace norma::lab
