#include "lab/models/arm_list.h"

#include <algorithm>
#include <array>
#include <utility>

namespace norma::lab {
namespace {

// Refusals that several arms share.
constexpr std::string_view kImagesAndVectors = "it goes with MLPs and convolutional networks";
constexpr std::string_view kSequencesAlone = "it goes with Transformers";
constexpr std::string_view kCellsAlone = "it goes with recurrent cells";

constexpr std::array kArms{
#define NORMA_ARM(id, ...) Arm{.name = #id, __VA_ARGS__},
#include "lab/models/arms.def"
#undef NORMA_ARM
};

constexpr std::array<std::pair<std::string_view, unsigned>, 10> kFamilies{{{"mlp", kPlain},
                                                                           {"checks", kPlain},
                                                                           {"linear", kPlain},
                                                                           {"cnn", kConvolutional},
                                                                           {"resnet", kConvolutional},
                                                                           {"rnn", kRecurrent},
                                                                           {"gru", kRecurrent},
                                                                           {"lstm", kRecurrent},
                                                                           {"transformer", kEncoder},
                                                                           {"decoder", kDecoder}}};

}  // namespace

std::span<const Arm> arms() {
  return kArms;
}

const Arm* find_arm(std::string_view name) {
  const auto found = std::ranges::find(kArms, name, &Arm::name);
  return found == kArms.end() ? nullptr : &*found;
}

unsigned family_of(std::string_view model_kind) {
  const auto found = std::ranges::find(kFamilies, model_kind, &std::pair<std::string_view, unsigned>::first);
  return found == kFamilies.end() ? 0 : found->second;
}

bool takes(std::string_view model_kind, const Arm& arm) {
  return (arm.families & family_of(model_kind)) != 0;
}

bool leaks(std::string_view model_kind, const Arm& arm, bool next_token) {
  const unsigned family = family_of(model_kind);
  const bool predicts = family == kDecoder || (family == kRecurrent && next_token);
  return predicts && arm.uses_batch && !arm.per_step;
}

}  // namespace norma::lab
