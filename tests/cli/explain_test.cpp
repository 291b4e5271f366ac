// norma explain, through the door.
#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "run_command.h"

namespace norma::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// In the C locale, so that the drawing is ASCII.
Outcome explain(std::vector<std::string> words, RunOptions options = {}) {
  words.insert(words.begin(), {NORMA_COMMAND, "explain"});
  if (options.environment.empty()) options.environment = {{"LC_ALL", "C"}};
  return run(words, options);
}

Outcome explain_well(const std::vector<std::string>& words) {
  Outcome outcome = explain(words);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, IsEmpty());
  return outcome;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Explain, DrawsBatchNormAsOneFeatureOfAllSamples) {
  const Outcome outcome = explain_well({"--norm", "batch", "--shape", "8,16,4,4"});
  EXPECT_THAT(outcome.out, HasSubstr("  sample    0 . . . . . # . . . . . . . . . .       # # # #\n"
                                     "            1 . . . . . # . . . . . . . . . .       # # @ #\n"
                                     "            2 . . . . . @ . . . . . . . . . .       # # # #\n"));
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("one feature over all 8 samples, at all 4 x 4 positions"),
                    HasSubstr("16 means and 16 variances, each from 128 elements"),
                    HasSubstr("mean, rstd        shape (16)\n"), HasSubstr("gamma, beta       shape (16)\n"),
                    HasSubstr("couples all 8"), HasSubstr("running averages"), HasSubstr("trains, on the 16 values")));
}

TEST(Explain, DrawsLayerNormAsAllFeaturesOfOneSample) {
  const Outcome outcome = explain_well({"--norm", "layer", "--shape", "8,16"});
  EXPECT_THAT(outcome.out, HasSubstr("            1 . . . . . . . . . . . . . . . .\n"
                                     "            2 # # # # # @ # # # # # # # # # #\n"));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("all 16 features of one sample"), HasSubstr("8 means and 8 variances"),
                                 HasSubstr("none coupled"), HasSubstr("the same computation as in training")));
}

TEST(Explain, DrawsGroupNormAsAPartOfTheFeatures) {
  const Outcome outcome = explain_well({"--norm", "group", "--groups", "8", "--shape", "4,16,2,2"});
  EXPECT_THAT(outcome.out, HasSubstr("2 . . . . # @ . . . . . . . . . ."));
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("a group of 2 features of one sample"), HasSubstr("shape (4, 8)")));
}

TEST(Explain, ShowsOnePositionWhereLayerNormSharesOverFeaturesAlone) {
  const Outcome outcome = explain_well({"--norm", "layer", "--over", "c", "--shape", "2,3,3,5", "--layout", "nhwc"});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("N 2, H 3, W 3, C 5"), HasSubstr("1 + + + + @"), HasSubstr(". . .\n"),
                                 HasSubstr("+ in part"), HasSubstr("at one position"), HasSubstr("shape (2, 3, 3)")));
}

TEST(Explain, NormalizesEveryPositionOfASequenceByItself) {
  const Outcome outcome = explain_well({"--norm", "layer", "--shape", "8,10,64", "--layout", "ntc"});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("80 means"), HasSubstr("each from 64 elements"),
                                 HasSubstr("gamma, beta       shape (64)")));
}

TEST(Explain, SaysThatBatchNormCannotTrainOnOneValue) {
  EXPECT_THAT(explain_well({"--norm", "batch", "--shape", "8,16"}).out, HasSubstr("does not train"));
}

TEST(Explain, TakesAnyAxesByHand) {
  const Outcome letters = explain_well({"--axes", "nw", "--shape", "2,3,4,5"});
  const Outcome numbers = explain_well({"--axes", "0,3", "--shape", "2,3,4,5"});
  EXPECT_THAT(letters.out, AllOf(HasSubstr("the positions along W"), HasSubstr("shape (3, 4)")));
  EXPECT_THAT(numbers.out, HasSubstr("shape (3, 4)"));
}

TEST(Explain, StaysWithinEightyColumnsWhateverTheShape) {
  for (const char* shape :
       {"1,1", "8,16,4,4", "1000,1000", "256,512,112,112", "4000000000,4000000000", "3,7,2,300,5"}) {
    for (const char* norm : {"batch", "layer", "group", "instance", "rms"}) {
      const Outcome outcome = explain({"--norm", norm, "--groups", "1", "--shape", shape});
      const Outcome plain = explain({"--norm", norm, "--shape", shape});
      for (const std::string& line : lines_of(outcome.out + plain.out)) EXPECT_LE(line.size(), 80) << line;
    }
  }
}

