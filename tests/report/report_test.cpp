// The report's C++: what it puts into the page, its CSV, and what it refuses. The page itself is tested in Chromium
// (report/page/test).
#include "report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "norma/error.h"

namespace norma::report {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::ThrowsMessage;

json cell() {
  return {{"model", "mlp"},
          {"arm", "batch"},
          {"normalization_batch", 2},
          {"learning_rate", 0.1},
          {"n", 10},
          {"diverged", 1},
          {"crashed", 0},
          {"error", {{"mean", 0.31}, {"low", 0.28}, {"high", 0.35}}},
          {"seconds", 0.4}};
}

json document(json cells = json::array()) {
  return {{"format", kFormat}, {"cells", std::move(cells)}};
}

// The text between the tags of the page's data block.
std::string data_block(const std::string& page) {
  const std::string open = R"(<script type="application/json" id="document">)";
  const std::size_t start = page.find(open) + open.size();
  return page.substr(start, page.find("</script>", start) - start);
}

constexpr const char* kHeader =
    "model,arm,normalization_batch,learning_rate,n,diverged,crashed,error_mean,error_low,error_high,seconds\r\n";

TEST(ReportPage, CarriesTheDocumentUnchanged) {
  json results = document(json::array({cell()}));
  results["study"]["name"] = "a </script> & <b>\xe2\x80\xa8 \"quoted\" \\ \xf0\x9f\xa7\xaa";
  EXPECT_EQ(json::parse(data_block(render_html(results))), results);
}

TEST(ReportPage, CarriesNumbersOfSixDigitsAndCurvesOfSixtyPoints) {
  json results = document(json::array({cell()}));
  results["cells"][0]["error"]["mean"] = 1.0 / 3;
  json curve = json::array();
  for (int step = 0; step < 200; ++step) curve.push_back({{"step", step}});
  results["cells"][0]["curve"] = curve;
  results["parts"] = json::array({{{"cells", results["cells"]}}});
  const json carried = json::parse(data_block(render_html(results)));
  for (const json& one : {carried["cells"][0], carried["parts"][0]["cells"][0]}) {
    EXPECT_EQ(one["error"]["mean"].get<double>(), 0.333333);
    ASSERT_EQ(one["curve"].size(), 60U);
    EXPECT_EQ(one["curve"].front()["step"], 0);
    EXPECT_EQ(one["curve"][1]["step"], 3);
    EXPECT_EQ(one["curve"].back()["step"], 199);
  }
}

TEST(ReportPage, IsOneHtmlFileThatLoadsNothing) {
  const std::string page = render_html(document());
  EXPECT_THAT(page, StartsWith("<!doctype html>"));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, Not(HasSubstr("unsafe-inline")));
  EXPECT_THAT(page, Not(HasSubstr("src=\"")));
  EXPECT_THAT(page, Not(HasSubstr("<link")));
  EXPECT_THAT(page, Not(HasSubstr("placeholder\":\"document")));
  EXPECT_LT(page.size(), 1'000'000u);
}

TEST(ReportPage, LetsNoTextOfTheDataEndItsDataBlock) {
  json results = document();
  results["study"]["name"] = "</script><script>alert(1)</script><!--<script>";
  const std::string plain = render_html(document());
  const std::string page = render_html(results);
  const auto count = [](const std::string& text, const std::string& part) {
    std::size_t n = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
    return n;
  };
  for (const char* part : {"<script", "</script", "<!--"}) EXPECT_EQ(count(page, part), count(plain, part)) << part;
}

TEST(EscapeForScript, WritesMarkupAndLineSeparatorsAsEscapes) {
  EXPECT_EQ(escape_for_script("<>&\xe2\x80\xa8\xe2\x80\xa9"), R"("\u003c\u003e\u0026\u2028\u2029")");
}

