// The results document as the page carries it: small enough to open at once, with all that a page can show.
#pragma once

#include <nlohmann/json.hpp>

namespace norma::report {

// The most points of a learning curve that are kept: more than a chart tells apart.
inline constexpr std::size_t kCurvePoints = 60;

// Numbers of six significant digits, and of long learning curves kCurvePoints points, evenly spread, the first and the
// last among them. Everything else as it is.
nlohmann::json compact(nlohmann::json results);

}  // namespace norma::report
