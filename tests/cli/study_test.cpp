// norma study through the door, with the real norma-trial.
//
// NORMA_KILLS: how many random SIGKILLs the kill test with stand-in workers survives (20 unless set).
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "../lab/temporary.h"
#include "lab/data/optdigits.h"
#include "lab/data/random.h"
#include "lab/store/sqlite.h"
#include "lab/store/store.h"
#include "small_study_command.h"

namespace norma {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kSmall;
using testing::kTrials;
using ::testing::Not;
using testing::Outcome;
using testing::read_file;
using testing::run;
using testing::RunOptions;
using testing::state_of;
using testing::Temporary;

class Study : public testing::SmallStudy {};

// What the trials found, bit for bit; not how long they took.
std::map<std::string, std::string> bits(const std::string& folder) {
  std::map<std::string, std::string> found;
  for (auto [key, result] : lab::Store::open(folder).trials()) {
    result.seconds = 0;
    found[key] = lab::to_json(result).dump();
  }
  return found;
}

TEST_F(Study, EndsWithATableAVerdictAndTheReportsPath) {
  const Outcome norma = study();
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out, AllOf(HasSubstr("normalization batch"), HasSubstr("BatchNorm"), HasSubstr("LayerNorm"),
                               HasSubstr("On this MLP"), HasSubstr("No trial diverged or crashed.")));
  EXPECT_THAT(norma.out, EndsWith("\n" + out_ + "/report.html\n"));
  EXPECT_EQ(norma.out.find('\033'), std::string::npos);
  EXPECT_THAT(norma.err,
              AllOf(HasSubstr("30/30 trials, 100%"), HasSubstr("; mlp, normalization batch 2, 8 seeds: batch ")));
  EXPECT_THAT(read_file(out_ + "/report.html"), HasSubstr("</html>"));
  EXPECT_THAT(read_file(out_ + "/results.csv"), HasSubstr("normalization_batch"));
  EXPECT_EQ(nlohmann::json::parse(read_file(out_ + "/results.json")).at("run").at("complete"), true);

  // Again: nothing is left to train, and the words are the same.
  const Outcome again = study({"--quiet"});
  EXPECT_EQ(again.out, norma.out);
  EXPECT_THAT(again.err, IsEmpty());
  EXPECT_EQ(results(out_).at("run").at("sessions"), 1);
}

TEST_F(Study, GivesTheSameBitsWhateverTheWorkers) {
  ASSERT_EQ(study({"--workers", "1", "--quiet"}).code, 0);
  const std::string other = folder_.path() + "/other";
  ASSERT_EQ(run({NORMA_COMMAND, "study", file_, "--out", other, "--workers", "3", "--quiet"}).code, 0);
  const auto one = bits(out_), three = bits(other);
  EXPECT_EQ(one.size(), kTrials);
  EXPECT_EQ(one, three);
}

// A share of this time, from the very start on: a kill that comes while the study still runs.
double moment(lab::Random& random, double seconds) {
  return 0.01 + seconds * random.uniform();
}

std::set<std::string> stored(const std::string& folder) {
  std::set<std::string> keys;
  if (!fs::exists(folder + "/study.sqlite")) return keys;
  for (const auto& [key, result] : lab::Store::open(folder).trials()) keys.insert(key);
  return keys;
}

std::vector<std::string> lines(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> found;
  for (std::string line; std::getline(in, line);) found.push_back(line);
  return found;
}

