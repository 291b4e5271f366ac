// The operators on the CPU: torch tensors to views, the library's calls, and the schemas. Gradients are in
// autograd.cpp.
#include "norma_torch/ops.h"

#include <torch/csrc/autograd/variable.h>
#include <torch/library.h>

#include <algorithm>
#include <string>
#include <vector>

#include "norma/norma.h"
#include "operators.h"

namespace norma {
namespace {

// ------------------------------------------------------------------------------------------------ tensors to views

Shape shape_of(at::IntArrayRef sizes) {
  return Shape(std::span<const std::int64_t>(sizes.data(), sizes.size()));
}

DType dtype_of(const at::Tensor& tensor, const char* name, const char* what) {
  if (tensor.scalar_type() == at::kFloat) return DType::kFloat32;
  if (tensor.scalar_type() == at::kDouble) return DType::kFloat64;
  throw Error(std::string("[") + name + "] " + what + ": expected f32 or f64, got " +
              c10::toString(tensor.scalar_type()));
}

// Axes of size 1 have any stride, and an empty tensor lies however one likes.
bool lies_in(const at::Tensor& tensor, Layout layout) {
  if (layout == Layout::kChannelsFirst) return tensor.is_contiguous();
  if (tensor.numel() == 0) return true;
  const Strides strides = dense_strides(shape_of(tensor.sizes()), layout);
  for (std::int64_t axis = 0; axis < tensor.dim(); ++axis) {
    if (tensor.size(axis) != 1 && tensor.stride(axis) != strides[static_cast<std::size_t>(axis)]) return false;
  }
  return true;
}

// x as it lies if it is dense in one of the two layouts, or else a contiguous copy.
struct Dense {
  at::Tensor tensor;
  Layout layout = Layout::kChannelsFirst;
};
Dense dense(const at::Tensor& x) {
  if (x.is_contiguous()) return {x, Layout::kChannelsFirst};
  if (x.dim() > 2 && x.dim() <= kMaxRank && lies_in(x, Layout::kChannelsLast)) return {x, Layout::kChannelsLast};
  return {x.contiguous(), Layout::kChannelsFirst};
}
// As `like` lies in memory.
at::Tensor dense_as(const at::Tensor& tensor, const Dense& like) {
  return lies_in(tensor, like.layout) ? tensor : at::empty_like(like.tensor).copy_(tensor);
}

// A normalization and a shape as the library takes them. Several normalization batches are a leading axis of their own;
// in channels-last memory the axes are then counted as they lie, because channels are no longer axis 1.
class Problem {
 public:
  Problem(const Dense& x, const OperatorArguments& how) : name_(how.name.data(), how.name.size()) {
    const bool split = how.batch_groups != 1;
    descriptor_.name = name_.c_str();
    descriptor_.groups = how.groups;
    descriptor_.eps = how.eps;
    descriptor_.centred = how.centred;
    descriptor_.statistics = axes(how.statistics, x, split, name_);
    descriptor_.affine = axes(how.affine, x, split, name_);
    if (split) {
      split_batch(x, how);
    } else {
      shape_ = shape_of(x.tensor.sizes());
      layout_ = x.layout;
    }
  }
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  const Descriptor& descriptor() const { return descriptor_; }
  std::vector<std::int64_t> statistics_sizes() const { return sizes(statistics_shape(descriptor_, shape_)); }
  std::vector<std::int64_t> affine_sizes() const { return sizes(affine_shape(descriptor_, shape_)); }

  // A statistic over the batch must have more than one value in training. The library's own check reads the batch from
  // axis 0, which a split has taken for its parts.
  void check_training(const at::Tensor& x) const {
    if (parts_ == 1 || normalized_size(descriptor_, shape_) != 1) return;
    throw Error("[" + name_ + "] x: expected more than 1 value per statistic in training, got 1 of " +
                shape_of(x.sizes()).to_string() + " in " + std::to_string(parts_) + " normalization batches");
  }

  // A tensor that lies as x.
  ConstTensorView whole(const at::Tensor& tensor, const char* what) const {
    return {tensor.data_ptr(), dtype_of(tensor, descriptor_.name, what), shape_, dense_strides(shape_, layout_)};
  }
  TensorView whole(at::Tensor& tensor) const {
    return {tensor.data_ptr(), dtype_of(tensor, descriptor_.name, "output"), shape_, dense_strides(shape_, layout_)};
  }

