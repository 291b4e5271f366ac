// The names of the probes, for study files; it knows no torch.
#pragma once

#include <array>
#include <string_view>

namespace norma::lab {

inline constexpr std::array<std::string_view, 7> kProbeNames{"gradient_shift", "moment_shift",    "smoothness", "norms",
                                                             "statistics_gap", "sample_coupling", "invariance"};

// What each measures; "norms" has one of each of its own a layer.
struct ProbeMeasure {
  std::string_view probe, measure;
};
inline constexpr std::array<ProbeMeasure, 15> kProbeMeasures{{{"gradient_shift", "gradient_shift"},
                                                              {"gradient_shift", "gradient_shift_cosine"},
                                                              {"moment_shift", "moment_shift_mean"},
                                                              {"moment_shift", "moment_shift_sd"},
                                                              {"smoothness", "loss_range"},
                                                              {"smoothness", "gradient_change"},
                                                              {"statistics_gap", "statistics_gap_mean"},
                                                              {"statistics_gap", "statistics_gap_sd"},
                                                              {"sample_coupling", "sample_coupling"},
                                                              {"invariance", "weight_rescale_change"},
                                                              {"invariance", "weight_recentre_change"},
                                                              {"invariance", "unit_rescale_change"},
                                                              {"invariance", "data_rescale_change"},
                                                              {"invariance", "data_recentre_change"},
                                                              {"invariance", "sample_rescale_change"}}};

}  // namespace norma::lab
