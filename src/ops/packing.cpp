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
  find_chunks();
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
  const Strides block_strides = strides_over(sizes_of(x_), x_.rank(), varying_ & ~packed_axes_);
  // The varying axes, outermost first, and how each moves; the innermost one is the loop.
  struct Move {
    std::int64_t size, x, affine, statistic, byte, block;
  };
  std::array<Move, kMaxRank> axes{};
  std::size_t count = 0;
  std::int64_t outer = 1;
  for (int axis = 0; axis < x_.rank(); ++axis) {
    if (!varies(axis)) continue;
    const auto a = static_cast<std::size_t>(axis);
    if (count > 0) outer *= axes[count - 1].size;
    axes[count++] = {x_[axis],          x_strides_[a],   affine_strides_[a], statistic_strides_[a],
                     mask.strides()[a], block_strides[a]};
  }
  const Move inner = count > 0 ? axes[--count] : Move{1, 0, 0, 0, 0, 0};
  std::array<std::int64_t, kMaxRank> index{};
  Position first{0, 0, 0};
  std::int64_t byte = 0;
  std::int64_t block = 0;
  const auto move = [&](const Move& by, std::int64_t steps) {
    first.x += steps * by.x;
    first.affine += steps * by.affine;
    first.statistic += steps * by.statistic;
    byte += steps * by.byte;
    block += steps * by.block;
  };
  for (std::int64_t n = 0; n < outer; ++n) {
    for (std::int64_t i = 0; i < inner.size; ++i) {
      visit(Position{first.x + i * inner.x, first.affine + i * inner.affine, first.statistic + i * inner.statistic},
            mask.data()[byte + i * inner.byte] != 0, block + i * inner.block);
    }
    for (std::size_t axis = count; axis-- > 0;) {
      move(axes[axis], 1);
      if (++index[axis] < axes[axis].size) break;
      move(axes[axis], -axes[axis].size);
      index[axis] = 0;
    }
  }
}

// Block after block, in the order of their positions: counted first, then put in place.
void Packing::find_positions(const MaskView& mask) {
  for (int axis = 0; axis < x_.rank(); ++axis) {
    if (varies(axis) && !packs(axis)) blocks_ *= x_[axis];
  }
  // What a run goes on with, in each block.
  struct Last {
    std::int64_t valid, masked;  // offsets in x
  };
  const Scratch<Last> last(blocks_);
  ends_ = Scratch<std::int64_t>(blocks_);
  run_ends_ = Scratch<std::int64_t>(blocks_);
  masked_ends_ = Scratch<std::int64_t>(blocks_);
  const auto start = [](std::int64_t& end, std::int64_t& total) { total += std::exchange(end, total); };
  constexpr std::int64_t kNone = -2;
  const auto forget = [&] { std::fill_n(last.data(), blocks_, Last{kNone, kNone}); };
  std::fill_n(ends_.data(), blocks_, 0);
  std::fill_n(run_ends_.data(), blocks_, 0);
  std::fill_n(masked_ends_.data(), blocks_, 0);
  forget();
  visit_positions(mask, [&](const Position& at, bool valid, std::int64_t block) {
    Last& before = last[block];
    if (valid) {
      ++ends_[block];
      if (std::exchange(before.valid, at.x) + 1 != at.x) ++run_ends_[block];
    } else {
      ++masked_count_;
      if (std::exchange(before.masked, at.x) + 1 != at.x) ++masked_ends_[block];
    }
  });
  if (all_valid()) return;
  // Where each block begins; filling it moves that to where it ends.
  std::int64_t positions = 0;
  std::int64_t runs = 0;
  std::int64_t masked = 0;
  for (std::int64_t block = 0; block < blocks_; ++block) {
    start(ends_[block], positions);
    start(run_ends_[block], runs);
    start(masked_ends_[block], masked);
  }
  // A random mask: a jump for every run would cost more than one for every element.
  constexpr std::int64_t kShortRun = 16;
  const bool short_runs = positions < kShortRun * runs;
  positions_ = Scratch<Position>(positions);
  offsets_ = Scratch<std::int64_t>(short_runs ? positions : 0);
  runs_ = Scratch<PositionRun>(runs);
  masked_ = Scratch<MaskedRun>(masked);
  const Scratch<std::int64_t> begins(blocks_);
  std::copy_n(ends_.data(), blocks_, begins.data());
  forget();
  visit_positions(mask, [&](const Position& at, bool valid, std::int64_t block) {
    Last& before = last[block];
    if (valid) {
      const std::int64_t number = ends_[block]++;
      positions_[number] = at;
      if (short_runs) offsets_[number] = at.x;
      if (std::exchange(before.valid, at.x) + 1 != at.x) {
        runs_[run_ends_[block]++] = {at.x, number - begins[block], 1};
      } else {
        ++runs_[run_ends_[block] - 1].length;
      }
    } else if (std::exchange(before.masked, at.x) + 1 != at.x) {
      masked_[masked_ends_[block]++] = {at.x, 1};
    } else {
      ++masked_[masked_ends_[block] - 1].length;
    }
  });
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
  const std::int64_t first = chunk * channels;  // every chunk has some (find_chunks)
  return block(number, first, std::min(channels, x_[1] - first));
}

Packing::Block Packing::block(std::int64_t number, std::int64_t first, std::int64_t channels) const {
  Block block;
  block.positions = positions(number);
  block.runs = part(runs_, run_ends_, number);
  block.masked = part(masked_, masked_ends_, number);
  if (offsets_.data() != nullptr) block.offsets = part(offsets_, ends_, number);
  std::array<std::int64_t, kMaxRank> sizes = sizes_of(x_);
  for (int axis = 0; axis < x_.rank(); ++axis) {
    if (varies(axis)) sizes[static_cast<std::size_t>(axis)] = 1;
  }
  if (chunks_ > 1) sizes[1] = channels;
  const auto shape_with = [&](std::size_t positions) {
    if (axis_ >= 0) sizes[static_cast<std::size_t>(axis_)] = static_cast<std::int64_t>(positions);
    return Shape(std::span(sizes.data(), static_cast<std::size_t>(x_.rank())));
  };
  block.shape = shape_with(block.positions.size());
  // Without a position as with one: the strides of an empty shape are all 0, and no axes would join into runs.
  block.x = x_side(block.positions.empty() ? shape_with(1) : block.shape, first);
  if (block.positions.empty()) return block;
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
