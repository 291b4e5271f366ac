// Tables of the user's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/data/csv.h"
#include "lab/data/dataset.h"
#include "lab/error.h"
#include "temporary.h"

namespace norma::lab {
namespace {

using norma::testing::message_of;
using norma::testing::Temporary;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::vector<std::vector<std::string>> records(const std::string& text) {
  CsvReader reader(text, "t.csv");
  std::vector<std::vector<std::string>> found;
  for (CsvRecord record; reader.next(record);) found.push_back(record.fields);
  return found;
}

TEST(Csv, SplitsRecordsAsRfc4180Says) {
  EXPECT_THAT(records("a,b,c\r\n1,2,3\r\n"), ElementsAre(ElementsAre("a", "b", "c"), ElementsAre("1", "2", "3")));
  EXPECT_THAT(records("a,b"), ElementsAre(ElementsAre("a", "b")));
  EXPECT_THAT(records("a,\n,b\n"), ElementsAre(ElementsAre("a", ""), ElementsAre("", "b")));
  EXPECT_THAT(records("\"a,b\",\"c \"\"d\"\"\"\n\"e\nf\",g\n"),
              ElementsAre(ElementsAre("a,b", "c \"d\""), ElementsAre("e\nf", "g")));
  EXPECT_THAT(records("\xef\xbb\xbf"
                      "a,b\n\n\n1,2\n"),
              ElementsAre(ElementsAre("a", "b"), ElementsAre("1", "2")));
  EXPECT_THAT(records("a;b,x;c\n"), ElementsAre(ElementsAre("a", "b,x", "c")));
  EXPECT_THAT(records("a\tb\r\n"), ElementsAre(ElementsAre("a", "b")));
  EXPECT_THAT(records(""), ElementsAre());
}

TEST(Csv, RefusesQuotesThatDoNotEndOrEndEarly) {
  EXPECT_EQ(message_of<InputError>([] { records("a,b\n1,\"2\n3,4\n"); }), "t.csv:2: a quote that does not end");
  EXPECT_THAT(message_of<InputError>([] { records("a,b\n\"1\"x,2\n"); }), HasSubstr("t.csv:2: expected ','"));
}

struct Tables {
  Temporary folder;
  DataSpec spec;

