// The files that a study leaves: what is written, and what is said where it cannot be.
#include "report_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "commands.h"

namespace norma::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

const nlohmann::json kDocument = {{"format", "norma-results/1"}, {"cells", nlohmann::json::array()}};

class ReportFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "norma-files-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(ReportFiles, AreWrittenWholeAndNothingElse) {
  EXPECT_EQ(write_html(folder_.string(), kDocument), (folder_ / "report.html").string());
  write_data(folder_.string(), kDocument);
  for (const char* name : {"report.html", "results.json", "results.csv"}) {
    EXPECT_GT(fs::file_size(folder_ / name), 0U) << name;
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 3);
}

// Small files stay in the buffer until they are closed, large ones do not: both must name the reason.
TEST_F(ReportFiles, OnAFullDeviceAreRefusedWithTheReason) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  for (const char* name : {"results.json", "report.html"}) fs::create_symlink("/dev/full", folder_ / name);
  EXPECT_THAT([&] { write_data(folder_.string(), kDocument); },
              ThrowsMessage<UsageError>(HasSubstr("results.json: cannot be written: No space left on device")));
  EXPECT_THAT([&] { write_html(folder_.string(), kDocument); },
              ThrowsMessage<UsageError>(HasSubstr("report.html: cannot be written: No space left on device")));
  EXPECT_TRUE(fs::is_symlink(folder_ / "report.html"));
}

TEST_F(ReportFiles, ThatDoNotFitLeaveNothingBehindAndTheOldOneWhole) {
  write_data(folder_.string(), kDocument);
  const auto before = fs::file_size(folder_ / "results.json");
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &usual), 0);
  rlimit small = usual;
  small.rlim_cur = before / 2;
  const auto ignore = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_THAT([&] { write_data(folder_.string(), kDocument); },
              ThrowsMessage<UsageError>(HasSubstr("results.json: cannot be written: File too large")));
  EXPECT_THAT([&] { write_html(folder_.string(), kDocument); },
              ThrowsMessage<UsageError>(HasSubstr("report.html: cannot be written: File too large")));
  setrlimit(RLIMIT_FSIZE, &usual);
  std::signal(SIGXFSZ, ignore);
  EXPECT_EQ(fs::file_size(folder_ / "results.json"), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 2);
}

TEST_F(ReportFiles, InAFolderThatIsNotThereAreRefusedWithTheReason) {
  EXPECT_THAT([&] { write_html((folder_ / "no").string(), kDocument); },
              ThrowsMessage<UsageError>(HasSubstr("No such file or directory")));
}

}  // namespace
}  // namespace norma::cli
