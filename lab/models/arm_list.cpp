#include "lab/models/arm_list.h"

#include <algorithm>
#include <array>

namespace norma::lab {
namespace {

constexpr std::array kArms{
    Arm{.name = "none",
        .label = "no normalization",
        .over = "nothing",
        .uses_batch = false,
        .uses_groups = false,
        .in_mlp = true,
        .in_cnn = true,
        .refusal = ""},
    Arm{.name = "batch",
        .label = "BatchNorm",
        .over = "the normalization batch (and space), per feature",
        .uses_batch = true,
        .uses_groups = false,
        .in_mlp = true,
        .in_cnn = true,
        .refusal = ""},
    Arm{.name = "layer",
        .label = "LayerNorm",
        .over = "the features of one sample (in images the channels at one position)",
        .uses_batch = false,
        .uses_groups = false,
        .in_mlp = true,
        .in_cnn = true,
        .refusal = ""},
    Arm{.name = "layer_chw",
        .label = "LayerNorm (C,H,W)",
        .over = "all channels and positions of one sample",
        .uses_batch = false,
        .uses_groups = false,
        .in_mlp = false,
        .in_cnn = true,
        .refusal = "an MLP has no positions: there it is the same as \"layer\""},
    Arm{.name = "group",
        .label = "GroupNorm",
        .over = "the features of one group in one sample (and space)",
        .uses_batch = false,
        .uses_groups = true,
        .in_mlp = true,
        .in_cnn = true,
        .refusal = ""},
    Arm{.name = "instance",
        .label = "InstanceNorm",
        .over = "the positions of one channel in one sample",
        .uses_batch = false,
        .uses_groups = false,
        .in_mlp = false,
        .in_cnn = true,
        .refusal = "an MLP has no positions: every statistic would be of one value"},
    Arm{.name = "rms",
        .label = "RMSNorm",
        .over = "the features of one sample (in images the channels at one position), without a mean",
        .uses_batch = false,
        .uses_groups = false,
        .in_mlp = true,
        .in_cnn = true,
        .refusal = ""},
};

}  // namespace

std::span<const Arm> arms() {
  return kArms;
}

const Arm* find_arm(std::string_view name) {
  const auto found = std::ranges::find(kArms, name, &Arm::name);
  return found == kArms.end() ? nullptr : &*found;
}

bool takes(std::string_view model_kind, const Arm& arm) {
  return model_kind == "mlp" ? arm.in_mlp : arm.in_cnn;
}

}  // namespace norma::lab
