// Masked BatchNorm in a Transformer, and one more between the two Linears of each feed-forward part (Yao et al. 2021).
// The network asks for a layer there in every arm; the others leave that place alone (arm.cpp).
#include "lab/models/arms/batch_norm.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_batch_ffn(const ArmContext& context) {
  return std::make_unique<BatchNorm>(context);
}

}  // namespace norma::lab
