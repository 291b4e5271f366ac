// What a command does to the file that it is told to write: `norma explain --html FILE`, which writes as all others do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "../lab/temporary.h"
#include "run_command.h"

namespace norma::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class WrittenFiles : public ::testing::Test {
 protected:
  Outcome write(const std::string& file) const { return run({NORMA_COMMAND, "explain", "--html", file}); }
  // In a shell, with $NORMA and $FILE.
  Outcome shell(const std::string& script, const std::string& file) const {
    return run({"/bin/sh", "-c", script}, {.environment = {{"NORMA", NORMA_COMMAND}, {"FILE", file}}});
  }
  std::string in(const std::string& name) const { return folder_.path() + "/" + name; }

  Temporary folder_;
};

TEST_F(WrittenFiles, StandBehindALink) {
  fs::create_directory(in("far"));
  folder_.write("far/page.html", "old");
  fs::create_symlink("far/page.html", in("near.html"));
  fs::create_symlink("near.html", in("link.html"));
  const Outcome outcome = write(in("link.html"));
  EXPECT_EQ(outcome.out, in("link.html") + "\n") << outcome.err;
  EXPECT_TRUE(fs::is_symlink(in("link.html")));
  EXPECT_TRUE(fs::is_symlink(in("near.html")));
  EXPECT_FALSE(fs::is_symlink(in("far/page.html")));
  EXPECT_THAT(read_file(in("far/page.html")), HasSubstr("<html"));
  EXPECT_EQ(std::distance(fs::directory_iterator(in("far")), {}), 1) << "something was left beside it";
}

TEST_F(WrittenFiles, AreMadeBehindALinkToNothingYet) {
  fs::create_symlink("new.html", in("link.html"));
  EXPECT_EQ(write(in("link.html")).code, 0);
  EXPECT_TRUE(fs::is_symlink(in("link.html")));
  EXPECT_THAT(read_file(in("new.html")), HasSubstr("<html"));
  fs::create_symlink("round.html", in("round.html"));
  const Outcome round = write(in("round.html"));
  EXPECT_EQ(round.code, 2);
  EXPECT_TRUE(fs::is_symlink(in("round.html")));
}

TEST_F(WrittenFiles, DoNotReplaceAPipe) {
  ASSERT_EQ(mkfifo(in("pipe").c_str(), 0600), 0);
  const Outcome outcome = shell("\"$NORMA\" explain --html \"$FILE\" >&2 & timeout 60 cat \"$FILE\"", in("pipe"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("<html"));
  EXPECT_TRUE(fs::is_fifo(in("pipe")));
}

TEST_F(WrittenFiles, GoToStandardOutputAlone) {
  const std::string page = (write(in("page.html")), read_file(in("page.html")));
  ASSERT_THAT(page, HasSubstr("<html"));
  EXPECT_EQ(write("/dev/stdout").out, page);
  EXPECT_EQ(shell("\"$NORMA\" explain --html /dev/stdout > \"$FILE\"", in("whole.html")).code, 0);
  EXPECT_EQ(read_file(in("whole.html")), page);
  // What stood there stays.
  folder_.write("more.html", "before\n");
  EXPECT_EQ(shell("\"$NORMA\" explain --html /dev/stdout >> \"$FILE\"", in("more.html")).code, 0);
  EXPECT_EQ(read_file(in("more.html")), "before\n" + page);
}

TEST_F(WrittenFiles, SayWhyTheyCannotBeWritten) {
  const Outcome folder = write(folder_.path());
  EXPECT_EQ(folder.code, 2);
  EXPECT_THAT(folder.out, IsEmpty());
  EXPECT_EQ(folder.err, "norma explain: " + folder_.path() + ": cannot be written: Is a directory\n");
  const Outcome nowhere = write(in("none/page.html"));
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_THAT(nowhere.err, EndsWith("cannot be written: No such file or directory\n"));
}

}  // namespace
}  // namespace norma::testing
