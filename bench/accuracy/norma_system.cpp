#include <omp.h>

#include <cmath>
#include <limits>

#include "norma/norma.h"
#include "reference/cases.h"
#include "system.h"

namespace norma::accuracy {
namespace {

using reference::Tensor;

std::optional<Tensor> parameter(const Values& values, const Trap& trap) {
  if (values.empty()) return std::nullopt;
  return std::optional<Tensor>(std::in_place, values, trap.parameters, affine_shape(trap.descriptor(), trap.shape));
}

ConstTensorView view_of(const std::optional<Tensor>& tensor) {
  return tensor ? tensor->view() : ConstTensorView();
}

Tensor filled(const Shape& shape, double value) {
  return {Values(static_cast<std::size_t>(shape.elements()), value), DType::kFloat32, shape};
}

Said empty_backward() {
  const Shape shape{4, 2, 0, 3}, channels{2};
  const Tensor x = filled(shape, 0), one = filled(channels, 1);
  Tensor dx(DType::kFloat32, shape), dgamma = filled(channels, 7), dbeta = filled(channels, 7);
  backward(batch_norm(), x.view(), x.view(), {}, one.view(), one.view(), dx.view(), dgamma.view(), dbeta.view());
  const bool right = dgamma.values() == Values{0, 0} && dbeta.values() == Values{0, 0};
  return {right, right ? "zeros" : "something else"};
}

// Moves running statistics of 0 and 1 by this batch of one channel; an error moves nothing.
Said move_running(const Values& x) {
  const Shape shape{static_cast<std::int64_t>(x.size()), 1}, channels{1};
  const Tensor in(x, DType::kFloat32, shape);
  Tensor mean(DType::kFloat64, channels), m2(DType::kFloat64, channels);
  const std::int64_t count = statistics(batch_norm(), in.view(), mean.view(), m2.view());
  const Tensor variance({m2.values()[0] / static_cast<double>(std::max<std::int64_t>(count, 1))}, DType::kFloat64,
                        channels);
  Tensor running_mean({0}, DType::kFloat64, channels), running_var({1}, DType::kFloat64, channels);
  update_running(kTorch, 1, count, mean.view(), variance.view(), running_mean.view(), running_var.view());
  const double moved = running_var.values()[0];
  return {std::isfinite(moved) && std::isfinite(running_mean.values()[0]), "variance " + std::to_string(moved)};
}

class NormaSystem : public System {
 public:
  std::string name() const override { return "Norma " + std::string(version()); }
  void set_threads(int threads) override { omp_set_num_threads(threads); }

  std::optional<Answer> run(const Trap& trap) override {
    const Descriptor descriptor = trap.descriptor();
    const Shape statistics_size = statistics_shape(descriptor, trap.shape);
    const Tensor x(trap.x, trap.dtype, trap.shape, trap.layout, trap.misalign);
    const std::optional<Tensor> gamma = parameter(trap.gamma, trap), beta = parameter(trap.beta, trap);
    Tensor y(trap.dtype, trap.shape, trap.layout, trap.misalign);
    Tensor mean(DType::kFloat64, statistics_size), rstd(DType::kFloat64, statistics_size);
    forward(descriptor, x.view(), view_of(gamma), view_of(beta), y.view(), mean.view(), rstd.view());
    Answer found{y.values(), {}, {}};
    if (trap.dy.empty()) return found;
    const Tensor dy(trap.dy, trap.dtype, trap.shape, trap.layout, trap.misalign);
    Tensor dx(trap.dtype, trap.shape, trap.layout, trap.misalign);
    Tensor dgamma(trap.parameters, affine_shape(descriptor, trap.shape));
    Tensor dbeta(trap.parameters, affine_shape(descriptor, trap.shape));
    backward(descriptor, dy.view(), x.view(), view_of(gamma), descriptor.centred ? mean.view() : TensorView(),
             rstd.view(), dx.view(), dgamma.view(), dbeta.view());
    found.gradients = {dx.values(), dgamma.values(), dbeta.values()};
    if (trap.norm != reference::Norm::kBatch) return found;
    Values means, variances;
    for (std::int64_t c = 0; c < trap.shape[1]; ++c) {
      means.push_back(0.1 * static_cast<double>(c));
      variances.push_back(1 + means.back());
    }
    const Tensor given_mean(means, trap.parameters, statistics_size),
        given(variances, trap.parameters, statistics_size);
    inference(descriptor, x.view(), view_of(gamma), view_of(beta), given_mean.view(), given.view(), y.view());
    found.inferred = y.values();
    return found;
  }

