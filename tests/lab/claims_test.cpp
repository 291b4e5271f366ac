// Claims: what their contrasts measure, and the rule from numbers to a verdict at its edges.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "lab/claims/answers.h"
#include "lab/claims/measure.h"
#include "lab/claims/values.h"
#include "lab/data/random.h"
#include "lab/error.h"
#include "lab/results/targets.h"
#include "lab/statistics/paired.h"
#include "made_up_claims.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ClaimContrast contrast(Direction direction, double margin = 0) {
  ClaimContrast found;
  found.direction = direction;
  found.margin = margin;
  return found;
}

Standing standing(const std::vector<double>& differences, const ClaimContrast& of, int family = 1) {
  MeasuredContrast measured = measure_differences(differences, of);
  std::vector<MeasuredContrast> others(static_cast<std::size_t>(family - 1));
  std::vector<const ClaimContrast*> contrasts{&of};
  std::vector<MeasuredContrast*> all{&measured};
  for (MeasuredContrast& other : others) {
    contrasts.push_back(&of);
    all.push_back(&other);
  }
  judge(contrasts, all);
  return measured.standing;
}

const std::vector<double> kLower{-0.02, -0.03, -0.01, -0.02, -0.025, -0.03, -0.015, -0.02, -0.03, -0.02};

std::vector<double> negated(std::vector<double> values) {
  for (double& value : values) value = -value;
  return values;
}

TEST(Standing, FollowsTheClaimedDirection) {
  EXPECT_EQ(standing(kLower, contrast(Direction::kALower)), Standing::kShown);
  EXPECT_EQ(standing(kLower, contrast(Direction::kAHigher)), Standing::kRefuted);
  EXPECT_EQ(standing(negated(kLower), contrast(Direction::kALower)), Standing::kRefuted);
  EXPECT_EQ(standing(negated(kLower), contrast(Direction::kAHigher)), Standing::kShown);
  EXPECT_EQ(standing({-0.02, 0.02, -0.01, 0.01, 0.0, 0.0, -0.03, 0.03, 0.0, 0.0}, contrast(Direction::kALower)),
            Standing::kOpen);
  EXPECT_EQ(standing({}, contrast(Direction::kALower)), Standing::kNotMeasured);
}

// Ten seeds of one sign: p = 2 / 2^10, which Holm multiplies by the number of claims.
TEST(Standing, NeedsAPThatPassesTheCorrection) {
  EXPECT_EQ(standing(kLower, contrast(Direction::kALower), 25), Standing::kShown);  // 0.0488
  EXPECT_EQ(standing(kLower, contrast(Direction::kALower), 26), Standing::kOpen);   // 0.0508
  const std::vector<double> five(kLower.begin(), kLower.begin() + 5);
  EXPECT_EQ(standing(five, contrast(Direction::kALower)), Standing::kOpen);  // 2 / 2^5 = 0.0625
}

TEST(Standing, TheSameNeedsTheWholeIntervalWithinTheMargin) {
  const std::vector<double> small{0.001, -0.001, 0.002, -0.002, 0.0, 0.001, -0.001, 0.0, 0.001, -0.001};
  EXPECT_EQ(standing(small, contrast(Direction::kSame, 0.005)), Standing::kShown);
  EXPECT_EQ(standing(small, contrast(Direction::kSame, 0.0005)), Standing::kOpen);
  EXPECT_EQ(standing(kLower, contrast(Direction::kSame, 0.005)), Standing::kRefuted);
  EXPECT_EQ(standing(kLower, contrast(Direction::kSame, 0.022)), Standing::kOpen);
  EXPECT_EQ(standing(kLower, contrast(Direction::kSame, 0.1)), Standing::kShown);
}

