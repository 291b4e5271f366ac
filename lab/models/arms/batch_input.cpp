// BatchNorm on a recurrent cell's input-to-hidden path alone (Laurent et al. 2016): statistics over samples and steps.
#include "lab/models/arms/batch_norm.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_batch_input(const ArmContext& context) {
  if (context.site != Site::kInput) return make_none(context);
  return std::make_unique<BatchNorm>(context);
}

}  // namespace norma::lab
