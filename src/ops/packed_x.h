// A block's elements of what lies like x, from where they lie into a dense tensor and back, over threads; and zeros
// where the mask leaves nothing.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/threads.h"
#include "ops/packing.h"

namespace norma::ops {

// Are positions the innermost axis, whole and packed? Then each of the block's steps is one sweep over them.
inline bool sweeps_positions(const Packing::Block& block) {
  return block.x.run == 1 && block.x.stride == 1 && block.x.by_position;
}

// body(n) for n from 0 to count, over threads; `elements`: of all.
template <class Body>
void over_threads(std::int64_t elements, std::int64_t count, const Body& body) {
  cpu::run_team(cpu::threads_for(elements, count), [&](const cpu::Team& team) {
    const cpu::Share share = team.share(count);
    for (std::int64_t n = share.first; n < share.last; ++n) body(n);
  });
}

// copy(whole, packed, count) for runs of elements; single(whole, packed, offsets) where most runs are short: the
// elements whole[offsets[n]] and packed[n].
template <class Copy, class Single>
void for_x_runs(const Packing::Block& block, const Copy& copy, const Single& single) {
  const Side& side = block.x;
  if (!sweeps_positions(block)) {
    side.visit(block.positions, [&](std::int64_t whole, std::int64_t packed) { copy(whole, packed, side.run); });
    return;
  }
  const auto count = static_cast<std::int64_t>(block.positions.size());
  over_threads(count * side.steps, side.steps, [&](std::int64_t n) {
    const Side::Step& step = side.walk[n];
    if (!block.offsets.empty()) return single(step.whole, step.packed, block.offsets);
    for (const PositionRun& run : block.runs) copy(run.x + step.whole, run.first + step.packed, run.length);
  });
}

template <class T>
void pack_x(const Packing::Block& block, const T* whole, T* packed) {
  for_x_runs(
      block,
      [&](std::int64_t from, std::int64_t to, std::int64_t count) { std::copy_n(whole + from, count, packed + to); },
      [&](std::int64_t from, std::int64_t to, std::span<const std::int64_t> offsets) {
        for (const std::int64_t offset : offsets) packed[to++] = whole[from + offset];
      });
}

template <class T>
void unpack_x(const Packing::Block& block, const T* packed, T* whole) {
  for_x_runs(
      block,
      [&](std::int64_t to, std::int64_t from, std::int64_t count) { std::copy_n(packed + from, count, whole + to); },
      [&](std::int64_t to, std::int64_t from, std::span<const std::int64_t> offsets) {
        for (const std::int64_t offset : offsets) whole[to + offset] = packed[from++];
      });
}

template <class T>
void clear_x(const Packing::Block& block, T* whole) {
  const Side& side = block.x;
  const auto count = static_cast<std::int64_t>(block.masked.size());
  if (count == 0) return;
  if (side.run > 1) {
    // Neighbours lie `run` apart: no position is another's neighbour.
    over_threads(count * side.steps * side.run, count, [&](std::int64_t n) {
      T* const to = whole + block.masked[static_cast<std::size_t>(n)].x;
      for (const Side::Step& step : side.all_steps()) std::fill_n(to + step.whole, side.run, T{});
    });
    return;
  }
  over_threads(count * side.steps, side.steps, [&](std::int64_t n) {
    T* const to = whole + side.walk[n].whole;
    for (const MaskedRun& run : block.masked) {
      if (block.offsets.empty()) {
        std::fill_n(to + run.x, run.length, T{});
      } else {
        for (std::int64_t i = 0; i < run.length; ++i) to[run.x + i] = T{};
      }
    }
  });
}

}  // namespace norma::ops
