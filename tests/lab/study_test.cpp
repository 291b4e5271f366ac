// Study files: what they say, and what is said of mistakes in them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/study/nearest.h"
#include "lab/study/study.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using norma::testing::Temporary;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kStudy = R"(name = "small"
arms = ["none", "batch", "layer", "group"]
normalization_batches = [2, 16]
seeds = 10
[data]
source = "optdigits"
train = 100
validation = 100
test = 100
[training]
sgd_batch = 16
epochs = 1
optimizer = "sgd"
momentum = 0.9
schedule = "constant"
[tuning]
learning_rates = [0.1, 0.01]
seeds = 1
[[model]]
kind = "mlp"
depth = 1
width = 32
groups = 4
[[contrast]]
a = "batch"
b = "layer"
)";

// kStudy with one piece of it replaced.
StudyFile changed(const std::string& from, const std::string& to) {
  std::string text = kStudy;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return {"s.toml", text.replace(at, from.size(), to), ""};
}

std::string complaint(const std::string& from, const std::string& to) {
  return message_of<InputError>([&] { parse_study(changed(from, to)); });
}

TEST(StudyFile, IsReadWhole) {
  const StudySpec spec = parse_study({"s.toml", kStudy, ""}).parts.at(0);
  EXPECT_EQ(spec.name, "small");
  EXPECT_THAT(spec.learning_rates, ElementsAre(0.01, 0.1));
  EXPECT_EQ(spec.models.at(0).spec.name, "mlp");
  EXPECT_EQ(spec.models.at(0).groups, 4);
  EXPECT_THAT(spec.contrasts.at(0).models, ElementsAre("mlp"));
  EXPECT_THAT(spec.contrasts.at(0).normalization_batches, ElementsAre(2, 16));
  EXPECT_EQ(primary_contrast_count(spec), 2);
}

TEST(StudyFile, QuickIsBuiltInAsTheIssueDescribesIt) {
  Study study = parse_study(find_study("quick"));
  StudySpec& spec = study.parts.at(0);
  EXPECT_THAT(spec.arms, ElementsAre("none", "batch", "layer", "group"));
  EXPECT_THAT(spec.normalization_batches, ElementsAre(2, 4, 8, 16, 64));
  EXPECT_EQ(spec.training.sgd_batch, 64);
  EXPECT_EQ(spec.seeds, 10);
  EXPECT_EQ(spec.models.size(), 2U);
  EXPECT_GE(spec.learning_rates.size(), 5U);
  EXPECT_LE(spec.learning_rates.size(), 7U);
  EXPECT_THAT(study_notes(study), IsEmpty());
  EXPECT_EQ(primary_contrast_count(spec), 10);
  attach_data(spec);
  EXPECT_EQ(spec.data.checksum.size(), 32U);
}

TEST(StudyFile, ErrorsNameFileLineAndTheNearestName) {
  EXPECT_THAT(complaint("epochs = 1", "epoch = 1"),
              AllOf(StartsWith("s.toml:12: "), HasSubstr("unknown key 'epoch' in [training]"),
                    HasSubstr("did you mean 'epochs'?")));
  EXPECT_THAT(complaint("\"layer\", \"group\"", "\"layr\", \"group\""),
              AllOf(StartsWith("s.toml:2: "), HasSubstr("unknown arm 'layr'"), HasSubstr("did you mean 'layer'?")));
  EXPECT_THAT(complaint("[tuning]", "[tunning]"),
              AllOf(StartsWith("s.toml:16: "), HasSubstr("did you mean 'tuning'?")));
  EXPECT_THAT(complaint("\"mlp\"", "\"mpl\""), AllOf(StartsWith("s.toml:20: "), HasSubstr("did you mean 'mlp'?")));
  EXPECT_THAT(
      complaint("\"optdigits\"", "\"imagenet\""),
      AllOf(StartsWith("s.toml:6: "), HasSubstr("expected one of: optdigits, listops, idx, cifar10, npy, csv")));
  EXPECT_THAT(complaint("seeds = 10", "seeds = \"ten\""),
              AllOf(StartsWith("s.toml:4: "), HasSubstr("whole number"), HasSubstr("\"ten\"")));
  EXPECT_THAT(complaint("seeds = 10", "seeds = "), StartsWith("s.toml:4: "));
  EXPECT_THAT(complaint("name = \"small\"\n", ""), HasSubstr("'name' is missing"));
  EXPECT_THAT(complaint("b = \"layer\"", "b = \"layre\""), AllOf(StartsWith("s.toml:26: "), HasSubstr("'layer'")));
}

