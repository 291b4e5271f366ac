// Sequences and tokens: views of images, ListOps, text; and the shifts of test inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "lab/data/listops.h"
#include "lab/data/shift.h"
#include "lab/data/text.h"
#include "lab/data/view.h"
#include "lab/error.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using norma::testing::Temporary;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

DataSpec digits(const std::string& view) {
  DataSpec spec;
  spec.name = spec.source = "optdigits";
  spec.view = view;
  spec.train = 100;
  spec.validation = spec.test = 20;
  return spec;
}

TEST(View, ShowsDigitsByRowAndByPixel) {
  const Dataset image = load(digits("")), rows = load(digits("rows")), pixels = load(digits("pixels"));
  EXPECT_EQ(image.kind, SampleKind::kImages);
  EXPECT_EQ(rows.kind, SampleKind::kSequences);
  EXPECT_EQ(rows.shape, (std::array<std::int64_t, 3>{8, 1, 8}));
  EXPECT_EQ(pixels.shape, (std::array<std::int64_t, 3>{1, 1, 64}));
  EXPECT_EQ(rows.positions(), 8);
  EXPECT_EQ(image.values, rows.values);
  EXPECT_EQ(image.values, pixels.values);
  EXPECT_EQ(describe(digits("rows")).shape, rows.shape);
  const Dataset permuted = load(digits("permuted_pixels"));
  EXPECT_NE(permuted.values, image.values);
  std::vector<float> a(permuted.values.begin(), permuted.values.begin() + 64),
      b(image.values.begin(), image.values.begin() + 64);
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  EXPECT_EQ(a, b);
}

TEST(View, PutsTheChannelsOfAPixelTogether) {
  // Two channels of 2x3.
  EXPECT_THAT(view_of("rows", {2, 2, 3}).order, ElementsAre(0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10, 11));
  EXPECT_THAT(view_of("pixels", {2, 2, 3}).order, ElementsAre(0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11));
  EXPECT_THAT(message_of<InputError>([] { view_of("columns", {1, 2, 2}); }), HasSubstr("rows, pixels"));
}

DataSpec listops(std::int64_t train, std::int64_t validation, std::int64_t test) {
  DataSpec spec;
  spec.name = spec.source = "listops";
  spec.depth = 4;
  spec.arguments = 4;
  spec.min_length = 20;
  spec.max_length = 100;
  spec.train = train;
  spec.validation = validation;
  spec.test = test;
  return spec;
}

TEST(Listops, AppliesItsOperations) {
  EXPECT_EQ(apply_operation(kListopsMin, {4, 2, 8}), 2);
  EXPECT_EQ(apply_operation(kListopsMax, {4, 2, 8}), 8);
  EXPECT_EQ(apply_operation(kListopsSum, {4, 9, 8}), 1);
  EXPECT_EQ(apply_operation(kListopsMedian, {9, 1, 7}), 7);
  EXPECT_EQ(apply_operation(kListopsMedian, {9, 1, 7, 2}), 4) << "int(4.5)";
  EXPECT_EQ(apply_operation(kListopsMedian, {3, 5}), 4);
}

// Reads an expression back, apart from how it was drawn.
int evaluate(const std::vector<std::int64_t>& tokens, std::size_t& at, std::int64_t depth, std::int64_t& deepest) {
  deepest = std::max(deepest, depth);
  const std::int64_t token = tokens.at(at++);
  if (token <= 10) return static_cast<int>(token) - 1;
  std::vector<int> arguments;
  while (tokens.at(at) != kListopsEnd) arguments.push_back(evaluate(tokens, at, depth + 1, deepest));
  ++at;
  EXPECT_GE(arguments.size(), 2U);
  EXPECT_LE(arguments.size(), 4U);
  std::sort(arguments.begin(), arguments.end());
  const std::size_t n = arguments.size();
  if (token == kListopsMin) return arguments.front();
  if (token == kListopsMax) return arguments.back();
  if (token == kListopsMedian) {
    const double median = n % 2 == 1 ? arguments[n / 2] : (arguments[n / 2 - 1] + arguments[n / 2]) / 2.0;
    return static_cast<int>(median);
  }
  int sum = 0;
  for (const int x : arguments) sum += x;
  return sum % 10;
}

