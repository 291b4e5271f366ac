// oneDNN's LayerNorm and BatchNorm primitives, f32, in plain layouts.
#include <omp.h>

#include <cmath>
#include <dnnl.hpp>
#include <unordered_map>

#include "system.h"

namespace norma::accuracy {
namespace {

using dnnl::memory;
using dnnl::normalization_flags;

// Numbers in memory order of a layout, and back; (N, C, rest).
std::vector<float> in_memory(const Values& values, const Shape& shape, Layout layout) {
  std::vector<float> out(values.size());
  const Strides strides = dense_strides(shape, layout);
  reference::for_each_index(shape, [&](const auto& index, std::int64_t position) {
    std::int64_t at = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) at += index[axis] * strides[axis];
    out[static_cast<std::size_t>(at)] = static_cast<float>(values[static_cast<std::size_t>(position)]);
  });
  return out;
}
Values in_order(const std::vector<float>& from, const Shape& shape, Layout layout) {
  Values out;
  const Strides strides = dense_strides(shape, layout);
  reference::for_each_index(shape, [&](const auto& index, std::int64_t) {
    std::int64_t at = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) at += index[axis] * strides[axis];
    out.push_back(static_cast<double>(from[static_cast<std::size_t>(at)]));
  });
  return out;
}

class Primitives {
 public:
  explicit Primitives(const Trap& trap) : trap_(trap), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const bool batch = trap.norm == reference::Norm::kBatch;
    channels_ = affine_shape(trap.descriptor(), trap.shape).elements();
    if (batch) {
      const std::int64_t space = trap.shape.elements() / (trap.shape[0] * trap.shape[1]);
      shape_ = Shape{trap.shape[0], trap.shape[1], space, 1};
    } else {
      shape_ = Shape{trap.shape.elements() / channels_, channels_};
    }
    const auto tag = !batch                                 ? memory::format_tag::ab
                     : trap.layout == Layout::kChannelsLast ? memory::format_tag::acdb
                                                            : memory::format_tag::abcd;
    desc_ = memory::desc({shape_.sizes().begin(), shape_.sizes().end()}, memory::data_type::f32, tag);
    x_ = in_memory(trap.x, shape_, trap.layout);
    y_.resize(x_.size());
    const auto statistics = static_cast<std::size_t>(batch ? channels_ : shape_[0]);
    mean_.resize(statistics);
    variance_.resize(statistics);
    gamma_ = of(trap.gamma, 1);
    beta_ = of(trap.beta, 0);
  }

  Answer run() {
    if (trap_.norm == reference::Norm::kBatch) {
      pass<dnnl::batch_normalization_forward, dnnl::batch_normalization_backward>();
    } else {
      pass<dnnl::layer_normalization_forward, dnnl::layer_normalization_backward>();
    }
    Answer found{in_order(y_, shape_, trap_.layout), {}, {}};
    if (!trap_.dy.empty()) {
      found.gradients = {in_order(dx_, shape_, trap_.layout), widened(dgamma_), widened(dbeta_)};
    }
    return found;
  }
  const std::vector<float>& variance() const { return variance_; }

 private:
  std::vector<float> of(const Values& values, float absent) const {
    if (values.empty()) return std::vector<float>(static_cast<std::size_t>(channels_), absent);
    return {values.begin(), values.end()};
  }
  static Values widened(const std::vector<float>& from) { return {from.begin(), from.end()}; }
  memory at(const memory::desc& desc, std::vector<float>& values) { return {desc, engine_, values.data()}; }
  memory row(std::vector<float>& values) {
    return at({{static_cast<memory::dim>(values.size())}, memory::data_type::f32, memory::format_tag::a}, values);
  }

  template <class Forward, class Backward>
  void pass() {
    const auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
    const auto eps = static_cast<float>(trap_.eps);
    const typename Forward::desc forward(dnnl::prop_kind::forward_training, desc_, eps, flags);
    const typename Forward::primitive_desc plan(forward, engine_);
    const memory mean = at(plan.mean_desc(), mean_), variance = at(plan.variance_desc(), variance_);
    Forward(plan).execute(stream_, {{DNNL_ARG_SRC, at(desc_, x_)},
                                    {DNNL_ARG_DST, at(desc_, y_)},
                                    {DNNL_ARG_SCALE, row(gamma_)},
                                    {DNNL_ARG_SHIFT, row(beta_)},
                                    {DNNL_ARG_MEAN, mean},
                                    {DNNL_ARG_VARIANCE, variance}});
    stream_.wait();
    if (trap_.dy.empty()) return;
    std::vector<float> dy = in_memory(trap_.dy, shape_, trap_.layout);
    dx_.resize(x_.size());
    dgamma_.resize(gamma_.size());
    dbeta_.resize(gamma_.size());
    const auto backward = [&] {
      if constexpr (std::is_same_v<Forward, dnnl::layer_normalization_forward>) {
        return typename Backward::desc(dnnl::prop_kind::backward, desc_, desc_, plan.mean_desc(), eps, flags);
      } else {
        return typename Backward::desc(dnnl::prop_kind::backward, desc_, desc_, eps, flags);
      }
    }();
    Backward({backward, engine_, plan})
        .execute(stream_, {{DNNL_ARG_SRC, at(desc_, x_)},
                           {DNNL_ARG_SCALE, row(gamma_)},
                           {DNNL_ARG_SHIFT, row(beta_)},
                           {DNNL_ARG_MEAN, mean},
                           {DNNL_ARG_VARIANCE, variance},
                           {DNNL_ARG_DIFF_DST, at(desc_, dy)},
                           {DNNL_ARG_DIFF_SRC, at(desc_, dx_)},
                           {DNNL_ARG_DIFF_SCALE, row(dgamma_)},
                           {DNNL_ARG_DIFF_SHIFT, row(dbeta_)}});
    stream_.wait();
  }

  const Trap& trap_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::int64_t channels_ = 0;
  Shape shape_;
  memory::desc desc_;
  std::vector<float> x_, y_, mean_, variance_, gamma_, beta_, dx_, dgamma_, dbeta_;
};

class OneDnnSystem : public System {
 public:
  std::string name() const override {
    const dnnl_version_t* v = dnnl_version();
    return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }
  void set_threads(int threads) override { omp_set_num_threads(threads); }

  std::optional<Answer> run(const Trap& trap) override {
    const bool has = trap.norm == reference::Norm::kLayer || trap.norm == reference::Norm::kBatch;
    if (!has || trap.dtype != DType::kFloat32 || trap.misalign != 0) return std::nullopt;
    return Primitives(trap).run();
  }

  std::optional<double> deviation(const Values& x, DType dtype) override {
    if (dtype != DType::kFloat32) return std::nullopt;
    Trap trap;
    trap.norm = reference::Norm::kBatch;
    trap.shape = Shape{static_cast<std::int64_t>(x.size()), 1};
    trap.x = x;
    Primitives primitives(trap);
    primitives.run();
    const auto count = static_cast<double>(x.size());
    return std::sqrt(static_cast<double>(primitives.variance()[0]) * count / (count - 1));
  }

  // It keeps no state and checks nothing at a call: what these ask is its caller's business.
  std::optional<Said> call(Call) override { return std::nullopt; }
};

}  // namespace

std::unique_ptr<System> make_onednn() {
  return std::make_unique<OneDnnSystem>();
}

}  // namespace norma::accuracy
