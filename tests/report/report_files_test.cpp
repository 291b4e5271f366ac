// The files that a study leaves: what is written, and what is said where it cannot be.
#include "report_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

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
TEST_F(ReportFiles, OnAFullDiskAreRefusedWithTheReason) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const auto full = [this](const char* name) {
    fs::create_symlink("/dev/full", folder_ / (std::string(name) + ".new"));
  };
  full("results.json");
  EXPECT_THAT([&] { write_data(folder_.string(), kDocument); },
              ThrowsMessage<UsageError>(HasSubstr("results.json: cannot be written: No space left on device")));
  full("report.html");
  EXPECT_THAT([&] { write_html(folder_.string(), kDocument); },
              ThrowsMessage<UsageError>(HasSubstr("report.html: cannot be written: No space left on device")));
  EXPECT_TRUE(fs::is_empty(folder_)) << "a refused file leaves nothing behind";
}

TEST_F(ReportFiles, InAFolderThatIsNotThereAreRefusedWithTheReason) {
  EXPECT_THAT([&] { write_html((folder_ / "no").string(), kDocument); },
              ThrowsMessage<UsageError>(HasSubstr("No such file or directory")));
}

}  // namespace
}  // namespace norma::cli
