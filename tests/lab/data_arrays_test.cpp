// Arrays and images of the user's own: NumPy's files, ZIP archives of them, CIFAR-10.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data_files.h"
#include "lab/data/cifar10.h"
#include "lab/data/dataset.h"
#include "lab/data/npy.h"
#include "lab/data/zip.h"
#include "lab/error.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using namespace norma::testing;  // NOLINT(google-build-using-namespace): the makers of files
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

NpyArray parsed(const std::string& file) {
  return parse_npy({file.begin(), file.end()}, "a.npy");
}
std::string complaint(const std::string& file) {
  return message_of<InputError>([&] { parsed(file); });
}

std::vector<float> numbers(std::size_t count) {
  std::vector<float> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i) / 4);
  return values;
}

TEST(Npy, ReadsEveryTypeAndVersion) {
  EXPECT_THAT(parsed(npy(npy_header("<f4", "(2, 3)"), raw(numbers(6)))).shape, ElementsAre(2, 3));
  for (const int version : {1, 2, 3}) {
    const NpyArray array = parsed(npy(npy_header("<i8", "(3,)"), raw(std::vector<std::int64_t>{5, -1, 7}), version));
    EXPECT_EQ(array.type, "i8");
    EXPECT_THAT(array.shape, ElementsAre(3));
    EXPECT_EQ(array.count(), 3);
  }
  EXPECT_EQ(parsed(npy(npy_header("|u1", "(4,)"), "abcd")).type, "u1");
  EXPECT_EQ(parsed(npy(npy_header("<i4", "(1,)"), "abcd")).type, "i4");
  EXPECT_EQ(parsed(npy(npy_header("<f8", "(1, 1)"), "abcdefgh")).type, "f8");
  // One axis is in either order.
  EXPECT_EQ(parsed(npy(npy_header("<f4", "(1,)", "True"), "abcd")).count(), 1);
  // Keys in another order, double quotes, no comma at the end.
  EXPECT_EQ(parsed(npy(R"({"shape": (2,), "descr": "<i4", "fortran_order": False})", "abcdefgh")).count(), 2);
}

TEST(Npy, RefusesWhatItDoesNotRead) {
  EXPECT_THAT(complaint(npy(npy_header(">f4", "(1,)"), "abcd")), AllOf(HasSubstr("big-endian"), HasSubstr(">f4")));
  EXPECT_THAT(complaint(npy(npy_header("<f2", "(2,)"), "abcd")), AllOf(HasSubstr("'<f2'"), HasSubstr("f4, f8")));
  EXPECT_THAT(complaint(npy(npy_header("<f4", "(1, 1)", "True"), "abcd")), HasSubstr("Fortran order"));
  EXPECT_THAT(complaint(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "abcd")),
              HasSubstr("structured"));
  EXPECT_THAT(complaint(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "abcd")), HasSubstr("'|O'"));
}

TEST(Npy, RefusesHostileHeadersWithoutTakingTheirMemory) {
  EXPECT_THAT(complaint(npy(npy_header("<f8", "(9223372036854775807, 9223372036854775807)"), "abcd")),
              HasSubstr("more than"));
  EXPECT_THAT(complaint(npy(npy_header("<f4", "(65536, 65536, 65536, 65536)"), "abcd")), HasSubstr("more than"));
  EXPECT_THAT(complaint(npy(npy_header("<f4", "(1000000000,)"), "abcd")),
              AllOf(HasSubstr("expects 4000000000 bytes"), HasSubstr("found 4")));
  EXPECT_THAT(complaint(npy(npy_header("<f4", "(99999999999999999999,)"), "abcd")), HasSubstr("whole number"));
  EXPECT_THAT(complaint(npy(npy_header("<f4", "(-1,)"), "abcd")), HasSubstr("whole number"));
  EXPECT_THAT(complaint(npy(npy_header("<f4", "(0, 4)"), "")), HasSubstr("empty"));
  EXPECT_THAT(complaint(npy("{'descr': '<f4'", "abcd")), HasSubstr("malformed NPY header"));
  EXPECT_THAT(complaint(npy("{'descr': '<f4', 'shape': (1,), }", "abcd")), HasSubstr("without all of"));
  EXPECT_THAT(complaint(npy(npy_header("<f4", "(1,)") + " {}", "abcd")), HasSubstr("more behind"));
  EXPECT_THAT(complaint(std::string("\x93NUMPY\x02\x00\xff\xff\xff\x7f", 12)), HasSubstr("header of 2147483647 bytes"));
  EXPECT_THAT(complaint(std::string("\x93NUMPY\x09\x00\x10\x00", 10) + "abcd"), HasSubstr("version 9"));
  EXPECT_THAT(complaint("<!DOCTYPE html>"), HasSubstr("not an NPY file"));
}