TEST(EscapeForScript, LeavesOtherTextAlone) {
  // U+2027 and U+20A8 share their first bytes with the line separators.
  const std::string text = "\"a 'b' \xe2\x80\xa7 \xe2\x82\xa8 \xe5\xbd\x92\"";
  EXPECT_EQ(escape_for_script(json::parse(text)), text);
}

TEST(EscapeForScript, ReplacesBytesThatAreNoUtf8) {
  EXPECT_EQ(escape_for_script(std::string("a\xff<")), "\"a\xef\xbf\xbd\\u003c\"");
}

TEST(EscapeForScript, WritesNumbersThatJsonCannotHoldAsNull) {
  EXPECT_EQ(escape_for_script({std::numeric_limits<double>::quiet_NaN(), 1}), "[null,1]");
}

TEST(ReportCsv, HasOneRowForEachCellUnderAHeader) {
  json other = cell();
  other["arm"] = "layer";
  other["normalization_batch"] = nullptr;
  EXPECT_EQ(render_csv(document(json::array({cell(), other}))), std::string(kHeader) +
                                                                    "mlp,batch,2,0.1,10,1,0,0.31,0.28,0.35,0.4\r\n" +
                                                                    "mlp,layer,,0.1,10,1,0,0.31,0.28,0.35,0.4\r\n");
}

TEST(ReportCsv, IsAHeaderAloneWithoutCells) {
  EXPECT_EQ(render_csv(document()), kHeader);
}

TEST(ReportCsv, WritesEveryDigitOfANumber) {
  json results = document(json::array({cell()}));
  results["cells"][0]["seconds"] = 0.1 + 0.2;
  EXPECT_THAT(render_csv(results), EndsWith(",0.30000000000000004\r\n"));
}

TEST(ReportCsv, LeavesEmptyWhatDoesNotExist) {
  json missing = cell();
  missing["error"] = {{"mean", nullptr}, {"low", nullptr}, {"high", std::numeric_limits<double>::infinity()}};
  missing["seconds"] = nullptr;
  EXPECT_EQ(render_csv(document(json::array({missing}))), std::string(kHeader) + "mlp,batch,2,0.1,10,1,0,,,,\r\n");
  missing["error"] = nullptr;
  EXPECT_EQ(render_csv(document(json::array({missing}))), std::string(kHeader) + "mlp,batch,2,0.1,10,1,0,,,,\r\n");
}

TEST(ReportCsv, QuotesWhatRfc4180Asks) {
  json results = document(json::array({cell()}));
  results["cells"][0]["model"] = "a \"deep\", wide\nnetwork";
  EXPECT_THAT(render_csv(results), HasSubstr("\r\n\"a \"\"deep\"\", wide\nnetwork\",batch,"));
}

TEST(ReportCsv, DisarmsTextThatASpreadsheetWouldRun) {
  for (const std::string start : {"=", "+", "-", "@", "\t", "\r"}) {
    json results = document(json::array({cell()}));
    results["cells"][0]["arm"] = start + "1";
    EXPECT_THAT(render_csv(results), HasSubstr("'" + start + "1"));
  }
}

TEST(ReportCsv, KeepsNegativeNumbersAsNumbers) {
  json results = document(json::array({cell()}));
  results["cells"][0]["seconds"] = -1.5;
  EXPECT_THAT(render_csv(results), EndsWith(",-1.5\r\n"));
}

json comparison() {
  const json error = {{"mean", 0.2}, {"low", 0.1}, {"high", 0.3}};
  return {{"format", kComparison},
          {"cells", json::array({{{"part", ""},
                                  {"model", "=the MLP"},
                                  {"arm", "BatchNorm"},
                                  {"normalization_batch", 2},
                                  {"a", {{"error", error}, {"n", 3}}},
                                  {"b", {{"error", nullptr}, {"n", 0}}},
                                  {"difference", {{"mean", nullptr}, {"low", nullptr}, {"high", nullptr}}},
                                  {"pairs", 0},
                                  {"p", nullptr},
                                  {"p_holm", nullptr},
                                  {"outcome", "not measured"}}})}};
}

