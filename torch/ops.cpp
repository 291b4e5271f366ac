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
  if (tensor.scalar_type() == at::kBFloat16) return DType::kBFloat16;
  if (tensor.scalar_type() == at::kHalf) return DType::kFloat16;
  throw Error(std::string("[") + name + "] " + what + ": expected f32, f64, bf16 or f16, got " +
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
    split_ = how.batch_groups != 1;
    descriptor_.name = name_.c_str();
    descriptor_.groups = how.groups;
    descriptor_.eps = how.eps;
    descriptor_.centred = how.centred;
    descriptor_.statistics = axes(how.statistics, x, split_, name_);
    descriptor_.affine = axes(how.affine, x, split_, name_);
    if (split_) {
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

  // x's own axes of the mask, or all but that of the features; the same axes as `whole`'s.
  MaskView mask(const at::Tensor& x, const OperatorArguments& how) const {
    if (!how.mask.has_value() || !how.mask->defined()) return {};
    const at::Tensor& mask = *how.mask;
    if (mask.scalar_type() != at::kBool && mask.scalar_type() != at::kByte) {
      throw Error("[" + name_ + "] mask: expected bool or uint8, got " + c10::toString(mask.scalar_type()));
    }
    const std::int64_t rank = x.dim();
    const bool short_of_features = mask.dim() == rank - 1 && how.affine.size() == 1;
    const std::int64_t features = short_of_features ? (how.affine[0] + rank) % rank : rank;
    std::vector<std::int64_t> sizes, strides;
    bool fits = mask.dim() == rank || short_of_features;
    for (std::int64_t axis = 0; fits && axis < rank; ++axis) {
      const std::int64_t from = axis < features ? axis : axis - 1;
      sizes.push_back(axis == features ? 1 : mask.size(from));
      strides.push_back(axis == features ? 0 : mask.stride(from));
      fits = sizes.back() == 1 || sizes.back() == x.size(axis);
    }
    if (!fits) {
      throw Error("[" + name_ + "] mask: expected the shape of x, " + shape_of(x.sizes()).to_string() +
                  ", with 1 where one value stands for an axis, or without the axis of the features, got " +
                  shape_of(mask.sizes()).to_string());
    }
    if (split_) split_mask(sizes, strides);
    Strides all{};
    std::copy(strides.begin(), strides.end(), all.begin());
    return {static_cast<const std::uint8_t*>(mask.data_ptr()), shape_of(sizes), all};
  }

  std::vector<std::int64_t> counts(const MaskView& mask) const {
    return norma::valid_counts(descriptor_, shape_, mask);
  }

  // A statistic over the batch must have more than one value in training. The library's own check reads the batch from
  // axis 0, which a split has taken for its parts.
  void check_training(const at::Tensor& x, const MaskView& mask) const {
    if (parts_ == 1) return;
    std::int64_t fewest = normalized_size(descriptor_, shape_);
    if (mask.present() && shape_.elements() > 0) {
      const std::vector<std::int64_t> all = counts(mask);
      fewest = *std::min_element(all.begin(), all.end());
    } else if (fewest != 1) {
      return;
    }
    if (fewest > 1) return;
    throw Error("[" + name_ + "] x: expected more than 1 " + (mask.present() ? "valid " : "") +
                "value per statistic in training, got " + std::to_string(fewest) + " of " +
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
    channels_last_ = x.layout == Layout::kChannelsLast;
  }

  // As split_batch does with x.
  void split_mask(std::vector<std::int64_t>& sizes, std::vector<std::int64_t>& strides) const {
    const bool varies = sizes[0] != 1;
    const std::int64_t samples = shape_[1];
    sizes.insert(sizes.begin(), varies ? parts_ : 1);
    sizes[1] = varies ? samples : 1;
    strides.insert(strides.begin(), strides[0] * samples);
    if (!channels_last_) return;
    std::rotate(sizes.begin() + 2, sizes.begin() + 3, sizes.end());
    std::rotate(strides.begin() + 2, strides.begin() + 3, strides.end());
  }

  std::string name_;
  Descriptor descriptor_;
  Shape shape_;
  Layout layout_ = Layout::kChannelsFirst;
  std::int64_t parts_ = 1;
  bool split_ = false;
  bool channels_last_ = false;
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
                    double eps, bool centred, c10::string_view name, const OptionalTensor& mask) {
  const Dense in = dense(x);
  const OperatorArguments how{statistics, affine, groups, batch_groups, eps, centred, name, mask};
  const Problem problem(in, how);
  const MaskView mask_view = problem.mask(x, how);
  problem.check_training(x, mask_view);
  at::Tensor y = at::empty_like(in.tensor);
  at::Tensor mean = at::empty(problem.statistics_sizes(), x.options().dtype(at::kDouble));
  at::Tensor rstd = at::empty_like(mean);
  forward(problem.descriptor(), problem.whole(in.tensor, "x"), Small(gamma, problem, "gamma"),
          Small(beta, problem, "beta"), problem.whole(y), view_of(mean), view_of(rstd), mask_view);
  return {y, mean, rstd};
}

// dx, dgamma and dbeta that nobody asked for stay undefined. dgamma and dbeta are of gamma's type; without a gamma to
// tell beta's, of x's or, where that is short, f32, and autograd rounds them to beta's.
struct Gradients {
  at::Tensor dx, dgamma, dbeta;
  Gradients(const Dense& in, const Problem& problem, const OptionalTensor& gamma, std::array<bool, 3> wanted) {
    const at::ScalarType own = in.tensor.scalar_type();
    const bool has_gamma = gamma.has_value() && gamma->defined();
    const auto type = has_gamma ? gamma->scalar_type() : own == at::kHalf || own == at::kBFloat16 ? at::kFloat : own;
    if (wanted[0]) dx = at::empty_like(in.tensor);
    if (wanted[1]) dgamma = at::empty(problem.affine_sizes(), in.tensor.options().dtype(type));
    if (wanted[2]) dbeta = at::empty(problem.affine_sizes(), in.tensor.options().dtype(type));
  }
};

Three normalize_backward_cpu(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                             const at::Tensor& mean, const at::Tensor& rstd, at::IntArrayRef statistics,
                             at::IntArrayRef affine, std::int64_t groups, std::int64_t batch_groups, double eps,
                             bool centred, c10::string_view name, const OptionalTensor& mask,
                             std::array<bool, 3> wanted) {
  const Dense in = dense(x);
  const at::Tensor dy_dense = dense_as(dy, in);
  const OperatorArguments how{statistics, affine, groups, batch_groups, eps, centred, name, mask};
  const Problem problem(in, how);
  Gradients out(in, problem, gamma, wanted);
  backward(problem.descriptor(), problem.whole(dy_dense, "dy"), problem.whole(in.tensor, "x"),
           Small(gamma, problem, "gamma"), Small(centred ? OptionalTensor(mean) : c10::nullopt, problem, "mean"),
           Small(rstd, problem, "rstd"), wanted[0] ? problem.whole(out.dx) : TensorView(), view_of(out.dgamma),
           view_of(out.dbeta), problem.mask(x, how));
  return {out.dx, out.dgamma, out.dbeta};
}

at::Tensor normalize_with_cpu(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                              const OptionalTensor& mean, const at::Tensor& variance, at::IntArrayRef statistics,
                              at::IntArrayRef affine, std::int64_t groups, double eps, bool centred,
                              c10::string_view name, const OptionalTensor& mask) {
  const Dense in = dense(x);
  const OperatorArguments how{statistics, affine, groups, 1, eps, centred, name, mask};
  const Problem problem(in, how);
  at::Tensor y = at::empty_like(in.tensor);
  inference(problem.descriptor(), problem.whole(in.tensor, "x"), Small(gamma, problem, "gamma"),
            Small(beta, problem, "beta"), Small(mean, problem, "mean"), Small(variance, problem, "variance"),
            problem.whole(y), problem.mask(x, how));
  return y;
}

Three normalize_with_backward_cpu(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                  const OptionalTensor& mean, const at::Tensor& variance, at::IntArrayRef statistics,
                                  at::IntArrayRef affine, std::int64_t groups, double eps, bool centred,
                                  c10::string_view name, const OptionalTensor& mask, std::array<bool, 3> wanted) {
  const Dense in = dense(x);
  const at::Tensor dy_dense = dense_as(dy, in);
  const OperatorArguments how{statistics, affine, groups, 1, eps, centred, name, mask};
  const Problem problem(in, how);
  Gradients out(in, problem, gamma, wanted);
  inference_backward(problem.descriptor(), problem.whole(dy_dense, "dy"), problem.whole(in.tensor, "x"),
                     Small(gamma, problem, "gamma"), Small(mean, problem, "mean"), Small(variance, problem, "variance"),
                     wanted[0] ? problem.whole(out.dx) : TensorView(), view_of(out.dgamma), view_of(out.dbeta),
                     problem.mask(x, how));
  return {out.dx, out.dgamma, out.dbeta};
}

// The biased variance comes back from rstd: in f64 the detour costs at most 2^-52 (var + eps), and a second pass over x
// is saved.
void update_running_cpu(at::Tensor& running_mean, at::Tensor& running_var, const at::Tensor& mean,
                        const at::Tensor& rstd, double eps, at::IntArrayRef counts, double momentum) {
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
  const std::int64_t parts = mean.numel() / features;
  std::vector<std::int64_t> part_counts(counts.begin(), counts.end());
  if (part_counts.size() == 1) part_counts.resize(static_cast<std::size_t>(parts), part_counts[0]);
  const at::Tensor dense_mean = mean.contiguous(), dense_rstd = rstd.contiguous();
  std::vector<double> variance;
  variance.reserve(static_cast<std::size_t>(mean.numel()));
  for (std::int64_t n = 0; n < mean.numel(); ++n) {
    const double r = dense_rstd.data_ptr<double>()[n];
    const double biased = 1 / (r * r) - eps;
    variance.push_back(biased < 0 ? 0 : biased);  // NaN stays NaN
  }
  const Shape shape{features}, of_parts{parts, features};
  const Strides strides = dense_strides(shape, Layout::kChannelsFirst);
  update_running(
      kTorch, momentum, part_counts, ConstTensorView(dense_mean.data_ptr<double>(), of_parts),
      ConstTensorView(variance.data(), of_parts),
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

at::Tensor valid_counts(const at::Tensor& x, const Normalization& how, const OptionalTensor& mask) {
  const Dense in = dense(x);
  const OperatorArguments arguments{how.statistics, how.affine,  how.groups, how.batch_groups,
                                    how.eps,        how.centred, how.name,   mask};
  const Problem problem(in, arguments);
  const std::vector<std::int64_t> counts = problem.counts(problem.mask(x, arguments));
  at::Tensor out = at::empty(problem.statistics_sizes(), x.options().dtype(at::kLong));
  std::copy(counts.begin(), counts.end(), out.data_ptr<std::int64_t>());
  return out;
}

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
      "int batch_groups=1, float eps=1e-5, bool centred=True, str name=\"normalize\", Tensor? mask=None) "
      "-> (Tensor y, Tensor mean, Tensor rstd)");
  m.def(
      "normalize_backward(Tensor dy, Tensor x, Tensor? gamma, Tensor mean, Tensor rstd, int[] statistics, "
      "int[] affine, int groups, int batch_groups, float eps, bool centred, str name, Tensor? mask, bool[3] wanted) "
      "-> (Tensor dx, Tensor dgamma, Tensor dbeta)");
  m.def(
      "normalize_with(Tensor x, Tensor? gamma, Tensor? beta, Tensor? mean, Tensor variance, int[] statistics, "
      "int[] affine, int groups=1, float eps=1e-5, bool centred=True, str name=\"normalize\", "
      "Tensor? mask=None) -> Tensor");
  m.def(
      "normalize_with_backward(Tensor dy, Tensor x, Tensor? gamma, Tensor? mean, Tensor variance, int[] statistics, "
      "int[] affine, int groups, float eps, bool centred, str name, Tensor? mask, bool[3] wanted) "
      "-> (Tensor dx, Tensor dgamma, Tensor dbeta)");
  m.def(
      "update_running_(Tensor(a!) running_mean, Tensor(b!) running_var, Tensor mean, Tensor rstd, float eps, "
      "int[] counts, float momentum) -> ()");
}

TORCH_LIBRARY_IMPL(norma, CPU, m) {
  m.impl("normalize", normalize_cpu);
  m.impl("normalize_backward", normalize_backward_cpu);
  m.impl("normalize_with", normalize_with_cpu);
  m.impl("normalize_with_backward", normalize_with_backward_cpu);
  m.impl("update_running_", update_running_cpu);
}

}  // namespace norma
