// Source: https://onnx.ai/onnx/operators, every version of each operator up to opset 24.
#include "onnx_nodes.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "norma/ops.h"
#include "reference/cases.h"

namespace norma::cli {
namespace {

using reference::Tensor;
using reference::Values;

// A node with its attributes and inputs at hand.
struct Node {
  const onnx::NodeProto& proto;
  std::int64_t opset;
  const std::vector<const OnnxArray*>& inputs;

  const OnnxArray& input(std::size_t i, const char* name) const {
    if (i >= inputs.size() || inputs[i] == nullptr) throw std::runtime_error(std::string("without its input ") + name);
    return *inputs[i];
  }
  const OnnxArray* optional_input(std::size_t i) const { return i < inputs.size() ? inputs[i] : nullptr; }
  const onnx::AttributeProto* attribute(const std::string& name) const {
    for (const onnx::AttributeProto& a : proto.attribute()) {
      if (a.name() == name) return &a;
    }
    return nullptr;
  }
  std::int64_t integer(const std::string& name, std::int64_t otherwise) const {
    const onnx::AttributeProto* a = attribute(name);
    return a != nullptr ? a->i() : otherwise;
  }
  // ONNX keeps f32; a default such as 1e-5 is the same f32 there.
  double number(const std::string& name, float otherwise) const {
    const onnx::AttributeProto* a = attribute(name);
    return static_cast<double>(a != nullptr ? a->f() : otherwise);
  }
  // An axis of x, counted from the front.
  int axis_of_x(std::int64_t axis) const {
    const int rank = input(0, "X").shape.rank();
    if (axis < -rank || axis >= rank) {
      throw std::runtime_error("axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank));
    }
    return static_cast<int>(axis < 0 ? axis + rank : axis);
  }
};

// As numpy does: sizes are matched from the last; a size of 1 or a missing one stands for all.
Values broadcast(const OnnxArray& from, const Shape& to) {
  const int missing = to.rank() - from.shape.rank();
  for (int axis = 0; axis < to.rank(); ++axis) {
    const bool fits = axis < missing || from.shape[axis - missing] == 1 || from.shape[axis - missing] == to[axis];
    if (missing < 0 || !fits) {
      throw std::runtime_error("a parameter of shape " + from.shape.to_string() + ", expected " + to.to_string());
    }
  }
  Values values;
  reference::for_each_index(to, [&](const auto& index, std::int64_t) {
    std::int64_t at = 0;
    for (int axis = std::max(missing, 0); axis < to.rank(); ++axis) {
      const std::int64_t size = from.shape[axis - missing];
      at = at * size + (size == 1 ? 0 : index[static_cast<std::size_t>(axis)]);
    }
    values.push_back(from.values[static_cast<std::size_t>(at)]);
  });
  return values;
}

// gamma or beta as the library takes it beside such an x; absent if there is none. `groups`: that many values, each for
// as many neighbouring channels; 0: a value for each.
class Parameter {
 public:
  Parameter(const OnnxArray* from, const OnnxArray& x, const Shape& shape, std::int64_t groups = 0) {
    if (from == nullptr) return;
    // f32 beside a short x as it is; what is narrower than x is widened, exactly.
    const bool wide = is_short(x.dtype) && from->dtype == DType::kFloat32;
    const bool other = is_short(x.dtype) && is_short(from->dtype) && x.dtype != from->dtype;
    if (!wide && (other || size_of(from->dtype) > size_of(x.dtype))) {
      throw Unsupported(std::string("parameters in ") + name_of(from->dtype) + " beside " + name_of(x.dtype));
    }
    Values values;
    if (groups == 0) {
      values = broadcast(*from, shape);
    } else {
      const auto repeats = static_cast<std::size_t>(shape.elements() / groups);
      for (const double value : broadcast(*from, Shape{groups})) values.insert(values.end(), repeats, value);
    }
    tensor_.emplace(values, wide ? DType::kFloat32 : x.dtype, shape);
  }
  operator ConstTensorView() const {  // NOLINT(google-explicit-constructor)
    return tensor_ ? std::as_const(*tensor_).view() : ConstTensorView();
  }