TEST(ReportComparison, IsAPageAndOneRowForEachCell) {
  EXPECT_EQ(json::parse(data_block(render_html(comparison()))), comparison());
  EXPECT_THAT(render_comparison_csv(comparison()),
              EndsWith("outcome\r\n,'=the MLP,BatchNorm,2,0.2,0.1,0.3,3,,,,0,,,,0,,,not measured\r\n"));
  EXPECT_THAT([] { render_comparison_csv(document()); }, ThrowsMessage<Error>(HasSubstr("norma-comparison/1")));
}

TEST(ReportErrors, NameTheFormatThatWasExpectedAndTheOneThatCame) {
  const json other = {{"format", "norma-results/2"}};
  const auto message = AllOf(HasSubstr("expected format \"norma-results/1\""), HasSubstr("got \"norma-results/2\""));
  EXPECT_THAT([&] { render_html(other); }, ThrowsMessage<Error>(AllOf(StartsWith("[render_html] results: "), message)));
  EXPECT_THAT([&] { render_csv(other); }, ThrowsMessage<Error>(AllOf(StartsWith("[render_csv] results: "), message)));
}

TEST(ReportErrors, RefuseWhatIsNoResultsDocument) {
  EXPECT_THAT([] { render_html(json::array()); }, ThrowsMessage<Error>(HasSubstr("expected a JSON object, got array")));
  EXPECT_THAT([] { render_html(json::object()); }, ThrowsMessage<Error>(HasSubstr("got none")));
  EXPECT_THAT([] { render_html({{"format", 1}}); }, ThrowsMessage<Error>(HasSubstr("got number")));
  EXPECT_THAT([] { render_html({{"format", "\xff"}}); }, ThrowsMessage<Error>(HasSubstr("got \"\\ufffd\"")));
}

TEST(ReportErrors, NameTheCellAndTheFieldThatIsWrong) {
  json results = document(json::array({cell(), cell()}));
  results["cells"][1]["error"]["low"] = "small";
  EXPECT_THAT([&] { render_csv(results); },
              ThrowsMessage<Error>("[render_csv] cells[1]/error/low: expected a number or null, got string"));
  results["cells"][1] = cell();
  results["cells"][1].erase("arm");
  EXPECT_THAT([&] { render_csv(results); },
              ThrowsMessage<Error>("[render_csv] cells[1]/arm: expected a text, got nothing"));
  results["cells"][1] = 7;
  EXPECT_THAT([&] { render_csv(results); },
              ThrowsMessage<Error>(HasSubstr("cells[1]: expected an object, got number")));
  results.erase("cells");
  EXPECT_THAT([&] { render_csv(results); }, ThrowsMessage<Error>(HasSubstr("cells: expected an array, got nothing")));
}

TEST(ReportCsv, OfSeveralPartsNamesThePartFirst) {
  const json cell = {{"model", "mlp"},       {"arm", "batch"},   {"normalization_batch", nullptr},
                     {"learning_rate", 0.1}, {"n", 0},           {"diverged", 0},
                     {"crashed", 0},         {"error", nullptr}, {"seconds", nullptr}};
  json results = {{"format", kFormat}};
  for (const char* name : {"one", "two"}) results["parts"].push_back({{"name", name}, {"cells", json::array({cell})}});
  const std::string csv = render_csv(results);
  EXPECT_TRUE(csv.starts_with("part,model,arm,"));
  EXPECT_NE(csv.find("\r\none,mlp,batch,,0.1,"), std::string::npos);
  EXPECT_NE(csv.find("\r\ntwo,mlp,batch,,0.1,"), std::string::npos);
  results["parts"][1].erase("name");
  EXPECT_THROW(render_csv(results), norma::Error);
}

}  // namespace
}  // namespace norma::report