TEST(StudyFile, RefusesSizesThatAreZeroNegativeOrTooLarge) {
  for (const char* size : {"0", "-5", "1000000000"}) {
    EXPECT_THAT(complaint("train = 100", std::string("train = ") + size),
                AllOf(StartsWith("s.toml:7: "), HasSubstr(size)));
    EXPECT_THAT(complaint("width = 32", std::string("width = ") + size), StartsWith("s.toml:22: "));
    EXPECT_THAT(complaint("depth = 1", std::string("depth = ") + size), StartsWith("s.toml:21: "));
    EXPECT_THAT(complaint("epochs = 1", std::string("epochs = ") + size), StartsWith("s.toml:12: "));
    EXPECT_THAT(complaint("[2, 16]", std::string("[2, ") + size + "]"), StartsWith("s.toml:3: "));
    EXPECT_THAT(complaint("seeds = 10", std::string("seeds = ") + size), StartsWith("s.toml:4: "));
  }
  EXPECT_THAT(complaint("momentum = 0.9", "momentum = 1.5"), StartsWith("s.toml:14: "));
  EXPECT_THAT(complaint("momentum = 0.9", "momentum = nan"), StartsWith("s.toml:14: "));
}

TEST(StudyFile, RefusesWhatCannotBeTrained) {
  EXPECT_THAT(complaint("groups = 4", "groups = 5"),
              AllOf(StartsWith("s.toml:23: "), HasSubstr("5 does not divide the 32 neurons")));
  EXPECT_THAT(complaint("groups = 4", "groups = 32"), HasSubstr("one value per statistic"));
  EXPECT_THAT(complaint("groups = 4\n", ""), HasSubstr("'groups' in [[model]] is missing"));
  EXPECT_THAT(complaint("[2, 16]", "[2, 3]"),
              AllOf(StartsWith("s.toml:3: "), HasSubstr("3 does not divide the SGD batch, 16")));
  EXPECT_THAT(complaint("[2, 16]", "[1, 16]"), AllOf(StartsWith("s.toml:3: "), HasSubstr("one value per statistic")));
  EXPECT_THAT(complaint("\"group\"]", "\"instance\"]"), HasSubstr("cannot take the arm 'instance'"));
  EXPECT_THAT(complaint("sgd_batch = 16", "sgd_batch = 128"),
              AllOf(StartsWith("s.toml:11: "), HasSubstr("128 is more than the 100")));
  EXPECT_THAT(complaint("[0.1, 0.01]", "[]"), AllOf(StartsWith("s.toml:17: "), HasSubstr("empty")));
  EXPECT_THAT(complaint("[0.1, 0.01]", "[0.1, 0]"), HasSubstr("above 0"));
  EXPECT_THAT(complaint("\"sgd\"", "\"adam\""), HasSubstr("'momentum' in [training] goes with"));
  EXPECT_THAT(message_of<InputError>([] { parse_study({"s.toml", kStudy, ""}, 0); }), HasSubstr("--seeds"));
}

TEST(StudyFile, RefusesArmsThatShowACausalModelItsFuture) {
  const auto decoder = [](const std::string& more) {
    return StudyFile{"s.toml",
                     "name = \"s\"\narms = [\"layer\", \"batch_masked\"]\n" + more +
                         "[data]\nsource = \"text\"\npath = \"t.txt\"\n"
                         "[[model]]\nkind = \"decoder\"\ndepth = 1\nwidth = 8\nheads = 2\n",
                     ""};
  };
  for (const char* more : {"", "allow_leak = false\n"}) {
    EXPECT_THAT(message_of<InputError>([&] { parse_study(decoder(more)); }),
                AllOf(HasSubstr("model 'decoder' is causal"), HasSubstr("'batch_masked'"), HasSubstr("allow_leak")));
  }
  EXPECT_TRUE(parse_study(decoder("allow_leak = true\n")).parts.front().allow_leak);
  EXPECT_THAT(message_of<InputError>([&] { parse_study(decoder("allow_leak = 1\n")); }), StartsWith("s.toml:3: "));
}

