#include <ATen/core/ivalue.h>  // first: see norma_torch/ops.h

#include <ATen/ATen.h>

#include <type_traits>
#include <utility>

#include "contender.h"
#include "norma/norma.h"

namespace norma::bench {
namespace {

template <class T>
constexpr at::ScalarType kTorchType = std::is_same_v<T, float>      ? at::kFloat
                                      : std::is_same_v<T, bfloat16> ? at::kBFloat16
                                                                    : at::kHalf;

// T: what x, y, dy and dx are stored as.
template <class T>
class NormaContender : public Contender {
 public:
  // `mask`: a byte for each sample and position, or empty.
  NormaContender(const Case& c, const Inputs& inputs, std::string name, bool fresh, std::vector<std::uint8_t> mask = {})
      : case_(c),
        inputs_(inputs),
        name_(std::move(name)),
        fresh_(fresh),
        mask_(std::move(mask)),
        descriptor_(c.descriptor()),
        statistics_(statistics_shape(descriptor_, c.shape)),
        affine_{c.channels()} {
    if constexpr (!std::is_same_v<T, float>) {
      for (const float value : inputs.x) x_.emplace_back(value);
      for (const float value : inputs.dy) dy_.emplace_back(value);
    }
  }

  std::string name() const override { return name_; }

  void run() override {
    if (fresh_ || !main_.defined()) allocate();
    const ConstTensorView x(stored(inputs_.x, x_), case_.shape, case_.layout);
    const ConstTensorView gamma(inputs_.gamma.data(), affine_);
    const ConstTensorView beta(inputs_.beta.data(), affine_);
    const TensorView out(static_cast<T*>(main_.data_ptr()), case_.shape, case_.layout);
    const ConstTensorView mean(inputs_.mean.data(), statistics_);
    switch (case_.operation) {
      case Operation::kForward:
        forward(descriptor_, x, gamma, beta, out, TensorView(first_.data_ptr<float>(), statistics_),
                TensorView(second_.data_ptr<float>(), statistics_), mask());
        break;
      case Operation::kInference:
        inference(descriptor_, x, gamma, beta, mean, ConstTensorView(inputs_.variance.data(), statistics_), out,
                  mask());
        break;
      case Operation::kBackward:
        backward(descriptor_, ConstTensorView(stored(inputs_.dy, dy_), case_.shape, case_.layout), x, gamma, mean,
                 ConstTensorView(inputs_.rstd.data(), statistics_), out, TensorView(first_.data_ptr<float>(), affine_),
                 TensorView(second_.data_ptr<float>(), affine_), mask());
        break;
    }
  }

  void release() override { main_ = first_ = second_ = at::Tensor(); }

  Answers answers() override {
    const auto copy = [](const at::Tensor& stored) {
      const at::Tensor t = stored.to(at::kFloat);
      return std::vector<float>(t.data_ptr<float>(), t.data_ptr<float>() + t.numel());
    };
    if (case_.operation != Operation::kBackward) return {copy(main_), {}, {}};
    return {copy(main_), copy(first_), copy(second_)};
  }

 private:
  // Memory as libtorch gives it, so that both allocate alike.
  void allocate() {
    // What was there is freed first, so that the allocator may hand out the same memory again.
    release();
    main_ = at::empty({case_.shape.elements()}, kTorchType<T>);
    const std::int64_t side = case_.operation == Operation::kBackward ? case_.channels() : case_.statistics();
    first_ = at::empty({side});
    second_ = at::empty({side});
  }

  static const T* stored([[maybe_unused]] const std::vector<float>& given, const std::vector<T>& rounded) {
    if constexpr (std::is_same_v<T, float>) return given.data();
    return rounded.data();
  }

  MaskView mask() const {
    if (mask_.empty()) return {};
    const Shape& x = case_.shape;
    return {mask_.data(), x.rank() == 2 ? Shape{x[0], 1} : Shape{x[0], 1, x[2], x[3]}};
  }

  const Case case_;
  const Inputs& inputs_;
  const std::string name_;
  const bool fresh_;
  const std::vector<std::uint8_t> mask_;
  Descriptor descriptor_;
  Shape statistics_;
  Shape affine_;
  std::vector<T> x_, dy_;  // of the short types: the inputs, rounded
  at::Tensor main_, first_, second_;
};

}  // namespace

std::unique_ptr<Contender> make_norma(const Case& c, const Inputs& inputs, bool fresh) {
  return std::make_unique<NormaContender<float>>(c, inputs, "norma", fresh);
}

std::unique_ptr<Contender> make_norma_variant(const Case& c, const Inputs& inputs, Variant variant) {
  switch (variant) {
    case Variant::kFloat32:
      return std::make_unique<NormaContender<float>>(c, inputs, "f32", false);
    case Variant::kBFloat16:
      return std::make_unique<NormaContender<bfloat16>>(c, inputs, "bf16", false);
    case Variant::kFloat16:
      return std::make_unique<NormaContender<float16>>(c, inputs, "f16", false);
    case Variant::kMasked:
      return std::make_unique<NormaContender<float>>(c, inputs, "masked", false, padding(c));
  }
  return nullptr;
}

std::vector<std::uint8_t> padding(const Case& c) {
  constexpr std::size_t kRun = 64;
  constexpr std::size_t kValid = 48;
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(c.shape[0] * c.positions()));
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i % kRun < kValid ? 1 : 0;
  return mask;
}

}  // namespace norma::bench
