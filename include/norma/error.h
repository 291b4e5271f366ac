// What the library throws: one type, for a caller's mistake. The message names the operation, what was
// expected and what came, e.g. "[layer_norm] gamma: expected shape (768), got (512)".
// The library never prints, aborts or exits.
#pragma once

#include <stdexcept>
#include <string>

namespace norma {

class Error : public std::invalid_argument {
 public:
  explicit Error(const std::string& message) : std::invalid_argument(message) {}
};

}  // namespace norma