// Causal either way, it has a future to see where that is what it predicts, and statistics of one step hold none.
TEST(StudyFile, RefusesThemOfRecurrentNetworksThatPredictTheNextCharacter) {
  const auto lstm = [](const std::string& arm, const std::string& data, const std::string& more = "") {
    return StudyFile{"s.toml",
                     "name = \"s\"\narms = [\"layer\", \"" + arm + "\"]\n" + more + "[data]\n" + data +
                         "\n[[model]]\nkind = \"lstm\"\nhidden = 8\n",
                     ""};
  };
  const std::string text = "source = \"text\"\npath = \"t.txt\"", listops = "source = \"listops\"";
  EXPECT_THAT(message_of<InputError>([&] { parse_study(lstm("batch_input", text)); }),
              AllOf(HasSubstr("model 'lstm' is causal"), HasSubstr("'batch_input'"), HasSubstr("allow_leak")));
  EXPECT_NO_THROW(parse_study(lstm("batch_input", text, "allow_leak = true\n")));
  EXPECT_NO_THROW(parse_study(lstm("batch_recurrent", text)));
  EXPECT_NO_THROW(parse_study(lstm("batch_input", listops)));
}

TEST(StudyFile, NamesTheLineOfAShiftThatIsNone) {
  EXPECT_THAT(complaint("seeds = 10", "seeds = 10\nshifts = [\n\"offset=1\",\n\"contrats=0.5\"]"),
              AllOf(StartsWith("s.toml:7: 'shifts': "), HasSubstr("did you mean 'contrast'?")));
  EXPECT_THAT(complaint("seeds = 10", "shifts = [\"noise=loud\"]\nseeds = 10"), StartsWith("s.toml:4: 'shifts': "));
}

TEST(StudyFile, RefusesDuplicates) {
  EXPECT_THAT(complaint("[2, 16]", "[2, 2]"), HasSubstr("2 stands there twice"));
  EXPECT_THAT(complaint("\"group\"]", "\"layer\"]"), HasSubstr("layer stands there twice"));
  EXPECT_THAT(complaint("[0.1, 0.01]", "[0.1, 0.1]"), HasSubstr("twice"));
  EXPECT_THAT(complaint("seeds = 10", "seeds = 10\nseeds = 11"), StartsWith("s.toml:5: "));
  const std::string model = "[[model]]\nkind = \"mlp\"\ndepth = 1\nwidth = 32\ngroups = 4\n";
  EXPECT_THAT(complaint("[[contrast]]", model + "[[contrast]]"), HasSubstr("two models are named 'mlp'"));
  EXPECT_THAT(complaint("[[contrast]]", model + "name = \"b\"\n[[contrast]]"), HasSubstr("are the same"));
  EXPECT_THAT(complaint("[[contrast]]", "[[contrast]]\na = \"layer\"\nb = \"batch\"\n[[contrast]]"),
              HasSubstr("stands there twice"));
}

TEST(StudyFile, RefusesNamesThatAreNoFolder) {
  for (const char* name : {"", "../up", "a b", "."}) {
    EXPECT_THAT(complaint("\"small\"", std::string("\"") + name + "\""),
                AllOf(StartsWith("s.toml:1: "), HasSubstr("names a folder")));
  }
}

TEST(StudyFile, MayHoldAsManyDotsAsItLikesWhereTheyDoNotNest) {
  const std::string dots(100, '.');
  std::string rates;
  for (int i = 1; i <= 100; ++i) rates += "0." + std::to_string(1000 + i) + ", ";
  const std::string quotes = "\"\"\"";
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"seeds = 10", "seeds = 10  # " + dots},
        {"seeds = 10", "seeds = 10\nquestion = \"\\\"" + dots + "\""},
        {"seeds = 10", "seeds = 10\nquestion = '" + dots + "'"},
        {"seeds = 10", "seeds = 10\nquestion = " + quotes + "\n" + dots + "\"" + dots + quotes},
        {"[0.1, 0.01]", "[" + rates + "]"}}) {
    EXPECT_EQ(complaint(from, to), "") << to;
  }
}

