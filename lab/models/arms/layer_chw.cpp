// LayerNorm over all channels and positions of a sample, gamma and beta per channel.
#include "lab/models/arms/per_sample.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_layer_chw(const ArmContext& context) {
  return std::make_unique<PerSample>(context, group_normalization(context.rank, 1, kArmEps));
}

}  // namespace norma::lab
