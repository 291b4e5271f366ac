// A mask as the operations see it: which elements count, and how they lie once they are packed.
//
// The axes along which the mask varies fall in two kinds. Where some of them share statistics, a statistic has valid
// and masked elements: the valid positions along those axes are packed side by side, for every index of the other
// varying axes apart (a block: a sample under InstanceNorm, nothing at all under BatchNorm). Where none of them shares,
// a statistic is valid or masked as a whole, and the valid positions are rows of one block. Either way a block is a
// dense tensor in x's layout, in which one axis holds the positions and the other varying axes have size 1.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "cpu/scratch.h"
#include "cpu/threads.h"
#include "norma/ops.h"

namespace norma::ops {

// A varying position of the mask, as an offset into x, gamma and the statistics (row-major the last two).
struct Position {
  std::int64_t x, affine, statistic;
};

// How the elements of one tensor (x, gamma or the statistics) lie, whole and packed: runs of neighbours, at `walk`
// from a position's offset.
struct Side {
  struct Step {
    std::int64_t whole, packed;
  };
  cpu::Scratch<Step> walk;
  std::int64_t steps = 1;
  std::int64_t run = 1;
  bool by_position = false;  // it owns the axis of positions; otherwise all positions of a block lie on the first
  std::int64_t stride = 0;   // packed, from one position to the next
  std::int64_t Position::*offset = nullptr;

  std::span<const Step> all_steps() const { return {walk.data(), static_cast<std::size_t>(steps)}; }
  // visit(offset in the whole, offset in the packed) for every run, over threads. The offsets in the packed tensor are
  // all different; those in the whole one are where every position has elements of its own.
  template <class Visit>
  void visit(std::span<const Position> positions, const Visit& visit) const;
};

// Positions first, first + 1, ... lie side by side in x, from this offset on.
struct PositionRun {
  std::int64_t x, first, length;
};

// Masked positions likewise.
struct MaskedRun {
  std::int64_t x, length;
};

class Packing {
 public:
  struct Block {
    std::span<const Position> positions;
    std::span<const PositionRun> runs;  // all positions in turn
    std::span<const MaskedRun> masked;
    std::span<const std::int64_t> offsets;  // of each position in x, where most runs are short; otherwise empty
    Shape shape;                            // packed
    Side x;
    Side affine, statistic;  // of blocks with positions
  };

  // The mask fits x (Door::mask has seen to that); `layout` is that of x and what lies like it.
  Packing(const Descriptor& descriptor, const Shape& x, Layout layout, const MaskView& mask);

  // Nothing is masked: the operations run as without a mask.
  bool all_valid() const { return masked_count_ == 0; }
  // How many statistics x has, and how many elements are behind each, by its row-major number.
  std::int64_t statistics() const { return norma::statistics_shape(descriptor_, x_).elements(); }
  cpu::Scratch<std::int64_t> counts() const;
  // For the packed tensors: the axis of positions owns a gamma if one of the axes packed in it does.
  const Descriptor& descriptor() const { return descriptor_; }
  Layout layout() const { return layout_; }
  // Gamma and beta must be packed; otherwise each block takes them as they are.
  bool affine_varies() const { return affine_varies_; }
  std::int64_t elements() const { return x_.elements(); }
  std::int64_t blocks() const { return blocks_; }
  // A block falls in chunks of the axis of channels, each of which stays in cache from its packing to its unpacking, or
  // is one chunk where channels are not apart.
  std::int64_t chunks() const { return chunks_; }
  // A block may have no position.
  Block block(std::int64_t number, std::int64_t chunk) const;
  Block block(std::int64_t number) const { return block(number, 0, x_.rank() > 1 ? x_[1] : 1); }

