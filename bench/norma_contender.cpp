#include <ATen/core/ivalue.h>  // first: see norma_torch/ops.h

#include <ATen/ATen.h>

#include "contender.h"
#include "norma/norma.h"

namespace norma::bench {
namespace {

class NormaContender : public Contender {
 public:
  NormaContender(const Case& c, const Inputs& inputs, bool fresh)
      : case_(c),
        inputs_(inputs),
        fresh_(fresh),
        descriptor_(c.descriptor()),
        statistics_(statistics_shape(descriptor_, c.shape)),
        affine_{c.channels()} {
    allocate();
  }

  std::string name() const override { return "norma"; }

  void run() override {
    if (fresh_) allocate();
    const ConstTensorView x(inputs_.x.data(), case_.shape, case_.layout);
    const ConstTensorView gamma(inputs_.gamma.data(), affine_);
    const ConstTensorView beta(inputs_.beta.data(), affine_);
    const TensorView out(main_.data_ptr<float>(), case_.shape, case_.layout);
    const ConstTensorView mean(inputs_.mean.data(), statistics_);
    switch (case_.operation) {
      case Operation::kForward:
        forward(descriptor_, x, gamma, beta, out, TensorView(first_.data_ptr<float>(), statistics_),
                TensorView(second_.data_ptr<float>(), statistics_));
        break;
      case Operation::kInference:
        inference(descriptor_, x, gamma, beta, mean, ConstTensorView(inputs_.variance.data(), statistics_), out);
        break;
      case Operation::kBackward:
        backward(descriptor_, ConstTensorView(inputs_.dy.data(), case_.shape, case_.layout), x, gamma, mean,
                 ConstTensorView(inputs_.rstd.data(), statistics_), out, TensorView(first_.data_ptr<float>(), affine_),
                 TensorView(second_.data_ptr<float>(), affine_));
        break;
    }
  }

  Answers answers() override {
    const auto copy = [](const at::Tensor& t) {
      return std::vector<float>(t.data_ptr<float>(), t.data_ptr<float>() + t.numel());
    };
    if (case_.operation != Operation::kBackward) return {copy(main_), {}, {}};
    return {copy(main_), copy(first_), copy(second_)};
  }

 private:
  // Memory as libtorch gives it, so that both allocate alike.
  void allocate() {
    // What was there is freed first, so that the allocator may hand out the same memory again.
    main_ = first_ = second_ = at::Tensor();
    main_ = at::empty({case_.shape.elements()});
    const std::int64_t side = case_.operation == Operation::kBackward ? case_.channels() : case_.statistics();
    first_ = at::empty({side});
    second_ = at::empty({side});
  }

  const Case case_;
  const Inputs& inputs_;
  const bool fresh_;
  Descriptor descriptor_;
  Shape statistics_;
  Shape affine_;
  at::Tensor main_, first_, second_;
};

}  // namespace

std::unique_ptr<Contender> make_norma(const Case& c, const Inputs& inputs, bool fresh) {
  return std::make_unique<NormaContender>(c, inputs, fresh);
}

}  // namespace norma::bench