TEST(Listops, DrawsDifferentExpressionsOfItsLengthsWhoseLabelsAreTheirValues) {
  const Dataset data = load(listops(2000, 300, 300));
  EXPECT_EQ(data.kind, SampleKind::kTokens);
  EXPECT_EQ(data.vocabulary, 16);
  EXPECT_EQ(data.classes, 10);
  std::set<std::vector<std::int64_t>> different;
  std::int64_t deepest = 0, longest = 0;
  for (std::int64_t i = 0; i < data.samples(); ++i) {
    const std::int64_t length = data.lengths[static_cast<std::size_t>(i)];
    EXPECT_GE(length, 20);
    EXPECT_LE(length, 100);
    longest = std::max(longest, length);
    const auto first = data.tokens.begin() + i * data.positions();
    EXPECT_THAT(std::vector<std::int64_t>(first + length, first + data.positions()), Each(0));
    const std::vector<std::int64_t> tokens(first, first + length);
    std::size_t at = 0;
    EXPECT_EQ(evaluate(tokens, at, 1, deepest), data.labels[static_cast<std::size_t>(i)]);
    EXPECT_EQ(at, tokens.size());
    different.insert(tokens);
  }
  EXPECT_EQ(different.size(), 2600U);
  EXPECT_EQ(deepest, 4);
  EXPECT_EQ(longest, data.positions());
}

TEST(Listops, IsDrawnByTheSeedAndKeepsItsTestPartWhenTheTrainingPartGrows) {
  const Dataset a = load(listops(100, 20, 20)), b = load(listops(200, 20, 20));
  const auto tokens = [](const Dataset& data, const std::vector<std::int64_t>& part) {
    std::vector<std::vector<std::int64_t>> found;
    for (const std::int64_t sample : part) {
      const auto first = data.tokens.begin() + sample * data.positions();
      found.emplace_back(first, first + data.lengths[static_cast<std::size_t>(sample)]);
    }
    return found;
  };
  EXPECT_EQ(tokens(a, a.test), tokens(b, b.test));
  EXPECT_EQ(tokens(a, a.validation), tokens(b, b.validation));
  DataSpec other = listops(100, 20, 20);
  other.split_seed = 1;
  EXPECT_NE(load(other).tokens, a.tokens);
}

TEST(Listops, SaysWhatIsMostFrequent) {
  const DataSpec spec = listops(8000, 1000, 1000);
  const DataDescription description = describe(spec);
  EXPECT_EQ(description.train_available, 10'000);
  const Dataset data = load(spec);
  std::vector<int> train(10), test(10);
  for (const std::int64_t i : data.train) ++train[static_cast<std::size_t>(data.labels[static_cast<std::size_t>(i)])];
  for (const std::int64_t i : data.test) ++test[static_cast<std::size_t>(data.labels[static_cast<std::size_t>(i)])];
  const auto most = std::max_element(train.begin(), train.end()) - train.begin();
  EXPECT_NEAR(*description.majority_error, 1 - test[static_cast<std::size_t>(most)] / 1000.0, 1e-12);
  EXPECT_NEAR(majority_error(data), *description.majority_error, 1e-12);
}

TEST(Listops, GivesUpOnLengthsThatDoNotOccur) {
  DataSpec spec = listops(10, 10, 10);
  spec.depth = 2;
  EXPECT_THAT(message_of<InputError>([&] { load(spec); }), AllOf(HasSubstr("depth 2"), HasSubstr("expected 30")));
  spec.arguments = 1;
  EXPECT_THAT(message_of<InputError>([&] { load(spec); }), HasSubstr("at least 2 arguments"));
}

DataSpec text_file(const std::string& path, std::int64_t length, std::int64_t train, std::int64_t rest) {
  DataSpec spec;
  spec.name = spec.source = "text";
  spec.files["path"] = path;
  spec.length = length;
  spec.train = train;
  spec.validation = spec.test = rest;
  return spec;
}

TEST(Text, CutsPartsByPositionAndPredictsTheNextCharacter) {
  const Temporary folder;
  //                                       training 4x3+1  .. validation 3+1, test 3+1
  const std::string path = folder.write("t", "abcabcabcabcaXXabczbcd\xc3\xa9");
  const Dataset data = load(text_file(path, 3, 4, 1));
  EXPECT_TRUE(data.per_position);
  EXPECT_EQ(data.kind, SampleKind::kTokens);
  EXPECT_EQ(data.vocabulary, 5) << "padding, a, b, c and what is not among them";
  EXPECT_EQ(data.classes, 5);
  EXPECT_EQ(data.samples(), 6);
  const auto at = [&](const std::vector<std::int64_t>& all, std::int64_t sample) {
    return std::vector<std::int64_t>(all.begin() + sample * 3, all.begin() + sample * 3 + 3);
  };
  EXPECT_THAT(at(data.tokens, data.train.at(0)), ElementsAre(1, 2, 3));
  EXPECT_THAT(at(data.labels, data.train.at(3)), ElementsAre(2, 3, 1));
  EXPECT_THAT(at(data.tokens, data.validation.at(0)), ElementsAre(1, 2, 3));
  EXPECT_THAT(at(data.labels, data.validation.at(0)), ElementsAre(2, 3, 4));
  EXPECT_THAT(at(data.tokens, data.test.at(0)), ElementsAre(2, 3, 4)) << "b c d";
  EXPECT_THAT(at(data.labels, data.test.at(0)), ElementsAre(3, 4, 4)) << "c d and one of two bytes";
}

TEST(Text, CountsTheWindowsThereAre) {
  const Temporary folder;
  const std::string path = folder.write("t", std::string(103, 'a'));
  DataSpec spec = text_file(path, 10, 8, 1);
  EXPECT_EQ(describe(spec).train_available, 10);
  EXPECT_EQ(load(spec).samples(), 10);
  spec.train = 9;
  EXPECT_THAT(message_of<InputError>([&] { load(spec); }), AllOf(HasSubstr("at most 10"), HasSubstr("103 characters")));
  spec.length = 1000;
  EXPECT_THAT(message_of<InputError>([&] { describe(spec); }), HasSubstr("at most 0"));
}

TEST(Text, NamesTheFirstByteThatIsNoUtf8) {
  EXPECT_THAT(decode_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "t"), ElementsAre(U'a', U'é', U'€', U'😀'));
  for (const char* bad :
       {"ab\x80", "ab\xc3", "ab\xff", "ab\xc0\x80", "ab\xed\xa0\x80", "ab\xf5\x80\x80\x80", "ab\xe2\x82"}) {
    EXPECT_THAT(message_of<InputError>([&] { decode_utf8(bad, "t"); }), HasSubstr("t: byte 2 ")) << bad;
  }
}