TEST(Verdict, FollowsFromStandingsAlone) {
  const auto verdict = [](std::optional<bool> exact, std::optional<Standing> primary, bool qualified) {
    return std::string(verdict_name(verdict_of(exact, primary, qualified)));
  };
  EXPECT_EQ(verdict({}, Standing::kShown, false), "supported");
  EXPECT_EQ(verdict({}, Standing::kShown, true), "qualified");
  EXPECT_EQ(verdict({}, Standing::kRefuted, false), "contradicted");
  EXPECT_EQ(verdict({}, Standing::kRefuted, true), "contradicted");
  EXPECT_EQ(verdict({}, Standing::kOpen, true), "inconclusive");
  EXPECT_EQ(verdict({}, Standing::kNotMeasured, false), "inconclusive");
  EXPECT_EQ(verdict(true, {}, false), "supported");
  EXPECT_EQ(verdict(true, {}, true), "qualified");
  EXPECT_EQ(verdict(false, {}, false), "contradicted");
  EXPECT_EQ(verdict(false, Standing::kShown, false), "contradicted");
  EXPECT_EQ(verdict(true, Standing::kShown, false), "supported");
  EXPECT_EQ(verdict(true, Standing::kRefuted, false), "qualified");
  EXPECT_EQ(verdict(true, Standing::kOpen, false), "inconclusive");
  EXPECT_EQ(verdict({}, {}, false), "inconclusive");
}

TEST(MedianInterval, LeavesOutAsManyAsAFairCoinAllows) {
  std::vector<double> values{1, 2, 3, 4, 5, 6, 7, 8, 9, kInfinity};
  const Interval ten = median_interval(values);  // P(at most 1 of 10) = 0.0107, of at most 2 0.0547
  EXPECT_EQ(ten.mean, 5.5);
  EXPECT_EQ(ten.low, 2);
  EXPECT_EQ(ten.high, 9);
  EXPECT_TRUE(std::isnan(median_interval({1, 2, 3, 4, 5}).low));
  EXPECT_EQ(median_interval({1, 2, 3, 4, 5, kInfinity}).high, kInfinity);
}

TEST(SignFlip, CountsInfiniteDifferencesAsTheFurthestOut) {
  EXPECT_EQ(sign_flip_above_p(std::vector{1.0, 2.0, kInfinity}, 0), 1.0 / 8);
  EXPECT_EQ(sign_flip_above_p(std::vector{-1.0, 2.0, kInfinity}, 0), 2.0 / 8);
  EXPECT_EQ(sign_flip_above_p(std::vector{0.0, 0.0}, 0), 1);
  EXPECT_EQ(sign_flip_above_p(std::vector{1.0, std::nan("")}, 0), 1);
  EXPECT_EQ(sign_flip_above_p(std::vector<double>{}, 0), 1);
}

TEST(SignFlip, OfRealDifferencesIsThatOfCounts) {
  const std::vector<std::int64_t> counts{3, -1, 4, 1, -5, 9, 2, 6};
  std::vector<double> fractions;
  for (const std::int64_t count : counts) fractions.push_back(static_cast<double>(count) / 900);
  EXPECT_DOUBLE_EQ(2 * sign_flip_above_p(fractions, 0), sign_flip_p(counts));
}

// The median's interval holds the median of a skewed, heavy-tailed distribution at least as often as it says.
TEST(MedianInterval, CoversTheTruthAsOftenAsItSays) {
  constexpr int kExperiments = 2000;
  Random random(3);
  int covered = 0;
  for (int experiment = 0; experiment < kExperiments; ++experiment) {
    std::vector<double> values;
    for (int seed = 0; seed < 10; ++seed) values.push_back(1 / (1 - random.uniform()));  // median 2
    const Interval interval = median_interval(values);
    covered += interval.low <= 2 && 2 <= interval.high;
  }
  EXPECT_GE(covered, 0.97 * kExperiments);  // 97.9% at ten seeds
  EXPECT_LE(covered, 0.99 * kExperiments);
}

