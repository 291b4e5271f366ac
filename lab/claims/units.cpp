#include "lab/claims/units.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "lab/results/cells.h"

namespace norma::lab {
namespace {

using nlohmann::json;

// "all shifts, statistics taken anew".
std::string shift_words(std::string shift) {
  constexpr std::string_view kAnew = "/reestimated";
  const bool anew = shift.ends_with(kAnew);
  if (anew) shift.resize(shift.size() - kAnew.size());
  if (shift == "*") shift = "all shifts";
  return anew ? shift + ", statistics taken anew" : shift;
}

// "weight rescale" of "weight_rescale_change".
std::string change_words(std::string measure) {
  measure.resize(measure.rfind('_'));
  std::replace(measure.begin(), measure.end(), '_', ' ');
  return measure;
}

}  // namespace

Unit unit_of(const ClaimContrast& contrast) {
  const std::string& measure = contrast.measure;
  const auto error = [&](const std::string& name) { return Unit{name, "points", 100}; };
  Unit unit{measure, "", 1};
  if (measure == "test_error") unit = error("test error");
  if (measure == "validation_error") unit = error("validation error");
  if (measure == "train_error") unit = error("training error");
  if (measure == "error_per_character") unit = error("error per character");
  if (measure == "regret") unit = error("regret");
  if (measure == "spread") unit = error("spread of the test error over seeds");
  if (measure == "trains") unit = error("part of the grid that trains");
  if (measure == "log2_steps_to_target") unit = {"steps to the target", "doublings", 1};
  if (measure == "log2_seconds_to_target") unit = {"seconds to the target", "doublings", 1};
  if (measure == "bits_per_character") unit = {"bits per character", "bits", 1};
  if (measure == "gradient_shift") unit = {"shift of the gradients", "of their norm", 1};
  if (measure == "gradient_shift_cosine") unit = {"shift of the gradients' direction (1 - cos)", "", 1};
  if (measure == "moment_shift_mean") unit = {"shift of the means in one update", "sd", 1};
  if (measure == "moment_shift_sd") unit = {"shift of the sd in one update", "of its logarithm", 1};
  if (measure == "loss_range") unit = {"range of the loss along the gradient", "nats", 1};
  if (measure == "gradient_change") unit = {"change of the gradient along itself", "of its norm", 1};
  if (measure == "sample_coupling") unit = {"coupling of the batch's samples", "of the Jacobian's square", 1};
  if (measure.ends_with("scale_change") || measure.ends_with("centre_change")) {
    unit = {"change of the outputs under " + change_words(measure), "of their norm", 1};
  }
  if (measure.starts_with("drop@")) unit = error("rise of the test error under " + shift_words(measure.substr(5)));
  if (measure.starts_with("error@")) unit = error("test error under " + measure.substr(6));
  if (contrast.reduce == Reduce::kSlope) unit.of += " per doubling of the normalization batch";
  if (contrast.reduce == Reduce::kWorst) unit.name = "worst " + unit.name;
  return unit;
}

json scaled_json(const Interval& interval, double scale) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  json found = interval_json({interval.mean * scale, interval.low * scale, interval.high * scale}, -kAny, kAny);
  for (const auto& [name, value] :
       {std::pair{"mean", interval.mean}, std::pair{"low", interval.low}, std::pair{"high", interval.high}}) {
    if (std::isinf(value)) found["infinite"][name] = value > 0 ? 1 : -1;
  }
  return found;
}

}  // namespace norma::lab
