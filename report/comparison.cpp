#include <array>

#include "fields.h"
#include "report.h"

namespace norma::report {

using nlohmann::json;

std::string render_comparison_csv(const json& comparison) {
  check_format("render_comparison_csv", "comparison", comparison, kComparison);
  constexpr std::array kTexts{"/part", "/model", "/arm"};
  constexpr std::array kNumbers{"/normalization_batch",
                                "/a/error/mean",
                                "/a/error/low",
                                "/a/error/high",
                                "/a/n",
                                "/b/error/mean",
                                "/b/error/low",
                                "/b/error/high",
                                "/b/n",
                                "/difference/mean",
                                "/difference/low",
                                "/difference/high",
                                "/pairs",
                                "/p",
                                "/p_holm"};
  std::string csv =
      "part,model,arm,normalization_batch,a_error_mean,a_error_low,a_error_high,a_n,b_error_mean,b_error_low,"
      "b_error_high,b_n,difference_mean,difference_low,difference_high,pairs,p,p_holm,outcome\r\n";
  for (const json& cell : comparison.at("cells")) {
    for (const char* path : kTexts) csv += text_field(cell.at(json::json_pointer(path)).get<std::string>()) + ",";
    for (const char* path : kNumbers) csv += number_field(cell.value(json::json_pointer(path), json())) + ",";
    csv += text_field(cell.at("outcome").get<std::string>()) + "\r\n";
  }
  return csv;
}

}  // namespace norma::report