TEST(Claim, ComparesArmsOverNormalizationBatches) {
  const auto row =
      answer("[claim.primary]\ndirection = 'a lower'\nreduce = 'slope_log2'\na = 'batch'\nb = 'layer'\n",
             [](const TrialSpec& spec, TrialResult& result) {
               set_wrong(result, spec.normalization_batch == 2 ? 10 : spec.normalization_batch == 8 ? 2 : 1);
             });
  // 100% at 2 and 20% at 8, two doublings apart.
  EXPECT_NEAR(row.at("primary").at("effect").at("mean").get<double>(), -40, 1e-9);
  EXPECT_EQ(row.at("primary").at("unit"), "points per doubling of the normalization batch");
  EXPECT_EQ(row.at("verdict"), "supported");
  EXPECT_EQ(row.at("differs"), "expected qualified, found supported");
  EXPECT_EQ(row.at("primary").at("n"), 10);
  // 3 arms, batch at two normalization batches: 4 cells of 2 rates x 10 + 10 trials.
  EXPECT_EQ(row.at("steps"), 4 * 30 * 100);
  EXPECT_NEAR(row.at("minutes").get<double>(), 4 * 30 * 0.6 / 60, 1e-9);
}

constexpr const char* kToTarget =
    "[claim.primary]\nmeasure = 'log2_steps_to_target'\ntarget = 'none'\ndirection = 'a lower'\n"
    "a = 'layer'\nb = 'none'\n";

std::vector<CurvePoint> curve(double at_8, double at_64) {
  return {{8, 1, at_8}, {64, 1, at_64}};
}

TEST(Claim, ATargetNeverReachedCountsAsTheWholeBudget) {
  const auto row = answer(kToTarget, [&](const TrialSpec& spec, TrialResult& result) {
    result.steps = 64;
    // none ends at 0.2, on half of the seeds; layer is there at once, or never on the first seed.
    result.curve = spec.arm != "layer" ? curve(0.4, spec.seed % 2 == 0 ? 0.2 : 0.21)
                   : spec.seed > 1     ? curve(0.2, 0.2)
                                       : curve(0.5, 0.3);
  });
  const auto& primary = row.at("primary");
  // The median of the best of none is 0.205: five of its seeds reach it, at 64; the others count 64 as well.
  EXPECT_EQ(primary.at("target").at("a"), (nlohmann::json{{"reached", 9}, {"trials", 10}}));
  EXPECT_EQ(primary.at("target").at("b"), (nlohmann::json{{"reached", 5}, {"trials", 10}}));
  EXPECT_EQ(primary.at("location"), "mean");
  EXPECT_NEAR(primary.at("effect").at("mean").get<double>(), -3 * 0.9, 1e-12);
  EXPECT_LT(primary.at("effect").at("high"), 0);
  EXPECT_EQ(row.at("verdict"), "supported");
}

TEST(Claim, ATargetThatOneSideOftenMissesIsNotReachedSoonerByIt) {
  // layer is there eight times as soon on seven seeds, and never on three, where none is there in the end: within the
  // budget it is sooner, but not if never is worse than everything.
  const auto row = answer(kToTarget, [&](const TrialSpec& spec, TrialResult& result) {
    result.steps = 64;
    result.curve = spec.arm != "layer" ? curve(0.4, 0.2) : spec.seed > 3 ? curve(0.2, 0.2) : curve(0.5, 0.3);
  });
  EXPECT_LT(row.at("primary").at("effect").at("mean"), 0);
  EXPECT_GT(row.at("primary").at("p"), 0.05);
  EXPECT_EQ(row.at("verdict"), "inconclusive");
}

TEST(Claim, CountsHowMuchOfTheGridTrains) {
  const auto row =
      answer("[claim.primary]\nmeasure = 'trains'\nthreshold = 0.2\ndirection = 'a higher'\na = 'layer'\nb = 'none'\n",
             [](const TrialSpec& spec, TrialResult& result) {
               result.validation_error = spec.arm == "layer" || spec.training.learning_rate < 0.05 ? 0.1 : 0.5;
             });
  EXPECT_EQ(row.at("primary").at("effect").at("mean"), 50.0);
  EXPECT_EQ(row.at("verdict"), "supported");
}

