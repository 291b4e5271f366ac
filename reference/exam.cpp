#include "reference/exam.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "reference/compare.h"

namespace norma::reference {
namespace {

constexpr double kWrong = std::numeric_limits<double>::infinity();

// Random values as a tensor of this type holds them.
Values rounded(const Values& values, DType dtype) {
  return Tensor(values, dtype, Shape{static_cast<std::int64_t>(values.size())}).values();
}

// A view of a tensor that may be absent.
ConstTensorView view_of(const std::optional<Tensor>& tensor) {
  return tensor ? tensor->view() : ConstTensorView();
}

Values times(Values values, double factor) {
  for (double& value : values) value *= factor;
  return values;
}

void mark(Outcome& outcome, const Tensor& result, const Values& want, const Values& scale, DType dtype) {
  const double error = result.guards_intact() ? largest_error(result.values(), want, scale, dtype) : kWrong;
  outcome.error = std::max(outcome.error, error);
  const std::vector<std::byte> bits = result.bytes();
  outcome.bits.insert(outcome.bits.end(), bits.begin(), bits.end());
}

}  // namespace

const char* name_of(Operation operation) {
  switch (operation) {
    case Operation::kForward:
      return "forward";
    case Operation::kBackward:
      return "backward";
    case Operation::kInference:
      return "inference";
    case Operation::kInferenceBackward:
      return "inference backward";
    case Operation::kStatistics:
      break;
  }
  return "statistics";
}

double allowed_error(Operation operation, DType dtype, DType saved) {
  const bool backward = operation == Operation::kBackward || operation == Operation::kInferenceBackward;
  if (is_short(dtype)) return operation == Operation::kBackward && saved == dtype ? 8 : 1.01;
  // In f64 the sums have no wider type to run in.
  return backward || dtype == DType::kFloat64 ? 8 : 4;
}

Exam::Exam(const Case& problem, const Data& data) : case_(problem), data_(data) {
  const Descriptor& d = case_.descriptor;
  const Shape& shape = case_.shape;
  const std::int64_t parameters = affine_shape(d, shape).elements();
  const std::int64_t statistics_count = statistics_shape(d, shape).elements();
  const std::uint64_t seed = data.seed * 100;
  x_ = rounded(normal(shape.elements(), seed, data.mean, data.sigma), data.dtype);
  dy_ = rounded(normal(shape.elements(), seed + 1), data.dtype);
  if (data.gamma) gamma_ = rounded(normal(parameters, seed + 2, 1, 0.5), affine_type());
  if (data.beta) beta_ = rounded(normal(parameters, seed + 3), affine_type());
  if (d.centred) running_mean_ = rounded(normal(statistics_count, seed + 4, data.mean, data.sigma / 4), data.dtype);
  running_variance_ = normal(statistics_count, seed + 5, 0, data.sigma);
  for (double& value : running_variance_) value = 0.1 + value * value;
  running_variance_ = rounded(running_variance_, data.dtype);

  if (data.mask_axes != 0) mask_.emplace(case_, data.mask_axes, seed + 6);
  const Mask mask = mask_ ? mask_->elements() : Mask();
  spoil(x_, mask);
  spoil(dy_, mask);
  const Moments moments = statistics(d, shape, x_, mask);
  const auto& counts = moments.count;
  count_ = counts.empty() ? 0 : counts.front();
  if (std::any_of(counts.begin(), counts.end(), [&](std::int64_t n) { return n != count_; })) count_ = -1;
  Forward saved = reference::forward(d, shape, x_, gamma_, beta_, mask);
  y_ = {std::move(saved.y), forward_scale(d, shape, x_, gamma_, beta_, mask)};
  mean_ = {std::move(saved.mean), mean_scale(moments)};
  rstd_ = {saved.rstd, saved.rstd};
  m2_ = {moments.m2, moments.m2};
  inferred_ = {reference::inference(d, shape, x_, gamma_, beta_, running_mean_, running_variance_, mask),
               inference_scale(d, shape, x_, gamma_, beta_, running_mean_, running_variance_, mask)};
  backward_ = reference::backward(d, shape, dy_, x_, gamma_, mask);
  backward_scale_ = backward_scale(d, shape, dy_, x_, gamma_, false, mask);
  backward_scale_rounded_ = backward_scale(d, shape, dy_, x_, gamma_, true, mask);
  inference_backward_ =
      reference::inference_backward(d, shape, dy_, x_, gamma_, running_mean_, running_variance_, mask);
  inference_backward_scale_ =
      inference_backward_scale(d, shape, dy_, x_, gamma_, running_mean_, running_variance_, mask);
}

Outcome Exam::run(Operation operation, const Placement& placement, const Subject& subject) const {
  switch (operation) {
    case Operation::kForward:
      return run_forward(placement, subject);
    case Operation::kInference:
      return run_inference(placement, subject);
    case Operation::kStatistics:
      return run_statistics(placement, subject);
    case Operation::kBackward:
    case Operation::kInferenceBackward:
      break;
  }
  return run_gradient(operation, placement, subject);
}

Outcome Exam::run_forward(const Placement& placement, const Subject& subject) const {
  const auto [layout, saved, misalign] = placement;
  const Shape parameters = affine_shape(case_.descriptor, case_.shape);
  const Shape statistics_size = statistics_shape(case_.descriptor, case_.shape);
  const Tensor x(x_, data_.dtype, case_.shape, layout, misalign);
  std::optional<Tensor> gamma;
  std::optional<Tensor> beta;
  if (data_.gamma) gamma.emplace(gamma_, affine_type(), parameters);
  if (data_.beta) beta.emplace(beta_, affine_type(), parameters);
  Tensor y(data_.dtype, case_.shape, layout, misalign);
  Tensor mean(saved, statistics_size);
  Tensor rstd(saved, statistics_size);
  subject.forward(case_.descriptor, x.view(), view_of(gamma), view_of(beta), y.view(), mean.view(), rstd.view(), mask(),
                  {});
  Outcome outcome;
  mark(outcome, y, y_.want, y_.scale, data_.dtype);
  mark(outcome, mean, mean_.want, mean_.scale, data_.dtype);
  mark(outcome, rstd, rstd_.want, rstd_.scale, data_.dtype);
  return outcome;
}

Outcome Exam::run_gradient(Operation operation, const Placement& placement, const Subject& subject) const {
  const auto [layout, saved, misalign] = placement;
  const bool training = operation == Operation::kBackward;
  const Shape parameters = affine_shape(case_.descriptor, case_.shape);
  const Shape statistics_size = statistics_shape(case_.descriptor, case_.shape);
  const Tensor x(x_, data_.dtype, case_.shape, layout, misalign);
  const Tensor dy(dy_, data_.dtype, case_.shape, layout, misalign);
  std::optional<Tensor> gamma;
  std::optional<Tensor> mean;
  if (data_.gamma) gamma.emplace(gamma_, affine_type(), parameters);
  // The oracle's own statistics, so that this is an exam of the gradient alone.
  if (case_.descriptor.centred) mean.emplace(training ? mean_.want : running_mean_, saved, statistics_size);
  const Tensor spread(training ? rstd_.want : running_variance_, saved, statistics_size);
  Tensor dx(data_.dtype, case_.shape, layout, misalign);
  Tensor dgamma(affine_type(), parameters);
  Tensor dbeta(affine_type(), parameters);
  const auto gradient = training ? subject.backward : subject.inference_backward;
  gradient(case_.descriptor, dy.view(), x.view(), view_of(gamma), view_of(mean), spread.view(), dx.view(),
           dgamma.view(), dbeta.view(), mask(), {});
  const bool rounded_mean = saved == data_.dtype;
  const DType sums_type = rounded_mean ? data_.dtype : affine_type();
  const Gradients& want = training ? backward_ : inference_backward_;
  const Gradients& scale =
      !training ? inference_backward_scale_ : (rounded_mean ? backward_scale_rounded_ : backward_scale_);
  Outcome outcome;
  mark(outcome, dx, want.dx, scale.dx, data_.dtype);
  // Sums in f32 beside a dx that is rounded once: their eight units count as its one.
  const double eighth = sums_type == data_.dtype ? 1 : 8;
  mark(outcome, dgamma, want.dgamma, times(scale.dgamma, eighth), sums_type);
  mark(outcome, dbeta, want.dbeta, times(scale.dbeta, eighth), sums_type);
  return outcome;
}

Outcome Exam::run_inference(const Placement& placement, const Subject& subject) const {
  const auto [layout, saved, misalign] = placement;
  const Shape parameters = affine_shape(case_.descriptor, case_.shape);
  const Shape statistics_size = statistics_shape(case_.descriptor, case_.shape);
  const Tensor x(x_, data_.dtype, case_.shape, layout, misalign);
  std::optional<Tensor> gamma;
  std::optional<Tensor> beta;
  std::optional<Tensor> mean;
  if (data_.gamma) gamma.emplace(gamma_, affine_type(), parameters);
  if (data_.beta) beta.emplace(beta_, affine_type(), parameters);
  if (case_.descriptor.centred) mean.emplace(running_mean_, saved, statistics_size);
  const Tensor variance(running_variance_, saved, statistics_size);
  Tensor y(data_.dtype, case_.shape, layout, misalign);
  subject.inference(case_.descriptor, x.view(), view_of(gamma), view_of(beta), view_of(mean), variance.view(), y.view(),
                    mask(), {});
  Outcome outcome;
  mark(outcome, y, inferred_.want, inferred_.scale, data_.dtype);
  return outcome;
}

Outcome Exam::run_statistics(const Placement& placement, const Subject& subject) const {
  const auto [layout, saved, misalign] = placement;
  const Shape statistics_size = statistics_shape(case_.descriptor, case_.shape);
  const Tensor x(x_, data_.dtype, case_.shape, layout, misalign);
  Tensor mean(saved, statistics_size);
  Tensor m2(saved, statistics_size);
  const std::int64_t count = subject.statistics(case_.descriptor, x.view(), mean.view(), m2.view(), mask());
  Outcome outcome;
  mark(outcome, mean, mean_.want, mean_.scale, data_.dtype);
  mark(outcome, m2, m2_.want, m2_.scale, data_.dtype);
  if (count != count_) outcome.error = kWrong;
  return outcome;
}

}  // namespace norma::reference
