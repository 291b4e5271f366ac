// Non-owning views of tensors: a pointer, a logical shape, strides in elements and a data type.
//
// Axes are always counted in the logical order N, C, spatial... (or N, T, C for sequences), whatever the
// order in memory; Layout says how the axes lie in memory, and the strides follow from it.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>

#include "norma/error.h"
#include "norma/short_floats.h"

namespace norma {

inline constexpr int kMaxRank = 8;

enum class DType : std::uint8_t { kFloat32, kFloat64, kBFloat16, kFloat16 };
inline constexpr std::array kDTypes{DType::kFloat32, DType::kFloat64, DType::kBFloat16, DType::kFloat16};

// bf16 or f16: computed with in f32 and f64.
constexpr bool is_short(DType dtype) {
  return dtype == DType::kBFloat16 || dtype == DType::kFloat16;
}
// Bytes of one element.
constexpr std::size_t size_of(DType dtype) {
  return is_short(dtype) ? 2 : dtype == DType::kFloat64 ? 8 : 4;
}
// "f32", "f64", "bf16", "f16".
constexpr const char* name_of(DType dtype) {
  constexpr std::array<const char*, 4> kNames{"f32", "f64", "bf16", "f16"};
  return kNames[static_cast<std::size_t>(dtype)];
}

// kChannelsFirst: axes lie in memory in logical order (NCHW; also (N,C) and (N,T,C)).
// kChannelsLast: axis 1 lies innermost (NHWC). Of rank 2 and below both are the same.
enum class Layout : std::uint8_t { kChannelsFirst, kChannelsLast };

// Up to kMaxRank sizes, each >= 0. Rank 0 is a scalar (one element).
class Shape {
 public:
  constexpr Shape() = default;
  // Throws Error for more than kMaxRank sizes, a negative one, or a product over 2^63-1.
  Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const { return sizes_[static_cast<std::size_t>(axis)]; }
  // Product of the sizes; 1 for rank 0.
  std::int64_t elements() const { return elements_; }
  std::span<const std::int64_t> sizes() const { return {sizes_.data(), static_cast<std::size_t>(rank_)}; }
  bool operator==(const Shape& other) const {
    // The sizes past the last are alike in all.
    if (rank_ != other.rank_) return false;
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(rank_); ++axis) {
      if (sizes_[axis] != other.sizes_[axis]) return false;
    }
    return true;
  }
  // "(8, 16, 4, 4)".
  std::string to_string() const;

 private:
  std::array<std::int64_t, kMaxRank> sizes_{};
  std::int64_t elements_ = 1;
  int rank_ = 0;
};

using Strides = std::array<std::int64_t, kMaxRank>;

// Strides, in elements, of a dense tensor of this shape in this layout.
Strides dense_strides(const Shape& shape, Layout layout);

// A view of memory the caller owns, to be read. A default-constructed view is absent: the way to leave out an optional
// argument.
class ConstTensorView {
 public:
  ConstTensorView() = default;

  // A dense tensor. T is float, double, bfloat16 or float16, const or not.
  template <class T>
  ConstTensorView(T* data, const Shape& shape, Layout layout = Layout::kChannelsFirst)
      : ConstTensorView(data, dtype_of<T>(), shape, dense_strides(shape, layout)) {}

  ConstTensorView(const void* data, DType dtype, const Shape& shape, const Strides& strides)
      : data_(data), shape_(shape), strides_(strides), dtype_(dtype), present_(true) {}

  bool present() const { return present_; }
  const void* data() const { return data_; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }

  // The DType that T is.
  template <class T>
  static constexpr DType dtype_of() {
    using U = std::remove_const_t<T>;
    if constexpr (std::is_same_v<U, double>) return DType::kFloat64;
    if constexpr (std::is_same_v<U, bfloat16>) return DType::kBFloat16;
    if constexpr (std::is_same_v<U, float16>) return DType::kFloat16;
    static_assert(std::is_same_v<U, double> || std::is_same_v<U, bfloat16> || std::is_same_v<U, float16> ||
                      std::is_same_v<U, float>,
                  "float, double, bfloat16 or float16");
    return DType::kFloat32;
  }

 private:
  const void* data_ = nullptr;
  Shape shape_;
  Strides strides_{};
  DType dtype_ = DType::kFloat32;
  bool present_ = false;
};

// The same, to be written. It serves wherever one to be read is asked for.
class TensorView : public ConstTensorView {
 public:
  TensorView() = default;

  template <class T>
  requires(!std::is_const_v<T>) TensorView(T* data, const Shape& shape, Layout layout = Layout::kChannelsFirst)
      : ConstTensorView(data, shape, layout) {}

  TensorView(void* data, DType dtype, const Shape& shape, const Strides& strides)
      : ConstTensorView(data, dtype, shape, strides) {}

  // A TensorView is made of memory that may be written.
  void* data() const { return const_cast<void*>(ConstTensorView::data()); }
};

// Which elements of x count: one byte each, 0 for those that do not (padding). A view of memory the caller owns, of
// x's rank: every axis has x's size, or size 1 and then stands for all of it. So a validity per sample and position is
// (N,1,T) for x of (N,C,T), (N,T,1) for (N,T,C), (N,1,H,W) for (N,C,H,W) and (N,H,W,1) for (N,H,W,C).
// A default-constructed view is absent: everything counts.
class MaskView {
 public:
  MaskView() = default;
  // Dense, the last axis innermost.
  MaskView(const std::uint8_t* data, const Shape& shape)
      : MaskView(data, shape, dense_strides(shape, Layout::kChannelsFirst)) {}
  // Any strides, in bytes.
  MaskView(const std::uint8_t* data, const Shape& shape, const Strides& strides)
      : data_(data), shape_(shape), strides_(strides), present_(true) {}

  bool present() const { return present_; }
  const std::uint8_t* data() const { return data_; }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }

 private:
  const std::uint8_t* data_ = nullptr;
  Shape shape_;
  Strides strides_{};
  bool present_ = false;
};

}  // namespace norma
