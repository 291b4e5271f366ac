#include "ops/packing.h"

#include <algorithm>
#include <utility>

#include "plan/axes.h"

namespace norma::ops {

using cpu::Scratch;

namespace {

std::uint32_t bit(int axis) {
  return 1U << axis;
}

// Row-major strides over the axes in `owned`, 0 for the others.
Strides strides_over(const std::array<std::int64_t, kMaxRank>& sizes, int rank, std::uint32_t owned) {
  Strides strides{};
  std::int64_t stride = 1;
  for (int axis = rank - 1; axis >= 0; --axis) {
    if ((owned & bit(axis)) == 0) continue;
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= sizes[static_cast<std::size_t>(axis)];
  }
  return strides;
}

std::array<std::int64_t, kMaxRank> sizes_of(const Shape& shape) {
  std::array<std::int64_t, kMaxRank> sizes{};
  std::copy(shape.sizes().begin(), shape.sizes().end(), sizes.begin());
  return sizes;
}

}  // namespace

Packing::Packing(const Descriptor& descriptor, const Shape& x, Layout layout, const MaskView& mask)
    : descriptor_(descriptor), x_(x), layout_(layout), x_strides_(dense_strides(x, layout)) {
  const plan::AxisRoles roles = plan::resolve(descriptor, x);
  shared_ = roles.shared_bits;
  affine_ = roles.affine_bits;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (mask.shape()[axis] > 1 && mask.strides()[static_cast<std::size_t>(axis)] != 0) varying_ |= bit(axis);
  }
  packed_axes_ = (varying_ & shared_) != 0 ? varying_ & shared_ : varying_;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (packs(axis)) axis_ = axis;
  }
  affine_varies_ = (varying_ & affine_) != 0;
  if ((packed_axes_ & affine_) != 0) {
    std::array<int, kMaxRank> axes{};
    std::size_t count = 0;
    for (int axis = 0; axis < x.rank(); ++axis) {
      if (roles.affine(axis) || axis == axis_) axes[count++] = axis;
    }
    descriptor_.affine = Axes::of(std::span<const int>(axes.data(), count));
  }
  std::array<std::int64_t, kMaxRank> sizes = sizes_of(x);
  affine_strides_ = strides_over(sizes, x.rank(), affine_);
  if (roles.split_channels) sizes[1] = descriptor.groups;
  statistic_strides_ = strides_over(sizes, x.rank(), ~shared_ | (roles.split_channels ? 2U : 0U));
  find_positions(mask);
  if (all_valid()) return;
  find_runs();
  find_chunks();
}

void Packing::find_runs() {
  run_ends_ = Scratch<std::int64_t>(blocks_);
  // Counted first, then put in place.
  std::int64_t count = 0;
  const auto visit_runs = [&](const auto& begin, const auto& go_on) {
    for (std::int64_t number = 0; number < blocks_; ++number) {
      const std::span<const Position> of_block = positions(number);
      for (std::size_t p = 0; p < of_block.size(); ++p) {
        if (p > 0 && of_block[p].x == of_block[p - 1].x + 1) {
          go_on();
        } else {
          begin(static_cast<std::int64_t>(p));
        }
      }
      run_ends_[number] = count;
    }
  };
  visit_runs([&](std::int64_t) { ++count; }, [] {});
  runs_ = Scratch<PositionRun>(count);
  count = 0;
  visit_runs([&](std::int64_t p) { runs_[count++] = {p, 1}; }, [&] { ++runs_[count - 1].length; });
}

void Packing::find_chunks() {
  // Channels apart from each other, each contiguous (elsewhere a chunk would be strips of rows), with gammas of their
  // own side by side.
  const bool apart =
      (affine_ & 3U) == 2U && x_.rank() > 2 && layout_ == Layout::kChannelsFirst && !varies(1) && (shared_ & 2U) == 0;
  if (!apart || axis_ < 2) return;
  constexpr std::int64_t kElements = 65536;
  const std::int64_t of_channel = x_.elements() / x_[1] / blocks_;
  const std::int64_t channels = std::max<std::int64_t>(kElements / std::max<std::int64_t>(of_channel, 1), 1);
  chunks_ = (x_[1] + channels - 1) / channels;
}

