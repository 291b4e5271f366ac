// The page without its results, as the build made it from page/ (see page/build.mjs): HTML with one placeholder.
#pragma once

#include <string>

namespace norma::report {

inline constexpr const char* kPlaceholder = "{\"placeholder\":\"results\"}";

std::string page_template();

}  // namespace norma::report