// Nearly all seeds agree: so many resamples have no spread that the bootstrap has no ends.
TEST(Claim, HasAnIntervalWhereNearlyAllSeedsAgree) {
  std::vector<double> differences(10, 0.5);
  differences[3] = 0.45;
  const MeasuredContrast found = measure_differences(differences, contrast(Direction::kAHigher));
  EXPECT_NEAR(found.effect.mean, 0.495, 1e-12);
  EXPECT_GT(found.effect.low, 0.45);
  EXPECT_LT(found.effect.low, 0.495);
  EXPECT_NEAR(found.effect.high, 0.5, 1e-9);
  EXPECT_EQ(standing(differences, contrast(Direction::kAHigher)), Standing::kShown);
}

Study study_of_rise(const std::string& shifts, const std::string& measure) {
  const std::string claim = "[claim.primary]\nmeasure = '" + measure +
                            "'\ndirection = 'a lower'\na = 'layer'\nb = 'batch'\nnormalization_batches = [8]\n";
  return parse_study({"made-up.toml", "shifts = [" + shifts + "]\n" + kClaimStudy + claim, ""});
}

TEST(Claim, TheRiseUnderAllShiftsLeavesStatisticsTakenAnewOutUnlessItAsksForThem) {
  const auto rise = [](const std::string& measure) {
    const Study of = study_of_rise("'noise=1', 'offset=1'", measure);
    const auto row = claims_section(trained(of, [](const TrialSpec& spec, TrialResult& result) {
                       set_wrong(result, 1);
                       result.measures = {{"error@noise=1", 0.2}, {"error@offset=1", 0.4}};
                       if (spec.arm != "batch") return;
                       result.measures = {{"error@noise=1", 0.4},
                                          {"error@noise=1/reestimated", 0.3},
                                          {"error@offset=1", 0.8},
                                          {"error@offset=1/reestimated", 0.1}};
                     })).at(0);
    return row.at("primary").at("effect").at("mean").get<double>();
  };
  EXPECT_NEAR(rise("drop@*"), 30 - 60, 1e-9);
  EXPECT_NEAR(rise("drop@*/reestimated"), 30 - 20, 1e-9);
  EXPECT_NEAR(rise("drop@offset=1"), 40 - 80, 1e-9);
  EXPECT_NEAR(rise("drop@offset=1/reestimated"), 40 - 10, 1e-9);
}

// What has diverged does not win by having nothing left to lose.
TEST(Claim, ATrialThatIsLostRisesByTheMost) {
  const auto row =
      claims_section(trained(study_of_rise("'noise=1'", "drop@*"), [](const TrialSpec& spec, TrialResult& result) {
        set_wrong(result, 1);
        result.measures = {{"error@noise=1", 0.3}};
        if (spec.arm == "layer") result.status = TrialStatus::kDiverged;
      })).at(0);
  EXPECT_NEAR(row.at("primary").at("effect").at("mean").get<double>(), 100 - 20, 1e-9);
  EXPECT_EQ(row.at("verdict"), "contradicted");
}

TEST(Claim, AnArmWithoutTheMeasureIsNotMeasuredAndNotTheWorst) {
  const std::string claim =
      "[claim.primary]\nmeasure = 'statistics_gap_sd'\ndirection = 'a higher'\na = 'batch'\nb = 'layer'\n";
  const Study of =
      parse_study({"made-up.toml", std::string("probes = ['statistics_gap']\n") + kClaimStudy + claim, ""});
  const auto row = claims_section(trained(of, [](const TrialSpec& spec, TrialResult& result) {
                     set_wrong(result, 1);
                     if (spec.arm == "batch") result.measures = {{"statistics_gap_sd", 0.5}};
                     if (spec.seed == 2) result.status = TrialStatus::kDiverged;
                   })).at(0);
  EXPECT_EQ(row.at("primary").at("standing"), "not measured");
  EXPECT_EQ(row.at("verdict"), "inconclusive");
}

