// What norma study shows in a terminal: the bar, colour, and a table that fits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <sstream>

#include "small_study_command.h"
#include "terminal.h"

namespace norma {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::run;
using testing::run_in_terminal;

constexpr const char* kClear = "\r\033[K";
constexpr const char* kBest = "\033[1;32m";

class StudyTerminal : public testing::SmallStudy {
 protected:
  void SetUp() override {
    if (!testing::has_terminals()) GTEST_SKIP() << "this machine has no pseudo-terminals";
  }
  Outcome shown(unsigned short columns, std::vector<std::pair<std::string, std::string>> environment = {}) {
    environment.insert(environment.begin(), {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL_MS", "20"}});
    return run_in_terminal({NORMA_COMMAND, "study", wide_, "--out", out_ + std::to_string(++runs_), "--workers", "2"},
                           columns, environment);
  }
  // The lines from the table on, without colour.
  static std::vector<std::string> table(const std::string& text) {
    std::string plain;
    for (std::size_t i = text.find("MLP 64-32-32-10"); i < text.size(); ++i) {
      if (text[i] == '\033') {
        i = text.find('m', i);
      } else {
        plain += text[i];
      }
    }
    std::vector<std::string> lines;
    std::istringstream in(plain);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  const std::string wide_ = changed("[2, 16]", "[2, 4, 8, 16]");
  int runs_ = 0;
};

TEST_F(StudyTerminal, HasABarWithTheArmsBelowItAndColour) {
  const Outcome outcome = shown(100);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("█"), HasSubstr("░"), HasSubstr(kClear), HasSubstr(kBest)));
  EXPECT_THAT(outcome.out, ContainsRegex("[0-9]+/50 trials, [0-9]+%, [0-9.]+/s"));
  EXPECT_THAT(outcome.out, ContainsRegex("\nmlp, normalization batch [0-9]+, [0-9]+ seeds?: batch [0-9.]+%, layer"));
}

TEST_F(StudyTerminal, TakesNoColourWhereItIsToldSo) {
  const Outcome outcome = shown(100, {{"NO_COLOR", "1"}});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("█"), Not(HasSubstr(kBest))));
  const Outcome piped = run({NORMA_COMMAND, "study", wide_, "--out", out_ + "1"},
                            {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"NO_COLOR", ""}}});
  EXPECT_THAT(piped.out + piped.err, Not(HasSubstr("\033")));
}

TEST_F(StudyTerminal, HasLinesWhereTheTerminalIsDumb) {
  const Outcome outcome = shown(100, {{"TERM", "dumb"}});
  EXPECT_THAT(outcome.out, AllOf(Not(HasSubstr("█")), Not(HasSubstr(kClear)), ContainsRegex("\n[0-9]+/50 trials, ")));
}

TEST_F(StudyTerminal, HasATableThatFits) {
  const auto heads = [](const std::vector<std::string>& lines) {
    std::vector<std::string> found;
    for (const std::string& line : lines) {
      if (std::regex_match(line, std::regex("normalization batch( +[0-9]+)+"))) found.push_back(line);
    }
    return found;
  };
  const auto wide = heads(table(shown(200).out));
  ASSERT_EQ(wide.size(), 1U);
  EXPECT_GT(wide[0].size(), 70U);
  for (const auto& [columns, count] : {std::pair<unsigned short, std::size_t>{80, 1}, {70, 2}, {50, 2}, {40, 4}}) {
    const auto lines = table(shown(columns).out);
    for (std::size_t i = 0; i + 1 < lines.size(); ++i) EXPECT_LE(lines[i].size(), columns) << lines[i];
    const auto blocks = heads(lines);
    EXPECT_EQ(blocks.size(), count) << columns;
    std::string all;
    for (const std::string& block : blocks) all += block.substr(19);
    EXPECT_THAT(all, ContainsRegex("^ +2 +4 +8 +16$")) << columns;
  }
  // The terminal does not tell; whoever started this does.
  EXPECT_EQ(heads(table(shown(0, {{"COLUMNS", "40"}}).out)).size(), 4U);
  EXPECT_EQ(heads(table(shown(0).out)), wide);  // 80
  const Outcome piped = run({NORMA_COMMAND, "study", wide_, "--out", out_ + "1"},
                            {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"COLUMNS", "40"}}});
  EXPECT_EQ(heads(table(piped.out)), wide);
}

}  // namespace
}  // namespace norma
