// Ten thousand hostile calls through the C door: structs of good fields and of nonsense in any mixture. Each call gives
// a status and, where it is an error, a message, and leaves every byte as it was; a call that is taken has the bits of
// the same call through the C++ door.
#include <gmock/gmock.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "norma/c_api.h"
#include "norma/norma.h"

namespace norma {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();

class Caller {
 public:
  explicit Caller(std::uint64_t seed) : state_(seed * 2 + 1) {
    for (int i = 0; i < 8; ++i) next();
  }

  // True if the call was taken.
  bool call() {
    choose();
    for (std::int64_t breaks = pick(4); breaks > 0; --breaks) break_something();
    const auto before = memory_;
    const std::vector<norma_tensor> structs = tensors_;
    const norma_status status = operate();
    EXPECT_EQ(std::memcmp(structs.data(), tensors_.data(), structs.size() * sizeof(norma_tensor)), 0);
    if (status == NORMA_OK) {
      expect_guards(before);
      repeat(before);
      return true;
    }
    // What asks for more memory than there is may say so instead.
    EXPECT_TRUE(status == NORMA_INVALID_ARGUMENT || status == NORMA_OUT_OF_MEMORY) << norma_last_error();
    EXPECT_STRNE(norma_last_error(), "");
    EXPECT_TRUE(memory_ == before) << "half-written: " << norma_last_error();
    return false;
  }

 private:
  enum Name { kX, kDy, kY, kGamma, kBeta, kMean, kRstd, kDgamma, kDbeta, kBefore, kSum, kAfter, kTensors };
  // Of operation_, beside 0 to 5.
  enum Fused { kForwardFused = 6, kBackwardFused, kInferenceFused, kInferenceBackwardFused };
  // Elements of f64 that every tensor has memory for, with a guard on both sides.
  static constexpr std::int64_t kRoom = 1536;
  static constexpr std::int64_t kGuard = 64;

