// norma data, and a study of the user's own table, through the door.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <algorithm>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "../lab/data_files.h"
#include "../lab/temporary.h"
#include "run_command.h"

namespace norma {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::npy;
using testing::npy_header;
using testing::Outcome;
using testing::raw;
using testing::read_file;
using testing::run;
using testing::Temporary;
using testing::zip;

// Three kinds of flower that two measures tell apart, by and large.
std::string flowers(int count) {
  std::string text = "\"petal, cm\",petal width,species\r\n";
  for (int i = 0; i < count; ++i) {
    const char* kinds[] = {"setosa", "versicolor", "virginica"};
    const int kind = i % 3;
    text += std::to_string(1.5 + 2 * kind + 0.1 * (i % 7)) + "," + std::to_string(0.2 + kind + 0.05 * (i % 11)) + "," +
            kinds[kind] + "\r\n";
  }
  return text;
}

TEST(Table, IsStudiedByAFileOfFourLines) {
  const Temporary folder;
  folder.write("flowers.csv", flowers(90));
  folder.write("mine.toml", "name = \"mine\"\n[data]\nsource = \"csv\"\npath = \"flowers.csv\"\n");
  const Outcome norma =
      run({NORMA_COMMAND, "study", "mine.toml", "--seeds", "3", "--out", "out"}, {.directory = folder.path()});
  ASSERT_EQ(norma.code, 0) << norma.err;
  EXPECT_THAT(norma.out, AllOf(HasSubstr("MLP 2-64-64-3, ReLU"), HasSubstr("BatchNorm"), HasSubstr("RMSNorm")));
  const auto results = nlohmann::json::parse(read_file(folder.path() + "/out/results.json"));
  const auto& data = results.at("data");
  EXPECT_EQ(data.at("name"), "flowers");
  EXPECT_EQ(data.at("train"), 54);
  EXPECT_EQ(data.at("validation"), 18);
  EXPECT_EQ(data.at("test"), 18);
  EXPECT_EQ(data.at("classes"), 3);
  EXPECT_EQ(results.at("run").at("trials").at("crashed"), 0);
  EXPECT_EQ(results.at("contrasts").at(0).at("primary"), true);
  for (const auto& cell : results.at("cells")) {
    EXPECT_LT(cell.at("error").at("mean"), data.at("majority_error").get<double>() / 2) << cell.at("arm");
  }
  // A second study of the same table, half as long: what changed from the one to the other.
  folder.write("mine.toml",
               "name = \"mine\"\n[data]\nsource = \"csv\"\npath = \"flowers.csv\"\n[training]\nepochs = 15\n");
  const Outcome shorter =
      run({NORMA_COMMAND, "study", "mine.toml", "--seeds", "3", "--out", "out2"}, {.directory = folder.path()});
  ASSERT_EQ(shorter.code, 0) << shorter.err;
  const auto compare = [&](const std::string& format) {
    return run({NORMA_COMMAND, "report", "out", "out2", "--format", format}, {.directory = folder.path()});
  };
  const auto comparison = nlohmann::json::parse(compare("json").out);
  EXPECT_THAT(comparison.at("settings").dump(), HasSubstr(R"({"a":30,"b":15,"part":"","setting":"training.epochs"})"));
  EXPECT_EQ(comparison.at("cells").size(), results.at("cells").size());
  for (const auto& cell : comparison.at("cells")) EXPECT_EQ(cell.at("pairs"), 3) << cell.dump();
  const std::string table = compare("csv").out;
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 1 + static_cast<long>(results.at("cells").size()));
  EXPECT_EQ(compare("html").out, "out2/comparison.html\n");
  EXPECT_THAT(read_file(folder.path() + "/out2/comparison.html"), HasSubstr("training.epochs"));
  // The report knows the sizes although the file does not, and although the table is gone.
  fs::remove(folder.path() + "/flowers.csv");
  const Outcome report = run({NORMA_COMMAND, "report", "out", "--format", "json"}, {.directory = folder.path()});
  EXPECT_EQ(report.code, 0) << report.err;
  EXPECT_EQ(nlohmann::json::parse(report.out).at("data").at("train"), 54);
}

