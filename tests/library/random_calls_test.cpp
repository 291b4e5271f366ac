// Ten thousand random calls, each valid or broken in up to two ways: each gives a clear error or a right answer, never
// a crash.
#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "norma/norma.h"
#include "reference/cases.h"
#include "reference/compare.h"
#include "reference/exam.h"
#include "reference/reference.h"

namespace norma {
namespace {

using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::HasSubstr;

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

// A generator of calls, each valid or broken in up to two ways.
class Caller {
 public:
  explicit Caller(std::uint64_t seed) : state_(seed) {}

  // Makes one call; checks the answer if there was one, and that there was none at all if not. True if it was an error.
  bool call() {
    choose();
    for (std::int64_t breaks = pick(3); breaks > 0; --breaks) break_something();
    const auto before = contents();
    try {
      operate();
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("["));
      EXPECT_EQ(contents(), before) << "half-written: " << error.what();
      expect_guards_intact();
      return true;
    }
    expect_guards_intact();
    check_answer();
    return false;
  }

 private:
  enum class Call { kForward, kInference, kBackward, kInferenceBackward, kStatistics };

  struct Argument {
    std::unique_ptr<Tensor> tensor;
    std::optional<Shape> claimed;  // a shape other than the tensor's own: never larger than its memory
    bool null = false;
    Strides strides{};
    bool strides_claimed = false;
  };

  std::int64_t pick(std::int64_t below) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::int64_t>((state_ >> 33) % static_cast<std::uint64_t>(below));
  }

  Axes any_axes(int rank) {
    std::vector<int> axes;
    for (int axis = 0; axis < rank; ++axis) {
      if (pick(2) == 0) axes.push_back(pick(4) == 0 ? axis - rank : axis);
    }
    return Axes::of(axes);
  }

  DType any_type() { return kDTypes[static_cast<std::size_t>(pick(4))]; }

  void fill(Argument& argument, const Shape& shape, DType dtype, Layout layout = Layout::kChannelsFirst) {
    argument = Argument();
    argument.tensor = std::make_unique<Tensor>(normal(shape.elements(), state_ % 1000), dtype, shape, layout,
                                               static_cast<int>(pick(3)));
  }

  void choose() {
    const int rank = static_cast<int>(1 + pick(5));
    std::vector<std::int64_t> sizes;
    for (int axis = 0; axis < rank; ++axis) sizes.push_back(pick(12) == 0 ? 0 : 1 + pick(axis == 1 ? 18 : 6));
    shape_ = Shape(sizes);
    dtype_ = any_type();
    layout_ = pick(2) == 0 ? Layout::kChannelsFirst : Layout::kChannelsLast;
    descriptor_ = {.name = "call", .statistics = any_axes(rank), .affine = any_axes(rank), .centred = pick(4) != 0};
    const std::uint32_t shares = descriptor_.statistics.resolve(rank, "call");
    if (rank > 1 && (shares & 2U) != 0 && pick(2) == 0) {
      const std::int64_t groups = 1 + pick(4);
      if (shape_[1] % groups == 0) descriptor_.groups = groups;
    }
    const Shape parameters = affine_shape(descriptor_, shape_);
    const Shape statistics_size = statistics_shape(descriptor_, shape_);
    const DType owned = is_short(dtype_) && pick(2) == 0 ? DType::kFloat32 : dtype_;
    const DType saved = pick(2) == 0 ? owned : DType::kFloat64;
    call_ = std::array{Call::kForward, Call::kInference, Call::kBackward, Call::kInferenceBackward,
                       Call::kStatistics}[static_cast<std::size_t>(pick(5))];
    // Operations that need mean and rstd get them more often than not.
    const std::int64_t present = call_ == Call::kForward ? 3 : 12;
    for (Argument* argument : {&x_, &y_, &dy_}) fill(*argument, shape_, dtype_, layout_);
    for (Argument* argument : {&gamma_, &beta_}) {
      *argument = Argument();
      if (pick(3) != 0) fill(*argument, parameters, owned);
    }
    for (Argument* argument : {&mean_, &rstd_}) {
      *argument = Argument();
      if (pick(present) != 0) fill(*argument, statistics_size, saved);
    }
    if (pick(3) == 0) choose_mask();
  }