  explicit Tables(const std::string& text) {
    spec.name = "t";
    spec.source = "csv";
    spec.files["path"] = folder.write("t.csv", text);
  }
  Contents read() const { return read_csv_contents(spec); }
  std::string refusal() const {
    return message_of<InputError>([&] { read(); });
  }
};

std::string refusal_of(const std::string& text) {
  return Tables(text).refusal();
}

TEST(Csv, TakesTheLastColumnForTheLabelsAndSortsThemIntoClasses) {
  const Contents contents = Tables("w,h,kind\n1,2,pear\n3,4,apple\n5,-6e1,pear\n+7, 8 ,apple\n").read();
  EXPECT_THAT(contents.class_names, ElementsAre("apple", "pear"));
  EXPECT_THAT(contents.training.labels, ElementsAre(1, 0, 1, 0));
  EXPECT_EQ(contents.training.shape, (std::array<std::int64_t, 3>{1, 1, 2}));
  EXPECT_THAT(std::get<std::vector<double>>(contents.training.values), ElementsAre(1, 2, 3, 4, 5, -60, 7, 8));
}

TEST(Csv, SortsWholeNumbersByValue) {
  const Contents contents = Tables("1,10\n2,9\n3,10\n4,9.0\n5,-1\n6,-1\n").read();
  EXPECT_THAT(contents.class_names, ElementsAre("-1", "9", "10"));
  EXPECT_THAT(contents.training.labels, ElementsAre(2, 1, 2, 1, 0, 0));
}

TEST(Csv, FindsTheLabelByNameOrNumberAndIgnoresWhatItIsTold) {
  Tables tables("id,kind,w,note\n7,a,1.5,x\n8,b,2.5,\n9,a,3.5,z\n");
  tables.spec.label = "kind";
  tables.spec.ignore = {"id", "note"};
  const Contents contents = tables.read();
  EXPECT_THAT(std::get<std::vector<double>>(contents.training.values), ElementsAre(1.5, 2.5, 3.5));
  EXPECT_THAT(contents.training.labels, ElementsAre(0, 1, 0));
  tables.spec.label = "2";
  tables.spec.ignore = {"1", "4"};
  EXPECT_THAT(tables.read().training.labels, ElementsAre(0, 1, 0));
  tables.spec.label = "knid";
  EXPECT_THAT(tables.refusal(), AllOf(HasSubstr("t.csv:1: no column 'knid'"), HasSubstr("did you mean 'kind'?")));
  tables.spec.label = "5";
  EXPECT_THAT(tables.refusal(), HasSubstr("no column 5: there are 4"));
  tables.spec.label = "id";
  EXPECT_THAT(tables.refusal(), HasSubstr("to be ignored"));
}

TEST(Csv, TellsAHeaderFromNumbers) {
  EXPECT_EQ(Tables("1,2,a\n3,4,b\n").read().training.count, 2);
  EXPECT_EQ(Tables("x,y,a\n3,4,b\n1,1,c\n").read().training.count, 2);
  Tables years("1990,1991,a\n3,4,b\n5,6,a\n7,8,b\n");
  EXPECT_EQ(years.read().training.count, 4) << "names that are numbers have to be told";
  years.spec.header = "yes";
  EXPECT_EQ(years.read().training.count, 3);
  Tables names("x,y,z\n1,2,a\n3,4,b\n");
  names.spec.header = "no";
  EXPECT_THAT(names.refusal(), AllOf(HasSubstr("t.csv:1: column 1: expected a finite number, got 'x'")));
}

TEST(Csv, NamesFileLineColumnExpectedAndFound) {
  EXPECT_THAT(refusal_of("w,h,kind\n1,2,a\n1,red,b\n"),
              EndsWith("t.csv:3: column 2 ('h'): expected a finite number, got 'red'"));
  EXPECT_THAT(refusal_of("w,h,kind\n1,,a\n"), EndsWith("t.csv:2: column 2 ('h'): expected a finite number, got an "
                                                       "empty field"));
  for (const char* bad : {"nan", "inf", "-inf", "1e400", "0x10", "1 2", "1e101"}) {
    EXPECT_THAT(refusal_of("w,kind\n1,a\n" + std::string(bad) + ",a\n"), HasSubstr(":3: column 1 ('w'): expected"))
        << bad;
  }
  EXPECT_THAT(refusal_of("w,kind\n1,a\n2, \n"),
              EndsWith(":3: column 2 ('kind'): expected a label, got an empty field"));
  EXPECT_THAT(refusal_of("w,kind\n1,a\n2\n"), EndsWith(":3: expected 2 columns as in the first line, got 1"));
  EXPECT_THAT(refusal_of("\"w\nx\",kind\n1,a\n2\n"), EndsWith(":4: expected 2 columns as in the first line, got 1"));
  EXPECT_THAT(refusal_of("1,a\nx,a\n"), HasSubstr(":2: column 1: expected a finite number, got 'x'"));
  EXPECT_THAT(refusal_of("1,?,a\n2,3,a\n"), HasSubstr("header = true"));
  EXPECT_THAT(refusal_of("w,price\n1,2.5\n"), HasSubstr(":2: column 2 ('price'): expected a label"));
  EXPECT_THAT(refusal_of("w,id\n1,k1\n1,k2\n1,k3\n"), HasSubstr("3 different labels in 3 lines"));
  EXPECT_THAT(refusal_of("w\n1\n"), HasSubstr("expected 2 to"));
  EXPECT_THAT(refusal_of("w,kind\n"), HasSubstr("a header without lines"));
  EXPECT_THAT(refusal_of(""), HasSubstr("empty"));
}

TEST(Csv, SurvivesBytesThatAreNoText) {
  std::string noise = "w,kind\n";
  for (int i = 0; i < 2000; ++i) noise += static_cast<char>((i * 7919) % 256);
  EXPECT_NE(refusal_of(noise), "");
  EXPECT_NE(refusal_of(std::string(100'000, ',')), "");
  EXPECT_NE(refusal_of(std::string(100'000, '"')), "");
}

TEST(Csv, HoldsTestFilesAgainstTrainingFiles) {
  Tables tables("w,kind\n1,a\n2,b\n3,a\n4,b\n");
  tables.spec.files["test_path"] = tables.folder.write("u.csv", "w,kind\n5,b\n6,a\n");
  tables.spec.train = 3;
  tables.spec.validation = 1;
  tables.spec.test = 2;
  EXPECT_EQ(load(tables.spec).samples(), 6);
  tables.folder.write("u.csv", "w,what\n5,b\n6,a\n");
  EXPECT_THAT(tables.refusal(), AllOf(HasSubstr("u.csv"), HasSubstr("w, kind"), HasSubstr("w, what")));
}

TEST(Csv, IsSharedOutWhereNoSizesAreGiven) {
  std::string text;
  for (int i = 0; i < 103; ++i) text += std::to_string(i) + "," + (i % 2 == 0 ? "even" : "odd") + "\n";
  Tables tables(text);
  const DataDescription description = describe(tables.spec);
  share_out(tables.spec, description);
  EXPECT_EQ(tables.spec.train, 63);
  EXPECT_EQ(tables.spec.validation, 20);
  EXPECT_EQ(tables.spec.test, 20);
  EXPECT_EQ(load(tables.spec).samples(), 103);
  EXPECT_NEAR(*description.majority_error, majority_error(load(tables.spec)), 1e-12);
}

}  // namespace
}  // namespace norma::lab