// Whatever else ran on the machine, and whoever else trains in the study.
TEST(Claim, SecondsToATargetAreStepsTimesTheArmsOwnMedian) {
  const auto row = answer(
      "[claim.primary]\nmeasure = 'log2_seconds_to_target'\ntarget = 'none'\ndirection = 'a lower'\n"
      "a = 'layer'\nb = 'none'\n",
      [&](const TrialSpec& spec, TrialResult& result) {
        result.steps = 64;
        // A step of layer takes twice as long as one of none, batch's a hundred times; each has an outlier.
        result.seconds = 64 * (spec.arm == "layer" ? 0.02 : spec.arm == "none" ? 0.01 : 1) * (spec.seed == 1 ? 50 : 1);
        // layer never gets there, none on every seed but one and at the end.
        result.curve = spec.arm == "layer" ? curve(0.5, 0.4) : curve(0.4, spec.seed == 1 ? 0.3 : 0.2);
      });
  EXPECT_NEAR(row.at("primary").at("effect").at("mean").get<double>(), 1, 1e-12);  // both 64 steps, of twice the time
  EXPECT_EQ(row.at("primary").at("target").at("a").at("reached"), 0);
}

// Where neither side gets to the target there is nothing to compare, however long a step takes.
TEST(Claim, SecondsOfTwoArmsThatNeverArriveShowNothing) {
  const auto row = answer(
      "[claim.primary]\nmeasure = 'log2_seconds_to_target'\ntarget = 'batch'\ndirection = 'a higher'\n"
      "a = 'layer'\nb = 'none'\n",
      [&](const TrialSpec& spec, TrialResult& result) {
        result.steps = 64;
        result.seconds = spec.arm == "layer" ? 2 : 1;
        result.curve = spec.arm == "batch" ? curve(0.2, 0.1) : curve(0.5, 0.4);
      });
  EXPECT_EQ(row.at("primary").at("p"), 1);
  EXPECT_EQ(row.at("verdict"), "inconclusive");
}

TEST(Claim, AQualifierThatHoldsQualifies) {
  const std::string claim =
      "[claim.primary]\ndirection = 'a higher'\na = 'none'\nb = 'batch'\n"
      "[[claim.qualifier]]\nsays = 'LayerNorm does it too'\ndirection = 'a higher'\na = 'none'\nb = 'layer'\n";
  for (const bool too : {false, true}) {
    const auto row = answer(claim, [&](const TrialSpec& spec, TrialResult& result) {
      set_wrong(result, spec.arm == "none" || (spec.arm == "layer" && !too) ? 9 : 1);
    });
    EXPECT_EQ(row.at("verdict"), too ? "qualified" : "supported");
  }
}

TEST(Claim, AllSeedsDivergedCountAsTheWorstValueAndSayNothingMore) {
  const auto row = answer("[claim.primary]\ndirection = 'a lower'\na = 'layer'\nb = 'batch'\n",
                          [](const TrialSpec& spec, TrialResult& result) {
                            set_wrong(result, 2);
                            if (spec.arm == "batch") result.status = TrialStatus::kDiverged;
                          });
  EXPECT_NEAR(row.at("primary").at("effect").at("mean").get<double>(), -80, 1e-9);
  EXPECT_EQ(row.at("verdict"), "supported");
}

TEST(Claim, NetworksThatHaveNotLearnedDecideNothing) {
  Study of = claim_study("[claim.primary]\ndirection = 'a lower'\na = 'layer'\nb = 'batch'\n");
  of.parts.front().majority_error = 0.9;  // standard error over 200 items: 0.021
  for (const auto& [layer, learned] : {std::pair{0.85, true}, std::pair{0.86, false}}) {
    const auto row = claims_section(trained(of, [error = layer](const TrialSpec& spec, TrialResult& result) {
                       const auto wrong = static_cast<std::size_t>(std::lround(error * kItems));
                       result.test_wrong = std::string(spec.arm == "layer" ? wrong : kItems, '1');
                       result.test_wrong.resize(kItems, '0');
                       result.test_error = spec.arm == "layer" ? error : 1;
                     })).at(0);
    EXPECT_EQ(row.at("primary").at("learned"), learned);
    EXPECT_LT(row.at("primary").at("effect").at("high"), 0);
    EXPECT_EQ(row.at("verdict"), learned ? "supported" : "inconclusive");
  }
}

