// Shows a file in the person's browser.
#pragma once

#include <string>

namespace norma::cli {

// Hands the file to $BROWSER, or else to the desktop's opener, and does not wait for it to close. Returns "" where that
// was well, else why nobody will see the file.
std::string open_in_browser(const std::string& path);

}  // namespace norma::cli