// With workers that only wait and note what they begin, so that there is time for many kills.
TEST_F(Study, KilledAtAnyMomentBeginsNothingAgainThatIsDone) {
  const char* wanted = std::getenv("NORMA_KILLS");
  const int kills = wanted == nullptr ? 20 : std::atoi(wanted);
  constexpr double kTrialSeconds = 0.1;
  constexpr std::size_t kLong = 3UL * (2 + 40);
  const std::string log = folder_.path() + "/log";
  RunOptions options;
  options.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL_MS", "100"}, {"FAKE_TRIAL_LOG", log}};
  const std::vector<std::string> more{"--workers", "2", "--seeds", "40", "--quiet"};
  lab::Random random(20261123);
  std::set<std::string> done;
  for (int left = kills; left > 0; --left) {
    // Trials sleep, so what remains takes at least so long; the kills share it.
    const double remaining = kTrialSeconds * static_cast<double>(kLong - done.size()) / 2;
    options.signal_after = moment(random, std::min(remaining / 2, 2 * remaining / (left + 1)));
    const std::size_t begun = lines(log).size();
    const Outcome norma = study(more, options);
    ASSERT_EQ(norma.code, 128 + SIGKILL) << "kills left: " << left << "\n" << norma.err;
    const std::vector<std::string> all = lines(log);
    for (std::size_t i = begun; i < all.size(); ++i) EXPECT_FALSE(done.contains(all[i])) << all[i] << " begun again";
    // What was finished stays.
    const std::set<std::string> now = stored(out_);
    EXPECT_TRUE(std::includes(now.begin(), now.end(), done.begin(), done.end()));
    done = now;
  }
  EXPECT_FALSE(done.empty());
  const std::size_t begun = lines(log).size();
  options.signal_after = 0;
  const Outcome norma = study(more, options);
  ASSERT_EQ(norma.code, 0) << norma.err;
  const std::vector<std::string> all = lines(log);
  EXPECT_EQ(std::set<std::string>(all.begin() + static_cast<std::ptrdiff_t>(begun), all.end()).size() + done.size(),
            kLong);
  EXPECT_EQ(all.size() - begun + done.size(), kLong);
  EXPECT_EQ(stored(out_).size(), kLong);
  const nlohmann::json run_section = results(out_).at("run");
  EXPECT_EQ(run_section.at("complete"), true);
  EXPECT_EQ(run_section.at("trials").at("crashed"), 0);
}

TEST_F(Study, KilledAtAnyMomentFindsWhatACalmOneFinds) {
  constexpr int kKills = 5;
  const std::string longer = changed("epochs = 4", "epochs = 40"), calm = folder_.path() + "/calm";
  const auto train = [&](const std::string& folder, const RunOptions& options) {
    return run({NORMA_COMMAND, "study", longer, "--out", folder, "--workers", "2", "--quiet"}, options);
  };
  const Outcome undisturbed = train(calm, {});
  ASSERT_EQ(undisturbed.code, 0) << undisturbed.err;
  lab::Random random(20261124);
  for (int i = 0; i < kKills; ++i) {
    const double left = static_cast<double>(kTrials - stored(out_).size()) / kTrials;
    RunOptions options;
    options.signal_after = moment(random, 0.4 * left * undisturbed.seconds);
    const Outcome norma = train(out_, options);
    ASSERT_EQ(norma.code, 128 + SIGKILL) << norma.err;
  }
  const Outcome norma = train(out_, {});
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_EQ(bits(out_).size(), kTrials);
  EXPECT_EQ(bits(out_), bits(calm));
}

// A limit on a file's size stands in for a disk that is full: the write of a result fails.
TEST_F(Study, KeepsWhatIsDoneWhenTheDiskIsFull) {
  const std::string limited = "trap '' XFSZ; ulimit -f 400; exec \"$0\" study \"$1\" --out \"$2\" --seeds 40 --quiet";
  const RunOptions fake{.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}}};
  const Outcome full = run({"sh", "-c", limited, NORMA_COMMAND, file_, out_}, fake);
  EXPECT_EQ(full.code, 1);
  EXPECT_THAT(full.err, HasSubstr(out_ + "/study.sqlite: disk I/O error"));
  const std::set<std::string> kept = stored(out_);
  EXPECT_FALSE(kept.empty());
  const Outcome again = study({"--seeds", "40", "--quiet"}, fake);
  EXPECT_EQ(again.code, 0) << again.err;
  const std::set<std::string> all = stored(out_);
  EXPECT_EQ(all.size(), 3U * (2 + 40));
  EXPECT_TRUE(std::includes(all.begin(), all.end(), kept.begin(), kept.end()));
}