std::vector<double> sample_of(const Dataset& data, std::int64_t i) {
  const auto first = data.values.begin() + i * data.features();
  return {first, first + data.features()};
}
double mean_of(const std::vector<double>& x) {
  double sum = 0;
  for (const double value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

TEST(Shift, IsReadFromItsName) {
  EXPECT_EQ(parse_shift("contrast=0.5").amount, 0.5);
  EXPECT_EQ(parse_shift("offset=-0.5").kind, Shift::Kind::kOffset);
  EXPECT_EQ(parse_shift("padding=2x").amount, 2);
  EXPECT_EQ(parse_shift("longer=3x").kind, Shift::Kind::kLonger);
  EXPECT_EQ(parse_shift("batch=1").kind, Shift::Kind::kBatch);
  const auto refusal = [](const std::string& name) { return message_of<InputError>([&] { parse_shift(name); }); };
  EXPECT_THAT(refusal("contrats=2"), AllOf(HasSubstr("unknown shift"), HasSubstr("'contrast'")));
  EXPECT_THAT(refusal("contrast"), HasSubstr("expected 'contrast=X' with a number from 0 to 1000"));
  for (const char* bad :
       {"contrast=", "contrast=-1", "contrast=nan", "noise=inf", "noise=1e9", "offset=1x", "padding=2", "padding=1x",
        "padding=2.5x", "padding=9x", "longer=x", "contrast=1 ", "batch=0", "batch=1.5", "batch=2x"}) {
    EXPECT_THAT(refusal(bad), HasSubstr("expected '")) << bad;
  }
}

TEST(Shift, ChangesValuesOfTheTestPartAlone) {
  for (const char* view : {"", "rows"}) {
    const DataSpec spec = digits(view);
    const Dataset data = load(spec);
    const Dataset half = shifted(data, spec, parse_shift("contrast=0.5"));
    const Dataset offset = shifted(data, spec, parse_shift("offset=0.5"));
    EXPECT_EQ(half.samples(), 20);
    EXPECT_THAT(half.train, IsEmpty());
    EXPECT_EQ(half.test.size(), 20U);
    for (std::int64_t i = 0; i < 20; ++i) {
      const auto before = sample_of(data, data.test[static_cast<std::size_t>(i)]);
      const auto contrast = sample_of(half, i), moved = sample_of(offset, i);
      EXPECT_NEAR(mean_of(contrast), mean_of(before), 1e-5);
      for (std::size_t k = 0; k < before.size(); ++k) {
        EXPECT_NEAR(contrast[k] - mean_of(before), 0.5 * (before[k] - mean_of(before)), 1e-5);
        EXPECT_NEAR(moved[k], before[k] + 0.5, 1e-5);
      }
      EXPECT_EQ(half.labels[static_cast<std::size_t>(i)],
                data.labels[static_cast<std::size_t>(data.test[static_cast<std::size_t>(i)])]);
    }
  }
}

TEST(Shift, AddsTheSameNoiseEachTimeAndAsMuchAsItSays) {
  DataSpec spec = digits("");
  spec.test = 500;
  const Dataset data = load(spec);
  const Dataset a = shifted(data, spec, parse_shift("noise=0.5")), b = shifted(data, spec, parse_shift("noise=0.5"));
  EXPECT_EQ(a.values, b.values);
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < 500; ++i) {
    const auto before = sample_of(data, data.test[static_cast<std::size_t>(i)]), after = sample_of(a, i);
    for (std::size_t k = 0; k < before.size(); ++k) {
      sum += after[k] - before[k];
      squares += (after[k] - before[k]) * (after[k] - before[k]);
    }
  }
  const double count = 500 * 64;  // a standard error of 0.0028 of the mean, 0.002 of the sd: five of those
  EXPECT_NEAR(sum / count, 0, 0.014);
  EXPECT_NEAR(std::sqrt(squares / count), 0.5, 0.01);
  EXPECT_NE(shifted(data, spec, parse_shift("noise=0.5"), Part::kTrain).values, a.values);
}

TEST(Shift, PadsWithoutChangingWhatIsThere) {
  const DataSpec spec = listops(50, 10, 10);
  const Dataset data = load(spec);
  const Dataset padded = shifted(data, spec, parse_shift("padding=2x"));
  EXPECT_EQ(padded.positions(), 2 * data.positions());
  for (std::int64_t i = 0; i < 10; ++i) {
    const std::int64_t before = data.test[static_cast<std::size_t>(i)];
    EXPECT_EQ(padded.lengths[static_cast<std::size_t>(i)], data.lengths[static_cast<std::size_t>(before)]);
    for (std::int64_t t = 0; t < padded.positions(); ++t) {
      const std::int64_t expected =
          t < data.positions() ? data.tokens[static_cast<std::size_t>(before * data.positions() + t)] : 0;
      EXPECT_EQ(padded.tokens[static_cast<std::size_t>(i * padded.positions() + t)], expected);
    }
  }
  const DataSpec rows = digits("rows");
  const Dataset sequences = shifted(load(rows), rows, parse_shift("padding=3x"));
  EXPECT_EQ(sequences.shape, (std::array<std::int64_t, 3>{8, 1, 24}));
  EXPECT_THAT(sequences.lengths, Each(8));
  // Padding stays zero under what changes values.
  const Dataset offset = shifted(sequences, rows, parse_shift("offset=0.5"));
  EXPECT_EQ(offset.values[8 * 8], 0);
  EXPECT_NE(offset.values[0], sequences.values[0]);
}

TEST(Shift, DrawsLongerListops) {
  const DataSpec spec = listops(50, 10, 40);
  const Dataset data = load(spec);
  const Dataset longer = shifted(data, spec, parse_shift("longer=2x"));
  EXPECT_EQ(longer.samples(), 40);
  EXPECT_GT(*std::min_element(longer.lengths.begin(), longer.lengths.end()), 100);
  EXPECT_LE(longer.positions(), 200);
  EXPECT_EQ(longer.tokens, shifted(data, spec, parse_shift("longer=2x")).tokens);
  EXPECT_EQ(shifted(data, spec, parse_shift("longer=2x"), Part::kTrain).samples(), 50);
}

TEST(Shift, RefusesWhatTheDataCannotHave) {
  const DataSpec image = digits(""), tokens = listops(10, 5, 5);
  const Dataset pictures = load(image), expressions = load(tokens);
  const auto refusal = [&](const Dataset& data, const DataSpec& spec, const char* name) {
    return message_of<InputError>([&] { shifted(data, spec, parse_shift(name)); });
  };
  EXPECT_THAT(refusal(pictures, image, "padding=2x"), HasSubstr("images have no padding"));
  EXPECT_THAT(refusal(pictures, image, "longer=2x"), HasSubstr("'listops' alone"));
  EXPECT_THAT(refusal(expressions, tokens, "noise=0.5"), HasSubstr("tokens are no quantities"));
}

}  // namespace
}  // namespace norma::lab
