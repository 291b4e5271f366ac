// LayerNorm (Ba, Kiros & Hinton 2016) over the features at each position.
#include "lab/models/arms/per_sample.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_layer(const ArmContext& context) {
  return std::make_unique<PerSample>(context, over_features(context));
}

}  // namespace norma::lab
