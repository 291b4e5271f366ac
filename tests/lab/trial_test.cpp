// Trials as JSON, and their keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "lab/trial/spec.h"
#include "lab/trial/version.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using ::testing::HasSubstr;

TrialSpec example() {
  TrialSpec spec;
  spec.data.name = "digits";
  spec.data.source = "optdigits";
  spec.data.train = 500;
  spec.data.validation = 397;
  spec.data.test = 900;
  spec.data.split_seed = 7;
  spec.data.checksum = "abc";
  spec.model = {.name = "net", .kind = "cnn", .channels = {16, 32}, .activation = "relu"};
  spec.training = {.sgd_batch = 64,
                   .epochs = 25,
                   .optimizer = "sgd",
                   .momentum = 0.9,
                   .schedule = "cosine",
                   .learning_rate = 0.1,
                   .warmup = 10,
                   .clip = 1.5};
  spec.arm = "batch";
  spec.normalization_batch = 4;
  spec.seed = std::numeric_limits<std::uint64_t>::max();
  spec.shifts = {"contrast=0.5"};
  spec.probes = {"gradient_shift", "norms"};
  return spec;
}

TEST(TrialJson, ComesBackAsItWent) {
  const TrialSpec spec = example();
  const auto text = to_json(spec).dump();
  EXPECT_EQ(to_json(trial_spec_from_json(nlohmann::json::parse(text))).dump(), text);
  EXPECT_EQ(trial_spec_from_json(nlohmann::json::parse(text)).seed, spec.seed);
  EXPECT_EQ(trial_spec_from_json(nlohmann::json::parse(text)).training.learning_rate, 0.1);
}

TEST(TrialJson, CarriesResultsWithNumbersThatJsonLacks) {
  TrialResult result;
  result.status = TrialStatus::kDiverged;
  result.reason = "loss \"inf\"";
  result.test_error = std::numeric_limits<double>::infinity();
  result.curve = {{10, std::nan(""), 0.5}};
  result.test_wrong = "0110";
  result.measures = {{"error@contrast=0.5", 0.25}, {"gradient_shift", std::nan("")}};
  const TrialResult back = trial_result_from_json(nlohmann::json::parse(to_json(result).dump()));
  EXPECT_EQ(back.status, TrialStatus::kDiverged);
  EXPECT_EQ(back.reason, result.reason);
  EXPECT_TRUE(std::isnan(back.test_error));
  EXPECT_TRUE(std::isnan(back.curve.at(0).train_loss));
  EXPECT_EQ(back.curve.at(0).step, 10);
  EXPECT_EQ(back.test_wrong, "0110");
  EXPECT_EQ(back.measures.at("error@contrast=0.5"), 0.25);
  EXPECT_TRUE(std::isnan(back.measures.at("gradient_shift")));
}

TEST(TrialJson, NamesTheKeyThatIsMissingOrOfAWrongType) {
  nlohmann::json json = to_json(example());
  json["training"].erase("momentum");
  EXPECT_THAT(message_of<std::runtime_error>([&] { trial_spec_from_json(json); }),
              HasSubstr("trial.training: 'momentum' is missing"));
  json = to_json(example());
  json["seed"] = -1;
  EXPECT_THAT(message_of<std::runtime_error>([&] { trial_spec_from_json(json); }), HasSubstr("'seed'"));
  json["seed"] = 1;
  json["model"]["channels"] = {1, "x"};
  EXPECT_THAT(message_of<std::runtime_error>([&] { trial_spec_from_json(json); }), HasSubstr("'channels'"));
  EXPECT_THAT(message_of<std::runtime_error>([&] { trial_spec_from_json(nlohmann::json::array()); }),
              HasSubstr("object"));
  json = to_json(TrialResult{});
  json["status"] = "splendid";
  EXPECT_THAT(message_of<std::runtime_error>([&] { trial_result_from_json(json); }), HasSubstr("splendid"));
}

// Were this key to change, every store in the world would train anew: then raise kTrainingRevision and say so.
TEST(TrialKey, StaysWhatItWas) {
  EXPECT_EQ(trial_key(example(), "1"), "bf012453710a0c79138053caa6f97230");
}

TEST(TrialKey, ChangesWithEverythingThatDecidesTheOutcome) {
  const std::string key = trial_key(example(), "1");
  const auto changed = [&](auto&& change) {
    TrialSpec spec = example();
    change(spec);
    return trial_key(spec, "1") != key;
  };
  EXPECT_TRUE(changed([](TrialSpec& s) { s.seed = 1; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.arm = "layer"; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.normalization_batch = 8; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.groups = 2; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.tuning = true; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.training.learning_rate = std::nextafter(0.1, 1); }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.training.epochs = 26; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.model.channels = {16, 33}; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.training.warmup = 11; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.training.batches = "sorted"; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.training.clip = 0; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.model.gain = 3; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.model.residual = "skip"; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.model.placement = "post"; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.shifts.clear(); }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.probes.pop_back(); }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.data.checksum = "abd"; }));
  EXPECT_TRUE(changed([](TrialSpec& s) { s.data.split_seed = 8; }));
  EXPECT_NE(trial_key(example(), "2"), key);
}

TEST(TrialKey, DoesNotKnowNamesAndPaths) {
  TrialSpec spec = example();
  spec.data.source = "idx";
  spec.data.files["train_images"] = "/a/b";
  const std::string key = trial_key(spec, "1");
  spec.data.name = "other";
  spec.model.name = "another";
  spec.data.files["train_images"] = "/c";
  EXPECT_EQ(trial_key(spec, "1"), key);
  spec.data.files["test_images"] = "/d";  // whether there are test files decides the split
  EXPECT_NE(trial_key(spec, "1"), key);
}

}  // namespace
}  // namespace norma::lab