 private:
  static std::vector<std::int64_t> sizes(const Shape& shape) { return {shape.sizes().begin(), shape.sizes().end()}; }

  static Axes axes(at::IntArrayRef list, const Dense& x, bool split, const std::string& name) {
    std::vector<int> axes;
    const auto rank = static_cast<int>(x.tensor.dim());
    for (const std::int64_t axis : list) {
      int at = static_cast<int>(axis);
      if (split) {
        if (at < 0) at += rank;
        if (at < 0 || at >= rank) {
          throw Error("[" + name + "] expected axes of x of shape " + shape_of(x.tensor.sizes()).to_string() +
                      ", got " + std::to_string(axis));
        }
        const bool moved = x.layout == Layout::kChannelsLast && at > 0;
        at = !moved ? at + 1 : at == 1 ? rank : at;
      }
      axes.push_back(at);
    }
    return Axes::of(std::span<const int>(axes));
  }

  void split_batch(const Dense& x, const OperatorArguments& how) {
    const at::IntArrayRef from = x.tensor.sizes();
    const std::int64_t parts = how.batch_groups;
    const bool over_batch = std::any_of(how.statistics.begin(), how.statistics.end(),
                                        [&](std::int64_t axis) { return axis == 0 || axis == -x.tensor.dim(); });
    if (!over_batch || how.groups != 1 || from.empty() || parts < 1 || from[0] % parts != 0) {
      throw Error("[" + name_ +
                  "] batch_groups: expected a divisor of the batch, over which statistics are shared, got " +
                  std::to_string(parts) + " for x of shape " + shape_of(from).to_string());
    }
    std::vector<std::int64_t> to{parts, from[0] / parts};
    if (x.layout == Layout::kChannelsFirst) {
      to.insert(to.end(), from.begin() + 1, from.end());
    } else {
      to.insert(to.end(), from.begin() + 2, from.end());
      to.push_back(from[1]);
    }
    shape_ = shape_of(to);
    parts_ = parts;
  }

  std::string name_;
  Descriptor descriptor_;
  Shape shape_;
  Layout layout_ = Layout::kChannelsFirst;
  std::int64_t parts_ = 1;
};

// gamma, beta, statistics: small, of their own shape, contiguous.
class Small {
 public:
  Small(const OptionalTensor& tensor, const Problem& problem, const char* what) {
    if (!tensor.has_value() || !tensor->defined()) return;
    tensor_ = tensor->contiguous();
    view_ =
        ConstTensorView(tensor_.data_ptr(), dtype_of(tensor_, problem.descriptor().name, what),
                        shape_of(tensor_.sizes()), dense_strides(shape_of(tensor_.sizes()), Layout::kChannelsFirst));
  }
  operator ConstTensorView() const { return view_; }  // NOLINT(google-explicit-constructor)

