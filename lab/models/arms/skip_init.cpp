// SkipInit (De & Smith 2020): no normalization; every layer is a residual branch, scaled by a number of its own that
// starts at 0.
#include "lab/models/arm.h"

namespace norma::lab {
namespace {

class SkipInit final : public ArmLayer {
 public:
  SkipInit() { alpha_ = at::zeros({1}, at::kFloat).requires_grad_(); }

  at::Tensor forward(const at::Tensor& x, const Pass& pass) override {
    static_cast<void>(pass);
    return x;
  }
  void append_parameters(std::vector<at::Tensor>& parameters) const override { parameters.push_back(alpha_); }
  bool absorbs_bias() const override { return false; }
  bool adds_residual() const override { return true; }
  at::Tensor branch(const at::Tensor& x) override { return x * alpha_; }

 private:
  at::Tensor alpha_;
};

}  // namespace

std::unique_ptr<ArmLayer> make_skip_init(const ArmContext& context) {
  static_cast<void>(context);
  return std::make_unique<SkipInit>();
}

}  // namespace norma::lab