 private:
  struct Axis {
    std::int64_t size, whole, packed;
  };
  struct AxisList {
    std::array<Axis, kMaxRank> axis{};
    int count = 0;
    // Keeps them in the order of memory, outermost first.
    void push(const Axis& one) {
      auto at = static_cast<std::size_t>(count++);
      for (; at > 0 && axis[at - 1].whole < one.whole; --at) axis[at] = axis[at - 1];
      axis[at] = one;
    }
  };
  // Of the channels from `first`.
  Block block(std::int64_t number, std::int64_t first, std::int64_t channels) const;
  Side side_of(AxisList axes, std::int64_t origin) const;
  Side x_side(const Shape& packed, std::int64_t first) const;
  Side affine_side(const Shape& packed, std::int64_t first) const;
  Side statistic_side(const Shape& packed, std::int64_t first) const;
  void find_chunks();
  bool varies(int axis) const { return (varying_ >> axis & 1U) != 0; }
  bool packs(int axis) const { return (packed_axes_ >> axis & 1U) != 0; }
  template <class Visit>
  void visit_positions(const MaskView& mask, const Visit& visit) const;
  void find_positions(const MaskView& mask);
  // Those of one block.
  template <class One>
  static std::span<const One> part(const cpu::Scratch<One>& all, const cpu::Scratch<std::int64_t>& ends,
                                   std::int64_t block) {
    const std::int64_t first = block == 0 ? 0 : ends[block - 1];
    return {all.data() + first, static_cast<std::size_t>(ends[block] - first)};
  }
  std::span<const Position> positions(std::int64_t block) const { return part(positions_, ends_, block); }

  Descriptor descriptor_;
  Shape x_;
  Layout layout_;
  std::uint32_t shared_ = 0, affine_ = 0;
  std::uint32_t varying_ = 0;      // axes along which the mask varies
  std::uint32_t packed_axes_ = 0;  // those of them that are packed
  int axis_ = -1;                  // the last of these holds the positions
  bool affine_varies_ = false;
  Strides x_strides_{}, affine_strides_{}, statistic_strides_{};
  std::int64_t blocks_ = 1;
  std::int64_t masked_count_ = 0;
  cpu::Scratch<Position> positions_;  // block after block, and so what follows
  cpu::Scratch<PositionRun> runs_;
  cpu::Scratch<MaskedRun> masked_;
  cpu::Scratch<std::int64_t> offsets_;
  cpu::Scratch<std::int64_t> ends_, run_ends_, masked_ends_;  // where each block's end
  std::int64_t chunks_ = 1;
};

template <class Visit>
void Side::visit(std::span<const Position> positions, const Visit& visit) const {
  const std::int64_t count = by_position ? static_cast<std::int64_t>(positions.size()) : 1;
  const auto one = [&](std::int64_t p, std::int64_t n) {
    const Step& step = walk[n];
    visit(positions[static_cast<std::size_t>(p)].*offset + step.whole, p * stride + step.packed);
  };
  // The inner loop is that along which the packed tensor lies.
  const bool positions_inside = by_position && stride == 1;
  const std::int64_t outer = positions_inside ? steps : count;
  const std::int64_t inner = positions_inside ? count : steps;
  cpu::run_team(cpu::threads_for(count * steps * run, outer), [&](const cpu::Team& team) {
    const cpu::Share share = team.share(outer);
    for (std::int64_t n = share.first; n < share.last; ++n) {
      for (std::int64_t m = 0; m < inner; ++m) positions_inside ? one(m, n) : one(n, m);
    }
  });
}

// The valid elements of a tensor into a dense one, and back.
template <class T>
void pack(const Side& side, std::span<const Position> positions, const T* whole, T* packed) {
  side.visit(positions, [&](std::int64_t from, std::int64_t to) {
    if (side.run == 1) {
      packed[to] = whole[from];
    } else {
      std::memcpy(packed + to, whole + from, static_cast<std::size_t>(side.run) * sizeof(T));
    }
  });
}
template <class T>
void unpack(const Side& side, std::span<const Position> positions, const T* packed, T* whole) {
  side.visit(positions, [&](std::int64_t to, std::int64_t from) {
    if (side.run == 1) {
      whole[to] = packed[from];
    } else {
      std::memcpy(whole + to, packed + from, static_cast<std::size_t>(side.run) * sizeof(T));
    }
  });
}

// Positions may share an element of the whole (a gamma): on one thread, in the order of the packed elements.
void unpack_sums(const Side& side, std::span<const Position> positions, const double* packed, double* whole);

}  // namespace norma::ops
