// norma report through the door.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "small_study_command.h"

namespace norma {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::read_file;
using testing::run;
using testing::state_of;

class Report : public testing::SmallStudy {};

TEST_F(Report, ComesInEveryFormat) {
  ASSERT_EQ(study({"--quiet", "--seeds", "2"}).code, 0);
  fs::remove(out_ + "/report.html");
  const Outcome html = run({NORMA_COMMAND, "report", out_});
  EXPECT_EQ(html.out, out_ + "/report.html\n");
  EXPECT_TRUE(fs::exists(out_ + "/report.html"));
  EXPECT_EQ(results(out_).at("format"), "norma-results/1");
  EXPECT_THAT(run({NORMA_COMMAND, "report", out_, "--format", "csv"}).out, HasSubstr("mlp,batch,2,"));
  EXPECT_EQ(run({NORMA_COMMAND, "report", out_, "--format", "csv", "--out", folder_.path() + "/a.csv"}).code, 0);
  EXPECT_THAT(read_file(folder_.path() + "/a.csv"), HasSubstr("mlp,batch,2,"));
  const Outcome stream = run({NORMA_COMMAND, "report", out_, "--format", "csv", "--out", "/dev/stdout"});
  EXPECT_EQ(stream.out, read_file(folder_.path() + "/a.csv"));
  EXPECT_EQ(run({NORMA_COMMAND, "report", out_, "--format", "pdf"}).code, 2);
  EXPECT_EQ(run({NORMA_COMMAND, "report", folder_.path()}).code, 2);
  EXPECT_EQ(run({NORMA_COMMAND, "report", folder_.path() + "/none"}).code, 2);
}

TEST_F(Report, HoldsWhatProbesMeasureOfEveryCell) {
  const std::string probed = changed("seeds = 8", "seeds = 3\nprobes = [\"sample_coupling\", \"invariance\"]");
  const Outcome norma = run({NORMA_COMMAND, "study", probed, "--out", out_, "--quiet"});
  ASSERT_EQ(norma.code, 0) << norma.err;
  const nlohmann::json found = results(out_);
  ASSERT_EQ(found.at("cells").size(), 3U);
  for (const auto& cell : found.at("cells")) {
    const auto mean = [&](const char* measure) { return cell.at("measures").at(measure).at("mean").get<double>(); };
    const bool batch = cell.at("arm") == "batch";
    EXPECT_EQ(cell.at("measures").at("sample_coupling").at("n"), 3);
    EXPECT_EQ(mean("sample_coupling") > 0, batch) << cell.dump();
    EXPECT_LT(mean("data_rescale_change"), batch ? 0.05 : 1e-3) << cell.dump();  // two samples may be nearly alike
    EXPECT_EQ(mean("sample_rescale_change") > 0.03, batch) << cell.dump();
    EXPECT_EQ(mean("weight_recentre_change") > 0.03, batch) << cell.dump();
  }
  const Outcome unknown =
      run({NORMA_COMMAND, "study", changed("seeds = 8", "seeds = 3\nprobes = [\"invariances\"]"), "--out", out_ + "2"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, AllOf(HasSubstr("unknown probe 'invariances'"), HasSubstr("'invariance'")));
  EXPECT_FALSE(fs::exists(out_ + "2"));
}

// Claim 1 checks operators: nothing is trained, so nothing has a test error.
TEST_F(Report, OfChecksHasNoTestErrorAndSaysHowManySeedsTheyRestOn) {
  const Outcome norma = run({NORMA_COMMAND, "study", "claim1", "--smoke", "--quiet", "--out", out_});
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out, AllOf(HasSubstr("24 of 24 exact checks hold"), Not(HasSubstr("test error"))));
  const std::string pages = folder_.path() + "/pages";
  ASSERT_EQ(run({NORMA_COMMAND, "claims", out_, "--write", pages}).code, 0);
  EXPECT_THAT(read_file(pages + "/README.md"),
              AllOf(HasSubstr("| 24 of 24 exact checks hold | 2 | supported |"), Not(HasSubstr("1 minutes"))));
}

TEST_F(Report, IsTheSameOnOneCoreAsOnAll) {
  ASSERT_EQ(study({"--quiet", "--seeds", "6"}, {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}}}).code, 0);
  const Outcome all = run({NORMA_COMMAND, "report", out_, "--format", "json"});
  const Outcome one = run({"taskset", "-c", "0", NORMA_COMMAND, "report", out_, "--format", "json"});
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.out, all.out);
}

// By somebody who may not write there; root may write anywhere, so it becomes nobody first.
TEST_F(Report, ReadsAFolderThatMayNotBeWritten) {
  ASSERT_EQ(study({"--quiet", "--seeds", "2"}, {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}}}).code, 0);
  const std::string elsewhere = folder_.path() + "/elsewhere";
  fs::create_directory(elsewhere);
  fs::permissions(elsewhere, fs::perms::all);
  fs::permissions(folder_.path(), fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  fs::permissions(out_,
                  fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
  const auto as_reader = [](std::vector<std::string> words) {
    std::vector<std::string> command;
    if (geteuid() == 0) command = {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
    command.insert(command.end(), words.begin(), words.end());
    return run(command);
  };
  if (as_reader({NORMA_COMMAND, "--version"}).code != 0) GTEST_SKIP() << "nobody else can reach " << NORMA_COMMAND;
  const auto report = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {NORMA_COMMAND, "report", out_});
    return as_reader(more);
  };
  const auto before = state_of(out_);
  EXPECT_EQ(nlohmann::json::parse(report({"--format", "json"}).out).at("format"), "norma-results/1");
  const Outcome page = report({});
  EXPECT_EQ(page.code, 2);
  EXPECT_THAT(page.err, HasSubstr("report.html: cannot be written: Permission denied"));
  const Outcome out = report({"--out", elsewhere + "/page.html"});
  EXPECT_EQ(out.out, elsewhere + "/page.html\n") << out.err;
  EXPECT_THAT(read_file(elsewhere + "/page.html"), HasSubstr("<html"));
  EXPECT_EQ(state_of(out_), before);
  fs::permissions(out_, fs::perms::owner_all);
  folder_.write("out/study.sqlite-wal", "half a trial");
  fs::permissions(out_,
                  fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read | fs::perms::others_exec);
  EXPECT_THAT(report({"--format", "json"}).err, HasSubstr("copy it and read the copy"));
  fs::permissions(out_, fs::perms::owner_all);
}

}  // namespace
}  // namespace norma
