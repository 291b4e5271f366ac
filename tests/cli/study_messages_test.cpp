// What norma study says of a study that it does not run, and of a folder that it cannot use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "small_study_command.h"

namespace norma {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::Outcome;
using testing::run;
using ::testing::StartsWith;

class StudyMessages : public testing::SmallStudy {
 protected:
  // The stand-in for norma-trial, and what goes wrong with it.
  static testing::RunOptions with(const std::string& fate) {
    return {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL", fate}}};
  }
};

TEST_F(StudyMessages, RefuseWhatEveryTrialWouldFailAt) {
  const std::string file = changed("kind = \"mlp\"", "kind = \"linear\"\nresidual = \"none\"");
  std::string text = testing::read_file(file);
  text.replace(text.find("[2, 16]"), 7, "[1, 16]");
  folder_.write("changed.toml", text);
  const Outcome outcome = run({NORMA_COMMAND, "study", file, "--out", out_});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, StartsWith("norma study: " + file + ":3: 'normalization_batches': 1 gives the arm 'batch'"));
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(StudyMessages, SayTheHeadlineWithoutContrasts) {
  std::string text = testing::kSmall;
  text.erase(text.find("[[contrast]]"));
  for (const char* arms : {"[\"batch\"]", "[\"batch\", \"layer\"]"}) {
    std::string own = text;
    own.replace(own.find("[\"batch\", \"layer\"]"), 18, arms);
    const std::string folder = out_ + std::to_string(own.size());
    const Outcome outcome = run({NORMA_COMMAND, "study", folder_.write("own.toml", own), "--out", folder, "--quiet"},
                                {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL", "diverge all"}}});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const auto headline = results(folder).at("verdict").at("headline").get<std::string>();
    std::string line = outcome.out;
    std::ranges::replace(line, '\n', ' ');
    EXPECT_THAT(line, HasSubstr(" " + headline + " ")) << arms;
  }
}

TEST_F(StudyMessages, NameADamagedStoreAndTheRemedyInOneLine) {
  ASSERT_EQ(study({"--quiet", "--seeds", "2"}, with("")).code, 0);
  const std::string path = out_ + "/study.sqlite", whole = testing::read_file(path);
  const auto said = [&](std::string bytes) {
    folder_.write("out/study.sqlite", bytes);
    const Outcome outcome = run({NORMA_COMMAND, "report", out_, "--format", "csv"});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_EQ(std::ranges::count(outcome.err, '\n'), 1) << outcome.err;
    return outcome.err;
  };
  const std::string remedy = "move it away or choose another folder with --out\n";
  std::string overwritten = whole, page = whole, older = whole;
  page.replace(2 * 4096, 4096, 4096, '\xff');
  EXPECT_THAT(said(page), AllOf(HasSubstr(": damaged: its contents do not hold together (SQLite: "), EndsWith(remedy),
                                Not(HasSubstr("***"))));
  overwritten.replace(4096, whole.size() - 4096, whole.size() - 4096, 'x');
  EXPECT_THAT(said(overwritten), AllOf(StartsWith("norma report: " + path + ": damaged: "), EndsWith(remedy),
                                       Not(HasSubstr("malformed"))));
  EXPECT_THAT(said(whole.substr(0, whole.size() / 2)), AllOf(HasSubstr(": damaged: "), EndsWith(remedy)));
  EXPECT_THAT(said("hello"), AllOf(HasSubstr(": damaged, or no store of norma; "), EndsWith(remedy)));
  older[63] = 1;
  EXPECT_THAT(said(older), AllOf(HasSubstr(": a store of version 1, this norma reads version 2: read it with the norma "
                                           "that wrote it; "),
                                 EndsWith(remedy)));
}

TEST_F(StudyMessages, DoNotSayThatAGridGrewThatMayNot) {
  const std::string file = changed("[0.03, 0.1]", "[0.1, 0.3]");  // 0.03 is the stand-in's best
  const Outcome fixed = run({NORMA_COMMAND, "study", file, "--out", out_, "--quiet"}, with(""));
  EXPECT_THAT(fixed.out,
              AllOf(HasSubstr("0.1, is at the edge of its grid, which may not grow"), Not(HasSubstr("grew as often"))));
}

TEST_F(StudyMessages, LeaveNothingWhereTheWorkersDoNotStart) {
  const std::string folder = folder_.path() + "/runs/mine/";
  const Outcome outcome = run({NORMA_COMMAND, "study", file_, "--out", folder, "--quiet"}, with("refuse"));
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("the workers do not start"));
  EXPECT_FALSE(fs::exists(folder_.path() + "/runs"));
  // A folder that was there stays, and so does what lies beside.
  fs::create_directories(out_);
  EXPECT_EQ(study({"--quiet"}, with("refuse")).code, 1);
  EXPECT_TRUE(fs::is_directory(out_) && fs::is_empty(out_));
  // Trials are kept.
  testing::RunOptions stopped = with("");
  stopped.environment.emplace_back("FAKE_TRIAL_MS", "100");
  stopped.signal_after = 1;
  stopped.signal_number = SIGINT;
  ASSERT_EQ(study({"--quiet"}, stopped).code, 130);
  EXPECT_EQ(study({"--quiet"}, with("refuse")).code, 1);
  EXPECT_TRUE(fs::exists(out_ + "/study.sqlite"));
  EXPECT_EQ(study({"--quiet"}, with("")).code, 0);
}

TEST_F(StudyMessages, EstimateNoTimeOfMoments) {
  const Outcome outcome = study();  // in earnest: trials of hundredths of a second
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("/30 trials, "), Not(HasSubstr(", 0s left"))));
}

TEST_F(StudyMessages, ShowTheArmsOfTheFirstPartsThatAreNotDone) {
  std::string text = testing::kSmall;
  const std::size_t model = text.find("[[model]]");
  const std::string shared = text.substr(0, model), own = text.substr(model);
  text = shared;
  for (const char* name : {"first", "second", "third"}) {
    std::string part = own;
    for (const char* table : {"[[model]]", "[[contrast]]"}) part.replace(part.find(table), 2, "[[part.");
    text += "[[part]]\nname = \"" + std::string(name) + "\"\n" + part;
  }
  testing::RunOptions slow = with("");
  slow.environment.emplace_back("FAKE_TRIAL_MS", "20");
  const Outcome outcome =
      run({NORMA_COMMAND, "study", folder_.write("parts.toml", text), "--out", out_, "--workers", "2"}, slow);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("0 of 3 parts done; tuning learning rates"));
  EXPECT_THAT(outcome.err, ContainsRegex("of 3 parts done; (first|second|third): mlp, normalization batch [0-9]+, "
                                         "[0-9]+ seeds?: batch [0-9.]+%, layer [0-9.]+%"));
}

}  // namespace
}  // namespace norma
