// The names of the probes, for study files; it knows no torch.
#pragma once

#include <array>
#include <string_view>

namespace norma::lab {

inline constexpr std::array<std::string_view, 5> kProbeNames{"gradient_shift", "moment_shift", "smoothness", "norms",
                                                             "statistics_gap"};

}  // namespace norma::lab
