// libtorch's own operators, without autograd. They allocate their outputs; main.cpp decides what that costs.
#include <ATen/core/ivalue.h>  // first: see norma_torch/ops.h

#include <ATen/ATen.h>

#include "contender.h"

namespace norma::bench {
namespace {

// The case's tensors; of f64 for the reference.
struct Tensors {
  at::Tensor x, dy, gamma, beta, mean, rstd, variance;

  Tensors(const Case& c, const Inputs& inputs, at::ScalarType type) {
    const auto wrap = [&](const std::vector<float>& values, at::IntArrayRef sizes) {
      return at::from_blob(const_cast<float*>(values.data()), sizes, at::kFloat).to(type);
    };
    std::vector<std::int64_t> sizes(c.shape.sizes().begin(), c.shape.sizes().end());
    const auto image = [&](const std::vector<float>& values) {
      if (c.layout == Layout::kChannelsFirst) return wrap(values, sizes);
      // In memory N, H, W, C; to libtorch an N, C, H, W tensor in channels-last format.
      return wrap(values, {sizes[0], sizes[2], sizes[3], sizes[1]}).permute({0, 3, 1, 2});
    };
    x = image(inputs.x);
    dy = image(inputs.dy);
    gamma = wrap(inputs.gamma, {c.channels()});
    beta = wrap(inputs.beta, {c.channels()});
    std::vector<std::int64_t> statistics{c.statistics()};
    if (!c.batch_norm) {
      statistics = sizes;
      statistics.back() = 1;
    }
    mean = wrap(inputs.mean, statistics);
    rstd = wrap(inputs.rstd, statistics);
    variance = wrap(inputs.variance, statistics);
  }
};

using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Three compute(const Case& c, const Tensors& t) {
  const at::NoGradGuard no_grad;
  const at::Tensor none;
  if (!c.batch_norm) {
    if (c.operation == Operation::kForward) return at::native_layer_norm(t.x, {c.channels()}, t.gamma, t.beta, kEps);
    return at::native_layer_norm_backward(t.dy, t.x, {c.channels()}, t.mean, t.rstd, t.gamma, t.beta,
                                          {true, true, true});
  }
  switch (c.operation) {
    case Operation::kForward:
      return at::native_batch_norm(t.x, t.gamma, t.beta, {}, {}, true, 0.1, kEps);
    case Operation::kInference:
      return at::native_batch_norm(t.x, t.gamma, t.beta, t.mean, t.variance, false, 0.1, kEps);
    case Operation::kBackward:
      return at::native_batch_norm_backward(t.dy, t.x, t.gamma, {}, {}, t.mean, t.rstd, true, kEps, {true, true, true});
  }
  return {};
}

std::vector<float> in_memory_order(const Case& c, const at::Tensor& t) {
  at::Tensor flat = t.to(at::kFloat);
  if (c.layout == Layout::kChannelsLast) flat = flat.permute({0, 2, 3, 1});
  flat = flat.contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

Answers answers_of(const Case& c, const Three& results) {
  const auto copy = [](const at::Tensor& t) {
    const at::Tensor flat = t.to(at::kFloat).contiguous();
    return std::vector<float>(flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel());
  };
  Answers answers{in_memory_order(c, std::get<0>(results)), {}, {}};
  if (c.operation == Operation::kBackward) {
    answers.dgamma = copy(std::get<1>(results));
    answers.dbeta = copy(std::get<2>(results));
  }
  return answers;
}

class TorchContender : public Contender {
 public:
  TorchContender(const Case& c, const Inputs& inputs) : case_(c), tensors_(c, inputs, at::kFloat) {}
  const char* name() const override { return "libtorch"; }
  void run() override {
    // What was there is freed first, so that the allocator may hand out the same memory again.
    results_ = {};
    results_ = compute(case_, tensors_);
  }
  Answers answers() override { return answers_of(case_, results_); }

 private:
  const Case case_;
  const Tensors tensors_;
  Three results_;
};

}  // namespace

std::unique_ptr<Contender> make_torch(const Case& c, const Inputs& inputs) {
  return std::make_unique<TorchContender>(c, inputs);
}

Answers reference_answers(const Case& c, const Inputs& inputs) {
  return answers_of(c, compute(c, Tensors(c, inputs, at::kDouble)));
}

}  // namespace norma::bench
