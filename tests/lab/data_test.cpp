// Data: the embedded set, splits, and files from strangers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "lab/data/dataset.h"
#include "lab/data/gzip.h"
#include "lab/data/idx.h"
#include "lab/data/optdigits.h"
#include "lab/data/random.h"
#include "lab/error.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using norma::testing::Temporary;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string idx(std::uint8_t type, const std::vector<std::uint32_t>& shape, std::size_t values) {
  std::string bytes{'\0', '\0', static_cast<char>(type), static_cast<char>(shape.size())};
  for (const std::uint32_t size : shape) {
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>((size >> shift) & 0xffU);
  }
  for (std::size_t i = 0; i < values; ++i) bytes += static_cast<char>(i % 10);
  return bytes;
}

std::string gzipped(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

DataSpec optdigits(std::int64_t train, std::int64_t validation, std::int64_t test) {
  DataSpec spec;
  spec.name = spec.source = "optdigits";
  spec.train = train;
  spec.validation = validation;
  spec.test = test;
  return spec;
}

TEST(Optdigits, HoldsTheDigitsThatUciCounts) {
  const IdxPair digits = read_optdigits();
  EXPECT_EQ(digits.count, 1797);
  EXPECT_EQ(digits.pixels.size(), 1797U * 64);
  std::vector<int> counts(10);
  for (const std::uint8_t label : digits.labels) ++counts[label];
  // https://archive.ics.uci.edu/dataset/80, optdigits.names: classes of the test half.
  EXPECT_EQ(counts, (std::vector<int>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}));
  // The first image, a nought.
  EXPECT_EQ((std::vector<int>(digits.pixels.begin(), digits.pixels.begin() + 8)),
            (std::vector<int>{0, 0, 5, 13, 9, 1, 0, 0}));
}

TEST(Dataset, SplitsWithoutOverlapAndStandardisesByTheTrainingPart) {
  const Dataset data = load(optdigits(500, 397, 900));
  EXPECT_EQ(data.classes, 10);
  EXPECT_EQ(data.samples(), 1797);
  std::set<std::int64_t> all;
  for (const auto* part : {&data.train, &data.validation, &data.test}) all.insert(part->begin(), part->end());
  EXPECT_EQ(all.size(), 1797U);
  double sum = 0, squares = 0;
  for (const std::int64_t sample : data.train) {
    for (std::size_t i = 0; i < 64; ++i) {
      const double x = data.values[static_cast<std::size_t>(sample) * 64 + i];
      sum += x;
      squares += x * x;
    }
  }
  const double count = 500 * 64;
  EXPECT_NEAR(sum / count, 0, 1e-6);
  EXPECT_NEAR(squares / count, 1, 1e-6);
}

TEST(Dataset, KeepsTestAndValidationWhenTheTrainingPartGrows) {
  const Dataset small = load(optdigits(100, 200, 300));
  const Dataset large = load(optdigits(1000, 200, 300));
  const auto labels = [](const Dataset& data, const std::vector<std::int64_t>& part) {
    std::vector<std::int64_t> found;
    for (const std::int64_t sample : part) found.push_back(data.labels[static_cast<std::size_t>(sample)]);
    return found;
  };
  EXPECT_EQ(labels(small, small.test), labels(large, large.test));
  EXPECT_EQ(labels(small, small.validation), labels(large, large.validation));
}

TEST(Dataset, SplitsByTheSeedAlone) {
  DataSpec spec = optdigits(100, 100, 100);
  const Dataset a = load(spec), b = load(spec);
  spec.split_seed = 1;
  const Dataset c = load(spec);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.values, b.values);
  EXPECT_NE(a.labels, c.labels);
}

TEST(Dataset, RefusesMoreSamplesThanThereAre) {
  EXPECT_THAT(message_of<InputError>([] { load(optdigits(500, 398, 900)); }), HasSubstr("1797"));
  EXPECT_THAT(message_of<InputError>([] { load(optdigits(0, 1, 1)); }), HasSubstr("at least 1"));
  EXPECT_THAT(message_of<InputError>([] { load(optdigits(INT64_MAX, INT64_MAX, 1)); }), HasSubstr("more than"));
}

