// Studies of several parts: what a part takes from the top of its file, sizes, included files, trials that parts share.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include <cmath>
#include <set>

#include "lab/error.h"
#include "lab/study/plan.h"
#include "lab/study/study.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using norma::testing::Temporary;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kParts = R"(name = "two"
arms = ["none", "batch"]
normalization_batches = [2, 16]
seeds = 3
[data]
source = "optdigits"
train = 64
validation = 50
test = 100
[training]
sgd_batch = 16
epochs = 2
optimizer = "sgd"
schedule = "cosine"
[tuning]
learning_rates = [0.01, 0.03, 0.1]
seeds = 2
widen = 0
[[model]]
kind = "mlp"
depth = 1
width = 16
[[part]]
name = "plain"
[[part]]
name = "long"
seeds = 4
training = { epochs = 5 }
[[part.model]]
kind = "mlp"
depth = 3
width = 8
[smoke]
seeds = 1
training = { epochs = 1 }
[smoke.model.mlp]
width = 4
)";

const StudyFile kFile{"two.toml", kParts, ""};

TEST(Parts, TakeFromTheTopWhatTheyDoNotSayThemselves) {
  const Study study = parse_study(kFile);
  ASSERT_EQ(study.parts.size(), 2U);
  const StudySpec &plain = study.parts[0], &long_one = study.parts[1];
  EXPECT_EQ(plain.name, "plain");
  EXPECT_EQ(plain.seeds, 3);
  EXPECT_EQ(plain.training.epochs, 2);
  EXPECT_EQ(plain.models.at(0).spec.width, 16);
  EXPECT_EQ(long_one.seeds, 4);
  EXPECT_EQ(long_one.training.epochs, 5);
  EXPECT_EQ(long_one.training.sgd_batch, 16);
  EXPECT_EQ(long_one.models.at(0).spec.depth, 3);
  EXPECT_EQ(long_one.data.train, 64);
}

TEST(Parts, ASizeReplacesWhatItsTableNamesInEveryPart) {
  const Study study = parse_study(as_run(kFile, "smoke"));
  EXPECT_EQ(study.size, "smoke");
  for (const StudySpec& part : study.parts) {
    EXPECT_EQ(part.seeds, 1);
    EXPECT_EQ(part.training.epochs, 1);
    EXPECT_EQ(part.models.at(0).spec.width, 4);
  }
  EXPECT_THAT(message_of<InputError>([] { as_run(kFile, "full"); }), HasSubstr("no table [full]"));
}

TEST(Parts, ASizeMayReplaceInOnePartAlone) {
  const std::string more = "[smoke.part.long]\nseeds = 2\ntraining = { sgd_batch = 32 }\n";
  const Study study = parse_study(as_run({"two.toml", kParts + more, ""}, "smoke"));
  EXPECT_EQ(study.parts[0].seeds, 1);
  EXPECT_EQ(study.parts[1].seeds, 2);
  EXPECT_EQ(study.parts[1].training.sgd_batch, 32);
  EXPECT_EQ(study.parts[1].training.epochs, 1);  // as in every part
  const auto complaint = [](const std::string& wrong) {
    return message_of<InputError>([&] { parse_study(as_run({"two.toml", kParts + wrong, ""}, "smoke")); });
  };
  EXPECT_THAT(complaint("[smoke.part.lang]\nseeds = 2\n"), HasSubstr("no such part; did you mean 'long'?"));
  EXPECT_THAT(complaint("[smoke.part.long]\nseed = 2\n"), HasSubstr("unknown key 'seed' in [smoke.part.long]"));
}

TEST(Parts, OfOneNameAreRefusedAndSoAreKeysOfTheTop) {
  const auto complaint = [](const std::string& more) {
    return message_of<InputError>([&] { parse_study({"two.toml", kParts + more, ""}); });
  };
  EXPECT_THAT(complaint("[[part]]\nname = \"plain\"\n"), HasSubstr("two parts are named 'plain'"));
  EXPECT_THAT(complaint("[[part]]\nname = \"x\"\ninclude = [\"y\"]\n"), HasSubstr("unknown key 'include' in [[part]]"));
  EXPECT_THAT(complaint("[[part]]\nname = \"x\"\ntraining = { epoch = 1 }\n"), HasSubstr("did you mean 'epochs'"));
}

class Included : public ::testing::Test {
 protected:
  Included() {
    folder_.write("two.toml", kParts);
    const std::string text = "name = \"all\"\ninclude = [\"two.toml\"]\n";
    folder_.write("all.toml", text);
  }
  StudyFile all() const { return find_study(folder_.path() + "/all.toml"); }
  Temporary folder_;
};

TEST_F(Included, PartsAreNamedAfterTheirFile) {
  const Study study = parse_study(all());
  EXPECT_EQ(study.name, "all");
  ASSERT_EQ(study.parts.size(), 2U);
  EXPECT_EQ(study.parts[0].name, "two-plain");
  EXPECT_EQ(study.parts[1].name, "two-long");
}