TEST(StudyFile, FindsNestingWhereverItIs) {
  std::string keys = "x";
  for (int i = 0; i < 40; ++i) keys += ".x";
  for (const std::string& text : {"a = '#'\n" + keys + keys + " = 1", "a = \"'\"\n[" + keys + keys + "]",
                                  "a = \"\"\"\"'\"\"\"\ny = {" + keys + " = {a = 1, " + keys + " = 1}}",
                                  "# '\ny = [\n1, {" + keys + " = {" + keys + " = 1}}]"}) {
    EXPECT_THAT(message_of<InputError>([&] { parse_study({"s.toml", text, ""}); }), HasSubstr("nested deeper")) << text;
  }
}

TEST(StudyFile, SurvivesNestingAndSize) {
  std::string dots = "x", open = "x = ";
  for (int i = 0; i < 20000; ++i) dots += ".x";
  for (int i = 0; i < 20000; ++i) open += "[";
  EXPECT_THAT(message_of<InputError>([&] { parse_study({"s.toml", dots + " = 1", ""}); }), HasSubstr("nested deeper"));
  EXPECT_NE(message_of<InputError>([&] { parse_study({"s.toml", open, ""}); }), "");
  std::string lists = "x = ";
  for (int i = 0; i < 100; ++i) lists += "[";
  for (int i = 0; i < 100; ++i) lists += "]";
  EXPECT_THAT(message_of<InputError>([&] { parse_study({"s.toml", lists, ""}); }), HasSubstr("nested deeper"));
  EXPECT_THAT(message_of<InputError>([&] {
                parse_study({"s.toml", std::string(300'000, '#'), ""});
              }),
              HasSubstr("at most"));
  EXPECT_NE(message_of<InputError>([&] { parse_study({"s.toml", std::string("\0\xff\xfe", 3), ""}); }), "");
}

TEST(StudyFile, TakesRelativePathsFromItsOwnFolder) {
  const Temporary folder;
  const std::string path = folder.write(
      "mine.toml",
      changed("source = \"optdigits\"", "source = \"idx\"\ntrain_images = \"a/i\"\ntrain_labels = \"/l\"").text);
  const StudySpec spec = parse_study(find_study(path)).parts.at(0);
  EXPECT_EQ(spec.data.files.at("train_images"), folder.path() + "/a/i");
  EXPECT_EQ(spec.data.files.at("train_labels"), "/l");
  StudySpec copy = spec;
  EXPECT_THAT(message_of<InputError>([&] { attach_data(copy); }), HasSubstr("no such file"));
}

TEST(StudyFile, IsSoughtAmongTheBuiltInOnesAndTheFiles) {
  EXPECT_THAT(message_of<InputError>([] { find_study("quik"); }), HasSubstr("did you mean 'quick'?"));
  EXPECT_THAT(message_of<InputError>([] { find_study("none.toml"); }), HasSubstr("no such study file"));
  const Temporary folder;
  EXPECT_THAT(message_of<InputError>([&] { find_study(folder.path()); }), HasSubstr("is a folder"));
}

TEST(StudyFile, SaysHowManySeedsItTakes) {
  // Two contrasts: 2 x 2 / 2^n below 0.05 from n = 7 on.
  EXPECT_THAT(study_notes(parse_study({"s.toml", kStudy, ""}, 7)), IsEmpty());
  EXPECT_THAT(study_notes(parse_study({"s.toml", kStudy, ""}, 6)), ElementsAre(HasSubstr("at least 7 seeds")));
}

TEST(StudyFile, SaysThatALastBatchOfOneIsLeftOut) {
  const auto notes = [](const std::string& train) {
    return study_notes(parse_study(changed("train = 100", "train = " + train)));
  };
  EXPECT_THAT(notes("97"), ElementsAre(HasSubstr("leave a last batch of one")));  // 6 x 16 + 1
  EXPECT_THAT(notes("98"), IsEmpty());
}

TEST(StudyFile, AttachesDataAndRefusesMoreThanThereIs) {
  StudySpec spec = parse_study(changed("train = 100", "train = 1700")).parts.at(0);
  EXPECT_THAT(message_of<InputError>([&] { attach_data(spec); }),
              AllOf(StartsWith("s.toml:"), HasSubstr("[data]: train 1700"), HasSubstr("1900"), HasSubstr("1797")));
}

// Before anything is trained, not one trial after another.
TEST(StudyFile, RefusesWhatEveryTrialWouldFailAt) {
  const auto refusal = [](const std::string& text) {
    StudySpec spec = parse_study({"s.toml", "name = \"s\"\nseeds = 2\n" + text, ""}).parts.at(0);
    return message_of<InputError>([&] { attach_data(spec); });
  };
  const std::string lone =
      "normalization_batches = [8]\nshifts = [\"batch=1\"]\narms = [\"batch_test\"]\n[data]\nsource = \"optdigits\"\n";
  EXPECT_THAT(refusal(lone + "[[model]]\nkind = \"mlp\"\ndepth = 1\nwidth = 8\n"),
              AllOf(StartsWith("s.toml:8: "), HasSubstr("one value per statistic"), HasSubstr("batch=2")));
  EXPECT_EQ(refusal(lone + "[[model]]\nkind = \"cnn\"\nchannels = [4]\n"), "");
  const auto lstm = [&](const char* source) {
    return refusal(std::string("arms = [\"layer\"]\n[data]\nsource = \"") + source +
                   "\"\n[[model]]\nkind = \"lstm\"\nhidden = 8\n");
  };
  EXPECT_THAT(lstm("optdigits"), AllOf(StartsWith("s.toml:6: "), HasSubstr("takes sequences"), HasSubstr("'view'")));
  EXPECT_EQ(lstm("listops"), "");
}

TEST(StudyGuide, NamesEveryArmAndSourceAndBuiltInStudy) {
  const std::string guide = norma::testing::read_file(NORMA_SOURCE "/docs/studies.md");
  for (const Arm& arm : arms()) EXPECT_THAT(guide, HasSubstr("\n| `" + std::string(arm.name) + "` |"));
  for (const std::string& source : data_sources()) EXPECT_THAT(guide, HasSubstr("\n| `" + source + "` |"));
  for (const std::string& name : builtin_studies()) EXPECT_THAT(guide, HasSubstr("`" + name + "`"));
}

// The example of a study of recurrent networks over tokens is one.
TEST(StudyGuide, GivesAStudyOfAnLstmOnListops) {
  const std::string guide = norma::testing::read_file(NORMA_SOURCE "/docs/studies.md");
  const std::size_t begin = guide.find("name = \"lstm-listops\""), end = guide.find("```", begin);
  ASSERT_NE(begin, std::string::npos);
  StudySpec spec = parse_study({"s.toml", guide.substr(begin, end - begin), ""}).parts.at(0);
  EXPECT_EQ(spec.models.front().spec.kind, "lstm");
  EXPECT_EQ(attach_data(spec).kind, SampleKind::kTokens);
}

TEST(Nearest, FindsSwappedMissingAndExtraLetters) {
  const std::vector<std::string> names{"batch", "layer", "group"};
  EXPECT_EQ(nearest("bacth", names), "batch");
  EXPECT_EQ(nearest("layers", names), "layer");
  EXPECT_EQ(nearest("grp", names), "group");
  EXPECT_EQ(nearest("batchnorm", names), "batch");
  EXPECT_EQ(nearest("xyzzyx", names), "");
  EXPECT_EQ(edit_distance("ca", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(ModelLabel, SaysTheShape) {
  ModelSpec mlp{"m", "mlp", 2, 128, {}, "relu"};
  EXPECT_EQ(model_label(mlp, 64, 10), "MLP 64-128-128-10, ReLU");
  mlp.depth = 8;
  EXPECT_EQ(model_label(mlp, 64, 10), "MLP 64-128x8-10, ReLU");
  EXPECT_EQ(model_label({"c", "cnn", 0, 0, {16, 32}, "gelu"}, 64, 10), "CNN 16-32, 3x3, GELU");
}

}  // namespace
}  // namespace norma::lab