TEST(Dataset, RefusesContentsThatChanged) {
  DataSpec spec = optdigits(10, 10, 10);
  spec.checksum = "0123";
  EXPECT_THAT(message_of<InputError>([&] { load(spec); }), HasSubstr("changed"));
}

// A file sorted by class, as some copies of MNIST are: every part must still hold every class.
TEST(Dataset, ShufflesFilesThatAreSortedByClass) {
  const Temporary folder;
  std::string labels = idx(8, {1000}, 0);
  for (int i = 0; i < 1000; ++i) labels += static_cast<char>(i / 100);
  DataSpec spec = optdigits(300, 300, 300);
  spec.source = "idx";
  spec.files["train_images"] = folder.write("images", idx(8, {1000, 2, 2}, 4000));
  spec.files["train_labels"] = folder.write("labels", labels);
  const Dataset data = load(spec);
  for (const auto* part : {&data.train, &data.validation, &data.test}) {
    std::set<std::int64_t> classes;
    for (const std::int64_t sample : *part) classes.insert(data.labels[static_cast<std::size_t>(sample)]);
    EXPECT_EQ(classes.size(), 10U);
  }
}

TEST(Dataset, TakesTestFromTestFilesAndTheRestFromTrainingFiles) {
  const Temporary folder;
  DataSpec spec = optdigits(8, 2, 5);
  spec.source = "idx";
  spec.files["train_images"] = folder.write("a", gzipped(idx(8, {10, 3, 2}, 60)));
  spec.files["train_labels"] = folder.write("b", idx(8, {10}, 10));
  spec.files["test_images"] = folder.write("c", idx(8, {6, 3, 2}, 36));
  spec.files["test_labels"] = folder.write("d", gzipped(idx(8, {6}, 6)));
  const Dataset data = load(spec);
  EXPECT_EQ(data.shape, (std::array<std::int64_t, 3>{1, 3, 2}));
  EXPECT_EQ(data.samples(), 15);
  spec.test = 7;
  EXPECT_THAT(message_of<InputError>([&] { load(spec); }), AllOf(HasSubstr("test"), HasSubstr("6")));
  spec.test = 5;
  spec.files["test_images"] = folder.write("c", idx(8, {6, 2, 3}, 36));
  EXPECT_THAT(message_of<InputError>([&] { load(spec); }), HasSubstr("1x3x2"));
}

// Training files of these labels, test files of those; what loading them says.
std::string label_complaint(const std::string& training, const std::string& test = "") {
  const Temporary folder;
  const auto write = [&](const std::string& name, const std::string& labels) {
    const auto count = static_cast<std::uint32_t>(labels.size());
    folder.write(name + "-images", idx(8, {count, 1, 1}, count));
    folder.write(name + "-labels", idx(8, {count}, 0) + labels);
  };
  DataSpec spec = optdigits(1, 1, 1);
  spec.source = "idx";
  write("train", training);
  spec.files["train_images"] = folder.path() + "/train-images";
  spec.files["train_labels"] = folder.path() + "/train-labels";
  if (!test.empty()) {
    write("test", test);
    spec.files["test_images"] = folder.path() + "/test-images";
    spec.files["test_labels"] = folder.path() + "/test-labels";
  }
  const std::string words = message_of<InputError>([&] { describe(spec); });
  return words.starts_with(folder.path() + "/") ? words.substr(folder.path().size() + 1) : words;
}