 private:
  at::Tensor tensor_;
  ConstTensorView view_;
};

TensorView view_of(at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  const Shape shape = shape_of(tensor.sizes());
  return {tensor.data_ptr(), dtype_of(tensor, "normalize", "output"), shape,
          dense_strides(shape, Layout::kChannelsFirst)};
}

// ------------------------------------------------------------------------------------------------------- operations

Three normalize_cpu(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                    at::IntArrayRef statistics, at::IntArrayRef affine, std::int64_t groups, std::int64_t batch_groups,
                    double eps, bool centred, c10::string_view name) {
  const Dense in = dense(x);
  const Problem problem(in, {statistics, affine, groups, batch_groups, eps, centred, name});
  problem.check_training(x);
  at::Tensor y = at::empty_like(in.tensor);
  at::Tensor mean = at::empty(problem.statistics_sizes(), x.options().dtype(at::kDouble));
  at::Tensor rstd = at::empty_like(mean);
  forward(problem.descriptor(), problem.whole(in.tensor, "x"), Small(gamma, problem, "gamma"),
          Small(beta, problem, "beta"), problem.whole(y), view_of(mean), view_of(rstd));
  return {y, mean, rstd};
}

// dx, dgamma and dbeta that nobody asked for stay undefined.
struct Gradients {
  at::Tensor dx, dgamma, dbeta;
  Gradients(const Dense& in, const Problem& problem, std::array<bool, 3> wanted) {
    if (wanted[0]) dx = at::empty_like(in.tensor);
    if (wanted[1]) dgamma = at::empty(problem.affine_sizes(), in.tensor.options());
    if (wanted[2]) dbeta = at::empty(problem.affine_sizes(), in.tensor.options());
  }
};

Three normalize_backward_cpu(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                             const at::Tensor& mean, const at::Tensor& rstd, at::IntArrayRef statistics,
                             at::IntArrayRef affine, std::int64_t groups, std::int64_t batch_groups, double eps,
                             bool centred, c10::string_view name, std::array<bool, 3> wanted) {
  const Dense in = dense(x);
  const at::Tensor dy_dense = dense_as(dy, in);
  const Problem problem(in, {statistics, affine, groups, batch_groups, eps, centred, name});
  Gradients out(in, problem, wanted);
  backward(problem.descriptor(), problem.whole(dy_dense, "dy"), problem.whole(in.tensor, "x"),
           Small(gamma, problem, "gamma"), Small(centred ? OptionalTensor(mean) : c10::nullopt, problem, "mean"),
           Small(rstd, problem, "rstd"), wanted[0] ? problem.whole(out.dx) : TensorView(), view_of(out.dgamma),
           view_of(out.dbeta));
  return {out.dx, out.dgamma, out.dbeta};
}

at::Tensor normalize_with_cpu(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                              const OptionalTensor& mean, const at::Tensor& variance, at::IntArrayRef statistics,
                              at::IntArrayRef affine, std::int64_t groups, double eps, bool centred,
                              c10::string_view name) {
  const Dense in = dense(x);
  const Problem problem(in, {statistics, affine, groups, 1, eps, centred, name});
  at::Tensor y = at::empty_like(in.tensor);
  inference(problem.descriptor(), problem.whole(in.tensor, "x"), Small(gamma, problem, "gamma"),
            Small(beta, problem, "beta"), Small(mean, problem, "mean"), Small(variance, problem, "variance"),
            problem.whole(y));
  return y;
}

Three normalize_with_backward_cpu(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                  const OptionalTensor& mean, const at::Tensor& variance, at::IntArrayRef statistics,
                                  at::IntArrayRef affine, std::int64_t groups, double eps, bool centred,
                                  c10::string_view name, std::array<bool, 3> wanted) {
  const Dense in = dense(x);
  const at::Tensor dy_dense = dense_as(dy, in);
  const Problem problem(in, {statistics, affine, groups, 1, eps, centred, name});
  Gradients out(in, problem, wanted);
  inference_backward(problem.descriptor(), problem.whole(dy_dense, "dy"), problem.whole(in.tensor, "x"),
                     Small(gamma, problem, "gamma"), Small(mean, problem, "mean"), Small(variance, problem, "variance"),
                     wanted[0] ? problem.whole(out.dx) : TensorView(), view_of(out.dgamma), view_of(out.dbeta));
  return {out.dx, out.dgamma, out.dbeta};
}

// The biased variance comes back from rstd: in f64 the detour costs at most 2^-52 (var + eps), and a second pass over x
// is saved.
void update_running_cpu(at::Tensor& running_mean, at::Tensor& running_var, const at::Tensor& mean,
                        const at::Tensor& rstd, double eps, std::int64_t count, double momentum) {
  const std::int64_t features = running_mean.numel();
  const bool fits = features > 0 ? mean.numel() % features == 0 && mean.numel() > 0 : mean.numel() == 0;
  if (!fits || running_var.numel() != features || rstd.sizes() != mean.sizes() || mean.scalar_type() != at::kDouble ||
      rstd.scalar_type() != at::kDouble || !running_mean.is_contiguous() || !running_var.is_contiguous()) {
    throw Error(
        "[update_running] expected running statistics of the batch's number of features and f64 statistics of "
        "the batch, got " +
        shape_of(running_mean.sizes()).to_string() + " and " + shape_of(mean.sizes()).to_string());
  }
  if (features == 0) return;
  const at::Tensor dense_mean = mean.contiguous(), dense_rstd = rstd.contiguous();
  const double* means = dense_mean.data_ptr<double>();
  const double* rstds = dense_rstd.data_ptr<double>();
  std::vector<double> batch_mean(static_cast<std::size_t>(features)), batch_variance(batch_mean.size());
  const std::int64_t parts = mean.numel() / features;
  for (std::int64_t part = 0; part < parts; ++part) {
    for (std::size_t c = 0; c < batch_mean.size(); ++c) {
      const double r = *rstds++;
      const double variance = 1 / (r * r) - eps;
      batch_mean[c] += *means++;
      batch_variance[c] += variance < 0 ? 0 : variance;  // NaN stays NaN
    }
  }
  for (std::size_t c = 0; c < batch_mean.size(); ++c) {
    batch_mean[c] /= static_cast<double>(parts);
    batch_variance[c] /= static_cast<double>(parts);
  }
  const Shape shape{features};
  const Strides strides = dense_strides(shape, Layout::kChannelsFirst);
  update_running(
      kTorch, momentum, count, ConstTensorView(batch_mean.data(), shape), ConstTensorView(batch_variance.data(), shape),
      TensorView(running_mean.data_ptr(), dtype_of(running_mean, "update_running", "mean"), shape, strides),
      TensorView(running_var.data_ptr(), dtype_of(running_var, "update_running", "variance"), shape, strides));
  // Backward passes that saved them must notice.
  torch::autograd::impl::bump_version(running_mean);
  torch::autograd::impl::bump_version(running_var);
}

template <class Signature>
c10::TypedOperatorHandle<Signature> find(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

}  // namespace

// Defined beside the registration, so that whoever calls an operator also links what registers it.
const c10::TypedOperatorHandle<NormalizeSignature>& normalize_operator() {
  static const auto handle = find<NormalizeSignature>("norma::normalize");
  return handle;
}
const c10::TypedOperatorHandle<NormalizeBackwardSignature>& normalize_backward_operator() {
  static const auto handle = find<NormalizeBackwardSignature>("norma::normalize_backward");
  return handle;
}
const c10::TypedOperatorHandle<NormalizeWithSignature>& normalize_with_operator() {
  static const auto handle = find<NormalizeWithSignature>("norma::normalize_with");
  return handle;
}
const c10::TypedOperatorHandle<NormalizeWithBackwardSignature>& normalize_with_backward_operator() {
  static const auto handle = find<NormalizeWithBackwardSignature>("norma::normalize_with_backward");
  return handle;
}
const c10::TypedOperatorHandle<UpdateRunningSignature>& update_running_operator() {
  static const auto handle = find<UpdateRunningSignature>("norma::update_running_");
  return handle;
}

TORCH_LIBRARY(norma, m) {
  m.def(
      "normalize(Tensor x, Tensor? gamma, Tensor? beta, int[] statistics, int[] affine, int groups=1, "
      "int batch_groups=1, float eps=1e-5, bool centred=True, str name=\"normalize\") "
      "-> (Tensor y, Tensor mean, Tensor rstd)");
  m.def(
      "normalize_backward(Tensor dy, Tensor x, Tensor? gamma, Tensor mean, Tensor rstd, int[] statistics, "
      "int[] affine, int groups, int batch_groups, float eps, bool centred, str name, bool[3] wanted) "
      "-> (Tensor dx, Tensor dgamma, Tensor dbeta)");
  m.def(
      "normalize_with(Tensor x, Tensor? gamma, Tensor? beta, Tensor? mean, Tensor variance, int[] statistics, "
      "int[] affine, int groups=1, float eps=1e-5, bool centred=True, str name=\"normalize\") -> Tensor");
  m.def(
      "normalize_with_backward(Tensor dy, Tensor x, Tensor? gamma, Tensor? mean, Tensor variance, int[] statistics, "
      "int[] affine, int groups, float eps, bool centred, str name, bool[3] wanted) "
      "-> (Tensor dx, Tensor dgamma, Tensor dbeta)");
  m.def(
      "update_running_(Tensor(a!) running_mean, Tensor(b!) running_var, Tensor mean, Tensor rstd, float eps, "
      "int count, float momentum) -> ()");
}

TORCH_LIBRARY_IMPL(norma, CPU, m) {
  m.impl("normalize", normalize_cpu);
  m.impl("normalize_backward", normalize_backward_cpu);
  m.impl("normalize_with", normalize_with_cpu);
  m.impl("normalize_with_backward", normalize_with_backward_cpu);
  m.impl("update_running_", update_running_cpu);
}

}  // namespace norma
