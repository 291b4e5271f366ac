// PreciseBN (Wu & Johnson 2021, section 3): BatchNorm whose statistics for evaluation are those of the training part
// under the final weights, not running averages.
#include "lab/models/arms/batch_norm.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_batch_precise(const ArmContext& context) {
  return std::make_unique<BatchNorm>(context, BatchNorm::Options{.precise = true});
}

}  // namespace norma::lab
