// What the arms that normalize within a sample have in common: one call of the library, the same in training and
// evaluation, gamma and beta per feature.
#pragma once

#include "lab/models/arm.h"
#include "norma_torch/ops.h"

namespace norma::lab {

class PerSample final : public ArmLayer {
 public:
  // how: of the context's rank. centred arms own a beta.
  PerSample(const ArmContext& context, Normalization how);

  at::Tensor forward(const at::Tensor& x, const Pass& pass) override;
  void append_parameters(std::vector<at::Tensor>& parameters) const override;

 private:
  Normalization how_;
  at::Tensor gamma_, beta_;
};

// Over the features at each position: LayerNorm in the context's layout.
Normalization over_features(const ArmContext& context);

}  // namespace norma::lab