TEST(Npy, RefusesAFileCutAnywhereOrWithMoreBehind) {
  const std::string whole = npy(npy_header("<f4", "(2, 3)"), raw(numbers(6)));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_NE(complaint(whole.substr(0, cut)), "") << cut;
  EXPECT_THAT(complaint(whole.substr(0, whole.size() - 1)), AllOf(HasSubstr("truncated"), HasSubstr("found 23")));
  EXPECT_THAT(complaint(whole + "x"), AllOf(HasSubstr("expects 24 bytes"), HasSubstr("found 25")));
}

struct Arrays {
  Temporary folder;
  DataSpec spec;

  Arrays() {
    spec.name = "mine";
    spec.source = "npy";
    spec.train = 6;
    spec.validation = spec.test = 2;
  }
  std::string refusal() const {
    return message_of<InputError>([&] { load(spec); });
  }
};

const std::vector<std::int64_t> kTenLabels{0, 1, 2, 0, 1, 2, 0, 1, 2, 0};

TEST(Npy, GivesEachColumnOfATableItsOwnScale) {
  Arrays arrays;
  std::vector<double> values;
  for (int i = 0; i < 10; ++i) values.insert(values.end(), {1e9 + i, 0.001 * i});
  arrays.spec.files["x"] = arrays.folder.write("x.npy", npy(npy_header("<f8", "(10, 2)"), raw(values)));
  arrays.spec.files["y"] = arrays.folder.write("y.npy", npy(npy_header("<i8", "(10,)"), raw(kTenLabels)));
  const Dataset data = load(arrays.spec);
  EXPECT_EQ(data.shape, (std::array<std::int64_t, 3>{1, 1, 2}));
  EXPECT_EQ(data.mean.size(), 2U);
  for (std::size_t feature : {0U, 1U}) {
    double sum = 0, squares = 0;
    for (const std::int64_t sample : data.train) {
      const double x = data.values[static_cast<std::size_t>(sample) * 2 + feature];
      sum += x;
      squares += x * x;
    }
    EXPECT_NEAR(sum / 6, 0, 1e-6);
    EXPECT_NEAR(squares / 6, 1, 1e-6);
  }
}

TEST(Npy, RefusesArraysThatDoNotGoTogether) {
  Arrays arrays;
  const auto x = [&](const std::string& bytes) { arrays.spec.files["x"] = arrays.folder.write("x.npy", bytes); };
  const auto y = [&](const std::string& bytes) { arrays.spec.files["y"] = arrays.folder.write("y.npy", bytes); };
  x(npy(npy_header("<f4", "(10, 2)"), raw(numbers(20))));
  y(npy(npy_header("<i8", "(9,)"), raw(std::vector<std::int64_t>(9, 1))));
  EXPECT_THAT(arrays.refusal(), AllOf(HasSubstr("10 samples"), HasSubstr("9 labels")));
  y(npy(npy_header("<i8", "(10, 1)"), raw(kTenLabels)));
  EXPECT_THAT(arrays.refusal(), HasSubstr("one axis"));
  y(npy(npy_header("<f4", "(10,)"), raw(numbers(10))));
  EXPECT_THAT(arrays.refusal(), AllOf(HasSubstr("y.npy: sample 1 "), HasSubstr("got 0.25")));
  auto labels = kTenLabels;
  labels[3] = -1;
  y(npy(npy_header("<i8", "(10,)"), raw(labels)));
  EXPECT_THAT(arrays.refusal(), AllOf(HasSubstr("sample 3 "), HasSubstr("got -1")));
  labels[3] = std::int64_t{1} << 40;
  y(npy(npy_header("<i8", "(10,)"), raw(labels)));
  EXPECT_THAT(arrays.refusal(), HasSubstr("0 to 65535"));
  labels[3] = 5;
  y(npy(npy_header("<i8", "(10,)"), raw(labels)));
  EXPECT_THAT(arrays.refusal(), HasSubstr("no label 3 or 4"));
  y(npy(npy_header("<i8", "(10,)"), raw(kTenLabels)));
  auto bad = numbers(20);
  bad[7] = std::numeric_limits<float>::quiet_NaN();
  x(npy(npy_header("<f4", "(10, 2)"), raw(bad)));
  EXPECT_THAT(arrays.refusal(), AllOf(HasSubstr("sample 3, value 1"), HasSubstr("nan")));
  x(npy(npy_header("<f4", "(20,)"), raw(numbers(20))));
  EXPECT_THAT(arrays.refusal(), HasSubstr("(n,features)"));
}

TEST(Npz, ReadsStoredAndDeflatedArrays) {
  for (const bool deflate_them : {false, true}) {
    Arrays arrays;
    std::vector<std::uint8_t> pixels(10 * 2 * 2);
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i);
    const std::string x = npy(npy_header("|u1", "(10, 2, 2)"), raw(pixels));
    const std::string y = npy(npy_header("<i8", "(10,)"), raw(kTenLabels));
    arrays.spec.files["path"] = arrays.folder.write(
        "a.npz", zip({{"x_train.npy", x}, {"y_train.npy", y}, {"x_test.npy", x}, {"y_test.npy", y}}, deflate_them));
    arrays.spec.test = 10;
    const Dataset data = load(arrays.spec);
    EXPECT_EQ(data.shape, (std::array<std::int64_t, 3>{1, 2, 2}));
    EXPECT_EQ(data.samples(), 18);
    EXPECT_EQ(describe(arrays.spec).test_available, 10);
  }
}

