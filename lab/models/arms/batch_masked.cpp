// BatchNorm over the valid positions of sequences.
#include "lab/models/arms/batch_norm.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_batch_masked(const ArmContext& context) {
  return std::make_unique<BatchNorm>(context);
}

}  // namespace norma::lab
