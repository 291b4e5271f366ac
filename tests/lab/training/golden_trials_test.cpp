// What trials of every kind of model come to, written down beside the training revision: a change of training, models,
// initialisation, order of samples or splits that forgets to raise the revision would put its trials beside those of
// stores that trained otherwise. Rounding may differ from one BLAS kernel to another, so the losses are compared to a
// thousandth; what changes training moves them by more. After a raise, write them anew with
//     NORMA_GOLDEN=write build/release/bin/training_test --gtest_filter='GoldenTrials.*'
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>

#include "lab/training/train.h"
#include "lab/trial/version.h"
#include "trials.h"

namespace norma::lab::test {
namespace {

constexpr const char* kFile = NORMA_SOURCE "/tests/lab/training/golden_trials.txt";

void read_listops(TrialSpec& spec, std::int64_t depth) {
  spec.data = listops(depth);
  spec.training.optimizer = "adam";
  spec.training.learning_rate = 0.01;
}

TrialSpec short_trial(const std::string& kind, const std::string& arm, std::int64_t normalization_batch) {
  TrialSpec spec = mlp_trial(arm, normalization_batch);
  spec.training.epochs = 2;
  spec.training.learning_rate = 0.05;
  spec.model.kind = kind;
  spec.model.width = 16;
  spec.model.heads = 2;
  spec.model.hidden = 8;
  spec.model.channels = {8, 8};
  if (kind == "rnn" || kind == "gru" || kind == "lstm") spec.data.view = "rows";
  if (kind == "transformer") read_listops(spec, 2);
  return spec;
}

// Training losses and errors, by name.
std::map<std::string, double> outcomes() {
  std::map<std::string, double> found;
  const auto add = [&](const std::string& name, const TrialSpec& spec) {
    const TrialResult result = train(spec, load(spec.data));
    EXPECT_EQ(result.status, TrialStatus::kOk) << name << ": " << result.reason;
    if (result.curve.empty()) return;
    found[name] = result.curve.back().train_loss;
    found[name + "-validation"] = result.validation_error;
    found[name + "-test"] = result.test_error;
  };
  for (const auto& [kind, arm, batch] :
       {std::tuple("mlp", "batch", 8), std::tuple("mlp", "batch_renorm", 8), std::tuple("mlp", "layer", 0),
        std::tuple("mlp", "none", 0), std::tuple("mlp", "group", 0), std::tuple("cnn", "batch", 16),
        std::tuple("cnn", "group", 0), std::tuple("cnn", "layer_chw", 0), std::tuple("resnet", "batch", 64),
        std::tuple("resnet", "instance", 0), std::tuple("rnn", "layer", 0), std::tuple("gru", "batch_input", 16),
        std::tuple("lstm", "layer", 0), std::tuple("lstm", "batch_recurrent", 16),
        std::tuple("transformer", "layer", 0), std::tuple("transformer", "batch_masked", 32)}) {
    add(std::string(kind) + "-" + arm, short_trial(kind, arm, batch));
  }
  // Of samples that end before others.
  for (const auto& [kind, arm, batch] : {std::tuple("rnn", "layer", 0), std::tuple("gru", "batch_input", 16),
                                         std::tuple("lstm", "batch_recurrent", 16)}) {
    TrialSpec spec = short_trial(kind, arm, batch);
    read_listops(spec, 3);
    add(std::string("tokens-") + kind + "-" + arm, spec);
  }
  return found;
}

TEST(GoldenTrials, TrainAsTheirRevisionDid) {
  const auto now = outcomes();
  if (const char* mode = std::getenv("NORMA_GOLDEN"); mode != nullptr && std::string(mode) == "write") {
    std::ofstream file(kFile);
    file << "revision " << kTrainingRevision << "\n";
    for (const auto& [name, value] : now) file << name << " " << value << "\n";
    GTEST_SKIP() << "written to " << kFile;
  }
  std::map<std::string, double> golden;
  std::ifstream file(kFile);
  for (auto [name, value] = std::pair(std::string(), 0.0); file >> name >> value;) golden[name] = value;
  ASSERT_EQ(golden["revision"], kTrainingRevision) << "the revision was raised: write " << kFile << " anew";
  ASSERT_EQ(golden.size(), now.size() + 1) << kFile;
  for (const auto& [name, value] : now) {
    ASSERT_TRUE(golden.contains(name)) << name;
    // An error may move by a few samples.
    EXPECT_NEAR(value, golden[name],
                name.ends_with("-validation") || name.ends_with("-test") ? 0.02 : 1e-3 * golden[name])
        << name << " trains otherwise than revision " << kTrainingRevision
        << " did: raise kTrainingRevision (lab/trial/version.h) and write " << kFile << " anew";
  }
}

}  // namespace
}  // namespace norma::lab::test
