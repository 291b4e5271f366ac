// GroupNorm (Wu & He 2018).
#include "lab/models/arms/per_sample.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_group(const ArmContext& context) {
  return std::make_unique<PerSample>(context, group_normalization(context.rank, context.trial.groups, kArmEps));
}

}  // namespace norma::lab