  // A mask that varies along any axes; what it masks is garbage.
  void choose_mask() {
    std::vector<std::int64_t> sizes;
    for (const std::int64_t size : shape_.sizes()) sizes.push_back(pick(2) == 0 ? size : 1);
    const Shape shape(sizes);
    mask_bytes_.resize(static_cast<std::size_t>(shape.elements() + 2 * kMargin));
    for (std::uint8_t& byte : mask_bytes_) byte = static_cast<std::uint8_t>(pick(4));
    mask_ = MaskView(mask_bytes_.data() + kMargin, shape);
    Values x = x_.tensor->values();
    reference::spoil(x, elements_of(mask_, shape_));
    reference::write(x, x_.tensor->view());
  }

  // One entry for every element of an x of this shape.
  static reference::Mask elements_of(const MaskView& mask, const Shape& x) {
    reference::Mask elements;
    if (!mask.present()) return elements;
    reference::for_each_index(x, [&](const auto& index, std::int64_t) {
      std::int64_t at = 0;
      for (std::size_t axis = 0; axis < index.size(); ++axis) {
        if (mask.shape()[static_cast<int>(axis)] > 1) at += index[axis] * mask.strides()[axis];
      }
      elements.push_back(mask.data()[at]);
    });
    return elements;
  }

  void break_mask() {
    Strides strides = mask_.strides();
    switch (pick(4)) {
      case 0:  // no memory
        mask_ = MaskView(nullptr, mask_.shape(), strides);
        break;
      case 1:  // another shape, perhaps of the right rank
        mask_ = MaskView(mask_.data(), Shape{1 + pick(3), 1 + pick(20)});
        break;
      case 2:  // strides that stay within the margin
        for (std::int64_t& stride : strides) stride = pick(7) - 3;
        mask_ = MaskView(mask_.data(), mask_.shape(), strides);
        // Other elements count now: no garbage among them.
        if (x_.tensor) reference::write(normal(x_.tensor->view().shape().elements(), 5), x_.tensor->view());
        break;
      default:  // and some that no memory holds
        for (std::int64_t& stride : strides) stride = kHuge - pick(3);
        mask_ = MaskView(mask_.data(), mask_.shape(), strides);
        break;
    }
  }

  std::array<Argument*, 7> arguments() { return {&x_, &y_, &dy_, &gamma_, &beta_, &mean_, &rstd_}; }

  // y is dx, and beta dgamma, where the call is a gradient.
  void operate() {
    switch (call_) {
      case Call::kForward:
        forward(descriptor_, view(x_), view(gamma_), view(beta_), out(y_), out(mean_), out(rstd_), mask_);
        break;
      case Call::kInference:
        inference(descriptor_, view(x_), view(gamma_), view(beta_), view(mean_), view(rstd_), out(y_), mask_);
        break;
      case Call::kBackward:
        backward(descriptor_, view(dy_), view(x_), view(gamma_), view(mean_), view(rstd_), out(y_), out(beta_), {},
                 mask_);
        break;
      case Call::kInferenceBackward:
        inference_backward(descriptor_, view(dy_), view(x_), view(gamma_), view(mean_), view(rstd_), out(y_),
                           out(beta_), {}, mask_);
        break;
      case Call::kStatistics:
        statistics(descriptor_, view(x_), out(mean_), out(rstd_), mask_);
        break;
    }
  }

  std::vector<std::vector<std::byte>> contents() {
    std::vector<std::vector<std::byte>> bytes;
    for (const Argument* argument : arguments()) {
      bytes.push_back(argument->tensor ? argument->tensor->bytes() : std::vector<std::byte>());
    }
    return bytes;
  }

  Argument& any_argument() { return *arguments()[static_cast<std::size_t>(pick(7))]; }

  void break_something() {
    Argument& argument = any_argument();
    switch (pick(10)) {
      case 0:  // missing
        argument = Argument();
        break;
      case 1:
        argument.null = true;
        break;
      case 2:  // another shape, of its own memory
        fill(argument, Shape{1 + pick(20)}, dtype_);
        break;
      case 3:  // a shape that no memory holds; only where it does not match x's own claim
        if (&argument != &x_ && argument.tensor) argument.claimed = Shape{std::int64_t{1} << (10 + pick(50))};
        break;
      case 4:
        if (argument.tensor) fill(argument, argument.tensor->view().shape(), any_type());
        break;
      case 5:
        descriptor_.groups = std::array<std::int64_t, 6>{0, -1, 2, 3, kHuge, -kHuge}[static_cast<std::size_t>(pick(6))];
        break;
      case 6:
        descriptor_.eps = std::array<double, 5>{-1, NAN, -INFINITY, 0, 1}[static_cast<std::size_t>(pick(5))];
        break;
      case 7:
        descriptor_.statistics = Axes::of({static_cast<int>(pick(16)) - 8});
        break;
      case 8:
        if (mask_.present()) break_mask();
        break;
      default:
        argument.strides_claimed = argument.tensor != nullptr;
        for (std::int64_t& stride : argument.strides) stride = pick(3) == 0 ? kHuge - pick(3) : pick(7) - 3;
        break;
    }
  }