TEST_F(Study, StopsAtCtrlCAndSaysHowToGoOn) {
  for (const auto& [number, code] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    RunOptions options;
    options.signal_after = 0.6;
    options.signal_number = number;
    // 30 trials of 200 ms: the signal falls into the middle on any machine.
    options.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL_MS", "200"}};
    const Outcome norma = study({"--workers", "1"}, options);
    EXPECT_EQ(norma.code, code) << norma.err;
    // It ended in the middle, and not when all was done.
    EXPECT_THAT(norma.err, Not(HasSubstr("30 of 30")));
    EXPECT_THAT(norma.err, AllOf(HasSubstr("of 30 trials are done and kept"),
                                 HasSubstr("norma study " + file_ + " --out " + out_ + " --workers 1")));
    EXPECT_THAT(norma.out, IsEmpty());
  }
  EXPECT_EQ(study({}, {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}}}).code, 0);
}

TEST_F(Study, EndsInItsWordsHoweverOftenCtrlCIsPressed) {
  const std::string press =
      "{ sleep 0.7; kill -INT $$; sleep \"$2\"; kill -INT $$; } >/dev/null 2>&1 & "
      "exec \"$0\" study \"$1\" --out out --quiet --workers 1";
  for (const char* gap : {"0.002", "0.01", "0.03"}) {
    const Outcome norma = run(
        {"sh", "-c", press, NORMA_COMMAND, file_, gap},
        {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL_MS", "500"}}, .directory = folder_.path()});
    EXPECT_EQ(norma.code, 130) << norma.err;
    // The command to go on holds from any folder.
    EXPECT_THAT(norma.err, HasSubstr("norma study " + file_ + " --out " + out_));
  }
}

// Everything diverges: the results must say so before anything else, on standard output.
TEST_F(Study, PrintsItsWarningsWithItsResults) {
  const RunOptions lost{.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL", "diverge all"}}};
  const Outcome norma = study({"--quiet", "--seeds", "3"}, lost);
  EXPECT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out, HasSubstr("\nAll 9 final trials diverged or crashed: there is next to nothing to compare."));
  EXPECT_THAT(norma.out, HasSubstr("\nWarnings\n- With 3 seeds no difference can be shown"));
  EXPECT_THAT(norma.out, HasSubstr("- 3 of 3 trials of LayerNorm on mlp diverged"));
  EXPECT_EQ(norma.err, "");
}

// BatchNorm at 2 is far worse than LayerNorm here, and shown to be; at 16 nothing is shown.
TEST_F(Study, MarksTheSameArmsOnTheTerminalAndInTheDocument) {
  const Outcome norma = study({"--quiet", "--seeds", "10"}, {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}}});
  EXPECT_EQ(norma.code, 0) << norma.err;
  const nlohmann::json best = results(out_).at("best");
  ASSERT_EQ(best.size(), 2U);
  EXPECT_EQ(best[0].at("arms"), nlohmann::json{"layer"});
  EXPECT_EQ(best[1].at("arms"), nlohmann::json::array());
  EXPECT_THAT(norma.out, ContainsRegex("LayerNorm +[0-9.]+\\* +same\n"));
  EXPECT_THAT(norma.out, HasSubstr("* among the best: not shown to be worse than the lowest"));
}

TEST_F(Study, MarksArmsThatSawFutureTokens) {
  const Temporary folder;
  std::string text;
  for (int i = 0; i < 400; ++i) text += "one two three ";
  folder.write("words.txt", text);
  folder.write("s.toml", R"(name = "s"
arms = ["layer", "batch_masked"]
normalization_batches = [8]
seeds = 1
allow_leak = true
[data]
source = "text"
path = "words.txt"
length = 16
[training]
sgd_batch = 8
epochs = 1
[tuning]
learning_rates = [0.01]
seeds = 1
widen = 0
[[model]]
kind = "decoder"
depth = 1
width = 8
heads = 2
)");
  const Outcome norma = run({NORMA_COMMAND, "study", "s.toml", "--out", "out"}, {.directory = folder.path()});
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out, AllOf(HasSubstr("! saw future tokens in training"), ContainsRegex("BatchNorm, masked +![0-9]"),
                               Not(ContainsRegex("LayerNorm +!")), HasSubstr("(allow_leak = true).")));
  const nlohmann::json document = results(folder.path() + "/out");
  for (const auto& cell : document.at("cells")) {
    EXPECT_EQ(cell.at("leaks"), cell.at("arm") == "batch_masked");
  }
}

