// What `norma explain` was asked: the words of the command line, and the descriptor and shape they mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "norma/descriptor.h"

namespace norma::cli {

struct ExplainOptions {
  std::string norm;
  std::string shape;
  std::string layout;                  // empty: from the rank
  std::string over;                    // of layer and rms; empty: the usual
  std::string axes;                    // by hand, instead of a norm
  std::optional<std::int64_t> groups;  // of group
};

struct Question {
  std::string title;                       // "BatchNorm"
  std::string source;                      // "Ioffe & Szegedy 2015"; empty if by hand
  std::string letters;                     // the axes in logical order: "nchw"
  std::string layout;                      // as they lie in memory: "nhwc"
  std::vector<std::int64_t> memory_sizes;  // as given
  Shape shape;                             // logical: samples, features, positions...
  Descriptor descriptor;
};

// The names that --norm and --layout take, for help texts.
std::string norm_names();
std::string layout_names();

// Throws UsageError, or norma::Error from the library's own checks.
Question understand(const ExplainOptions& options);

}  // namespace norma::cli