  std::optional<double> deviation(const Values& x, DType dtype) override {
    const Tensor in(x, dtype, {static_cast<std::int64_t>(x.size()), 1});
    Tensor mean(DType::kFloat64, {1}), m2(DType::kFloat64, {1});
    const std::int64_t count = statistics(batch_norm(), in.view(), mean.view(), m2.view());
    return std::sqrt(m2.values()[0] / static_cast<double>(count - 1));
  }

  std::optional<Said> call(Call which) override {
    const Shape shape{6, 5};
    const Tensor x = filled(shape, 1), four = filled({4}, 1), five = filled({5}, 1);
    Tensor y(DType::kFloat32, shape);
    switch (which) {
      case Call::kEmptyInference: {
        const Shape empty{0, 64, 112, 112};
        const Tensor in = filled(empty, 0), statistic = filled({64}, 1);
        Tensor out(DType::kFloat32, empty);
        inference(batch_norm(), in.view(), {}, {}, statistic.view(), statistic.view(), out.view());
        return Said{true, "empty"};
      }
      case Call::kEmptyTraining: {
        const Shape empty{0, 5, 9};
        const Tensor in = filled(empty, 0);
        Tensor out(DType::kFloat32, empty), mean(DType::kFloat32, {5}), rstd(DType::kFloat32, {5});
        forward(batch_norm(), in.view(), {}, {}, out.view(), mean.view(), rstd.view());
        const bool right = std::isfinite(mean.values()[0]) && std::isfinite(rstd.values()[0]);
        return Said{right, right ? "finite" : "NaN"};
      }
      case Call::kEmptyBackward:
        return empty_backward();
      case Call::kOneValueBatch: {
        const Tensor in = filled({1, 3}, 1);
        Tensor out(DType::kFloat32, {1, 3});
        forward(batch_norm(), in.view(), {}, {}, out.view(), {}, {});
        return Said{false, "accepted"};
      }
      case Call::kOneValueInstance: {
        for (const std::int64_t samples : {1, 2}) {
          const Tensor in = filled({samples, 3, 1, 1}, 1);
          Tensor out(DType::kFloat32, {samples, 3, 1, 1});
          forward(instance_norm(), in.view(), {}, {}, out.view(), {}, {});
        }
        return Said{true, "beta for both"};
      }
      case Call::kWrongGamma:
        forward(batch_norm(), x.view(), four.view(), {}, y.view(), {}, {});
        return Said{false, "accepted"};
      case Call::kZeroGroups:
        forward(group_norm(0), x.view(), {}, {}, y.view(), {}, {});
        return Said{false, "accepted"};
      case Call::kRankOne: {
        Tensor out(DType::kFloat32, {5});
        forward(batch_norm(), five.view(), {}, {}, out.view(), {}, {});
        return Said{false, "accepted"};
      }
      case Call::kInferenceWithoutStatistics:
        inference(batch_norm(), x.view(), {}, {}, {}, {}, y.view());
        return Said{false, "accepted"};
      case Call::kLayoutOfGradient:
        return Said{true, "the caller's"};
      case Call::kLargeEpsInInference:
        inference(batch_norm(10), x.view(), {}, {}, filled({5}, 0).view(), filled({5}, 6).view(), y.view());
        return Said{y.values()[0] == 0.25, y.values()[0] == 0.25 ? "added" : "ignored"};
      case Call::kUnbiasedRunning: {
        const Said moved = move_running({1, 3});
        return Said{moved.what == "variance " + std::to_string(2.0), moved.what};
      }
      case Call::kInfiniteBatch:
        return move_running({1, std::numeric_limits<double>::infinity()});
    }
    return std::nullopt;
  }
};

}  // namespace

std::unique_ptr<System> make_norma() {
  return std::make_unique<NormaSystem>();
}

}  // namespace norma::accuracy
