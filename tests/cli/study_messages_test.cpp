// What norma study says of a study that it does not run, and of a folder that it cannot use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "small_study_command.h"

namespace norma {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Outcome;
using testing::run;
using ::testing::StartsWith;

class StudyMessages : public testing::SmallStudy {};

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

}  // namespace
}  // namespace norma
