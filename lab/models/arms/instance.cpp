// InstanceNorm (Ulyanov, Vedaldi & Lempitsky 2016).
#include "lab/models/arms/per_sample.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_instance(const ArmContext& context) {
  return std::make_unique<PerSample>(context, instance_normalization(context.rank, kArmEps));
}

}  // namespace norma::lab
