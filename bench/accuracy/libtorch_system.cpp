// libtorch's own operators on the CPU.
#include <ATen/core/ivalue.h>  // first: see norma_torch/ops.h

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <cmath>
#include <limits>

#include "system.h"

namespace norma::accuracy {
namespace {

at::ScalarType type_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return at::kDouble;
    case DType::kBFloat16:
      return at::kBFloat16;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kFloat32:
      break;
  }
  return at::kFloat;
}

at::Tensor tensor(const Values& values, at::IntArrayRef sizes, DType dtype, Layout layout = Layout::kChannelsFirst,
                  int misalign = 0) {
  const at::Tensor from =
      at::from_blob(const_cast<double*>(values.data()), sizes, at::kDouble).to(type_of(dtype)).clone();
  if (layout == Layout::kChannelsLast) return from.contiguous(at::MemoryFormat::ChannelsLast);
  if (misalign == 0) return from;
  at::Tensor moved = at::empty({from.numel() + misalign}, from.options()).narrow(0, misalign, from.numel()).view(sizes);
  return moved.copy_(from);
}

Values values_of(const at::Tensor& t) {
  const at::Tensor flat = t.to(at::kDouble).contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
constexpr std::array<bool, 3> kAll{true, true, true};

struct Inputs {
  at::Tensor x, dy, gamma, beta;
  std::vector<std::int64_t> sizes, normalized;

  explicit Inputs(const Trap& trap) : sizes(trap.shape.sizes().begin(), trap.shape.sizes().end()) {
    x = tensor(trap.x, sizes, trap.dtype, trap.layout, trap.misalign);
    if (!trap.dy.empty()) dy = tensor(trap.dy, sizes, trap.dtype, trap.layout, trap.misalign);
    const Shape parameters = affine_shape(trap.descriptor(), trap.shape);
    normalized.assign(parameters.sizes().begin(), parameters.sizes().end());
    if (!trap.gamma.empty()) gamma = tensor(trap.gamma, normalized, trap.parameters);
    if (!trap.beta.empty()) beta = tensor(trap.beta, normalized, trap.parameters);
  }
  std::int64_t space() const { return x.numel() / std::max<std::int64_t>(1, sizes[0] * sizes[1]); }
};

Three forward(const Trap& trap, const Inputs& in) {
  switch (trap.norm) {
    case reference::Norm::kLayer:
      return at::native_layer_norm(in.x, in.normalized, in.gamma, in.beta, trap.eps);
    case reference::Norm::kGroup:
      return at::native_group_norm(in.x, in.gamma, in.beta, in.sizes[0], in.sizes[1], in.space(), trap.part, trap.eps);
    case reference::Norm::kInstance:
      return {at::instance_norm(in.x, in.gamma, in.beta, {}, {}, true, 0.1, trap.eps, false), {}, {}};
    default:
      return at::native_batch_norm(in.x, in.gamma, in.beta, {}, {}, true, 0.1, trap.eps);
  }
}

Three backward(const Trap& trap, const Inputs& in, const at::Tensor& mean, const at::Tensor& rstd) {
  if (trap.norm == reference::Norm::kLayer) {
    return at::native_layer_norm_backward(in.dy, in.x, in.normalized, mean, rstd, in.gamma, in.beta, kAll);
  }
  if (trap.norm == reference::Norm::kGroup) {
    return at::native_group_norm_backward(in.dy, in.x, mean, rstd, in.gamma, in.sizes[0], in.sizes[1], in.space(),
                                          trap.part, kAll);
  }
  return at::native_batch_norm_backward(in.dy, in.x, in.gamma, {}, {}, mean, rstd, true, trap.eps, kAll);
}

Said running(const at::Tensor& x) {
  const at::Tensor mean = at::zeros({x.size(1)}), variance = at::ones({x.size(1)});
  at::batch_norm(x, {}, {}, mean, variance, true, 1.0, 1e-5, false);
  const double moved = variance[0].item<double>();
  return {std::isfinite(moved) && std::isfinite(mean[0].item<double>()), "variance " + std::to_string(moved)};
}

class LibtorchSystem : public System {
 public:
  std::string name() const override { return std::string("libtorch ") + TORCH_VERSION; }
  void set_threads(int threads) override { at::set_num_threads(threads); }

  std::optional<Answer> run(const Trap& trap) override {
    if (trap.norm == reference::Norm::kRms) return std::nullopt;  // since 2.4
    const at::NoGradGuard no_grad;
    const Inputs in(trap);
    const auto [y, mean, rstd] = forward(trap, in);
    Answer found{values_of(y), {}, {}};
    if (trap.dy.empty()) return found;
    const auto [dx, dgamma, dbeta] = backward(trap, in, mean, rstd);
    found.gradients = {values_of(dx), values_of(dgamma), values_of(dbeta)};
    if (trap.norm != reference::Norm::kBatch) return found;
    const at::Tensor means = at::arange(trap.shape[1], at::kDouble) * 0.1;
    const auto type = type_of(trap.parameters);
    found.inferred = values_of(
        at::batch_norm(in.x, in.gamma, in.beta, means.to(type), (means + 1).to(type), false, 0.1, trap.eps, false));
    return found;
  }

  std::optional<double> deviation(const Values& x, DType dtype) override {
    const at::Tensor in = tensor(x, {static_cast<std::int64_t>(x.size()), 1}, dtype);
    const at::Tensor mean = at::zeros({1}, in.options()), variance = at::ones({1}, in.options());
    at::batch_norm(in, {}, {}, mean, variance, true, 1.0, 1e-5, false);
    return std::sqrt(variance.item<double>());
  }

  std::optional<Said> call(Call which) override {
    const at::NoGradGuard no_grad;
    const at::Tensor x = at::ones({6, 5});
    switch (which) {
      case Call::kEmptyInference:
        at::batch_norm(at::empty({0, 64, 112, 112}), {}, {}, at::zeros({64}), at::ones({64}), false, 0.1, 1e-5, false);
        return Said{true, "empty"};
      case Call::kEmptyTraining:
        return running(at::empty({0, 5, 9}));
      case Call::kEmptyBackward: {
        const at::Tensor in = at::empty({4, 2, 0, 3}), one = at::ones({2});
        const auto [dx, dgamma, dbeta] =
            at::native_batch_norm_backward(in, in, one, {}, {}, one, one, true, 1e-5, kAll);
        const bool right = dgamma.defined() && dbeta.defined() && at::equal(dgamma, at::zeros({2})) &&
                           at::equal(dbeta, at::zeros({2}));
        return Said{right, !dgamma.defined() ? "undefined" : right ? "zeros" : "not 0"};
      }
      case Call::kOneValueBatch:
        return Said{false, "running " + running(at::ones({1, 3})).what};
      case Call::kOneValueInstance:
        for (const std::int64_t samples : {1, 2}) {
          at::instance_norm(at::ones({samples, 3, 1, 1}), {}, {}, {}, {}, true, 0.1, 1e-5, false);
        }
        return Said{true, "the same"};
      case Call::kWrongGamma:
        at::batch_norm(x, at::ones({4}), {}, {}, {}, true, 0.1, 1e-5, false);
        return Said{false, "accepted"};
      case Call::kZeroGroups:
        at::group_norm(x, 0);
        return Said{false, "accepted"};
      case Call::kRankOne:
        at::batch_norm(at::ones({5}), {}, {}, {}, {}, true, 0.1, 1e-5, false);
        return Said{false, "accepted"};
      case Call::kInferenceWithoutStatistics:
        at::batch_norm(x, {}, {}, {}, {}, false, 0.1, 1e-5, false);
        return Said{false, "accepted"};
      case Call::kLayoutOfGradient: {
        const at::Tensor in = at::rand({2, 3, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast), one = at::ones({3});
        const at::Tensor dy = at::rand({2, 3, 4, 5});
        const at::Tensor dx =
            std::get<0>(at::native_batch_norm_backward(dy, in, one, {}, {}, one, one, true, 1e-5, kAll));
        const bool right = dx.is_contiguous(at::MemoryFormat::ChannelsLast);
        return Said{right, right ? "channels last" : "another"};
      }
      case Call::kLargeEpsInInference: {
        const at::Tensor y = at::batch_norm(x, {}, {}, at::zeros({5}), at::full({5}, 6.0), false, 0.1, 10, false);
        const bool right = y[0][0].item<double>() == 0.25;
        return Said{right, right ? "added" : "ignored or inexact"};
      }
      case Call::kUnbiasedRunning: {
        const Said moved = running(at::tensor({1.0F, 3.0F}).view({2, 1}));
        return Said{moved.what == "variance " + std::to_string(2.0), moved.what};
      }
      case Call::kInfiniteBatch:
        return running(at::tensor({1.0F, std::numeric_limits<float>::infinity()}).view({2, 1}));
    }
    return std::nullopt;
  }
};

}  // namespace

std::unique_ptr<System> make_libtorch() {
  return std::make_unique<LibtorchSystem>();
}

}  // namespace norma::accuracy