TEST(Npz, RefusesDamagedArchives) {
  const Temporary folder;
  const std::vector<std::pair<std::string, std::string>> entries{
      {"x.npy", npy(npy_header("<f4", "(2, 3)"), raw(numbers(6)))},
      {"y.npy", npy(npy_header("<i8", "(2,)"), raw(std::vector<std::int64_t>{0, 1}))}};
  const auto refusal = [&](const std::string& bytes) {
    const std::string path = folder.write("a.npz", bytes);
    return message_of<InputError>([&] { read_npz(path); });
  };
  for (const bool deflate_them : {false, true}) {
    const std::string whole = zip(entries, deflate_them);
    EXPECT_EQ(refusal(whole), "");
    for (std::size_t cut = 0; cut < whole.size(); ++cut) EXPECT_NE(refusal(whole.substr(0, cut)), "") << cut;
    // A changed bit anywhere is noticed or changes nothing that is read; never a crash.
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string bent = whole;
      bent[at] = static_cast<char>(bent[at] ^ 0x10);
      refusal(bent);
    }
    std::string wrong = whole;
    wrong[whole.find("x.npy") + 5 + 4 + 20] ^= 1;  // in the bytes of the first entry
    EXPECT_NE(refusal(wrong), "");
  }
  EXPECT_THAT(refusal(zip(entries, true, 1000)), AllOf(HasSubstr("expected"), HasSubstr("bytes inflated")));
  EXPECT_THAT(refusal(zip(entries, true, 0xf0000000)), HasSubstr("bytes inflated"));
  EXPECT_THAT(refusal(zip({entries[0]}, true)), AllOf(HasSubstr("x and y"), HasSubstr("it holds: x.npy")));
  EXPECT_THAT(refusal("hello"), HasSubstr("not a ZIP archive"));
}

TEST(Npz, StopsABombWhereItsDirectorySaysItEnds) {
  const Temporary folder;
  const std::string bomb = zip({{"x.npy", std::string(50'000'000, '\0')}}, true, 0U - 49'999'000U);
  const ZipArchive archive(folder.write("a.npz", bomb));
  EXPECT_THAT(message_of<InputError>([&] { archive.read("x.npy"); }), HasSubstr("more than 1000"));
}

std::string cifar(const std::vector<int>& labels) {
  std::string bytes;
  for (const int label : labels) bytes += static_cast<char>(label) + std::string(3072, static_cast<char>(label * 20));
  return bytes;
}

TEST(Cifar10, ReadsAFolderOfBatches) {
  const Temporary folder;
  folder.write("data_batch_1.bin", cifar({0, 1, 2, 3, 4}));
  folder.write("data_batch_2.bin", cifar({5, 6, 7, 8, 9}));
  folder.write("test_batch.bin", cifar({1, 2, 3}));
  DataSpec spec;
  spec.name = spec.source = "cifar10";
  spec.files["path"] = folder.path();
  spec.train = 7;
  spec.validation = 3;
  spec.test = 3;
  const Dataset data = load(spec);
  EXPECT_EQ(data.shape, (std::array<std::int64_t, 3>{3, 32, 32}));
  EXPECT_EQ(data.classes, 10);
  EXPECT_EQ(data.samples(), 13);
  const DataDescription description = describe(spec);
  EXPECT_EQ(description.train_available, 10);
  EXPECT_EQ(description.test_available, 3);
}

TEST(Cifar10, NamesTheFileAndWhatIsWrongWithIt) {
  const Temporary folder;
  DataSpec spec;
  spec.name = spec.source = "cifar10";
  spec.files["path"] = folder.path();
  const auto refusal = [&] { return message_of<InputError>([&] { describe(spec); }); };
  EXPECT_THAT(refusal(), HasSubstr("data_batch_1.bin: no such file"));
  folder.write("data_batch_1.bin", cifar({0, 1}).substr(0, 6145));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("3073"), HasSubstr("6145"), HasSubstr("1 records and 3072 bytes")));
  folder.write("data_batch_1.bin", "");
  EXPECT_THAT(refusal(), HasSubstr("got 0 bytes"));
  folder.write("data_batch_1.bin", cifar({0, 11}));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("record 1"), HasSubstr("got 11")));
  folder.write("data_batch_1.bin", cifar({0, 1}));
  EXPECT_THAT(refusal(), HasSubstr("test_batch.bin: no such file"));
  spec.files["path"] = folder.path() + "/data_batch_1.bin";
  EXPECT_THAT(refusal(), HasSubstr("expected a folder"));
}

}  // namespace
}  // namespace norma::lab
