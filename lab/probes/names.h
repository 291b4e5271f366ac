// The names of the probes, for study files; it knows no torch.
#pragma once

#include <array>
#include <string_view>

namespace norma::lab {

inline constexpr std::array<std::string_view, 5> kProbeNames{"gradient_shift", "moment_shift", "smoothness", "norms",
                                                             "statistics_gap"};

// What each measures; "norms" has one of each of its own a layer.
struct ProbeMeasure {
  std::string_view probe, measure;
};
inline constexpr std::array<ProbeMeasure, 8> kProbeMeasures{{{"gradient_shift", "gradient_shift"},
                                                             {"gradient_shift", "gradient_shift_cosine"},
                                                             {"moment_shift", "moment_shift_mean"},
                                                             {"moment_shift", "moment_shift_sd"},
                                                             {"smoothness", "loss_range"},
                                                             {"smoothness", "gradient_change"},
                                                             {"statistics_gap", "statistics_gap_mean"},
                                                             {"statistics_gap", "statistics_gap_sd"}}};

}  // namespace norma::lab