TEST_F(Study, WarnsOfASlowBlas) {
  const Outcome norma = study({}, {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL", "slow blas"}}});
  EXPECT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.err, AllOf(HasSubstr("reference BLAS"), HasSubstr("libopenblas0-openmp")));
  EXPECT_THAT(results(out_).at("warnings").dump(), HasSubstr("reference BLAS"));
}

TEST_F(Study, RefusesASecondRunMeanwhile) {
  fs::create_directories(out_);
  const lab::FolderLock lock(out_);
  const Outcome norma = study();
  EXPECT_EQ(norma.code, 2);
  EXPECT_THAT(norma.err, HasSubstr("another norma study is running"));
}

TEST_F(Study, ChecksWhatItsWorkersNeedBeforeItWritesAnything) {
  for (const auto& [name, value] :
       {std::pair{"NORMA_TRIAL", "/nowhere/norma-trial"}, std::pair{"NORMA_FORCE_ISA", "mmx"}}) {
    const Outcome norma = study({}, {.environment = {{name, value}}});
    EXPECT_EQ(norma.code, 2) << norma.err;
    EXPECT_THAT(norma.err, AllOf(HasSubstr(name), HasSubstr(value)));
    EXPECT_FALSE(fs::exists(out_));
  }
}

TEST_F(Study, RefusesBadInputAndLeavesNothing) {
  const auto refuse = [&](const std::string& study, const std::string& words) {
    const Outcome norma = run({NORMA_COMMAND, "study", study, "--out", out_});
    EXPECT_EQ(norma.code, 2) << norma.err;
    EXPECT_THAT(norma.err, HasSubstr(words));
    EXPECT_THAT(norma.out, IsEmpty());
    EXPECT_FALSE(fs::exists(out_));
  };
  refuse("quik", "did you mean 'quick'?");
  refuse(folder_.path() + "/none.toml", "no such study file");
  refuse(changed("\"layer\"]", "\"layr\"]"), "changed.toml:2: 'arms': unknown arm 'layr'; did you mean 'layer'?");
  refuse(changed("epochs", "epoch"), "changed.toml:12: unknown key 'epoch' in [training]; did you mean 'epochs'?");
  refuse(changed("train = 128", "train = 0"), "changed.toml:7: 'train' in [data]");
  refuse(changed("train = 128", "train = 5000"), "changed.toml:7: [data]: train 5000");
  refuse(changed("[0.03, 0.1]", "[0.03, 2e6]"),
         "changed.toml:17: 'learning_rates' in [tuning]: expected numbers above 0, at most 1e+06, got 2e+06");
  refuse(changed("[2, 16]", "[1, 16]"), "one value per statistic");
  const std::string files = changed("\"optdigits\"", "\"idx\"\ntrain_images = \"i\"\ntrain_labels = \"l\"");
  refuse(files, files + ":7: " + folder_.path() + "/i: no such file");
  folder_.write("i", std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x01\x01\x02", 18));
  folder_.write("l", std::string("\0\0\x08\x01\0\0\0\x02\x04\x04", 10));
  refuse(files, files + ":8: " + folder_.path() + "/l: label 4 alone: expected at least 2 classes");
  EXPECT_EQ(study({"--workers", "0"}).code, 2);
  EXPECT_EQ(study({"--seeds", "-1"}).code, 2);
  const Outcome nowhere = run({NORMA_COMMAND, "study", file_, "--out", ""});
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_THAT(nowhere.err, HasSubstr("expected a folder, got ''"));
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(Study, RefusesFoldersThatAreNotItsOwn) {
  ASSERT_EQ(study({"--quiet"}).code, 0);
  const auto before = bits(out_);
  const Outcome other = run({NORMA_COMMAND, "study", changed("\"small\"", "\"other\""), "--out", out_});
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("holds another study, 'small'"));
  const Outcome seeds = study({"--seeds", "9"});
  EXPECT_EQ(seeds.code, 2);
  EXPECT_THAT(seeds.err, HasSubstr("'seeds' (8 there, 9 here)"));
  EXPECT_EQ(bits(out_), before);

  fs::create_directory(folder_.path() + "/full");
  folder_.write("full/thesis.tex", "years of work");
  const Outcome full = run({NORMA_COMMAND, "study", file_, "--out", folder_.path() + "/full"});
  EXPECT_EQ(full.code, 2);
  EXPECT_THAT(full.err, HasSubstr("not empty, and holds no study"));
  EXPECT_EQ(run({NORMA_COMMAND, "study", file_, "--out", file_}).code, 2);
  EXPECT_EQ(run({NORMA_COMMAND, "study", file_, "--out", file_ + "/below"}).code, 2);

  folder_.write("out/study.sqlite", "garbage");
  EXPECT_EQ(study().code, 2);
  EXPECT_THAT(run({NORMA_COMMAND, "report", out_}).err, HasSubstr("damaged"));
  EXPECT_EQ(read_file(out_ + "/study.sqlite"), "garbage");
}

TEST_F(Study, LeavesNoTraceInAFolderWhereItIsRefused) {
  ASSERT_EQ(study({"--quiet"}, {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}}}).code, 0);
  const auto refuse = [&](const std::vector<std::string>& words) {
    const auto before = state_of(out_);
    std::vector<std::string> command{NORMA_COMMAND, "study"};
    command.insert(command.end(), words.begin(), words.end());
    EXPECT_EQ(run(command).code, 2);
    EXPECT_EQ(state_of(out_), before) << words.back();
  };
  refuse({file_, "--out", out_, "--seeds", "9"});
  refuse({changed("\"small\"", "\"other\""), "--out", out_});
  fs::remove(out_ + "/lock");
  refuse({file_, "--out", out_, "--seeds", "9"});
  folder_.write("out/study.sqlite", read_file(out_ + "/study.sqlite").substr(0, 5000));
  refuse({file_, "--out", out_});
}

