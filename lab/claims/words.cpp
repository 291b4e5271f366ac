#include "lab/claims/words.h"

#include <fmt/format.h>

#include <algorithm>

namespace norma::lab {
namespace {

using nlohmann::json;

std::string number_text(const json& value, int digits, bool median) {
  return value.is_null() ? (median ? "∞" : "?") : fmt::format("{:.{}f}", value.get<double>(), digits);
}

}  // namespace

std::string effect_text(const json& contrast) {
  const json& effect = contrast.at("effect");
  if (effect.is_null()) return "not measured";
  const std::string unit = contrast.at("unit").get<std::string>();
  const int digits = unit.starts_with("points") ? 1 : 2;
  const bool median = contrast.at("location") == "median";
  return fmt::format("{} [{}, {}] {}", number_text(effect.at("mean"), digits, median),
                     number_text(effect.at("low"), digits, median), number_text(effect.at("high"), digits, median),
                     unit);
}

std::string exact_text(const json& checks) {
  const auto holding = std::count_if(checks.begin(), checks.end(), [](const json& c) { return c.at("holds") == true; });
  return fmt::format("{} of {} exact checks hold", holding, checks.size());
}

std::string no_count_text(const json& contrast) {
  return contrast.at("learned") == false
             ? "On some model neither side beats the majority baseline, so the result does not count."
             : "";
}

}  // namespace norma::lab