// visit(position, valid, block) for every position, in logical order.
template <class Visit>
void Packing::visit_positions(const MaskView& mask, const Visit& visit) const {
  std::array<std::int64_t, kMaxRank> index{};
  Position at{0, 0, 0};
  std::int64_t byte = 0;
  std::int64_t block = 0;
  const Strides block_strides = strides_over(sizes_of(x_), x_.rank(), varying_ & ~packed_axes_);
  // Along `axis` by `by` steps.
  const auto move = [&](int axis, std::int64_t by) {
    const auto a = static_cast<std::size_t>(axis);
    index[a] += by;
    at.x += by * x_strides_[a];
    at.affine += by * affine_strides_[a];
    at.statistic += by * statistic_strides_[a];
    byte += by * mask.strides()[a];
    block += by * block_strides[a];
  };
  std::int64_t positions = 1;
  for (int axis = 0; axis < x_.rank(); ++axis) {
    if (varies(axis)) positions *= x_[axis];
  }
  for (std::int64_t n = 0; n < positions; ++n) {
    visit(at, mask.data()[byte] != 0, block);
    for (int axis = x_.rank() - 1; axis >= 0; --axis) {
      if (!varies(axis)) continue;
      move(axis, 1);
      if (index[static_cast<std::size_t>(axis)] < x_[axis]) break;
      move(axis, -x_[axis]);
    }
  }
}

// Block after block, in the order of their positions: counted first, then put in place.
void Packing::find_positions(const MaskView& mask) {
  for (int axis = 0; axis < x_.rank(); ++axis) {
    if (varies(axis) && !packs(axis)) blocks_ *= x_[axis];
  }
  ends_ = Scratch<std::int64_t>(blocks_);
  std::fill_n(ends_.data(), blocks_, 0);
  visit_positions(mask, [&](const Position&, bool valid, std::int64_t block) {
    if (valid) {
      ++ends_[block];
    } else {
      ++masked_count_;
    }
  });
  if (all_valid()) return;
  // Where each block begins; filling it moves that to where it ends.
  std::int64_t total = 0;
  for (std::int64_t block = 0; block < blocks_; ++block) total += std::exchange(ends_[block], total);
  positions_ = Scratch<Position>(total);
  masked_ = Scratch<std::int64_t>(masked_count_);
  std::int64_t masked = 0;
  visit_positions(mask, [&](const Position& at, bool valid, std::int64_t block) {
    if (valid) {
      positions_[ends_[block]++] = at;
    } else {
      masked_[masked++] = at.x;
    }
  });
}

std::span<const Position> Packing::positions(std::int64_t block) const {
  const std::int64_t first = block == 0 ? 0 : ends_[block - 1];
  return {positions_.data() + first, static_cast<std::size_t>(ends_[block] - first)};
}

std::span<const PositionRun> Packing::runs(std::int64_t block) const {
  const std::int64_t first = block == 0 ? 0 : run_ends_[block - 1];
  return {runs_.data() + first, static_cast<std::size_t>(run_ends_[block] - first)};
}

// Of the axes that do not vary, from `origin` on.
Side Packing::side_of(AxisList axes, std::int64_t origin) const {
  Side side;
  while (axes.count > 0) {
    const Axis& innermost = axes.axis[static_cast<std::size_t>(axes.count - 1)];
    if (innermost.whole != side.run || innermost.packed != side.run) break;
    side.run *= innermost.size;
    --axes.count;
  }
  for (int n = 0; n < axes.count; ++n) side.steps *= axes.axis[static_cast<std::size_t>(n)].size;
  side.walk = Scratch<Side::Step>(side.steps);
  side.walk[0] = {origin, 0};
  std::int64_t made = 1;
  for (int n = 0; n < axes.count; ++n) {
    const Axis& axis = axes.axis[static_cast<std::size_t>(n)];
    // From the last: what a step grows to lies behind all that are still to grow.
    for (std::int64_t s = made; s-- > 0;) {
      const Side::Step step = side.walk[s];
      for (std::int64_t i = axis.size; i-- > 0;) {
        side.walk[s * axis.size + i] = {step.whole + i * axis.whole, step.packed + i * axis.packed};
      }
    }
    made *= axis.size;
  }
  return side;
}

Side Packing::x_side(const Shape& packed, std::int64_t first) const {
  const Strides strides = dense_strides(packed, layout_);
  AxisList axes;
  for (int axis = 0; axis < x_.rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    if (!varies(axis) && packed[axis] > 1) axes.push({packed[axis], x_strides_[a], strides[a]});
  }
  Side side = side_of(axes, first == 0 ? 0 : first * x_strides_[1]);
  side.offset = &Position::x;
  side.by_position = axis_ >= 0;
  if (side.by_position) side.stride = strides[static_cast<std::size_t>(axis_)];
  return side;
}

