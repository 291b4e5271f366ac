// Studies of recurrent networks over tokens through the door, with the real norma-trial.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

#include "../lab/temporary.h"
#include "run_command.h"

namespace norma::testing {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

nlohmann::json results_of(const std::string& folder) {
  const Outcome norma = run({NORMA_COMMAND, "report", folder, "--format", "json"});
  EXPECT_EQ(norma.code, 0) << norma.err;
  return nlohmann::json::parse(norma.out);
}

constexpr const char* kTraining = R"([training]
sgd_batch = 16
epochs = 1
optimizer = "adam"
[tuning]
learning_rates = [0.01]
seeds = 1
widen = 0
)";

TEST(StudyOfTokens, TrainsAnLstmOnListopsUnderEveryArmAndReports) {
  const Temporary folder;
  folder.write("s.toml", std::string(R"(name = "s"
arms = ["none", "batch_input", "batch_recurrent", "layer", "rms", "dyt"]
normalization_batches = [8]
seeds = 2
shifts = ["padding=2x", "longer=2x", "batch=1"]
probes = ["statistics_gap", "norms"]
[data]
source = "listops"
depth = 3
arguments = 4
min_length = 5
max_length = 20
train = 160
validation = 50
test = 100
)") + kTraining + R"([[model]]
kind = "lstm"
hidden = 8
[[model]]
kind = "gru"
hidden = 8
arms = ["batch_recurrent", "layer"]
[[contrast]]
a = "batch_recurrent"
b = "layer"
models = ["lstm"]
)");
  const Outcome norma = run({NORMA_COMMAND, "study", "s.toml", "--out", "out"}, {.directory = folder.path()});
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out, AllOf(HasSubstr("recurrent BatchNorm"), HasSubstr("No trial diverged or crashed."),
                               Not(HasSubstr("future tokens"))));
  EXPECT_THAT(read_file(folder.path() + "/out/report.html"), HasSubstr("</html>"));
  const nlohmann::json document = results_of(folder.path() + "/out");
  EXPECT_EQ(document.at("run").at("complete"), true);
  EXPECT_EQ(document.at("data").at("kind"), "tokens");
  ASSERT_EQ(document.at("cells").size(), 8U);
  for (const auto& cell : document.at("cells")) {
    EXPECT_EQ(cell.at("n"), 2);
    EXPECT_EQ(cell.at("leaks"), false);
    // More padding behind a sample is nothing to it.
    const auto& measures = cell.at("measures");
    EXPECT_EQ(measures.at("error@padding=2x").at("mean"), cell.at("error").at("mean")) << cell.at("arm");
    EXPECT_TRUE(measures.at("error@longer=2x").at("mean").is_number()) << cell.at("arm");
    EXPECT_TRUE(measures.contains("activation_rms[0]")) << cell.at("arm");
  }
}

TEST(StudyOfTokens, TrainsAnLstmOnTextAndMarksWhatSawTheFuture) {
  const Temporary folder;
  std::string text;
  for (int i = 0; i < 400; ++i) text += "one two three ";
  folder.write("words.txt", text);
  const auto study = [&](const std::string& more) {
    folder.write("s.toml", "name = \"s\"\narms = [\"layer\", \"batch_input\", \"batch_recurrent\"]\n" + more +
                               "normalization_batches = [8]\nseeds = 1\n[data]\nsource = \"text\"\n"
                               "path = \"words.txt\"\nlength = 16\n" +
                               kTraining + "[[model]]\nkind = \"lstm\"\nhidden = 16\n");
    return run({NORMA_COMMAND, "study", "s.toml", "--out", "out"}, {.directory = folder.path()});
  };
  const Outcome refused = study("");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("model 'lstm' is causal"), HasSubstr("'batch_input'")));

  const Outcome norma = study("allow_leak = true\n");
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out,
              AllOf(HasSubstr("! saw future tokens in training"), ContainsRegex("BatchNorm on inputs +![0-9]"),
                    Not(ContainsRegex("LayerNorm +!")), Not(ContainsRegex("recurrent BatchNorm +!"))));
  const nlohmann::json document = results_of(folder.path() + "/out");
  for (const auto& cell : document.at("cells")) {
    EXPECT_EQ(cell.at("leaks"), cell.at("arm") == "batch_input");
    const double bits = cell.at("measures").at("bits_per_character").at("mean");
    EXPECT_TRUE(bits > 0 && bits < std::log2(10)) << bits << ": of seven letters, a space, padding and the unknown";
  }
}

}  // namespace
}  // namespace norma::testing
