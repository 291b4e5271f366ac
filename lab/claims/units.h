// How the measures of contrasts are said: what they are called, and in which unit.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "lab/claims/claim.h"
#include "lab/statistics/bootstrap.h"

namespace norma::lab {

// What a measure is called, what its differences are multiplied with and counted in.
struct Unit {
  std::string name, of;
  double scale = 1;
};

Unit unit_of(const ClaimContrast& contrast);

// An interval in a unit. JSON has no infinity: where a number is infinite it is null, and "infinite" has its sign.
nlohmann::json scaled_json(const Interval& interval, double scale);

}  // namespace norma::lab
