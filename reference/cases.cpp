#include "reference/cases.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

namespace norma::reference {
namespace {

constexpr std::size_t kGuard = 128;
constexpr std::byte kGuardByte{0xA5};

// Steele, Lea & Flood 2014.
std::uint64_t splitmix64(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

// In (0, 1].
double uniform(std::uint64_t& state) {
  return (static_cast<double>(splitmix64(state) >> 11) + 1) * 0x1p-53;
}

Descriptor by_hand(Axes statistics, Axes affine, bool centred = true) {
  return {.name = "by_hand", .statistics = statistics, .affine = affine, .centred = centred};
}

// LayerNorm over the features of every position (ConvNeXt).
Descriptor layer_norm_over_features() {
  Descriptor descriptor = layer_norm();
  descriptor.statistics = Axes::of({1});
  descriptor.affine = Axes::of({1});
  return descriptor;
}

class CaseList {
 public:
  void add(const Descriptor& descriptor, std::initializer_list<std::int64_t> sizes) {
    const Shape shape(sizes);
    const std::string groups = descriptor.groups > 1 ? " " + std::to_string(descriptor.groups) + " groups" : "";
    cases_.push_back({std::string(descriptor.name) + groups + " " + shape.to_string(), descriptor, shape});
  }
  std::vector<Case> take() { return std::move(cases_); }

 private:
  std::vector<Case> cases_;
};

}  // namespace

std::vector<Case> few_cases() {
  CaseList list;
  list.add(layer_norm(), {3, 67});
  list.add(layer_norm(3), {2, 6, 3, 5});
  list.add(layer_norm_over_features(), {2, 17, 3, 5});
  list.add(rms_norm(), {4, 33});
  list.add(batch_norm(), {33, 19});
  list.add(batch_norm(), {4, 17, 5, 3});
  list.add(group_norm(2), {3, 6, 5, 3});
  list.add(instance_norm(), {3, 5, 4, 4});
  list.add(by_hand(Axes::of({0, 2}), Axes::of({1, 3})), {3, 2, 4, 5});
  return list.take();
}

std::vector<Case> all_cases() {
  CaseList list;
  for (const std::int64_t length : {1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 67, 129, 1000}) {
    list.add(layer_norm(), {3, length});
    list.add(rms_norm(), {2, length});
    list.add(batch_norm(), {6, length});
    list.add(batch_norm(), {length + 1, 3});
    list.add(instance_norm(), {2, 3, length});
    list.add(layer_norm_over_features(), {2, length, 3, 2});
  }
  for (const std::int64_t length : {4096, 5003}) {
    list.add(layer_norm(), {2, length});
    list.add(batch_norm(), {length, 2});
  }
  list.add(layer_norm(2), {2, 3, 5, 7});
  list.add(layer_norm(3), {2, 6, 3, 5});
  list.add(layer_norm(4), {2, 3, 2, 3, 2});
  list.add(rms_norm(2), {2, 3, 5, 7});
  list.add(layer_norm_over_features(), {2, 16, 5, 13});
  list.add(layer_norm(), {2, 3, 4, 2, 3, 2, 2, 5});
  list.add(batch_norm(), {2, 1});
  list.add(batch_norm(), {64, 67});
  list.add(batch_norm(), {300, 16});
  for (const std::int64_t features : {1, 3, 8, 16, 17, 33}) list.add(batch_norm(), {4, features, 3, 5});
  list.add(batch_norm(), {1, 4, 2, 2});
  list.add(batch_norm(), {2, 3, 1, 1});
  list.add(batch_norm(), {5, 7, 9});
  list.add(batch_norm(), {2, 3, 2, 3, 4});
  list.add(batch_norm(), {16, 24, 7, 7});
  for (const std::int64_t groups : {1, 2, 4, 12}) list.add(group_norm(groups), {3, 12, 5, 3});
  list.add(group_norm(2), {2, 6, 3, 3});  // three features a group
  list.add(group_norm(3), {5, 12});
  list.add(group_norm(5), {2, 10, 4, 4, 2});
  list.add(group_norm(4), {2, 64, 6, 6});
  list.add(instance_norm(), {3, 5, 4, 4});
  list.add(instance_norm(), {2, 17, 3, 3});
  list.add(instance_norm(), {2, 33, 2, 2});
  list.add(instance_norm(), {2, 3, 2, 3, 4});
  list.add(instance_norm(), {3, 4});
  list.add(by_hand(Axes::of({0}), Axes::of({1})), {5, 3, 4});
  list.add(by_hand(Axes::of({0, 2}), Axes::of({1, 3})), {3, 2, 4, 5});
  list.add(by_hand(Axes::of({1, 3}), Axes::of({0, 2})), {3, 4, 2, 5});
  list.add(by_hand(Axes::of({2}), Axes::of({1, 3})), {2, 3, 4, 5});
  list.add(by_hand(Axes::of({-1}), Axes::of({0, 1, 2})), {2, 3, 19});
  list.add(by_hand(Axes::of({0, 1, 2}), Axes::of({})), {2, 3, 19});
  list.add(by_hand(Axes::all_but({}), Axes::all_but({})), {4, 3, 2});
  list.add(by_hand(Axes::of({0, 3, 5}), Axes::of({2, 4})), {2, 3, 2, 3, 2, 3});
  list.add(by_hand(Axes::of({0}), Axes::of({1}), false), {9, 21});
  list.add(by_hand(Axes::all_but({1}), Axes::of({1}), false), {3, 5, 4, 3});
  list.add(by_hand(Axes::of({0}), Axes::of({0})), {37});
  return list.take();
}

Values normal(std::int64_t count, std::uint64_t seed, double mean, double sigma) {
  std::uint64_t state = seed * 0xD1342543DE82EF95U + 1;
  Values values;
  for (std::int64_t i = 0; i < count; ++i) {  // Box & Muller 1958
    const double radius = std::sqrt(-2 * std::log(uniform(state)));
    values.push_back(mean + sigma * radius * std::cos(2 * std::numbers::pi * uniform(state)));
  }
  return values;
}

std::vector<std::uint32_t> mask_axes(const Case& problem) {
  const int rank = problem.shape.rank();
  const std::uint32_t all = (1U << rank) - 1U;
  std::vector<std::uint32_t> kinds;
  for (std::uint32_t axes : {1U, all & ~2U, all & ~(1U << (rank - 1)), all}) {
    if (problem.descriptor.groups > 1) axes &= ~2U;
    if (axes != 0 && std::find(kinds.begin(), kinds.end(), axes) == kinds.end()) kinds.push_back(axes);
  }
  return kinds;
}

PositionMask::PositionMask(const Case& problem, std::uint32_t axes, std::uint64_t seed) {
  const Shape& x = problem.shape;
  std::vector<std::int64_t> sizes;
  for (int axis = 0; axis < x.rank(); ++axis) sizes.push_back((axes >> axis & 1U) != 0 ? x[axis] : 1);
  shape_ = Shape(sizes);
  const bool over_batch = (problem.descriptor.statistics.resolve(x.rank(), problem.descriptor.name) & 1U) != 0;
  const Values zeros(static_cast<std::size_t>(x.elements()), 0);
  for (std::uint64_t attempt = 0; attempt < 1000; ++attempt) {
    draw(x, seed * 1000 + attempt);
    if (!over_batch) return;
    const auto counts = statistics(problem.descriptor, x, zeros, elements_).count;
    if (std::all_of(counts.begin(), counts.end(), [](std::int64_t n) { return n >= 2; })) return;
  }
  std::fill(bytes_.begin(), bytes_.end(), std::uint8_t{1});
  std::fill(elements_.begin(), elements_.end(), std::uint8_t{1});
}

void PositionMask::draw(const Shape& x, std::uint64_t seed) {
  std::uint64_t state = seed * 0xD1342543DE82EF95U + 1;
  bytes_.clear();
  // Any byte but 0 counts.
  for (std::int64_t n = 0; n < shape_.elements(); ++n) {
    bytes_.push_back(uniform(state) < 0.7 ? static_cast<std::uint8_t>(1 + splitmix64(state) % 255) : std::uint8_t{0});
  }
  elements_.clear();
  const Strides strides = dense_strides(shape_, Layout::kChannelsFirst);
  for_each_index(x, [&](const auto& index, std::int64_t) {
    std::int64_t at = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      if (shape_[static_cast<int>(axis)] > 1) at += index[axis] * strides[axis];
    }
    elements_.push_back(bytes_[static_cast<std::size_t>(at)]);
  });
}

void spoil(Values& values, const Mask& mask) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr std::array kGarbage{std::numeric_limits<double>::quiet_NaN(), kInfinity, -kInfinity, 3e38, -3e38};
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) values[i] = kGarbage[i % kGarbage.size()];
  }
}

