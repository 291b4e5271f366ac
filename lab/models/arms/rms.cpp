// RMSNorm (Zhang & Sennrich 2019): LayerNorm without the mean, and so without beta.
#include "lab/models/arms/per_sample.h"

namespace norma::lab {

std::unique_ptr<ArmLayer> make_rms(const ArmContext& context) {
  Normalization how = over_features(context);
  how.centred = false;
  how.name = "rms_norm";
  return std::make_unique<PerSample>(context, std::move(how));
}

}  // namespace norma::lab
