// Studies in which a statistic would be of one value, and others that every trial would fail at: refused beforehand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/error.h"
#include "lab/study/study.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using norma::testing::Temporary;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What is said of a study of this data and model, with and without a look at the data; "" if nothing.
std::string refusal(const std::string& top, const std::string& data, const std::string& model) {
  const StudyFile file{"s.toml",
                       "name = \"s\"\nseeds = 2\n" + top + "\n[data]\n" + data + "\n[[model]]\n" + model + "\n", ""};
  return message_of<InputError>([&] {
    StudySpec spec = parse_study(file).parts.at(0);
    attach_data(spec);
  });
}

const std::string kDigits = "source = \"optdigits\"", kRows = "source = \"optdigits\"\nview = \"rows\"",
                  kTwo = "normalization_batches = [2, 32]";

std::string lone(const std::string& arm) {
  return "normalization_batches = [1, 32]\narms = [\"" + arm + "\"]";
}

TEST(OneValue, IsRefusedOverABatchOfOne) {
  const auto is_refused = AllOf(StartsWith("s.toml:3: 'normalization_batches': 1 gives the arm "),
                                HasSubstr("one value per statistic"), HasSubstr("expected at least 2"));
  for (const char* kind : {"mlp", "linear"}) {
    const std::string model = "kind = \"" + std::string(kind) + "\"\ndepth = 1\nwidth = 8";
    for (const char* arm : {"batch", "batch_precise", "batch_test", "batch_renorm", "batch_noise"}) {
      EXPECT_THAT(refusal(lone(arm), kDigits, model), is_refused) << kind << " " << arm;
    }
    EXPECT_EQ(refusal(kTwo + "\narms = [\"batch\"]", kDigits, model), "");
  }
  for (const char* kind : {"rnn", "gru", "lstm"}) {
    const std::string model = "kind = \"" + std::string(kind) + "\"\nhidden = 8";
    EXPECT_THAT(refusal(lone("batch_recurrent"), kRows, model), is_refused) << kind;
    EXPECT_EQ(refusal(kTwo + "\narms = [\"batch_recurrent\"]", kRows, model), "");
    // Its statistics are over the steps too.
    EXPECT_EQ(refusal(lone("batch_input"), kRows, model), "") << kind;
  }
  EXPECT_EQ(refusal(lone("batch"), kDigits, "kind = \"cnn\"\nchannels = [4, 8, 16, 32]"), "");
}

TEST(OneValue, IsRefusedWhereTheKeyStandsThatTheFileHas) {
  const std::string model = "kind = \"mlp\"\ndepth = 1\nwidth = 8";
  EXPECT_THAT(refusal("arms = [\"batch\"]\ntraining.epochs = 1\ntraining.sgd_batch = 1", kDigits, model),
              StartsWith("s.toml:5: 'sgd_batch' in [training]: 1 gives the arm 'batch' one value per statistic"));
  EXPECT_THAT(refusal("arms = [\"batch\"]\nnormalization_batches = [\n32,\n1]", kDigits, model),
              StartsWith("s.toml:6: 'normalization_batches': 1 gives"));
}

TEST(OneValue, IsRefusedInAResNetThatEndsAtOnePosition) {
  const std::string deep = "kind = \"resnet\"\nchannels = [4, 8, 16, 32]",
                    flat = "kind = \"resnet\"\nchannels = [4, 8]";
  EXPECT_THAT(refusal(lone("batch"), kDigits, deep),  // 8, 4, 2, 1 a side
              AllOf(StartsWith("s.toml:7: model 'resnet': "), HasSubstr("(1,8,8)"), HasSubstr("normalization batch 1"),
                    HasSubstr("expected at least 2 in 'normalization_batches'")));
  EXPECT_EQ(refusal(lone("batch"), kDigits, flat), "");
  EXPECT_EQ(refusal(kTwo + "\narms = [\"batch\"]", kDigits, deep), "");
  for (const char* arm : {"instance", "group"}) {
    const std::string top = "arms = [\"" + std::string(arm) + "\"]", groups = arm[0] == 'g' ? "\ngroups = 4" : "";
    const std::string narrow = "kind = \"resnet\"\nchannels = [8, 16, 8, 4]" + groups;
    EXPECT_THAT(refusal(top, kDigits, narrow), AllOf(StartsWith("s.toml:6: "), HasSubstr("larger images"))) << arm;
    EXPECT_EQ(refusal(top, kDigits, flat + groups), "") << arm;
  }
}

