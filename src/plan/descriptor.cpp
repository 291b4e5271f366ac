// The descriptor's axes, its factories and the shapes that follow from it.
#include "norma/descriptor.h"

#include <string>

#include "plan/axes.h"

namespace norma {
namespace {

std::string range_text(int low, int high) {
  return std::to_string(low) + " to " + std::to_string(high);
}

}  // namespace

Axes Axes::of(std::span<const int> axes) {
  Axes result;
  for (const int axis : axes) {
    if (axis < -kMaxRank || axis >= kMaxRank || result.count_ == kMaxRank) {
      throw Error("[axes] expected up to " + std::to_string(kMaxRank) + " axes from " +
                  range_text(-kMaxRank, kMaxRank - 1) + ", got axis " + std::to_string(axis) + " as number " +
                  std::to_string(result.count_ + 1));
    }
    result.axes_[result.count_++] = static_cast<std::int8_t>(axis);
  }
  return result;
}

Axes Axes::of(std::initializer_list<int> axes) {
  return of(std::span(axes.begin(), axes.size()));
}

Axes Axes::all_but(std::initializer_list<int> axes) {
  return all_but(std::span(axes.begin(), axes.size()));
}

Axes Axes::all_but(std::span<const int> axes) {
  Axes result = of(axes);
  result.kind_ = Kind::kAllBut;
  return result;
}

Axes Axes::from(int first) {
  Axes result = of({first});
  result.kind_ = Kind::kFrom;
  return result;
}

Axes Axes::last(int count) {
  if (count < 0 || count > kMaxRank) {
    throw Error("[axes] expected a count from " + range_text(0, kMaxRank) + ", got " + std::to_string(count));
  }
  return count == 0 ? Axes() : from(-count);
}

std::uint32_t Axes::resolve(int rank, const char* operation) const {
  const std::uint32_t all = (1U << rank) - 1U;
  std::uint32_t bits = 0;
  for (int n = 0; n < count_; ++n) {
    const int given = axes_[static_cast<std::size_t>(n)];
    const int axis = given < 0 ? given + rank : given;
    // "From the axis after the last" is an honest way to say none: InstanceNorm of (N, C).
    const int end = kind_ == Kind::kFrom && given > 0 ? rank + 1 : rank;
    if (axis < 0 || axis >= end) {
      throw Error("[" + std::string(operation) + "] axis " + std::to_string(given) + ": expected " +
                  (rank == 0 ? "none for a tensor of rank 0" : range_text(-rank, rank - 1)) + " for rank " +
                  std::to_string(rank));
    }
    bits |= 1U << axis;
  }
  switch (kind_) {
    case Kind::kListed:
      return bits;
    case Kind::kAllBut:
      return all & ~bits;
    case Kind::kFrom:
      return all & ~(bits - 1U);  // one bit is set: it and all above
  }
  return bits;
}

Descriptor batch_norm(double eps) {
  return {.name = "batch_norm", .statistics = Axes::all_but({1}), .affine = Axes::of({1}), .eps = eps};
}

Descriptor layer_norm(int axes, double eps) {
  return {.name = "layer_norm", .statistics = Axes::last(axes), .affine = Axes::last(axes), .eps = eps};
}

Descriptor group_norm(std::int64_t groups, double eps) {
  return {.name = "group_norm", .statistics = Axes::from(1), .affine = Axes::of({1}), .groups = groups, .eps = eps};
}

Descriptor instance_norm(double eps) {
  return {.name = "instance_norm", .statistics = Axes::from(2), .affine = Axes::of({1}), .eps = eps};
}

Descriptor rms_norm(int axes, double eps) {
  return {.name = "rms_norm", .statistics = Axes::last(axes), .affine = Axes::last(axes), .eps = eps, .centred = false};
}

Shape statistics_shape(const Descriptor& descriptor, const Shape& x) {
  const plan::AxisRoles roles = plan::resolve(descriptor, x);
  std::array<std::int64_t, kMaxRank> sizes{};
  std::size_t rank = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (roles.kept(axis)) {
      sizes[rank++] = x[axis];
    } else if (roles.split(axis)) {
      sizes[rank++] = descriptor.groups;
    }
  }
  return Shape(std::span(sizes.data(), rank));
}

Shape affine_shape(const Descriptor& descriptor, const Shape& x) {
  const plan::AxisRoles roles = plan::resolve(descriptor, x);
  std::array<std::int64_t, kMaxRank> sizes{};
  std::size_t rank = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (roles.affine(axis)) sizes[rank++] = x[axis];
  }
  return Shape(std::span(sizes.data(), rank));
}

std::int64_t normalized_size(const Descriptor& descriptor, const Shape& x) {
  const plan::AxisRoles roles = plan::resolve(descriptor, x);
  std::int64_t size = 1;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (roles.kept(axis)) continue;
    const std::int64_t part = roles.split(axis) ? x[axis] / descriptor.groups : x[axis];
    // The axes of an x without elements may be of any size.
    if (__builtin_mul_overflow(size, part, &size)) size = INT64_MAX;
  }
  return size;
}

std::int64_t statistic_of(const Descriptor& descriptor, const Shape& x, std::span<const std::int64_t> index) {
  const plan::AxisRoles roles = plan::resolve(descriptor, x);
  if (index.size() != static_cast<std::size_t>(x.rank())) {
    throw Error("[" + std::string(descriptor.name) + "] index: expected " + std::to_string(x.rank()) +
                " coordinates, got " + std::to_string(index.size()));
  }
  std::int64_t offset = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t at = index[static_cast<std::size_t>(axis)];
    if (at < 0 || at >= x[axis]) {
      throw Error("[" + std::string(descriptor.name) + "] index: axis " + std::to_string(axis) + ": expected 0 to " +
                  std::to_string(x[axis] - 1) + ", got " + std::to_string(at));
    }
    if (roles.kept(axis)) {
      offset = offset * x[axis] + at;
    } else if (roles.split(axis)) {
      offset = offset * descriptor.groups + at / (x[axis] / descriptor.groups);
    }
  }
  return offset;
}

}  // namespace norma
