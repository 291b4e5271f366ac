// BatchNorm that takes the batch's own statistics at test time too, over normalization batches of test samples: what
// remains of BatchNorm's noise once the statistics of training and test no longer differ in kind.
#include "lab/models/arms/batch_norm.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_batch_test(const ArmContext& context) {
  return std::make_unique<BatchNorm>(context, BatchNorm::Options{.batch_evaluation = true});
}

}  // namespace norma::lab