TEST(Dataset, RefusesLabelsThatLeaveAClassOut) {
  using namespace std::string_literals;
  EXPECT_EQ(label_complaint("\0\1\2"s), "");
  EXPECT_EQ(label_complaint("\0\3\5\1"s), "train-labels: no label 2 or 4: expected every one from 0 to 5");
  EXPECT_EQ(label_complaint("\1\2\3"s), "train-labels: no label 0: expected every one from 0 to 3");
  EXPECT_EQ(label_complaint("\0\377"s),
            "train-labels: no label 1, 2, 3, 4, 5, 6, 7 or 8 and 246 more: expected every one from 0 to 255");
  EXPECT_EQ(label_complaint("\0\0"s), "train-labels: label 0 alone: expected at least 2 classes");
  EXPECT_EQ(label_complaint("\7\7"s), "train-labels: label 7 alone: expected at least 2 classes");
}

TEST(Dataset, RefusesTestLabelsThatTrainingDoesNotKnow) {
  using namespace std::string_literals;
  EXPECT_EQ(label_complaint("\0\1\2"s, "\1"s), "");
  EXPECT_THAT(
      label_complaint("\0\1"s, "\0\1\3\2"s),
      AllOf(HasSubstr("test-labels: has label 2, 3, which is not among those of "), HasSubstr("train-labels: 0 to 1")));
}

TEST(Idx, RefusesWhatFollowsAGzipStream) {
  const Temporary folder;
  const std::string zipped = gzipped(idx(8, {4}, 4));
  for (const std::string& rest : {std::string("x"), std::string(512, '\0'), std::string("\x1f rubbish")}) {
    const std::string path = folder.write("f.gz", zipped + rest);
    EXPECT_THAT(message_of<InputError>([&] { read_idx(path); }), AllOf(HasSubstr("f.gz: "), HasSubstr("gzip")));
  }
}

TEST(Idx, ReadsSeveralGzipMembersAsOne) {
  const Temporary folder;
  const std::string bytes = idx(8, {100}, 100);
  const std::string path = folder.write("f.gz", gzipped(bytes.substr(0, 40)) + gzipped(bytes.substr(40)));
  EXPECT_EQ(read_idx(path).values.size(), 100U);
}

TEST(Idx, RefusesAGzipStreamWhoseChecksumIsWrong) {
  const Temporary folder;
  std::string zipped = gzipped(idx(8, {4}, 4));
  zipped[zipped.size() - 6] = static_cast<char>(zipped[zipped.size() - 6] ^ 1);
  const std::string path = folder.write("f.gz", zipped);
  EXPECT_THAT(message_of<InputError>([&] { read_idx(path); }), HasSubstr("damaged gzip stream"));
}

TEST(Idx, ReadsWhatItWrites) {
  const Temporary folder;
  for (const bool zipped : {false, true}) {
    const std::string bytes = idx(8, {3, 1, 2, 2}, 12);
    const IdxArray array = read_idx(folder.write("f", zipped ? gzipped(bytes) : bytes));
    EXPECT_EQ(array.shape, (std::vector<std::int64_t>{3, 1, 2, 2}));
    EXPECT_EQ(array.values[11], 1);
  }
}

TEST(Idx, NamesExpectedAndFoundBytesOfATruncatedFile) {
  const Temporary folder;
  const std::string whole = idx(8, {10, 2, 2}, 40);
  const auto complaint = [&](const std::string& bytes) {
    const std::string path = folder.write("f", bytes);
    return message_of<InputError>([&] { read_idx(path); });
  };
  EXPECT_THAT(complaint(whole.substr(0, whole.size() - 1)),
              AllOf(HasSubstr("expects 40 bytes"), HasSubstr("found 39")));
  EXPECT_THAT(complaint(whole + "x"), HasSubstr("found more"));
  EXPECT_THAT(complaint(whole.substr(0, 9)), AllOf(HasSubstr("header of 16 bytes"), HasSubstr("found 9")));
  EXPECT_THAT(complaint(whole.substr(0, 3)), HasSubstr("found 3"));
  EXPECT_THAT(complaint(""), HasSubstr("found 0"));
  // More than it should hold, but its checksum says that this is damage.
  std::string longer = gzipped(whole + std::string(5000, 'x'));
  longer[longer.size() - 8] = static_cast<char>(longer[longer.size() - 8] ^ 1);
  EXPECT_THAT(complaint(longer), HasSubstr("damaged gzip stream"));
  EXPECT_THAT(complaint(gzipped(whole + "x")), HasSubstr("found more"));
  // Cut at every byte of a gzip stream: an error each time, never a crash.
  const std::string zipped = gzipped(whole);
  for (std::size_t cut = 1; cut < zipped.size(); ++cut) {
    EXPECT_NE(complaint(zipped.substr(0, cut)), "") << cut;
  }
}