TEST(Claim, TakesTheBestOfSeveralArmsByValidation) {
  const auto row = answer("[claim.primary]\ndirection = 'a lower'\na = 'layer'\nb = { arms = ['none', 'batch'] }\n",
                          [](const TrialSpec& spec, TrialResult& result) {
                            // none looks better on validation and is worse on test: it must still be chosen.
                            set_wrong(result, spec.arm == "none" ? 9 : spec.arm == "batch" ? 1 : 6);
                            result.validation_error = spec.arm == "none" ? 0.05 : 0.1;
                          });
  EXPECT_NEAR(row.at("primary").at("effect").at("mean").get<double>(), -30, 1e-9);
}

TEST(Claim, MistakesAreNamedWithTheirLine) {
  const auto complaint = [](const std::string& claim) { return message_of<InputError>([&] { claim_study(claim); }); };
  EXPECT_THAT(complaint("[claim.primary]\ndirection = 'a lower'\na = 'leyer'\nb = 'none'\n"),
              HasSubstr("'a': no part has the arm 'leyer'; did you mean 'layer'?"));
  EXPECT_THAT(complaint("[claim.primary]\ndirection = 'lower'\na = 'layer'\nb = 'none'\n"), HasSubstr("'direction'"));
  EXPECT_THAT(complaint("[claim.primary]\ndirection = 'same'\na = 'layer'\nb = 'none'\n"), HasSubstr("'margin'"));
  EXPECT_THAT(complaint("[claim.primary]\ndirection = 'a lower'\nmargin = 1\na = 'layer'\nb = 'none'\n"),
              HasSubstr("'margin' goes with direction"));
  EXPECT_THAT(complaint("[claim.primary]\ndirection = 'a lower'\na = { arm = 'layer', parts = ['x'] }\nb = 'none'\n"),
              HasSubstr("no part 'x'"));
  EXPECT_THAT(complaint("[claim.primary]\nmeasure = 'test_eror'\ndirection = 'a lower'\na = 'layer'\nb = 'none'\n"),
              HasSubstr("nothing here measures 'test_eror'; did you mean 'test_error'?"));
  EXPECT_THAT(complaint("[claim.primary]\nmeasure = 'drop@*'\ndirection = 'a lower'\na = 'layer'\nb = 'none'\n"),
              HasSubstr("nothing here measures 'drop@*'"));  // it has no shifts
  const std::string lower = "[claim.primary]\ndirection = 'a lower'\n";
  EXPECT_THAT(
      complaint(lower + "a = 'batch'\nb = 'layer'\nnormalization_batches = [3]\n"),
      AllOf(HasSubstr("made-up.toml:"), HasSubstr("no cell has the normalization batch 3, expected one of 2, 8")));
  EXPECT_THAT(complaint("[[claim.exact]]\nmeasure = 'layer_coupling'\nat_most = 0\n"), "");
  EXPECT_THAT(complaint("[[claim.exact]]\nmeasure = 'layer_cupling'\nat_most = 0\n"),
              HasSubstr("did you mean 'layer_coupling'?"));
  EXPECT_THAT(complaint(""), HasSubstr("expected [claim.primary]"));
}

TEST(Claim, SidesOfDifferentModelsAreNotPaired) {
  const std::string two = kClaimStudy.substr(0, kClaimStudy.find("[claim]")) +
                          "[[model]]\nname = 'deep'\nkind = 'mlp'\ndepth = 3\nwidth = 16\n" +
                          kClaimStudy.substr(kClaimStudy.find("[claim]"));
  const auto complaint = [&](const std::string& b) {
    const std::string claim = "[claim.primary]\ndirection = 'a lower'\na = { arm = 'layer', models = ['mlp'] }\nb = ";
    return message_of<InputError>([&] { parse_study({"made-up.toml", two + claim + b, ""}); });
  };
  EXPECT_EQ(complaint("{ arm = 'batch', models = ['mlp'] }\n"), "");
  EXPECT_THAT(complaint("{ arm = 'batch', models = ['deep'] }\n"),
              AllOf(HasSubstr("paired model by model"), HasSubstr("got mlp and deep")));
}