// The question decides nothing that is trained, so it may change; the report says it as it stands now.
TEST_F(Study, TakesANewQuestionAndSaysSo) {
  const RunOptions fake{.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}}};
  ASSERT_EQ(study({"--quiet"}, fake).code, 0);
  const std::string asking = changed("seeds = 8", "question = \"Which one?\"\nseeds = 8");
  const Outcome norma = run({NORMA_COMMAND, "study", asking, "--out", out_}, fake);
  EXPECT_EQ(norma.code, 0);
  EXPECT_THAT(norma.err, HasSubstr("the study file's words changed since; the report takes the new ones"));
  EXPECT_EQ(results(out_).at("study").at("question"), "Which one?");
  EXPECT_EQ(results(out_).at("run").at("sessions"), 1);
  EXPECT_THAT(run({NORMA_COMMAND, "study", asking, "--out", out_}, fake).err, Not(HasSubstr("changed")));
}

TEST_F(Study, EndsATrialThatHangsAfterItsTime) {
  const Outcome norma =
      study({"--trial-timeout", "1"}, {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}, {"FAKE_TRIAL", "hang"}}});
  EXPECT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(results(out_).dump(), HasSubstr("not finished within 1 s (--trial-timeout)"));
  EXPECT_EQ(study({"--trial-timeout", "0"}).code, 2);
}

