// norma explain --open and --html, through the door: the file, what it holds, and who is asked to show it.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "run_command.h"

namespace norma::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// A folder of its own for every test; no browser can be found from it, unless the test puts one there.
class ExplainPage : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "norma-explain-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  Outcome explain(std::vector<std::string> words, const std::string& browser = "", const std::string& display = "") {
    words.insert(words.begin(), {NORMA_COMMAND, "explain"});
    RunOptions options;
    options.directory = folder_.string();
    options.environment = {
        {"BROWSER", browser}, {"DISPLAY", display}, {"WAYLAND_DISPLAY", ""}, {"PATH", folder_.string()}};
    return run(words, options);
  }

  // A program that notes what it was given and ends with this code.
  std::string browser(const std::string& name, int code) {
    const fs::path file = folder_ / name;
    std::ofstream(file) << "#!/bin/sh\necho \"$@\" > '" << (folder_ / "shown").string() << "'\nexit " << code << "\n";
    chmod(file.c_str(), 0700);
    return file.string();
  }

  json document(const std::vector<std::string>& words) {
    std::vector<std::string> all{"--html", "page.html"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome outcome = explain(all);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const std::string page = text_of(folder_ / "page.html");
    const std::string open = R"(<script type="application/json" id="document">)";
    const std::size_t from = page.find(open) + open.size();
    return json::parse(page.substr(from, page.find("</script>", from) - from));
  }

  fs::path folder_;
};

TEST_F(ExplainPage, IsWrittenWhereItShallBeAndItsPathPrinted) {
  const Outcome outcome = explain({"--html", "page.html"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "page.html\n");
  EXPECT_THAT(outcome.err, IsEmpty());
  const std::string page = text_of(folder_ / "page.html");
  EXPECT_EQ(page.compare(0, 15, "<!doctype html>"), 0);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  for (const char* absent : {"placeholder", " src=", "<link", "@import", "url("}) {
    EXPECT_EQ(page.find(absent), std::string::npos) << absent;
  }
  EXPECT_LT(page.size(), 300'000);
}

TEST_F(ExplainPage, OpensInTheBrowserThatIsNamed) {
  const Outcome outcome = explain({"--open"}, browser("fox", 0));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "norma-explain.html\n");
  EXPECT_THAT(outcome.err, IsEmpty());
  EXPECT_EQ(text_of(folder_ / "shown"), (folder_ / "norma-explain.html").string() + "\n");
}

TEST_F(ExplainPage, OpensWithTheDesktopsOpenerWhereThereIsAScreen) {
  browser("xdg-open", 0);
  const Outcome outcome = explain({"--open", "--html", "here.html"}, "", ":0");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, IsEmpty());
  EXPECT_EQ(text_of(folder_ / "shown"), (folder_ / "here.html").string() + "\n");
}

TEST_F(ExplainPage, SaysThePathAndStaysWellWhereNothingCanShowIt) {
  browser("xdg-open", 0);
  const Outcome screenless = explain({"--open"});
  EXPECT_THAT(screenless.err, HasSubstr("there is no screen here; open norma-explain.html in a browser yourself"));
  EXPECT_FALSE(fs::exists(folder_ / "shown"));
  fs::remove(folder_ / "xdg-open");
  const Outcome missing = explain({"--open"}, "", ":0");
  EXPECT_THAT(missing.err, HasSubstr("xdg-open: No such file"));
  const Outcome failing = explain({"--open"}, browser("fox", 3));
  EXPECT_THAT(failing.err, HasSubstr("fox could not open it"));
  for (const Outcome& outcome : {screenless, missing, failing}) {
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.out, "norma-explain.html\n");
  }
  EXPECT_TRUE(fs::exists(folder_ / "norma-explain.html"));
}

TEST_F(ExplainPage, HoldsWhatTheLibraryComputed) {
  const json page = document({});
  EXPECT_EQ(page["start"], json::parse(R"({"scene":"network","norm":"batch","over":"all","groups":2})"));
  const json& scene = page["scenes"][0];
  EXPECT_EQ(scene["shape"], json({8, 8}));
  int checked = 0;
  for (const json& answer : page["cases"]) {
    if (answer["scene"] != "network" || answer["norm"] != "batch" || !answer["training"]) continue;
    const int batch = answer["batch"];
    if (batch == 1) {
      EXPECT_THAT(answer["error"].get<std::string>(), HasSubstr("[batch_norm] x: expected more than 1 value"));
      continue;
    }
    double sum = 0;
    for (int n = 0; n < batch; ++n) sum += scene["x"][static_cast<std::size_t>(8 * n + 2)].get<double>();
    EXPECT_NEAR(answer["mean"][2].get<double>(), sum / batch, 1e-12);
    EXPECT_EQ(answer["y"].size(), static_cast<std::size_t>(8 * batch));
    ++checked;
  }
  EXPECT_EQ(checked, 7);
}

TEST_F(ExplainPage, OpensAtTheNormAndShapeThatWereAskedFor) {
  const json group = document({"--norm", "group", "--groups", "32", "--shape", "256,64,56,56"});
  EXPECT_EQ(group["start"], json::parse(R"({"scene":"images","norm":"group","over":"all","groups":2})"));
  EXPECT_EQ(group["scenes"][1]["shape"], json({5, 4, 4, 4}));
  EXPECT_EQ(group["scenes"][1]["asked"], json({256, 64, 56, 56}));
  const json layer = document({"--norm", "layer", "--shape", "2,5,3", "--layout", "ntc"});
  EXPECT_EQ(layer["start"], json::parse(R"({"scene":"sequences","norm":"layer","over":"c","groups":2})"));
  EXPECT_EQ(layer["scenes"][2]["shape"], json({2, 3, 5}));
  EXPECT_EQ(layer["scenes"][2]["asked"], json());
  EXPECT_EQ(document({"--norm", "rms"})["start"]["norm"], "rms");
  EXPECT_EQ(document({"--norm", "layer", "--over", "c"})["start"]["scene"], "images");
}

TEST_F(ExplainPage, DrawsTheSmallestShapes) {
  for (const char* shape : {"1,1", "1,1,1", "1,1,1,1", "2,1,1,1"}) {
    for (const char* norm : {"batch", "layer", "instance", "rms"}) {
      EXPECT_EQ(document({"--norm", norm, "--shape", shape})["start"]["norm"], norm) << shape;
    }
  }
}

TEST_F(ExplainPage, AnswersAMistakeWithCodeTwoAndTheRemedy) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> mistakes{
      {{"--html", "page.html", "--axes", "n", "--shape", "2,3"}, "use --norm"},
      {{"--html", "page.html", "--norm", "bacth"}, "did you mean 'batch'?"},
      {{"--html", "page.html", "--shape", "1,2,3,4,5"}, "two to four axes"},
      {{"--html", "page.html", "--norm", "layer", "--over", "hw", "--shape", "1,2,3,4"}, "--over"},
      {{"--html", "page.html", "--layout", "nhwc"}, "goes with --shape"},
      {{"--html", "no/such/folder.html"}, "cannot be written"},
      {{"--html", ""}, "cannot be written"},
      {{"--norm", "batch"}, "--shape is required"},
  };
  for (const auto& [words, said] : mistakes) {
    const Outcome outcome = explain(words);
    EXPECT_EQ(outcome.code, 2) << said;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, HasSubstr(said));
    EXPECT_FALSE(fs::exists(folder_ / "page.html")) << said;
  }
}

}  // namespace
}  // namespace norma::testing