Side Packing::affine_side(const Shape& packed, std::int64_t first) const {
  const bool by_position = (packed_axes_ & affine_) != 0;
  const Strides strides = strides_over(sizes_of(packed), x_.rank(), affine_ | (by_position ? bit(axis_) : 0U));
  AxisList axes;
  for (int axis = 0; axis < x_.rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    const bool owned = (affine_ & bit(axis)) != 0;
    if (owned && !varies(axis) && packed[axis] > 1) axes.push({packed[axis], affine_strides_[a], strides[a]});
  }
  Side side = side_of(axes, first == 0 ? 0 : first * affine_strides_[1]);
  side.offset = &Position::affine;
  side.by_position = by_position;
  if (by_position) side.stride = strides[static_cast<std::size_t>(axis_)];
  return side;
}

Side Packing::statistic_side(const Shape& packed, std::int64_t first) const {
  const bool split = descriptor_.groups != 1;
  const bool by_position = axis_ >= 0 && (shared_ & bit(axis_)) == 0;
  std::array<std::int64_t, kMaxRank> sizes = sizes_of(packed);
  if (split) sizes[1] = descriptor_.groups;
  const std::uint32_t owned = ~shared_ | (split ? 2U : 0U);
  const Strides strides = strides_over(sizes, x_.rank(), owned);
  AxisList axes;
  for (int axis = 0; axis < x_.rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    if ((owned & bit(axis)) == 0 || varies(axis)) continue;
    const std::int64_t size = split && axis == 1 ? descriptor_.groups : packed[axis];
    if (size > 1) axes.push({size, statistic_strides_[a], strides[a]});
  }
  Side side = side_of(axes, first == 0 ? 0 : first * statistic_strides_[1]);
  side.offset = &Position::statistic;
  side.by_position = by_position;
  if (by_position) side.stride = strides[static_cast<std::size_t>(axis_)];
  return side;
}

Packing::Block Packing::block(std::int64_t number, std::int64_t chunk) const {
  if (chunks_ == 1) return block(number);
  const std::int64_t channels = (x_[1] + chunks_ - 1) / chunks_;
  const std::int64_t first = std::min(chunk * channels, x_[1]);
  return block(number, first, std::min(channels, x_[1] - first));
}

Packing::Block Packing::block(std::int64_t number, std::int64_t first, std::int64_t channels) const {
  Block block;
  if (channels == 0) return block;
  block.positions = positions(number);
  block.runs = runs(number);
  std::array<std::int64_t, kMaxRank> sizes = sizes_of(x_);
  for (int axis = 0; axis < x_.rank(); ++axis) {
    if (varies(axis)) sizes[static_cast<std::size_t>(axis)] = 1;
  }
  if (chunks_ > 1) sizes[1] = channels;
  if (axis_ >= 0) sizes[static_cast<std::size_t>(axis_)] = static_cast<std::int64_t>(block.positions.size());
  block.shape = Shape(std::span(sizes.data(), static_cast<std::size_t>(x_.rank())));
  if (block.positions.empty()) return block;
  block.x = x_side(block.shape, first);
  block.affine = affine_side(block.shape, first);
  block.statistic = statistic_side(block.shape, first);
  return block;
}

Scratch<std::int64_t> Packing::counts() const {
  Scratch<std::int64_t> counts(statistics());
  std::fill_n(counts.data(), statistics(), 0);
  for (std::int64_t number = 0; number < blocks(); ++number) {
    const Block one = block(number);
    if (one.positions.empty()) continue;
    const std::int64_t count = normalized_size(descriptor_, one.shape);
    one.statistic.visit(one.positions, [&](std::int64_t at, std::int64_t) {
      std::fill_n(counts.data() + at, one.statistic.run, count);
    });
  }
  return counts;
}

void unpack_sums(const Side& side, std::span<const Position> positions, const double* packed, double* whole) {
  const std::size_t count = side.by_position ? positions.size() : 1;
  for (std::size_t p = 0; p < count; ++p) {
    for (const Side::Step& step : side.all_steps()) {
      double* to = whole + positions[p].*side.offset + step.whole;
      const double* from = packed + static_cast<std::int64_t>(p) * side.stride + step.packed;
      for (std::int64_t n = 0; n < side.run; ++n) to[n] += from[n];
    }
  }
}

}  // namespace norma::ops
