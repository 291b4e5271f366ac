// DyT, dynamic tanh (Zhu et al. 2025): y = gamma * tanh(alpha x) + beta, one alpha a layer, from 0.5. No statistics.
#include "lab/models/arm.h"

namespace norma::lab {
namespace {

class DynamicTanh final : public ArmLayer {
 public:
  explicit DynamicTanh(const ArmContext& context) {
    sizes_.assign(static_cast<std::size_t>(context.rank), 1);
    sizes_[context.rank == 3 ? 2 : 1] = context.features;
    alpha_ = at::full({1}, 0.5, at::kFloat).requires_grad_();
    gamma_ = at::ones({context.features}, at::kFloat).requires_grad_();
    beta_ = at::zeros({context.features}, at::kFloat).requires_grad_();
  }

  at::Tensor forward(const at::Tensor& x, const Pass& pass) override {
    static_cast<void>(pass);
    return at::tanh(x * alpha_) * gamma_.view(sizes_) + beta_.view(sizes_);
  }
  void append_parameters(std::vector<at::Tensor>& parameters) const override {
    parameters.insert(parameters.end(), {alpha_, gamma_, beta_});
  }
  bool absorbs_bias() const override { return false; }

 private:
  std::vector<std::int64_t> sizes_;
  at::Tensor alpha_, gamma_, beta_;
};

}  // namespace

std::unique_ptr<ArmLayer> make_dyt(const ArmContext& context) {
  return std::make_unique<DynamicTanh>(context);
}

}  // namespace norma::lab