TEST(Explain, DrawsInUnicodeWhereTheLocaleHasIt) {
  const Outcome outcome = explain({"--norm", "batch", "--shape", "8,16"}, {.environment = {{"LC_ALL", "C.UTF-8"}}});
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("■"), HasSubstr("◆"), Not(HasSubstr("@"))));
}

TEST(Explain, UsesNoColourInAPipe) {
  EXPECT_THAT(explain_well({"--norm", "batch", "--shape", "8,16"}).out, Not(HasSubstr("\033")));
}

struct Mistake {
  std::vector<std::string> words;
  std::vector<std::string> said;
};

TEST(Explain, AnswersAMistakeWithCodeTwoAndTheRemedy) {
  const std::vector<Mistake> mistakes{
      {{"--norm", "bacth", "--shape", "8,8"}, {"unknown norm 'bacth'", "'batch'"}},
      {{"--norm", "BATCH", "--shape", "8,8"}, {"unknown norm 'BATCH'", "did you mean 'batch'?"}},
      {{"--norm", "LayerNorm", "--shape", "8,8"}, {"unknown norm 'LayerNorm'", "did you mean 'layer'?"}},
      {{"--norm", "batch", "--shape", "8,8,4,4", "--layout", "NHWC"}, {"layout 'NHWC'", "did you mean 'nhwc'?"}},
      {{"--norm", "layernorm", "--shape", "8,8"}, {"'layer'"}},
      {{"--norm", "quantum", "--shape", "8,8"}, {"batch, layer, group, instance, rms"}},
      {{"--norm", "batch", "--shape", "8,0"}, {"at least 1", "0"}},
      {{"--norm", "batch", "--shape", "-8,4"}, {"at least 1", "-8"}},
      {{"--norm", "batch", "--shape", "8,x"}, {"'x'", "8,16,4,4"}},
      {{"--norm", "batch", "--shape", "8,,4"}, {"''"}},
      {{"--norm", "batch", "--shape", ""}, {"''"}},
      {{"--norm", "batch", "--shape", "8,99999999999999999999"}, {"too large"}},
      {{"--norm", "batch", "--shape", "4000000000,4000000000,4"}, {"2^63"}},
      {{"--norm", "batch", "--shape", "8"}, {"2 to 5 sizes"}},
      {{"--norm", "batch", "--shape", "1,2,3,4,5,6"}, {"2 to 5 sizes"}},
      {{"--norm", "batch", "--shape", "8,8,8", "--layout", "nchw"}, {"3 sizes", "4 axes"}},
      {{"--norm", "batch", "--shape", "8,8,8,8", "--layout", "nhcw"}, {"'nchw'"}},
      {{"--norm", "group", "--groups", "5", "--shape", "2,16"}, {"16 features", "1, 2, 4, 8, 16"}},
      {{"--norm", "group", "--groups", "0", "--shape", "2,16"}, {"possible"}},
      {{"--norm", "group", "--groups", "many", "--shape", "2,16"}, {"many"}},
      {{"--norm", "batch", "--groups", "2", "--shape", "2,16"}, {"--norm group"}},
      {{"--norm", "batch", "--over", "c", "--shape", "2,16"}, {"--norm layer"}},
      {{"--norm", "layer", "--over", "nc", "--shape", "2,16"}, {"samples"}},
      {{"--norm", "layer", "--over", "h", "--shape", "2,16"}, {"nc"}},
      {{"--axes", "0,0", "--shape", "2,16"}, {"each once"}},
      {{"--axes", "7", "--shape", "2,16"}, {"0 to 1"}},
      {{"--shape", "2,16"}, {"--norm"}},
      {{"--norm", "batch"}, {"--shape"}},
      {{"--norm", "batch", "--shape", "2,16", "--colour"}, {"--colour"}},
  };
  for (const Mistake& mistake : mistakes) {
    const Outcome outcome = explain(mistake.words);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, StartsWith("norma explain: "));
    for (const std::string& words : mistake.said) EXPECT_THAT(outcome.err, HasSubstr(words));
  }
}

}  // namespace
}  // namespace norma::testing
