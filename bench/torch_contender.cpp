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
    if (!inputs.dy.empty()) dy = image(inputs.dy);
    gamma = wrap(inputs.gamma, {c.channels()});
    beta = wrap(inputs.beta, {c.channels()});
    const Shape kept = statistics_shape(c.descriptor(), c.shape);
    std::vector<std::int64_t> statistics(kept.sizes().begin(), kept.sizes().end());
    if (c.rows()) statistics.push_back(1);
    mean = wrap(inputs.mean, statistics);
    rstd = wrap(inputs.rstd, statistics);
    variance = wrap(inputs.variance, statistics);
  }
};

using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Three layer(const Case& c, const Tensors& t) {
  if (c.operation == Operation::kForward) return at::native_layer_norm(t.x, {c.channels()}, t.gamma, t.beta, kEps);
  return at::native_layer_norm_backward(t.dy, t.x, {c.channels()}, t.mean, t.rstd, t.gamma, t.beta, {true, true, true});
}

// libtorch 1.13 has no RMSNorm: its users write the steps.
Three rms(const Case& c, const Tensors& t) {
  if (c.operation == Operation::kForward) {
    const at::Tensor rstd = at::rsqrt(at::mean(t.x * t.x, {-1}, true) + kEps);
    return {t.x * rstd * t.gamma + t.beta, at::Tensor(), rstd};
  }
  const at::Tensor xhat = t.x * t.rstd;
  const at::Tensor g = t.dy * t.gamma;
  return {t.rstd * (g - xhat * at::mean(g * xhat, {-1}, true)), at::sum(t.dy * xhat, {0}), at::sum(t.dy, {0})};
}

Three batch(const Case& c, const Tensors& t) {
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

// As its autograd calls them, layout included: the backward takes channels first alone.
Three group(const Case& c, const Tensors& t) {
  const std::int64_t samples = t.x.size(0);
  const std::int64_t pixels = t.x.size(2) * t.x.size(3);
  if (c.operation == Operation::kForward) {
    return at::native_group_norm(t.x, t.gamma, t.beta, samples, c.channels(), pixels, kGroups, kEps);
  }
  return at::native_group_norm_backward(t.dy.contiguous(), t.x.contiguous(), t.mean, t.rstd, t.gamma, samples,
                                        c.channels(), pixels, kGroups, {true, true, true});
}

// A BatchNorm of one sample with N*C channels, as at::instance_norm has it.
Three instance(const Case& c, const Tensors& t) {
  if (c.operation == Operation::kForward) {
    return {at::instance_norm(t.x, t.gamma, t.beta, {}, {}, true, 0.1, kEps, false), at::Tensor(), at::Tensor()};
  }
  const std::int64_t samples = t.x.size(0);
  const auto flat = [&](const at::Tensor& image) {
    return image.contiguous().view({1, samples * c.channels(), t.x.size(2), t.x.size(3)});
  };
  const auto [dx, dgamma, dbeta] =
      at::native_batch_norm_backward(flat(t.dy), flat(t.x), t.gamma.repeat(samples), {}, {}, t.mean.flatten(),
                                     t.rstd.flatten(), true, kEps, {true, true, true});
  return {dx.view(t.x.sizes()), dgamma.view({samples, -1}).sum(0), dbeta.view({samples, -1}).sum(0)};
}

Three compute(const Case& c, const Tensors& t) {
  const at::NoGradGuard no_grad;
  switch (c.norm) {
    case Norm::kLayer:
      return layer(c, t);
    case Norm::kRms:
      return rms(c, t);
    case Norm::kBatch:
      return batch(c, t);
    case Norm::kGroup:
      return group(c, t);
    case Norm::kInstance:
      return instance(c, t);
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
  std::string name() const override { return "libtorch"; }
  void run() override {
    // What was there is freed first, so that the allocator may hand out the same memory again.
    release();
    results_ = compute(case_, tensors_);
  }
  void release() override { results_ = {}; }
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
