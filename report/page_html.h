// The pages without their documents, as the build made them from page/ (see page/build.mjs): HTML with one placeholder.
#pragma once

#include <string>

namespace norma::report {

inline constexpr const char* kPlaceholder = "{\"placeholder\":\"document\"}";

std::string report_template();
std::string explain_template();

}  // namespace norma::report
