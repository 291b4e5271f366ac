// oneDNN's primitives on preallocated memory. 2.6.3, which Debian 12 has, knows LayerNorm and BatchNorm alone.
#include <dnnl.hpp>

#include <algorithm>
#include <string_view>

#include "contender.h"

namespace norma::bench {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

class OneDnnContender : public Contender {
 public:
  OneDnnContender(const Case& c, const Inputs& inputs, bool blocked)
      : case_(c), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_), blocked_(blocked) {
    const auto tag = c.shape.rank() == 2 ? Tag::ab : c.layout == Layout::kChannelsLast ? Tag::acdb : Tag::abcd;
    const memory::dims dims(c.shape.sizes().begin(), c.shape.sizes().end());
    plain_ = {dims, memory::data_type::f32, tag};
    data_ = blocked ? best_blocked(dims) : plain_;
    x_ = reordered(inputs.x, plain_, data_);
    if (c.operation == Operation::kBackward) dy_ = reordered(inputs.dy, plain_, data_);
    main_.resize(x_.size());
    gamma_ = inputs.gamma;
    beta_ = inputs.beta;
    dgamma_.resize(gamma_.size());
    dbeta_.resize(beta_.size());
    mean_ = inputs.mean;
    variance_ = inputs.variance;
    if (c.norm == Norm::kBatch) {
      batch();
    } else {
      layer();
    }
  }

  std::string name() const override { return blocked_ ? "oneDNN blocked" : "oneDNN"; }
  void run() override {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }
  Answers answers() override {
    const std::vector<float> main = reordered(main_, data_, plain_);
    if (case_.operation != Operation::kBackward) return {main, {}, {}};
    return {main, dgamma_, dbeta_};
  }

 private:
  // The blocks of channels that have a kernel of their own here: 16 with AVX-512, 8 with AVX2.
  memory::desc best_blocked(const memory::dims& dims) const {
    const memory::desc wide(dims, memory::data_type::f32, Tag::aBcd16b);
    const memory::desc narrow(dims, memory::data_type::f32, Tag::aBcd8b);
    const dnnl::batch_normalization_forward::desc forward(dnnl::prop_kind::forward_training, wide, kEps,
                                                          dnnl::normalization_flags::none);
    const dnnl::batch_normalization_forward::primitive_desc plan(forward, engine_);
    return std::string_view(plan.impl_info_str()).find("avx512") != std::string_view::npos ? wide : narrow;
  }

  std::vector<float> reordered(const std::vector<float>& values, const memory::desc& from, const memory::desc& to) {
    std::vector<float> result(to.get_size() / sizeof(float));
    const memory source = of(from, values);
    const memory target = of(to, result);
    dnnl::reorder(source, target).execute(stream_, const_cast<memory&>(source), const_cast<memory&>(target));
    stream_.wait();
    return result;
  }

  memory of(const memory::desc& desc, const std::vector<float>& values) {
    return {desc, engine_, const_cast<float*>(values.data())};
  }
  memory vector_of(const std::vector<float>& values) {
    return of({{static_cast<memory::dim>(values.size())}, memory::data_type::f32, Tag::a}, values);
  }

  void batch() {
    using dnnl::normalization_flags;
    const bool training = case_.operation != Operation::kInference;
    auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
    if (!training) flags = flags | normalization_flags::use_global_stats;
    const dnnl::batch_normalization_forward::desc forward(
        training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference, data_, kEps, flags);
    const dnnl::batch_normalization_forward::primitive_desc plan(forward, engine_);
    if (case_.operation == Operation::kBackward) {
      const dnnl::batch_normalization_backward::desc backward(dnnl::prop_kind::backward, data_, data_, kEps, flags);
      primitive_ = dnnl::batch_normalization_backward({backward, engine_, plan});
    } else {
      primitive_ = dnnl::batch_normalization_forward(plan);
    }
    fill(vector_of(mean_), vector_of(variance_));
  }

  void layer() {
    using dnnl::normalization_flags;
    const auto flags = normalization_flags::use_scale | normalization_flags::use_shift;
    const dnnl::layer_normalization_forward::desc forward(dnnl::prop_kind::forward_training, data_, kEps, flags);
    const dnnl::layer_normalization_forward::primitive_desc plan(forward, engine_);
    if (case_.operation == Operation::kBackward) {
      const dnnl::layer_normalization_backward::desc backward(dnnl::prop_kind::backward, data_, data_, plan.mean_desc(),
                                                              kEps, flags);
      primitive_ = dnnl::layer_normalization_backward({backward, engine_, plan});
    } else {
      primitive_ = dnnl::layer_normalization_forward(plan);
    }
    fill(of(plan.mean_desc(), mean_), of(plan.mean_desc(), variance_));
  }

  void fill(const memory& mean, const memory& variance) {
    arguments_ = {{DNNL_ARG_SRC, of(data_, x_)},
                  {DNNL_ARG_SCALE, vector_of(gamma_)},
                  {DNNL_ARG_SHIFT, vector_of(beta_)},
                  {DNNL_ARG_MEAN, mean},
                  {DNNL_ARG_VARIANCE, variance}};
    if (case_.operation == Operation::kBackward) {
      arguments_.insert({{DNNL_ARG_DIFF_DST, of(data_, dy_)},
                         {DNNL_ARG_DIFF_SRC, of(data_, main_)},
                         {DNNL_ARG_DIFF_SCALE, vector_of(dgamma_)},
                         {DNNL_ARG_DIFF_SHIFT, vector_of(dbeta_)}});
    } else {
      arguments_.insert({DNNL_ARG_DST, of(data_, main_)});
    }
  }

  const Case case_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  const bool blocked_;
  memory::desc plain_, data_;
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
  std::vector<float> x_, dy_, main_, gamma_, beta_, dgamma_, dbeta_, mean_, variance_;
};

}  // namespace

std::unique_ptr<Contender> make_onednn(const Case& c, const Inputs& inputs, bool blocked) {
  // 2.6.3 has no RMSNorm, GroupNorm or InstanceNorm. Blocked: of images alone, and without padded channels.
  const bool has = c.norm == Norm::kLayer || c.norm == Norm::kBatch;
  if (!has || (blocked && (c.norm != Norm::kBatch || c.shape.rank() != 4 || c.shape[1] % 16 != 0))) return nullptr;
  return std::make_unique<OneDnnContender>(c, inputs, blocked);
}

}  // namespace norma::bench