TEST_F(Included, AStoredStudyHoldsThemWhole) {
  for (const char* size : {"", "smoke"}) {
    const StudyFile whole = as_run(all(), size);
    const nlohmann::json identity = study_identity(parse_study(whole));
    EXPECT_EQ(identity.at("parts").at("two-long").at("seeds"), *size == '\0' ? 4 : 1);
    const StudyFile alone{whole.name, whole.text, "/nowhere"};
    EXPECT_EQ(study_identity(parse_study(alone)), identity);
  }
}

TEST_F(Included, FilesThatIncludeOthersBringThemOnce) {
  folder_.write("again.toml", "name = \"again\"\ninclude = [\"two.toml\"]\n");
  folder_.write("all.toml", "name = \"all\"\ninclude = [\"two.toml\", \"again.toml\"]\n");
  const StudyFile once = as_run(all(), "");
  EXPECT_EQ(parse_study(all()).parts.size(), 2U);
  EXPECT_EQ(study_identity(parse_study({once.name, once.text, "/nowhere"})), study_identity(parse_study(all())));
  folder_.write("top.toml", "name = \"top\"\ninclude = [\"all.toml\"]\n");
  EXPECT_THAT(message_of<InputError>([&] { parse_study(find_study(folder_.path() + "/top.toml")); }),
              HasSubstr("again.toml: includes others itself"));
}

TEST_F(Included, MistakesNameTheFileTheyAreIn) {
  folder_.write("two.toml", std::string("seed = 3\n") + kParts);
  EXPECT_THAT(message_of<InputError>([&] { parse_study(all()); }), HasSubstr("two.toml:"));
  folder_.write("all.toml", "name = \"all\"\ninclude = [\"three.toml\"]\n");
  EXPECT_THAT(message_of<InputError>([&] { parse_study(all()); }), HasSubstr("all.toml:2: 'include'"));
}

TEST(StudiesFolder, HoldsFilesThatCanAllBeRead) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(NORMA_SOURCE "/studies")) {
    EXPECT_EQ(message_of<InputError>([&] { parse_study(find_study(entry.path().string())); }), "") << entry.path();
    ++count;
  }
  EXPECT_GT(count, builtin_studies().size());  // those for files of one's own are not built in
}

TEST(BuiltinStudies, CanBeReadInEverySize) {
  for (const std::string& name : builtin_studies()) {
    const StudyFile file = find_study(name);
    for (const char* size : {"", "smoke", "full"}) {
      if (*size != '\0' && name == "quick") continue;  // it has one size
      Study study = parse_study(as_run(file, size));
      EXPECT_EQ(study.size, size) << name;
      if (name != "quick") {
        EXPECT_FALSE(study.claims.empty()) << name;
      }
      for (StudySpec& part : study.parts) attach_data(part);
    }
  }
}

TrialResult best_at_003(const TrialSpec& trial) {
  TrialResult result;
  result.validation_error = result.test_error = std::abs(std::log(trial.training.learning_rate / 0.03)) / 10;
  result.steps = 7;
  return result;
}

// Trains all that the plan hands out; how often each trial was handed out is in the keys.
std::multiset<std::string> run_all(Plan& plan) {
  std::multiset<std::string> keys;
  while (const auto trial = plan.next()) {
    keys.insert(trial->key);
    plan.finished(trial->key, best_at_003(trial->spec));
  }
  return keys;
}

TEST(PlanOverParts, TrainsWhatTheyShareOnceHoweverLateAPartAsksForIt) {
  Study study = parse_study(kFile);
  study.parts[1] = study.parts[0];
  study.parts[1].name = "more";
  study.parts[1].seeds = 5;                                       // final trials beyond the first part's
  study.parts[1].learning_rates = {0.003, 0.01, 0.03, 0.1, 0.3};  // tuned later than the first part
  Plan plan(study, "1");
  const auto keys = run_all(plan);
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size());
  EXPECT_EQ(plan.done(), plan.planned());
  EXPECT_EQ(keys.size(), 3U * (5 * 2 + 5));  // none, and batch at 2 and 16
  for (const Cell& cell : plan.cells()) {
    EXPECT_EQ(cell.learning_rate, 0.03);
    for (const auto& result : cell.final) EXPECT_TRUE(result.has_value());
  }
  EXPECT_EQ(plan.cells_of(1).size(), 3U);
  EXPECT_EQ(plan.spent({0}).trials, 3 * (3 * 2 + 3));
  EXPECT_EQ(plan.spent({1}).trials, 3 * (5 * 2 + 5));
  EXPECT_EQ(plan.spent({1}).steps, 7 * plan.spent({1}).trials);
}

TEST(PlanOverParts, AllArmsTakeTheRateOfOneWhereTheStudySaysSo) {
  Study study = parse_study(kFile);
  study.parts.pop_back();
  study.parts[0].rate_of = "none";
  Plan plan(study, "1");
  const auto keys = run_all(plan);
  EXPECT_EQ(keys.size(), 3U * 2 + 3 * 3);
  EXPECT_EQ(plan.done(), plan.planned());
  for (const Cell& cell : plan.cells()) {
    EXPECT_EQ(cell.tuning.empty(), cell.arm != "none");
    EXPECT_EQ(cell.learning_rate, 0.03);
  }
}

}  // namespace
}  // namespace norma::lab