  template <class View>
  View view_as(Argument& argument) {
    if (!argument.tensor) return {};
    const TensorView own = argument.tensor->view();
    const Shape shape = argument.claimed.value_or(own.shape());
    const Strides strides = argument.strides_claimed ? argument.strides
                            : argument.claimed       ? dense_strides(shape, layout_)
                                                     : own.strides();
    return View(argument.null ? nullptr : own.data(), own.dtype(), shape, strides);
  }
  ConstTensorView view(Argument& argument) { return view_as<ConstTensorView>(argument); }
  TensorView out(Argument& argument) { return view_as<TensorView>(argument); }

  void expect_guards_intact() {
    for (const Argument* argument : arguments()) {
      EXPECT_TRUE(argument->tensor == nullptr || argument->tensor->guards_intact());
    }
  }

  // The call was taken, so it must be right, by what the views say. (The gradients take any mean and rstd as given and
  // are held against the oracle elsewhere.)
  void check_answer() {
    const ConstTensorView x = view(x_);
    if (x.shape().elements() == 0 || descriptor_.eps == 0) return;
    const Values in = reference::read(x);
    const reference::Mask mask = elements_of(mask_, x.shape());
    const double allowed = reference::allowed_error(reference::Operation::kForward, x.dtype());
    // Only what the operation takes is read: the rest may be as broken as it likes.
    if (call_ == Call::kStatistics) {
      if (!rstd_.tensor) return;
      const Values want = reference::statistics(descriptor_, x.shape(), in, mask).m2;
      EXPECT_LE(reference::largest_error(reference::read(out(rstd_)), want, want, x.dtype()), allowed);
      return;
    }
    if (call_ != Call::kForward && call_ != Call::kInference) return;
    const Values gamma = reference::read(view(gamma_));
    const Values beta = reference::read(view(beta_));
    if (call_ == Call::kForward) {
      const Values want = reference::forward(descriptor_, x.shape(), in, gamma, beta, mask).y;
      const Values scale = reference::forward_scale(descriptor_, x.shape(), in, gamma, beta, mask);
      EXPECT_LE(reference::largest_error(reference::read(out(y_)), want, scale, x.dtype()), allowed);
    } else {
      const Values mean = descriptor_.centred ? reference::read(view(mean_)) : Values();
      const Values variance = reference::read(view(rstd_));
      const Values want = reference::inference(descriptor_, x.shape(), in, gamma, beta, mean, variance, mask);
      const Values scale = reference::inference_scale(descriptor_, x.shape(), in, gamma, beta, mean, variance, mask);
      EXPECT_LE(reference::largest_error(reference::read(out(y_)), want, scale, x.dtype()), allowed);
    }
  }

  std::uint64_t state_;
  Shape shape_;
  DType dtype_ = DType::kFloat32;
  Layout layout_ = Layout::kChannelsFirst;
  Descriptor descriptor_;
  Call call_ = Call::kForward;
  Argument x_, y_, dy_, gamma_, beta_, mean_, rstd_;
  // Strides of at most 3 along 5 axes of at most 18 stay within.
  static constexpr std::int64_t kMargin = 5 * 18 * 3;
  std::vector<std::uint8_t> mask_bytes_;
  MaskView mask_;
};

TEST(RandomCalls, GiveAnErrorAndWriteNothingOrGiveARightAnswer) {
  std::int64_t errors = 0;
  const std::int64_t calls = 10000;
  for (std::int64_t i = 0; i < calls && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("call " + std::to_string(i));
    errors += Caller(static_cast<std::uint64_t>(i) * 7919 + 1).call() ? 1 : 0;
  }
  // Both kinds must be there for this to be a test.
  EXPECT_GT(errors, calls / 5);
  EXPECT_LT(errors, calls * 4 / 5);
}

}  // namespace
}  // namespace norma