TEST(OneValue, IsRefusedInModelsThatAreTooNarrow) {
  for (const char* arm : {"layer", "rms"}) {
    const std::string top = "arms = [\"" + std::string(arm) + "\"]";
    const auto is_refused = [&](const char* key) {
      return AllOf(HasSubstr(std::string("'") + key + "' in [[model]]: a width of 1 gives the arm '" + arm + "'"),
                   HasSubstr("expected at least 2"));
    };
    EXPECT_THAT(refusal(top, kDigits, "kind = \"linear\"\ndepth = 1\nwidth = 1"), is_refused("width"));
    EXPECT_THAT(refusal(top, kDigits, "kind = \"cnn\"\nchannels = [4, 1]"), is_refused("channels"));
    EXPECT_THAT(refusal(top, kRows, "kind = \"rnn\"\nhidden = 1"), is_refused("hidden"));
    EXPECT_THAT(refusal(top, kRows, "kind = \"lstm\"\nhidden = 1"), is_refused("hidden"));
    EXPECT_EQ(refusal(top, kRows, "kind = \"gru\"\nhidden = 1"), "");  // three parts are normalized at once
    EXPECT_THAT(refusal(top, kRows, "kind = \"transformer\"\ndepth = 1\nwidth = 1\nheads = 1"), is_refused("width"));
  }
}

TEST(OneValue, IsRefusedOfGroups) {
  for (const char* kind : {"mlp", "linear"}) {
    const auto of = [&](const char* groups) {
      return refusal("arms = [\"group\"]", kDigits,
                     "kind = \"" + std::string(kind) + "\"\ndepth = 1\nwidth = 8\ngroups = " + groups);
    };
    EXPECT_THAT(of("3"), StartsWith("s.toml:10: 'groups' in [[model]]: 3 does not divide the 8 neurons")) << kind;
    EXPECT_THAT(of("8"),
                AllOf(StartsWith("s.toml:10: "), HasSubstr("one value per statistic"), HasSubstr("expected at most 4")))
        << kind;
    EXPECT_EQ(of("4"), "") << kind;
  }
}

TEST(StudyFile, RefusesToSortText) {
  const Temporary folder;
  const std::string text = "source = \"text\"\npath = \"" + folder.write("t.txt", std::string(5000, 'a') + "b") + "\"";
  const std::string model = "kind = \"decoder\"\ndepth = 1\nwidth = 8\nheads = 2";
  EXPECT_THAT(refusal("arms = [\"layer\"]\ntraining.batches = \"sorted\"", text, model),
              AllOf(StartsWith("s.toml:4: 'batches' in [training]: "), HasSubstr("expected \"shuffled\"")));
}

TEST(StudyFile, SaysWhichModelsTakeText) {
  const Temporary folder;
  const std::string text = "source = \"text\"\npath = \"" + folder.write("t.txt", std::string(5000, 'a') + "b") + "\"";
  for (const std::string kind : {"rnn", "gru", "lstm"}) {
    EXPECT_EQ(refusal("arms = [\"layer\"]", text, "kind = \"" + kind + "\"\nhidden = 8"), "") << kind;
  }
  EXPECT_THAT(refusal("arms = [\"layer\"]", text, "kind = \"transformer\"\ndepth = 1\nwidth = 8\nheads = 2"),
              AllOf(HasSubstr("takes samples with one label each"), HasSubstr("holds tokens")));
}

TEST(StudyFile, SaysTheRemedyOfADefaultThatDoesNotFit) {
  const Temporary folder;
  std::string rows = "a,b,label\n";
  for (int i = 0; i < 30; ++i)
    rows += std::to_string(i) + "," + std::to_string(i * i % 7) + "," + (i % 2 ? "x" : "y") + "\n";
  const std::string path = folder.write("x.csv", rows);
  const auto refused = [&](const std::string& more) {
    return message_of<InputError>([&] {
      const std::string study = "name = \"mine\"\n[data]\nsource = \"csv\"\npath = \"" + path + "\"\n" + more;
      StudySpec spec = parse_study({"s.toml", study, ""}).parts.at(0);
      attach_data(spec);
    });
  };
  EXPECT_THAT(refused(""),
              AllOf(StartsWith("s.toml:2: the training part has "), HasSubstr("the default SGD batch of 32"),
                    HasSubstr("expected 'sgd_batch' in [training] to be set, to at most ")));
  EXPECT_THAT(refused("[training]\nsgd_batch = 30\n"), StartsWith("s.toml:6: the training part has "));
  EXPECT_EQ(refused("[training]\nsgd_batch = 8\n"), "");
}

}  // namespace
}  // namespace norma::lab
