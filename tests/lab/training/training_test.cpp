// The training loop: what it learns, that it repeats itself, how it ends, and what it refuses.
#include "lab/training/train.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "lab/error.h"
#include "trials.h"

namespace norma::lab::test {
namespace {

using testing::HasSubstr;

TEST(Training, LearnsDigitsInEveryArm) {
  for (const char* arm : {"none", "layer", "group", "rms"}) {
    const TrialResult result = train(mlp_trial(arm), data());
    EXPECT_EQ(result.status, TrialStatus::kOk) << arm << ": " << result.reason;
    EXPECT_LT(result.test_error, 0.1) << arm;
  }
  EXPECT_LT(train(mlp_trial("batch", 64), data()).test_error, 0.1);
  for (const char* arm : {"none", "layer", "layer_chw", "group", "instance", "rms"}) {
    TrialSpec spec = cnn_trial(arm);
    spec.training.epochs = 30;
    EXPECT_LT(train(spec, data()).test_error, 0.2) << arm;
  }
  TrialSpec spec = cnn_trial("batch", 16);
  spec.training.epochs = 30;
  EXPECT_LT(train(spec, data()).test_error, 0.2);
}

TEST(Training, LearnsWithEveryActivationAndOptimizer) {
  for (const char* activation : {"relu", "gelu", "tanh"}) {
    TrialSpec spec = mlp_trial("layer");
    spec.model.activation = activation;
    EXPECT_LT(train(spec, data()).test_error, 0.1) << activation;
    spec.training.optimizer = "adam";
    spec.training.schedule = "constant";
    spec.training.learning_rate = 0.003;
    EXPECT_LT(train(spec, data()).test_error, 0.1) << activation;
  }
}

TEST(Training, GivesTheSameBitsWhateverRanBefore) {
  for (const TrialSpec& spec : {mlp_trial("batch", 8), cnn_trial("batch", 16)}) {
    const auto first = outcome(train(spec, data()));
    train(cnn_trial("layer"), data());
    train(mlp_trial("none"), data());
    EXPECT_EQ(outcome(train(spec, data())), first);
    TrialSpec other = spec;
    other.seed = 2;
    EXPECT_NE(outcome(train(other, data())), first);
  }
}

// In a program that holds the networks too: two types of one name once made this a crash.
TEST(Training, RefusesDataThatCannotBeDrawn) {
  DataSpec spec;
  spec.name = spec.source = "listops";
  spec.depth = spec.arguments = 2;
  spec.min_length = spec.max_length = 3;
  spec.train = spec.validation = spec.test = 10;
  EXPECT_THROW(load(spec), InputError);
}

TEST(Training, SaysWhereItWas) {
  const TrialSpec spec = mlp_trial("batch", 16);
  const TrialResult result = train(spec, data());
  EXPECT_EQ(result.steps, 15 * (500 / 64));
  ASSERT_EQ(static_cast<std::int64_t>(result.curve.size()), kCurvePoints);
  EXPECT_TRUE(std::is_sorted(result.curve.begin(), result.curve.end(),
                             [](const CurvePoint& a, const CurvePoint& b) { return a.step < b.step; }));
  EXPECT_EQ(result.curve.back().step, result.steps);
  EXPECT_EQ(result.curve.back().validation_error, result.validation_error);
  EXPECT_NEAR(result.curve.front().train_loss, std::log(10.0), 1.5);
  EXPECT_LT(result.curve.back().train_loss, 0.1);
  ASSERT_EQ(result.test_wrong.size(), 900U);
  EXPECT_EQ(result.test_error,
            static_cast<double>(std::count(result.test_wrong.begin(), result.test_wrong.end(), '1')) / 900);
}

TEST(Training, HasAPointAnUpdateWhereThereAreFew) {
  TrialSpec spec = mlp_trial("none");
  spec.training.epochs = 2;
  const TrialResult result = train(spec, data());
  ASSERT_EQ(result.curve.size(), 14U);
  for (std::size_t i = 0; i < result.curve.size(); ++i) {
    EXPECT_EQ(result.curve[i].step, static_cast<std::int64_t>(i) + 1);
  }
}

TEST(Training, NeverShowsATuningTrialTheTestPart) {
  TrialSpec spec = mlp_trial("none");
  spec.tuning = true;
  Dataset hidden = data();
  for (const std::int64_t index : hidden.test) hidden.labels[static_cast<std::size_t>(index)] = 3;
  const TrialResult result = train(spec, hidden);
  EXPECT_TRUE(result.test_wrong.empty());
  EXPECT_EQ(result.test_error, 1);
  EXPECT_LT(result.validation_error, 0.1);
  EXPECT_EQ(outcome(result), outcome(train(spec, data())));
}

// contrast=1 changes nothing; what is taken anew for a measure is put back.
TEST(Training, MeasuresShiftedTestInputsAndLeavesTheNetworkAsItWas) {
  for (TrialSpec spec : {mlp_trial("batch", 8), mlp_trial("layer")}) {
    spec.training.epochs = 4;
    const TrialResult plain = train(spec, data());
    spec.shifts = {"offset=3", "contrast=1", "noise=2"};
    const TrialResult shifted = train(spec, data());
    EXPECT_EQ(shifted.test_wrong, plain.test_wrong);
    EXPECT_EQ(shifted.measures.at("error@contrast=1"), plain.test_error);
    EXPECT_GT(shifted.measures.at("error@noise=2"), plain.test_error);
    EXPECT_EQ(shifted.measures.contains("error@offset=3/reestimated"), spec.arm == "batch");
    if (spec.arm != "batch") continue;
    EXPECT_LT(shifted.measures.at("error@offset=3/reestimated"), shifted.measures.at("error@offset=3"));
  }
}

TrialSpec rows_trial(const std::string& kind, const std::string& arm, std::int64_t normalization_batch) {
  TrialSpec spec = mlp_trial(arm, normalization_batch);
  spec.data.view = "rows";
  spec.model.kind = kind;
  spec.model.depth = 1;
  spec.model.width = spec.model.hidden = 16;
  spec.model.heads = 2;
  spec.training.optimizer = "adam";
  spec.training.learning_rate = 0.01;
  spec.training.epochs = 6;
  spec.shifts = {"padding=3x", "batch=1"};
  return spec;
}

// What stands behind the end of a sample, and who else is in its batch, is nothing to an evaluation; to statistics that
// count padding in it is.
TEST(Training, MeasuresMorePaddingAndBatchesOfOne) {
  constexpr double kTwoSamples = 2.0 / 900 + 1e-12;  // sums of another order may turn a close call
  for (const TrialSpec& spec :
       {rows_trial("transformer", "layer", 0), rows_trial("transformer", "batch_masked", 64),
        rows_trial("transformer", "batch_naive", 64), rows_trial("lstm", "batch_recurrent", 64)}) {
    const TrialResult result = train(spec, load(spec.data));
    ASSERT_EQ(result.status, TrialStatus::kOk) << result.reason;
    EXPECT_NEAR(result.measures.at("error@batch=1"), result.test_error, kTwoSamples) << spec.arm;
    EXPECT_FALSE(result.measures.contains("error@batch=1/reestimated"));
    EXPECT_NEAR(result.measures.at("error@padding=3x"), result.test_error, kTwoSamples) << spec.arm;
    if (spec.arm == "layer") continue;
    const double anew = result.measures.at("error@padding=3x/reestimated");
    if (spec.arm == "batch_naive") {
      EXPECT_GT(anew, result.test_error + 0.05);
    } else {
      EXPECT_LT(anew, result.test_error + 0.05);
    }
  }
}

// 257 is one more than a network sees at a time: alone, that one would be one value per statistic.
TEST(Training, LeavesNoTestSampleAlone) {
  TrialSpec spec = mlp_trial("batch_test", 64);
  spec.data.test = 257;
  const TrialResult result = train(spec, load(spec.data));
  ASSERT_EQ(result.status, TrialStatus::kOk) << result.reason;
  EXPECT_EQ(result.test_wrong.size(), 257U);
  EXPECT_LT(result.test_error, 0.5);
}

TEST(Training, RecordsADivergence) {
  TrialSpec spec = mlp_trial("none");
  spec.training.learning_rate = 1e4;
  const TrialResult result = train(spec, data());
  EXPECT_EQ(result.status, TrialStatus::kDiverged);
  EXPECT_THAT(result.reason, HasSubstr("training loss"));
  EXPECT_THAT(result.reason, HasSubstr("after " + std::to_string(result.steps) + " updates"));
  EXPECT_LT(result.steps, 105);
  EXPECT_EQ(result.validation_error, 1);
  EXPECT_EQ(result.test_error, 1);
  EXPECT_EQ(result.test_wrong, std::string(900, '1'));
}

std::string refusal_of(const TrialSpec& spec) {
  try {
    train(spec, data());
  } catch (const InputError& error) {
    return error.what();
  }
  return "no refusal";
}

TEST(Training, RefusesTrialsThatMakeNoSense) {
  EXPECT_THAT(refusal_of(mlp_trial("batsch")), HasSubstr("unknown arm 'batsch'"));
  EXPECT_THAT(refusal_of(mlp_trial("layer_chw")), HasSubstr("it has no positions"));
  EXPECT_THAT(refusal_of(mlp_trial("instance")), HasSubstr("of one value"));
  EXPECT_THAT(refusal_of(mlp_trial("batch", 48)), HasSubstr("48 does not divide the SGD batch 64"));
  EXPECT_THAT(refusal_of(mlp_trial("batch", 0)), HasSubstr("normalization batch above 0"));
  EXPECT_THAT(refusal_of(mlp_trial("layer", 8)), HasSubstr("does not share over the batch"));
  TrialSpec spec = mlp_trial("group");
  spec.groups = 7;
  EXPECT_THAT(refusal_of(spec), HasSubstr("7 groups do not divide 64 features"));
  spec = mlp_trial("none");
  spec.training.sgd_batch = 501;
  EXPECT_THAT(refusal_of(spec), HasSubstr("only 500 training samples"));
  spec = mlp_trial("none");
  spec.training.optimizer = "lion";
  EXPECT_THAT(refusal_of(spec), HasSubstr("unknown optimizer 'lion'"));
  spec = mlp_trial("none");
  spec.model.activation = "step";
  EXPECT_THAT(refusal_of(spec), HasSubstr("unknown activation 'step'"));
  spec = cnn_trial("none");
  spec.model.channels.clear();
  EXPECT_THAT(refusal_of(spec), HasSubstr("at least one convolution"));
}

}  // namespace
}  // namespace norma::lab::test
