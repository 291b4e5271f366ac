#include "norma_torch/fold.h"

#include <string>

#include "norma/fold.h"

namespace norma {
namespace {

// In f64, dense: a fold is done once, and f64 holds every type's values.
struct Widened {
  at::Tensor tensor;
  explicit Widened(const at::Tensor& given)
      : tensor(given.defined() ? given.detach().to(at::kCPU, at::kDouble).contiguous() : given) {}
  explicit Widened(const OptionalTensor& given) : Widened(given.has_value() ? *given : at::Tensor()) {}

  ConstTensorView view() const {
    if (!tensor.defined()) return {};
    return {static_cast<const double*>(tensor.data_ptr<double>()),
            Shape(std::span<const std::int64_t>(tensor.sizes().data(), tensor.sizes().size()))};
  }
};

}  // namespace

std::tuple<at::Tensor, at::Tensor> fold_batch_norm(const at::Tensor& weight, const OptionalTensor& bias,
                                                   const OptionalTensor& gamma, const OptionalTensor& beta,
                                                   const at::Tensor& mean, const at::Tensor& variance, double eps,
                                                   int output_axis, std::int64_t groups) {
  const Widened weight_in(weight);
  const Widened mean_in(mean);
  const at::Tensor folded = at::empty_like(weight_in.tensor);
  const at::Tensor shift = at::empty_like(mean_in.tensor);
  const auto out = [](const at::Tensor& tensor) {
    return TensorView(tensor.data_ptr<double>(),
                      Shape(std::span<const std::int64_t>(tensor.sizes().data(), tensor.sizes().size())));
  };
  fold_batch_norm(weight_in.view(), Widened(bias).view(), Widened(gamma).view(), Widened(beta).view(), mean_in.view(),
                  Widened(variance).view(), eps, out(folded), out(shift), output_axis, groups);
  // Rounded once, to the weight's type and its memory format.
  return {at::empty_like(weight).detach().copy_(folded), shift.to(weight.options().requires_grad(false))};
}

}  // namespace norma
