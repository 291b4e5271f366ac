// BatchNorm over sequences that counts padding in: the mistake, as an arm.
#include "lab/models/arms/batch_norm.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_batch_naive(const ArmContext& context) {
  return std::make_unique<BatchNorm>(context, BatchNorm::Options{.masks = false});
}

}  // namespace norma::lab
