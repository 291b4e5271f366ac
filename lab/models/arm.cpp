#include "lab/models/arm.h"

#include <string>

#include "lab/error.h"
#include "lab/models/arm_list.h"

namespace norma::lab {
namespace {

void check(const ArmContext& context, const Arm& arm) {
  const TrialSpec& trial = context.trial;
  if (!takes(trial.model.kind, arm)) {
    throw InputError("a model of kind '" + trial.model.kind + "' cannot take the arm '" + trial.arm +
                     "': " + std::string(arm.refusal));
  }
  if (arm.uses_batch != (trial.normalization_batch > 0)) {
    throw InputError("arm '" + trial.arm + "': expected a normalization batch " +
                     (arm.uses_batch ? "above 0" : "of 0 (it does not share over the batch)") + ", got " +
                     std::to_string(trial.normalization_batch));
  }
  if (arm.uses_batch && trial.training.sgd_batch % trial.normalization_batch != 0) {
    throw InputError("the normalization batch " + std::to_string(trial.normalization_batch) +
                     " does not divide the SGD batch " + std::to_string(trial.training.sgd_batch));
  }
  if (arm.uses_groups && (trial.groups < 1 || context.features % trial.groups != 0)) {
    throw InputError("arm '" + trial.arm + "': " + std::to_string(trial.groups) + " groups do not divide " +
                     std::to_string(context.features) + " features");
  }
}

}  // namespace

std::unique_ptr<ArmLayer> make_arm(const ArmContext& context) {
  const std::string& name = context.trial.arm;
  const Arm* arm = find_arm(name);
  if (arm == nullptr) throw InputError("unknown arm '" + name + "'");
  check(context, *arm);
  // Only the arm that is made for it normalizes there.
  if (context.site == Site::kBetweenLinear && name != "batch_ffn") return make_none(context);
#define NORMA_ARM(id, ...) \
  if (name == #id) return make_##id(context);
#include "lab/models/arms.def"
#undef NORMA_ARM
  return nullptr;
}

}  // namespace norma::lab