TEST_F(Study, NamesTheTrialWhoseRowWasEdited) {
  ASSERT_EQ(study({"--quiet"}, {.environment = {{"NORMA_TRIAL", FAKE_TRIAL_PROGRAM}}}).code, 0);
  lab::Connection(out_ + "/study.sqlite", SQLITE_OPEN_READWRITE)
      .run("UPDATE trial SET result = replace(result, '\"steps\":', '\"steps\":1') WHERE rowid = 7");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{NORMA_COMMAND, "report", out_}, {NORMA_COMMAND, "study", file_, "--out", out_}}) {
    const Outcome norma = run(command);
    EXPECT_EQ(norma.code, 2);
    EXPECT_THAT(norma.err, AllOf(HasSubstr(out_ + "/study.sqlite: damaged: trial "), HasSubstr("(row 7, "),
                                 HasSubstr("DELETE FROM trial WHERE rowid = 7")));
  }
}

std::string big_endian(std::initializer_list<std::size_t> sizes) {
  std::string bytes;
  for (const std::size_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> static_cast<unsigned>(shift));
  }
  return bytes;
}

// The embedded digits as IDX files: images gzipped, labels not.
TEST_F(Study, TrainsOnIdxFiles) {
  const lab::IdxPair digits = lab::read_optdigits();
  const auto count = static_cast<std::size_t>(digits.count), half = count / 2;
  const auto write = [&](const std::string& part, std::size_t from, std::size_t to) {
    const std::string path = folder_.path() + "/" + part + "-images.gz";
    std::string images("\0\0\x08\x03", 4), labels("\0\0\x08\x01", 4);
    images += big_endian({to - from, 8, 8});
    images.append(digits.pixels.begin() + static_cast<std::ptrdiff_t>(64 * from),
                  digits.pixels.begin() + static_cast<std::ptrdiff_t>(64 * to));
    labels += big_endian({to - from});
    labels.append(digits.labels.begin() + static_cast<std::ptrdiff_t>(from),
                  digits.labels.begin() + static_cast<std::ptrdiff_t>(to));
    folder_.write(part + "-labels", labels);
    gzFile file = gzopen(path.c_str(), "wb");
    ASSERT_NE(file, nullptr);
    EXPECT_EQ(gzwrite(file, images.data(), static_cast<unsigned>(images.size())), static_cast<int>(images.size()));
    EXPECT_EQ(gzclose(file), Z_OK);
  };
  write("train", 0, half);
  write("test", half, count);
  // Relative paths start where the study file is.
  const std::string file = changed("\"optdigits\"",
                                   "\"idx\"\ntrain_images = \"train-images.gz\"\ntrain_labels = \"train-labels\"\n"
                                   "test_images = \"test-images.gz\"\ntest_labels = \"test-labels\"");
  const Outcome norma = run({NORMA_COMMAND, "study", file, "--out", out_, "--quiet", "--seeds", "2"});
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out, HasSubstr("MLP 64-32-32-10, ReLU"));
  EXPECT_EQ(results(out_).at("run").at("trials").at("ok"), 12);
}

TEST_F(Study, TrainsOnMnistWhereItIs) {
  const char* shared = std::getenv("NORMA_SHARED");
  const fs::path mnist = fs::path(shared != nullptr ? shared : NORMA_SOURCE "/../shared") / "data/mnist";
  if (!fs::exists(mnist)) GTEST_SKIP() << mnist << " is not there";
  const std::string files = "\"idx\"\ntrain_images = \"" + (mnist / "train-images-idx3-ubyte.gz").string() +
                            "\"\ntrain_labels = \"" + (mnist / "train-labels-idx1-ubyte.gz").string() +
                            "\"\ntest_images = \"" + (mnist / "t10k-images-idx3-ubyte.gz").string() +
                            "\"\ntest_labels = \"" + (mnist / "t10k-labels-idx1-ubyte.gz").string() + "\"";
  const std::string file = changed("\"optdigits\"", files);
  const Outcome norma = run({NORMA_COMMAND, "study", file, "--out", out_, "--quiet", "--seeds", "2"});
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out, HasSubstr("MLP 784-32-32-10, ReLU"));
  EXPECT_EQ(results(out_).at("run").at("trials").at("crashed"), 0);
}

}  // namespace
}  // namespace norma
