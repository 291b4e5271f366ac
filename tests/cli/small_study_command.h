// A study of 30 short trials, run through the door into a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "../lab/temporary.h"
#include "run_command.h"

namespace norma::testing {

// 30 trials of some milliseconds: batch at 2 and 16, and layer; 2 rates x 1 tuning seed (the grid may not grow) and 8
// final seeds.
inline constexpr const char* kSmall = R"(name = "small"
arms = ["batch", "layer"]
normalization_batches = [2, 16]
seeds = 8
[data]
source = "optdigits"
train = 128
validation = 100
test = 200
[training]
sgd_batch = 16
epochs = 4
optimizer = "sgd"
momentum = 0.9
schedule = "cosine"
[tuning]
learning_rates = [0.03, 0.1]
seeds = 1
widen = 0
[[model]]
kind = "mlp"
depth = 2
width = 32
[[contrast]]
a = "batch"
b = "layer"
)";
inline constexpr std::size_t kTrials = 30;

class SmallStudy : public ::testing::Test {
 protected:
  SmallStudy() : file_(folder_.write("small.toml", kSmall)), out_(folder_.path() + "/out") {
    std::signal(SIGINT, SIG_DFL);  // a shell that starts the tests in its background ignores it
  }

  Outcome study(std::vector<std::string> more = {}, const RunOptions& options = {}) const {
    std::vector<std::string> command{NORMA_COMMAND, "study", file_, "--out", out_};
    command.insert(command.end(), more.begin(), more.end());
    return run(command, options);
  }
  // A copy of the study with one piece replaced.
  std::string changed(const std::string& from, const std::string& to) const {
    std::string text = kSmall;
    text.replace(text.find(from), from.size(), to);
    return folder_.write("changed.toml", text);
  }
  nlohmann::json results(const std::string& folder) const {
    const Outcome norma = run({NORMA_COMMAND, "report", folder, "--format", "json"});
    EXPECT_EQ(norma.code, 0) << norma.err;
    return nlohmann::json::parse(norma.out);
  }

  Temporary folder_;
  std::string file_, out_;
};

// Name, bytes and time of every file in a folder.
inline std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> state_of(
    const std::string& folder) {
  std::map<std::string, std::pair<std::string, std::filesystem::file_time_type>> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    found[entry.path().filename().string()] = {read_file(entry.path().string()), entry.last_write_time()};
  }
  return found;
}

}  // namespace norma::testing