  std::uint64_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 33;
  }
  std::int64_t pick(std::int64_t below) {
    return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(below));
  }
  template <class T, std::size_t N>
  T any(const std::array<T, N>& values) {
    return values[static_cast<std::size_t>(pick(static_cast<std::int64_t>(N)))];
  }

  std::byte* place(int name) { return memory_[static_cast<std::size_t>(name)].data() + kGuard * 8; }

  norma_tensor tensor(int name, const norma_tensor& shape, norma_dtype dtype, norma_layout layout) {
    norma_tensor t = shape;
    t.data = place(name);
    t.dtype = dtype;
    t.layout = layout;
    t.reserved = 0;
    return t;
  }

  void choose() {
    memory_.assign(kTensors, std::vector<std::byte>(static_cast<std::size_t>((kRoom + 2 * kGuard) * 8)));
    tensors_.assign(kTensors, norma_tensor{});
    used_.assign(kTensors, true);
    const int rank = static_cast<int>(2 + pick(3));
    norma_tensor x{};
    x.rank = rank;
    for (int axis = 0; axis < rank; ++axis) x.sizes[axis] = pick(20) == 0 ? 0 : 1 + pick(6);
    const norma_dtype dtype = static_cast<norma_dtype>(pick(4));
    const norma_layout layout = static_cast<norma_layout>(pick(2));
    const double eps = 1e-5;
    descriptor_ = any(std::array{norma_batch_norm(eps), norma_layer_norm(1, eps), norma_layer_norm(2, eps),
                                 norma_group_norm(1, eps), norma_group_norm(2, eps), norma_instance_norm(eps),
                                 norma_rms_norm(1, eps)});
    norma_tensor affine{};
    norma_tensor statistic{};
    // Two groups do not fit every x: then one.
    if (norma_affine_shape(&descriptor_, &x, &affine) != NORMA_OK) descriptor_.groups = 1;
    EXPECT_EQ(norma_affine_shape(&descriptor_, &x, &affine), NORMA_OK);
    EXPECT_EQ(norma_statistics_shape(&descriptor_, &x, &statistic), NORMA_OK);
    const norma_dtype saved = pick(2) == 0 ? dtype : NORMA_F64;
    for (const int name : {kX, kDy, kY, kBefore, kSum, kAfter}) set(name, tensor(name, x, dtype, layout));
    for (const int name : {kGamma, kBeta, kDgamma, kDbeta}) set(name, tensor(name, affine, dtype, 0));
    for (const int name : {kMean, kRstd}) set(name, tensor(name, statistic, saved, 0));
    for (const int name : {kGamma, kBeta, kDgamma, kDbeta}) used_[static_cast<std::size_t>(name)] = pick(3) != 0;
    used_[kBefore] = used_[kSum] = pick(2) == 0;
    used_[kAfter] = pick(2) == 0;
    activation_ = static_cast<norma_activation>(pick(5));
    reserved_ = 0;
    for (int name = 0; name < kTensors; ++name) fill(name, tensors_[static_cast<std::size_t>(name)].dtype);
    mask_used_ = pick(4) == 0;
    for (std::uint8_t& byte : mask_bytes_) byte = static_cast<std::uint8_t>(pick(4));
    mask_ = norma_mask{mask_bytes_.data(), NORMA_CHANNELS_FIRST, rank, {}, {}};
    for (int axis = 0; axis < rank; ++axis) mask_.sizes[axis] = axis == 1 && pick(2) == 0 ? 1 : x.sizes[axis];
    operation_ = static_cast<int>(pick(10));
    count_ = pick(100);
    other_count_ = pick(100);
  }

  void set(int name, const norma_tensor& t) { tensors_[static_cast<std::size_t>(name)] = t; }

  // Positive numbers, so that they serve as variances too.
  void fill(int name, norma_dtype dtype) {
    for (std::int64_t i = 0; i < kRoom; ++i) {
      const double value = static_cast<double>(1 + pick(1000)) / 100;
      if (dtype == NORMA_F64) {
        std::memcpy(place(name) + i * 8, &value, 8);
      } else if (dtype == NORMA_F32) {
        const auto narrow = static_cast<float>(value);
        std::memcpy(place(name) + i * 4, &narrow, 4);
      } else {
        const std::uint16_t narrow = dtype == NORMA_BF16 ? bfloat16(value).bits : float16(value).bits;
        std::memcpy(place(name) + i * 2, &narrow, 2);
      }
    }
  }

  void break_tensor(norma_tensor& t) {
    const std::int64_t strange = any(std::array{std::int64_t{-1}, std::int64_t{0}, std::int64_t{1}, kMost, kLeast,
                                                std::int64_t{1} << 32, std::int64_t{1} << 62});
    switch (pick(8)) {
      case 0:
        t.data = nullptr;
        break;
      case 1:
        t.data = static_cast<std::byte*>(t.data) + 1 + pick(7);  // within the guard
        break;
      case 2:
        t.dtype = any(std::array<norma_dtype, 8>{0, 1, 2, 3, -1, 77, INT32_MAX, INT32_MIN});
        break;
      case 3:
        t.layout = any(std::array<norma_layout, 6>{0, 1, 2, -1, 3, INT32_MIN});
        break;
      case 4:
        t.rank = any(std::array<std::int32_t, 8>{0, 1, 2, 3, -1, 9, INT32_MAX, INT32_MIN});
        break;
      case 5:
        t.reserved = any(std::array<std::int32_t, 3>{1, -1, INT32_MIN});
        break;
      case 6:
        // x alone says how much memory everything has: its sizes may become wrong, but not larger.
        t.sizes[pick(NORMA_MAX_RANK)] = &t == &tensors_[kX] && strange > 1 ? 1 : strange;
        break;
      default:
        t.layout = NORMA_STRIDED;
        // Rows may be any number of elements apart: those strides that would be taken at their word fit the memory, and
        // 2^60 is more bytes than there are addresses.
        for (std::int64_t& stride : t.strides) {
          stride = pick(2) == 0 ? (strange == std::int64_t{1} << 32 ? std::int64_t{1} << 60 : strange) : pick(64);
        }
        break;
    }
  }

  void break_something() {
    switch (pick(9)) {
      case 8:
        if (pick(2) == 0) activation_ = any(std::array<norma_activation, 5>{-1, 5, 99, INT32_MAX, INT32_MIN});
        if (pick(2) == 0) reserved_ = any(std::array<std::int32_t, 3>{1, -1, INT32_MIN});
        break;
      case 0:
        used_[static_cast<std::size_t>(pick(kTensors))] = false;
        break;
      case 1:
        descriptor_.eps = any(std::array{-1.0, double{NAN}, double{INFINITY}, 0.0, -0.0, 1e300});
        break;
      case 2:
        descriptor_.groups = any(std::array{std::int64_t{0}, std::int64_t{-1}, std::int64_t{3}, kMost, kLeast});
        break;
      case 3: {
        norma_axes& axes = pick(2) == 0 ? descriptor_.statistics : descriptor_.affine;
        if (pick(2) == 0) axes.kind = any(std::array<std::int32_t, 5>{0, 1, 2, -1, 99});
        if (pick(2) == 0) axes.count = any(std::array<std::int32_t, 6>{0, 1, 8, 9, -1, INT32_MIN});
        if (pick(2) == 0) axes.axes[0] = any(std::array<std::int32_t, 7>{-8, -1, 0, 7, 8, INT32_MAX, INT32_MIN});
        break;
      }
      case 4:
        if (pick(2) == 0) mask_.data = nullptr;
        if (pick(2) == 0) mask_.rank = any(std::array<std::int32_t, 5>{0, -1, 9, INT32_MAX, INT32_MIN});
        if (pick(2) == 0) mask_.layout = any(std::array<norma_layout, 5>{1, 2, 3, -1, INT32_MAX});
        if (pick(2) == 0) mask_.sizes[pick(4)] = any(std::array{std::int64_t{-1}, kMost, kLeast, std::int64_t{0}});
        if (pick(2) == 0) mask_.strides[pick(4)] = any(std::array{kMost, kLeast, std::int64_t{1}});
        break;
      case 5:
        count_ = any(std::array{std::int64_t{-1}, kMost, kLeast, std::int64_t{0}, std::int64_t{1}});
        other_count_ = any(std::array{std::int64_t{-1}, kMost, kLeast, std::int64_t{1}});
        break;
      default:
        break_tensor(tensors_[static_cast<std::size_t>(pick(kTensors))]);
        break;
    }
  }

  const norma_tensor* at(int name) {
    const auto n = static_cast<std::size_t>(name);
    return used_[n] ? &tensors_[n] : nullptr;
  }

  norma_status operate() {
    const norma_mask* mask = mask_used_ ? &mask_ : nullptr;
    const norma_fusion fusion{at(kBefore), at(kSum), at(kAfter), activation_, reserved_};
    // `sum` is written by the forward alone: here it takes dafter.
    const norma_fusion_gradient gradient{at(kBeta), at(kAfter), at(kBefore), at(kSum), activation_, reserved_};
    switch (operation_) {
      case kForwardFused:
        return norma_forward_fused(&descriptor_, at(kX), at(kGamma), at(kBeta), at(kY), at(kMean), at(kRstd), mask,
                                   &fusion);
      case kBackwardFused:
        return norma_backward_fused(&descriptor_, at(kDy), at(kX), at(kGamma), at(kMean), at(kRstd), at(kY),
                                    at(kDgamma), at(kDbeta), mask, &gradient);
      case kInferenceFused:
        return norma_inference_fused(&descriptor_, at(kX), at(kGamma), at(kBeta), at(kMean), at(kRstd), at(kY), mask,
                                     &fusion);
      case kInferenceBackwardFused:
        return norma_inference_backward_fused(&descriptor_, at(kDy), at(kX), at(kGamma), at(kMean), at(kRstd), at(kY),
                                              at(kDgamma), at(kDbeta), mask, &gradient);
      case 0:
        return norma_forward(&descriptor_, at(kX), at(kGamma), at(kBeta), at(kY), at(kMean), at(kRstd), mask);
      case 1:
        return norma_backward(&descriptor_, at(kDy), at(kX), at(kGamma), at(kMean), at(kRstd), at(kY), at(kDgamma),
                              at(kDbeta), mask);
      case 2:
        return norma_inference(&descriptor_, at(kX), at(kGamma), at(kBeta), at(kMean), at(kRstd), at(kY), mask);
      case 3:
        return norma_statistics(&descriptor_, at(kX), at(kMean), at(kRstd), mask, &count_);
      case 4:
        return norma_merge(&count_, at(kMean), at(kRstd), other_count_, at(kGamma), at(kBeta));
      default:
        return norma_update_running("torch", 0.1, count_, at(kMean), at(kRstd), at(kDgamma), at(kDbeta));
    }
  }

  // Nothing outside the tensors' memory was touched. (Inputs are not written: `repeat` would see it.)
  void expect_guards(const std::vector<std::vector<std::byte>>& before) {
    for (std::size_t n = 0; n < kTensors; ++n) {
      EXPECT_EQ(std::memcmp(memory_[n].data(), before[n].data(), kGuard * 8), 0);
      EXPECT_EQ(
          std::memcmp(memory_[n].data() + (kRoom + kGuard) * 8, before[n].data() + (kRoom + kGuard) * 8, kGuard * 8),
          0);
    }
  }

  // The same call through the C++ door, on the memory as it was.
  void repeat(const std::vector<std::vector<std::byte>>& before) {
    if (operation_ == 4 || operation_ == 5) return;
    const auto after = memory_;
    // In place: the structs point into this memory.
    for (std::size_t n = 0; n < kTensors; ++n) std::ranges::copy(before[n], memory_[n].begin());
    const MaskView mask = mask_used_ ? mask_view() : MaskView();
    const Descriptor d = descriptor();
    // What is not of the operation may be nonsense still.
    const auto fusion = [&] {
      return Fusion{view(kBefore), view(kSum), view(kAfter), static_cast<Activation>(activation_)};
    };
    const auto gradient = [&] {
      return FusionGradient{view(kBeta), view(kAfter), static_cast<Activation>(activation_), view(kBefore), view(kSum)};
    };
    if (operation_ == kForwardFused) {
      forward(d, view(kX), view(kGamma), view(kBeta), view(kY), view(kMean), view(kRstd), mask, fusion());
    } else if (operation_ == kBackwardFused) {
      backward(d, view(kDy), view(kX), view(kGamma), view(kMean), view(kRstd), view(kY), view(kDgamma), view(kDbeta),
               mask, gradient());
    } else if (operation_ == kInferenceFused) {
      inference(d, view(kX), view(kGamma), view(kBeta), view(kMean), view(kRstd), view(kY), mask, fusion());
    } else if (operation_ == kInferenceBackwardFused) {
      inference_backward(d, view(kDy), view(kX), view(kGamma), view(kMean), view(kRstd), view(kY), view(kDgamma),
                         view(kDbeta), mask, gradient());
    } else if (operation_ == 0) {
      forward(d, view(kX), view(kGamma), view(kBeta), view(kY), view(kMean), view(kRstd), mask);
    } else if (operation_ == 1) {
      backward(d, view(kDy), view(kX), view(kGamma), view(kMean), view(kRstd), view(kY), view(kDgamma), view(kDbeta),
               mask);
    } else if (operation_ == 3) {
      EXPECT_EQ(statistics(d, view(kX), view(kMean), view(kRstd), mask), count_);
    } else {
      inference(d, view(kX), view(kGamma), view(kBeta), view(kMean), view(kRstd), view(kY), mask);
    }
    EXPECT_TRUE(memory_ == after);
  }

  static Strides strides_of(norma_layout layout, const Shape& shape, const std::int64_t* strides) {
    if (layout != NORMA_STRIDED)
      return dense_strides(shape, layout == 0 ? Layout::kChannelsFirst : Layout::kChannelsLast);
    Strides given{};
    std::copy_n(strides, shape.rank(), given.begin());
    return given;
  }

  TensorView view(int name) {
    const norma_tensor* t = at(name);
    if (t == nullptr) return {};
    const Shape shape{std::span<const std::int64_t>(t->sizes, static_cast<std::size_t>(t->rank))};
    return {t->data, kDTypes[static_cast<std::size_t>(t->dtype)], shape, strides_of(t->layout, shape, t->strides)};
  }

  MaskView mask_view() const {
    const Shape shape{std::span<const std::int64_t>(mask_.sizes, static_cast<std::size_t>(mask_.rank))};
    return {mask_.data, shape, strides_of(mask_.layout, shape, mask_.strides)};
  }

  static Axes axes(const norma_axes& given) {
    const std::span<const int> listed(given.axes, static_cast<std::size_t>(given.count));
    if (given.kind == NORMA_AXES_LISTED) return Axes::of(listed);
    return given.kind == NORMA_AXES_ALL_BUT ? Axes::all_but(listed) : Axes::from(given.axes[0]);
  }

  Descriptor descriptor() const {
    return {.name = descriptor_.name,
            .statistics = axes(descriptor_.statistics),
            .affine = axes(descriptor_.affine),
            .groups = descriptor_.groups,
            .eps = descriptor_.eps,
            .centred = descriptor_.centred != 0};
  }

  std::uint64_t state_;
  norma_descriptor descriptor_{};
  std::vector<std::vector<std::byte>> memory_;
  std::vector<norma_tensor> tensors_;
  std::vector<bool> used_;
  std::array<std::uint8_t, std::size_t{6} * 6 * 6 * 6> mask_bytes_{};
  norma_mask mask_{};
  bool mask_used_ = false;
  int operation_ = 0;
  norma_activation activation_ = 0;
  std::int32_t reserved_ = 0;
  std::int64_t count_ = 0, other_count_ = 0;
};

TEST(HostileCallsInC, GiveAStatusAndWriteNothingOrDoWhatTheCppDoorDoes) {
  constexpr std::int64_t kCalls = 10000;
  std::int64_t taken = 0;
  for (std::int64_t i = 0; i < kCalls && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("call " + std::to_string(i));
    taken += Caller(static_cast<std::uint64_t>(i) + 1).call() ? 1 : 0;
  }
  // Both kinds must be there for this to be a test.
  EXPECT_GT(taken, kCalls / 5);
  EXPECT_LT(taken, kCalls * 4 / 5);
}

}  // namespace
}  // namespace norma