TEST(Table, IsRefusedWithFileLineAndColumnAndNothingWritten) {
  const Temporary folder;
  folder.write("flowers.csv", flowers(90) + "5.1,wide,setosa\r\n");
  folder.write("mine.toml", "name = \"mine\"\n[data]\nsource = \"csv\"\npath = \"flowers.csv\"\n");
  const Outcome bad = run({NORMA_COMMAND, "study", "mine.toml", "--out", "out"}, {.directory = folder.path()});
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.err, HasSubstr("flowers.csv:92: column 2 ('petal width'): expected a finite number, got 'wide'"));
  folder.write("flowers.csv", flowers(40));
  const Outcome few = run({NORMA_COMMAND, "study", "mine.toml", "--out", "out"}, {.directory = folder.path()});
  EXPECT_EQ(few.code, 2);
  EXPECT_THAT(few.err, HasSubstr("the training part has 24 samples, fewer than the default SGD batch of 32"));
  EXPECT_FALSE(fs::exists(folder.path() + "/out"));
}

TEST(Data, ListsAndChecks) {
  EXPECT_THAT(run({NORMA_COMMAND, "data"}).out,
              AllOf(HasSubstr("optdigits"), HasSubstr("CC BY 4.0"), HasSubstr("idx")));
  EXPECT_EQ(run({NORMA_COMMAND, "data", "list"}).code, 0);
  const Temporary folder;
  const std::string images("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02\x01\x02\x03\x09", 20);
  folder.write("a-images-idx3-ubyte", images);
  folder.write("a-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x02\x00\x01", 10));
  EXPECT_THAT(run({NORMA_COMMAND, "data", "check", folder.path() + "/a-images-idx3-ubyte"}).out,
              HasSubstr("shape (2,1,2), values 1 to 9"));
  EXPECT_THAT(run({NORMA_COMMAND, "data", "check", folder.path()}).out,
              HasSubstr("2 images of 1x1x2, 2 classes: 0:1 1:1"));
  folder.write("a-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x01\x00", 9));
  const Outcome differ = run({NORMA_COMMAND, "data", "check", folder.path()});
  EXPECT_EQ(differ.code, 2);
  EXPECT_THAT(differ.err, HasSubstr("holds 2 images"));
  folder.write("a-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x02\x00\x00", 10));
  EXPECT_THAT(run({NORMA_COMMAND, "data", "check", folder.path()}).out,
              HasSubstr("1 class: 0:2; no study can train on these alone: label 0 alone: expected at least 2 classes"));
  folder.write("a-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\x02\x00\x02", 10));
  EXPECT_THAT(run({NORMA_COMMAND, "data", "check", folder.path() + "/a-labels-idx1-ubyte"}).out,
              HasSubstr("2 classes: 0:1 2:1; no study can train on these alone: no label 1"));
  const std::string cut = folder.write("cut", images.substr(0, 18));
  const Outcome truncated = run({NORMA_COMMAND, "data", "check", cut});
  EXPECT_EQ(truncated.code, 2);
  EXPECT_THAT(truncated.err, HasSubstr("expects 4 bytes, found 2"));
}

// MNIST's files are spelt both ways by those who pass them on.
TEST(Data, FindsLabelsUnderDottedAndDashedNames) {
  const std::string images("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x01\x01\x02", 18);
  const std::string labels("\0\0\x08\x01\0\0\0\x02\x00\x01", 10);
  for (const auto& [a, b] : {std::pair{"train-images.idx3-ubyte", "train-labels.idx1-ubyte"},
                             {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
                             {"train-images.idx3-ubyte", "train-labels-idx1-ubyte"},
                             {"train-images-idx3-ubyte", "train-labels.idx1-ubyte"}}) {
    const Temporary folder;
    folder.write(a, images);
    folder.write(b, labels);
    const Outcome norma = run({NORMA_COMMAND, "data", "check", folder.path()});
    EXPECT_EQ(norma.code, 0) << norma.err;
    EXPECT_THAT(norma.out, HasSubstr("with " + std::string(b) + ": 2 images of 1x1x1, 2 classes"));
  }
}

TEST(Data, RefusesAFolderThatItMayNotRead) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const Temporary folder;
  fs::permissions(folder.path(), fs::perms::none);
  const Outcome norma = run({NORMA_COMMAND, "data", "check", folder.path()});
  const Outcome report = run({NORMA_COMMAND, "report", folder.path()});
  fs::permissions(folder.path(), fs::perms::owner_all);
  EXPECT_EQ(norma.code, 2);
  EXPECT_THAT(norma.err, HasSubstr("Permission denied"));
  EXPECT_EQ(report.code, 2);
}