Tensor::Tensor(DType dtype, const Shape& shape, Layout layout, int misalign)
    : dtype_(dtype), shape_(shape), layout_(layout) {
  size_ = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  const std::size_t shift = static_cast<std::size_t>(misalign) * size_of(dtype);
  memory_.assign(size_ + 2 * kGuard + 64 + shift, kGuardByte);
  const auto address = reinterpret_cast<std::uintptr_t>(memory_.data()) + kGuard;
  offset_ = kGuard + (64 - address % 64) % 64 + shift;
}

Tensor::Tensor(const Values& values, DType dtype, const Shape& shape, Layout layout, int misalign)
    : Tensor(dtype, shape, layout, misalign) {
  write(values, view());
}

TensorView Tensor::view() {
  return {memory_.data() + offset_, dtype_, shape_, dense_strides(shape_, layout_)};
}

ConstTensorView Tensor::view() const {
  return {memory_.data() + offset_, dtype_, shape_, dense_strides(shape_, layout_)};
}

std::vector<std::byte> Tensor::bytes() const {
  const auto first = memory_.begin() + static_cast<std::ptrdiff_t>(offset_);
  return {first, first + static_cast<std::ptrdiff_t>(size_)};
}

bool Tensor::guards_intact() const {
  const auto is_guard = [](std::byte byte) { return byte == kGuardByte; };
  const auto first = memory_.begin() + static_cast<std::ptrdiff_t>(offset_);
  return std::all_of(memory_.begin(), first, is_guard) &&
         std::all_of(first + static_cast<std::ptrdiff_t>(size_), memory_.end(), is_guard);
}

}  // namespace norma::reference
