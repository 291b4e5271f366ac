// oneDNN's primitives on preallocated memory.
#include <dnnl.hpp>

#include "contender.h"

namespace norma::bench {
namespace {

using dnnl::memory;

class OneDnnContender : public Contender {
 public:
  OneDnnContender(const Case& c, const Inputs& inputs)
      : case_(c), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_), inputs_(inputs) {
    const memory::dims dims(c.shape.sizes().begin(), c.shape.sizes().end());
    const auto tag = c.shape.rank() == 2                 ? memory::format_tag::ab
                     : c.layout == Layout::kChannelsLast ? memory::format_tag::acdb
                                                         : memory::format_tag::abcd;
    data_ = memory::desc(dims, memory::data_type::f32, tag);
    main_.resize(static_cast<std::size_t>(c.shape.elements()));
    dgamma_.resize(static_cast<std::size_t>(c.channels()));
    dbeta_.resize(static_cast<std::size_t>(c.channels()));
    mean_ = inputs.mean;
    variance_ = inputs.variance;
    if (c.batch_norm) {
      batch();
    } else {
      layer();
    }
  }

  const char* name() const override { return "oneDNN"; }
  void run() override {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }
  Answers answers() override {
    if (case_.operation != Operation::kBackward) return {main_, {}, {}};
    return {main_, dgamma_, dbeta_};
  }

 private:
  memory of(const memory::desc& desc, const std::vector<float>& values) {
    return {desc, engine_, const_cast<float*>(values.data())};
  }
  memory vector_of(const std::vector<float>& values) {
    return of({{static_cast<memory::dim>(values.size())}, memory::data_type::f32, memory::format_tag::a}, values);
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
    arguments_ = {{DNNL_ARG_SRC, of(data_, inputs_.x)},
                  {DNNL_ARG_SCALE, vector_of(inputs_.gamma)},
                  {DNNL_ARG_SHIFT, vector_of(inputs_.beta)},
                  {DNNL_ARG_MEAN, mean},
                  {DNNL_ARG_VARIANCE, variance}};
    if (case_.operation == Operation::kBackward) {
      arguments_.insert({{DNNL_ARG_DIFF_DST, of(data_, inputs_.dy)},
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
  const Inputs& inputs_;
  memory::desc data_;
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
  std::vector<float> main_, dgamma_, dbeta_, mean_, variance_;
};

}  // namespace

std::unique_ptr<Contender> make_onednn(const Case& c, const Inputs& inputs) {
  return std::make_unique<OneDnnContender>(c, inputs);
}

}  // namespace norma::bench
