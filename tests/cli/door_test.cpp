// What every command answers: no torch is loaded for it.
#include <gmock/gmock.h>

#include "run_command.h"

namespace norma::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Door, TellsEveryCommandAndItsVersion) {
  const Outcome help = run({NORMA_COMMAND, "--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("study"), HasSubstr("report"), HasSubstr("data"), HasSubstr("explain"),
                              HasSubstr("verify")));
  const Outcome version = run({NORMA_COMMAND, "--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, StartsWith("norma 0."));
}

TEST(Door, HasHelpAtEveryCommand) {
  for (const char* command : {"study", "report", "data", "explain", "verify"}) {
    const Outcome outcome = run({NORMA_COMMAND, command, "--help"});
    EXPECT_EQ(outcome.code, 0) << command;
    EXPECT_THAT(outcome.out, HasSubstr("Usage: norma " + std::string(command)));
    EXPECT_THAT(outcome.err, IsEmpty());
  }
}

TEST(Door, HasItsVersionAtEveryCommand) {
  const std::string version = run({NORMA_COMMAND, "--version"}).out;
  for (const std::vector<std::string>& words : {std::vector<std::string>{"study"},
                                                {"report"},
                                                {"data"},
                                                {"explain"},
                                                {"verify"},
                                                {"data", "list"},
                                                {"data", "check"}}) {
    std::vector<std::string> command{NORMA_COMMAND};
    command.insert(command.end(), words.begin(), words.end());
    command.emplace_back("--version");
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.code, 0) << words.back();
    EXPECT_EQ(outcome.out, version) << words.back();
  }
}

TEST(Door, NoticesThatItsWordsDidNotArrive) {
  for (const char* words : {"--help", "data list", "explain --norm layer --shape 2,3"}) {
    const Outcome outcome = run({"/bin/sh", "-c", NORMA_COMMAND " " + std::string(words) + " > /dev/full"});
    EXPECT_EQ(outcome.code, 1) << words;
    EXPECT_THAT(outcome.err, HasSubstr("standard output")) << words;
  }
}

// What a mistake must be answered with: code 2, nothing on standard output, these words on standard error.
void expect_refused(const std::vector<std::string>& words, const std::string& answer) {
  std::vector<std::string> command{NORMA_COMMAND};
  command.insert(command.end(), words.begin(), words.end());
  const Outcome outcome = run(command);
  EXPECT_EQ(outcome.code, 2) << answer;
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, AllOf(StartsWith(answer), HasSubstr("--help'")));
}

TEST(Door, AnswersAnUnknownCommandWithCodeTwo) {
  expect_refused({"explian"}, "norma: unknown command 'explian'; did you mean 'explain'?\n");
  expect_refused({"Study"}, "norma: unknown command 'Study'; did you mean 'study'?\n");
  expect_refused({"train"}, "norma: unknown command 'train'");
  expect_refused({"data", "chek", "x"}, "norma data: unknown command 'chek'; did you mean 'check'?\n");
  expect_refused({}, "norma: expected a command: study, report, claims, data, explain, verify\n");
  // Also with a question behind it.
  expect_refused({"train", "--help"}, "norma: unknown command 'train'");
  expect_refused({"explian", "--version"}, "norma: unknown command 'explian'; did you mean 'explain'?\n");
}

TEST(Door, AnswersAnUnknownOptionWithTheNearest) {
  expect_refused({"--bogus"}, "norma: unknown option '--bogus'");
  expect_refused({"--versoin"}, "norma: unknown option '--versoin'; did you mean '--version'?\n");
  expect_refused({"study", "quick", "--worker", "2"},
                 "norma study: unknown option '--worker'; did you mean '--workers'?\n");
  expect_refused({"study", "--Seeds=3"}, "norma study: unknown option '--Seeds'; did you mean '--seeds'?\n");
  expect_refused({"explain", "--norm", "batch", "--shap", "2,3"},
                 "norma explain: unknown option '--shap'; did you mean '--shape'?\n");
}

// Which is what lets it answer at once.
TEST(Door, LoadsNoLibtorch) {
  const Outcome loaded = run({NORMA_COMMAND, "--version"}, {.environment = {{"LD_TRACE_LOADED_OBJECTS", "1"}}});
  EXPECT_THAT(loaded.out, AllOf(HasSubstr("libc.so"), Not(HasSubstr("torch")), Not(HasSubstr("libc10"))));
}

}  // namespace
}  // namespace norma::testing
