// What norma study says of a study that it does not run, and of a folder that it cannot use.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "small_study_command.h"

namespace norma {
namespace {

namespace fs = std::filesystem;
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

}  // namespace
}  // namespace norma