TEST(Claim, TooFewSeedsForTheCorrectionAreRefusedWithHowManyItTakes) {
  const std::string claim = "[claim.primary]\ndirection = 'a lower'\na = 'layer'\nb = 'none'\n";
  const StudyFile file{"made-up.toml", kClaimStudy + claim, ""};
  EXPECT_THAT(message_of<InputError>([&] { parse_study(file, 5); }), HasSubstr("takes at least 6"));
  EXPECT_EQ(message_of<InputError>([&] { parse_study(file, 6); }), "");
}

// A family of qualifiers that no p of so few seeds can pass would leave 'supported' what might be qualified.
TEST(Claim, TooFewSeedsForItsQualifiersAreRefusedTooWithFileLineAndHowManyItTakes) {
  const std::string sides = "direction = 'a lower'\na = 'layer'\nb = 'none'\n";
  std::string claim = "[claim.primary]\n" + sides;
  for (const std::string says : {"one", "two", "three"}) {
    claim += "[[claim.qualifier]]\nsays = '" + says + "'\n" + sides;
  }
  const auto complaint = [&](std::int64_t seeds, const std::string& size) {
    const StudyFile file{"made-up.toml", size + kClaimStudy + claim + "[smoke]\nseeds = 2\n", ""};
    return message_of<InputError>([&] { parse_study(file, seeds); });
  };
  // 2 / 2^6 x 3 is 9.4%, 2 / 2^7 x 3 4.7%.
  EXPECT_EQ(complaint(6, ""),
            "made-up.toml:32: claim 3, \"one\", has 6 seeds in part 'made-up': Holm's correction over 3 qualifiers at "
            "the 5% level takes at least 7");
  EXPECT_EQ(complaint(7, ""), "");
  EXPECT_EQ(complaint(2, "size = 'smoke'\n"), "");
  EXPECT_THAT(complaint(5, ""), HasSubstr("over 1 primary contrast at the 5% level takes at least 6"));
}

// LayerNorm and no normalization come down to 0.2 at step 64, BatchNorm at step 8 on three seeds of ten and never else.
TEST(Targets, AreSetByTheArmWithoutNormalizationAndReachedInStepsAndSeconds) {
  const Study of = claim_study(kToTarget);
  const Plan plan = trained(of, [](const auto& spec, auto& result) {
    const bool early = spec.arm == "batch" && spec.seed <= 3;
    const double last = spec.arm == "batch" ? 0.5 : 0.2;
    result.curve = {{8, 1, early ? 0.1 : 0.6}, {64, 1, early ? 0.1 : last}};
  });
  const auto cells = plan.cells_of(0);
  const auto targets = targets_of(of.parts[0], cells);
  EXPECT_EQ(target_json(targets[0]), (nlohmann::json{{"arm", "none"}, {"validation_error", 0.2}}));
  for (const Cell& cell : cells) {
    const auto found = to_target_json(cell, targets[cell.model]);
    EXPECT_EQ(found.at("reached"), cell.arm == "batch" ? 3 : 10);
    if (cell.arm == "batch") {
      EXPECT_TRUE(found.at("steps").at("mean").is_null()) << "half of the seeds never get there";
      EXPECT_EQ(found.at("steps").at("low"), 8);
    } else {
      EXPECT_EQ(found.at("steps").at("mean"), 64);
      EXPECT_NEAR(found.at("seconds").at("high").template get<double>(), 0.6 * 64 / 100, 1e-12);
    }
  }
  EXPECT_TRUE(target_json(targets_of(of.parts[0], Plan(of, "1").cells_of(0))[0]).is_null());
  // What another study's trials reached is nothing to this one.
  const Plan worse = trained(of, [](const auto&, auto& result) { result.curve = {{8, 1, 0.6}, {64, 1, 0.4}}; });
  EXPECT_EQ(target_json(targets_of(of.parts[0], worse.cells_of(0))[0]).at("validation_error"), 0.4);
}

}  // namespace
}  // namespace norma::lab
