#include "compact.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace norma::report {
namespace {

using nlohmann::json;

double rounded(double value) {
  if (!std::isfinite(value)) return value;
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return std::strtod(text, nullptr);
}

void round_all(json& value) {
  if (value.is_number_float()) value = rounded(value.get<double>());
  if (value.is_structured()) {
    for (json& item : value) round_all(item);
  }
}

void thin(json& curve) {
  if (!curve.is_array() || curve.size() <= kCurvePoints) return;
  json kept = json::array();
  for (std::size_t i = 0; i < kCurvePoints; ++i) {
    kept.push_back(std::move(curve[(i * (curve.size() - 1)) / (kCurvePoints - 1)]));
  }
  curve = std::move(kept);
}

void thin_curves(json& part) {
  if (!part.is_object() || !part.contains("cells")) return;
  for (json& cell : part["cells"]) {
    if (cell.is_object() && cell.contains("curve")) thin(cell["curve"]);
  }
}

}  // namespace

json compact(json results) {
  if (!results.is_object()) return results;
  round_all(results);
  thin_curves(results);
  if (results.contains("parts")) {
    for (json& part : results["parts"]) thin_curves(part);
  }
  return results;
}

}  // namespace norma::report