// As root too: the system refuses names this long.
TEST(Data, TellsASystemsRefusalAsAMistake) {
  const Outcome norma = run({NORMA_COMMAND, "report", std::string(5000, 'x')});
  EXPECT_EQ(norma.code, 2);
  EXPECT_THAT(norma.err, HasSubstr("File name too long"));
}

TEST(DataCheck, KnowsEveryKindByTheFile) {
  const Temporary folder;
  const auto check = [&](const std::string& name, const std::string& bytes) {
    const Outcome norma = run({NORMA_COMMAND, "data", "check", folder.write(name, bytes)});
    EXPECT_EQ(norma.code, 0) << norma.err;
    return norma.out;
  };
  EXPECT_THAT(check("f.csv", flowers(90)),
              HasSubstr("csv, 90 samples of 2 features, 3 classes: setosa:30 versicolor:30 virginica:30\n"));
  const std::string x = npy(npy_header("<f4", "(6, 2, 2)"), raw(std::vector<float>(24, 1.5F)));
  const std::string y = npy(npy_header("<i8", "(6,)"), raw(std::vector<std::int64_t>{0, 1, 0, 1, 0, 1}));
  EXPECT_THAT(check("x.npy", x), HasSubstr("f4, shape (6,2,2)"));
  EXPECT_THAT(check("a.npz", zip({{"x.npy", x}, {"y.npy", y}}, true)),
              HasSubstr("npy, 6 images of 1x2x2, 2 classes: 0:3 1:3"));
  EXPECT_THAT(check("t.txt", std::string(2000, 'a') + "\xc3\xa9"), HasSubstr("text, 31 windows of 64 characters"));
  const std::string record = std::string(1, '\3') + std::string(3072, 'x');
  EXPECT_THAT(check("test_batch.bin", record + record), HasSubstr("2 images of 3x32x32"));
  folder.write("data_batch_1.bin", record);
  EXPECT_THAT(run({NORMA_COMMAND, "data", "check", folder.path()}).out,
              HasSubstr("cifar10, 1 image of 3x32x32 and 2 to test, 10 classes"));
}

TEST(DataCheck, RefusesWhatIsBrokenWithCodeTwo) {
  const Temporary folder;
  const auto check = [&](const std::string& name, const std::string& bytes) {
    const Outcome norma = run({NORMA_COMMAND, "data", "check", folder.write(name, bytes)});
    EXPECT_EQ(norma.code, 2) << name;
    EXPECT_THAT(norma.out, IsEmpty()) << name;
    return norma.err;
  };
  EXPECT_THAT(check("x.npy", npy(npy_header("<f4", "(1000000000,)"), "abcd")), HasSubstr("expects 4000000000 bytes"));
  EXPECT_THAT(check("x.npz", "PK\x03\x04"), HasSubstr("truncated"));
  EXPECT_THAT(check("x.bin", "abc"), HasSubstr("3073"));
  EXPECT_THAT(check("x.txt", std::string(1000, 'a') + "\xff"), HasSubstr("byte 1000 (from 0) is no UTF-8: 0xff"));
  EXPECT_THAT(check("x", std::string("a\0b", 3)), HasSubstr("no kind that is understood"));
  EXPECT_THAT(check("empty", ""), HasSubstr("empty"));
  EXPECT_THAT(run({NORMA_COMMAND, "data", "check", folder.path() + "/x.txt", "--label", "2"}).err,
              HasSubstr("no table"));
  folder.write("t.csv", "id,a,kind\n1,2.5,x\n2,3.5,y\n");
  EXPECT_THAT(run({NORMA_COMMAND, "data", "check", folder.path() + "/t.csv", "--ignore", "id", "--label", "kind"}).out,
              HasSubstr("2 samples of 1 feature, 2 classes: x:1 y:1"));
}

}  // namespace
}  // namespace norma