TEST(Idx, RefusesHostileHeaders) {
  const Temporary folder;
  const auto complaint = [&](const std::string& bytes) {
    const std::string path = folder.write("f", bytes);
    return message_of<InputError>([&] { read_idx(path); });
  };
  // 16 EB, 4 GB and a product that wraps to 0 asked for by a file of some bytes.
  EXPECT_THAT(complaint(idx(8, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 4)), HasSubstr("more than"));
  EXPECT_THAT(complaint(idx(8, {0xffffffff}, 4)), HasSubstr("found 4"));
  EXPECT_THAT(complaint(idx(8, {0x10000, 0x10000, 0x10000, 0x10000}, 4)), HasSubstr("more than"));
  EXPECT_THAT(complaint(idx(8, {5, 0}, 0)), HasSubstr("empty"));
  EXPECT_THAT(complaint(idx(8, {1, 1, 1, 1, 1}, 1)), HasSubstr("rank 5"));
  EXPECT_THAT(complaint(idx(8, {}, 0)), HasSubstr("rank 0"));
  EXPECT_THAT(complaint(idx(0x0d, {4}, 16)), HasSubstr("32-bit float"));
  EXPECT_THAT(complaint(idx(0x42, {4}, 4)), HasSubstr("not an IDX file"));
  EXPECT_THAT(complaint("<!DOCTYPE html>"), HasSubstr("not an IDX file"));
}

TEST(Idx, RefusesCountsThatDiffer) {
  const Temporary folder;
  const std::string images = folder.write("i", idx(8, {10, 2, 2}, 40)), labels = folder.write("l", idx(8, {9}, 9));
  EXPECT_THAT(message_of<InputError>([&] { read_idx_pair(images, labels); }),
              AllOf(HasSubstr("10 images"), HasSubstr("9 labels")));
  EXPECT_THAT(message_of<InputError>([&] { read_idx_pair(labels, labels); }), HasSubstr("expected images"));
  EXPECT_THAT(message_of<InputError>([&] { read_idx_pair(images, images); }), HasSubstr("expected labels"));
}

TEST(Idx, NamesAMissingFileAndAFolder) {
  const Temporary folder;
  EXPECT_THAT(message_of<InputError>([&] { read_idx(folder.path() + "/none"); }), HasSubstr("none: no such file"));
  EXPECT_THAT(message_of<InputError>([&] { read_idx(folder.path()); }), HasSubstr("not a file"));
}

TEST(Inflate, StopsAtItsLimit) {
  const std::string bomb = gzipped(std::string(1'000'000, '\0'));
  const auto bytes = std::span(reinterpret_cast<const std::uint8_t*>(bomb.data()), bomb.size());
  EXPECT_THAT(message_of<InputError>([&] { inflate(bytes, 1000); }), HasSubstr("more than 1000"));
  EXPECT_EQ(inflate(bytes, 1'000'000).size(), 1'000'000U);
}

TEST(Random, IsSplitMix64) {
  // The sequence of seed 1234567 of the reference implementation.
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317U);
  EXPECT_EQ(random.next(), 3203168211198807973U);
  EXPECT_EQ(random.next(), 9817491932198370423U);
}

TEST(Random, PermutesEveryElementOnceAndEveryOrderAlikeOften) {
  std::vector<int> counts(6);
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    const auto order = permutation(3, seed);
    ++counts[static_cast<std::size_t>(order[0] * 2 + (order[1] > order[2] ? 1 : 0))];
  }
  // Six orders, 1000 expected each, sd 29: five of those.
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
}

}  // namespace
}  // namespace norma::lab