 private:
  std::optional<Tensor> tensor_;
};

OnnxArray array_of(const Tensor& tensor, DType dtype, const Shape& shape) {
  return {dtype, shape, tensor.values()};
}

struct Forward {
  OnnxArray y, mean, rstd;  // the last two of statistics_shape
};

Forward run_forward(const Descriptor& descriptor, const OnnxArray& x, ConstTensorView gamma, ConstTensorView beta) {
  const Shape statistics_size = statistics_shape(descriptor, x.shape);
  const Tensor in(x.values, x.dtype, x.shape);
  Tensor y(x.dtype, x.shape), mean(DType::kFloat64, statistics_size), rstd(DType::kFloat64, statistics_size);
  forward(descriptor, in.view(), gamma, beta, y.view(), mean.view(), rstd.view());
  return {array_of(y, x.dtype, x.shape), array_of(mean, DType::kFloat64, statistics_size),
          array_of(rstd, DType::kFloat64, statistics_size)};
}

OnnxArray run_inference(const Descriptor& descriptor, const OnnxArray& x, ConstTensorView gamma, ConstTensorView beta,
                        const OnnxArray* mean, const OnnxArray& variance) {
  const Shape statistics_size = statistics_shape(descriptor, x.shape);
  const auto given = [&](const OnnxArray& from) {
    return Tensor(broadcast(from, statistics_size), DType::kFloat64, statistics_size);
  };
  const Tensor in(x.values, x.dtype, x.shape), variance_tensor = given(variance);
  std::optional<Tensor> mean_tensor;
  if (mean != nullptr) mean_tensor.emplace(broadcast(*mean, statistics_size), DType::kFloat64, statistics_size);
  Tensor y(x.dtype, x.shape);
  inference(descriptor, in.view(), gamma, beta, mean_tensor ? std::as_const(*mean_tensor).view() : ConstTensorView(),
            variance_tensor.view(), y.view());
  return array_of(y, x.dtype, x.shape);
}

struct Moments {
  std::int64_t count;
  OnnxArray mean, m2;
};

Moments moments_of(const Descriptor& descriptor, const OnnxArray& x) {
  const Shape shape = statistics_shape(descriptor, x.shape);
  const Tensor in(x.values, x.dtype, x.shape);
  Tensor mean(DType::kFloat64, shape), m2(DType::kFloat64, shape);
  const std::int64_t count = statistics(descriptor, in.view(), mean.view(), m2.view());
  return {count, array_of(mean, DType::kFloat64, shape), array_of(m2, DType::kFloat64, shape)};
}

// BatchNormalization. Versions 1 and 6 train unless is_test is set, 7 and 9 where more than one output is asked for,
// 14 and later where training_mode is set. Up to 7, spatial = 0 means a statistic and a gamma for every position.
std::vector<OnnxArray> run_batch(const Node& node) {
  const OnnxArray& x = node.input(0, "X");
  Descriptor descriptor = batch_norm(node.number("epsilon", 1e-5F));
  if (node.opset < 9 && node.integer("spatial", 1) == 0) {
    descriptor.statistics = Axes::of({0});
    descriptor.affine = Axes::all_but({0});
  }
  const Shape parameters = affine_shape(descriptor, x.shape);
  const Parameter gamma(&node.input(1, "scale"), x, parameters), beta(&node.input(2, "B"), x, parameters);
  const OnnxArray &mean = node.input(3, "mean"), &variance = node.input(4, "var");
  const bool training = node.opset >= 14  ? node.integer("training_mode", 0) != 0
                        : node.opset >= 7 ? node.proto.output_size() > 1
                                          : node.integer("is_test", 0) == 0;
  if (!training) return {run_inference(descriptor, x, gamma, beta, &mean, variance)};

  const Forward found = run_forward(descriptor, x, gamma, beta);
  Moments moments = moments_of(descriptor, x);
  for (double& value : moments.m2.values) value /= static_cast<double>(moments.count);
  const Shape statistics_size = statistics_shape(descriptor, x.shape);
  const Tensor batch_mean(moments.mean.values, DType::kFloat64, statistics_size);
  const Tensor batch_variance(moments.m2.values, DType::kFloat64, statistics_size);
  Tensor running_mean(broadcast(mean, statistics_size), DType::kFloat64, statistics_size);
  Tensor running_variance(broadcast(variance, statistics_size), DType::kFloat64, statistics_size);
  update_running(kOnnx, node.number("momentum", 0.9F), moments.count, batch_mean.view(), batch_variance.view(),
                 running_mean.view(), running_variance.view());
  // After Y: the moved statistics, and before version 14 also the batch's own.
  return {found.y, array_of(running_mean, mean.dtype, statistics_size),
          array_of(running_variance, variance.dtype, statistics_size), moments.mean, moments.m2};
}

// LayerNormalization (17) and RMSNormalization (23): the axes from `axis` on share; scale is broadcast to their sizes.
std::vector<OnnxArray> run_last_axes(const Node& node, bool centred) {
  const OnnxArray& x = node.input(0, "X");
  const int axis = node.axis_of_x(node.integer("axis", -1));
  const double eps = node.number("epsilon", 1e-5F);
  const int axes = x.shape.rank() - axis;
  const Descriptor descriptor = centred ? layer_norm(axes, eps) : rms_norm(axes, eps);
  const Shape parameters = affine_shape(descriptor, x.shape);
  const Parameter gamma(&node.input(1, "Scale"), x, parameters);
  const Parameter beta(centred ? node.optional_input(2) : nullptr, x, parameters);
  Forward found = run_forward(descriptor, x, gamma, beta);
  // Mean and InvStdDev keep the axes that share, with size 1.
  std::vector<std::int64_t> sizes(x.shape.sizes().begin(), x.shape.sizes().end());
  std::fill(sizes.begin() + axis, sizes.end(), 1);
  found.mean.shape = found.rstd.shape = Shape(sizes);
  return {found.y, found.mean, found.rstd};
}

std::vector<OnnxArray> run_instance(const Node& node) {
  const OnnxArray& x = node.input(0, "input");
  const Descriptor descriptor = instance_norm(node.number("epsilon", 1e-5F));
  const Shape parameters = affine_shape(descriptor, x.shape);
  const Parameter gamma(&node.input(1, "scale"), x, parameters), beta(&node.input(2, "B"), x, parameters);
  return {run_forward(descriptor, x, gamma, beta).y};
}

// GroupNormalization: scale and bias are one a group in version 18, one a channel from 21 on.
std::vector<OnnxArray> run_group(const Node& node) {
  const OnnxArray& x = node.input(0, "X");
  const std::int64_t groups = node.integer("num_groups", 0);
  if (groups < 1 || x.shape.rank() < 2 || x.shape[1] % groups != 0) {
    throw std::runtime_error(std::to_string(groups) + " groups for X of shape " + x.shape.to_string());
  }
  const Descriptor descriptor = group_norm(groups, node.number("epsilon", 1e-5F));
  const Shape parameters = affine_shape(descriptor, x.shape);
  const std::int64_t given = node.opset < 21 ? groups : 0;
  const Parameter gamma(&node.input(1, "scale"), x, parameters, given);
  const Parameter beta(&node.input(2, "bias"), x, parameters, given);
  return {run_forward(descriptor, x, gamma, beta).y};
}

// MeanVarianceNormalization (9): (X - mean) / sqrt(variance), without an eps.
std::vector<OnnxArray> run_mean_variance(const Node& node) {
  if (node.opset < 9) throw Unsupported("MeanVarianceNormalization before opset 9");
  std::vector<std::int64_t> given{0, 2, 3};
  if (const onnx::AttributeProto* a = node.attribute("axes")) given.assign(a->ints().begin(), a->ints().end());
  std::vector<int> axes;
  for (const std::int64_t axis : given) axes.push_back(node.axis_of_x(axis));
  Descriptor descriptor{.name = "mean_variance_normalization"};
  descriptor.statistics = Axes::of(std::span<const int>(axes));
  descriptor.eps = 0;
  return {run_forward(descriptor, node.input(0, "X"), {}, {}).y};
}

// LpNormalization: X over its 1-norm or 2-norm along an axis, 0 where that is 0. The 2-norm is the root of the sum of
// squares and the 1-norm the sum of |x|, so both are inference, not centred, with a variance of the norm's square.
std::vector<OnnxArray> run_lp(const Node& node) {
  const OnnxArray& x = node.input(0, "input");
  const std::int64_t p = node.integer("p", 2);
  if (p != 1 && p != 2) throw std::runtime_error("p = " + std::to_string(p) + ", expected 1 or 2");
  const std::array<int, 1> axes{node.axis_of_x(node.integer("axis", -1))};
  Descriptor descriptor{.name = "lp_normalization", .eps = 0, .centred = p == 1};
  descriptor.statistics = Axes::of(std::span<const int>(axes));
  OnnxArray magnitudes = x;
  for (double& value : magnitudes.values) value = std::fabs(value);
  const Moments moments = moments_of(descriptor, magnitudes);
  OnnxArray square = p == 2 ? moments.m2 : moments.mean;
  if (p == 1) {
    for (double& mean : square.values) mean = std::pow(mean * static_cast<double>(moments.count), 2);
  }
  for (double& value : square.values) value = value == 0 ? 1 : value;  // every x is 0 then
  descriptor.centred = false;
  return {run_inference(descriptor, x, {}, {}, nullptr, square)};
}

using Run = std::vector<OnnxArray> (*)(const Node&);
struct Operator {
  const char* name;
  Run run;
};
constexpr std::array<Operator, 7> kOperators{
    {{"BatchNormalization", run_batch},
     {"LayerNormalization", [](const Node& node) { return run_last_axes(node, true); }},
     {"RMSNormalization", [](const Node& node) { return run_last_axes(node, false); }},
     {"InstanceNormalization", run_instance},
     {"GroupNormalization", run_group},
     {"MeanVarianceNormalization", run_mean_variance},
     {"LpNormalization", run_lp}}};

const Operator* operator_of(const onnx::NodeProto& node) {
  if (!node.domain().empty() && node.domain() != "ai.onnx") return nullptr;
  const auto found = std::ranges::find_if(kOperators, [&](const Operator& op) { return op.name == node.op_type(); });
  return found != kOperators.end() ? &*found : nullptr;
}

}  // namespace

bool is_normalization(const onnx::NodeProto& node) {
  return operator_of(node) != nullptr;
}

std::vector<OnnxArray> run_normalization(const onnx::NodeProto& node, std::int64_t opset,
                                         const std::vector<const OnnxArray*>& inputs) {
  return operator_of(node)->run({node, opset, inputs});
}

}  // namespace norma::cli
