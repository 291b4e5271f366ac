// How the work on planes under a mask is cut: their nest, their blocks, and what threads share.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "cpu/kernels.h"
#include "cpu/planes.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"
#include "cpu/tuning.h"

namespace norma::cpu {

// The planes as the kernels' nest, and what counts of a statistic in blocks of kBlock, as if it were packed side by
// side: the bits are those of the packed tensor.
class PlaneNest {
 public:
  explicit PlaneNest(const Planes& planes)
      : planes_(planes),
        together_(planes.groups == 0),
        each_(together_ ? 1 : planes.channels / planes.groups),
        total_(planes.total()),
        kinds_(together_ || planes.pitch == 0 ? 1 : planes.samples),
        ends_(kinds_ + 1) {
    ends_[0] = 0;
    for (std::int64_t kind = 0; kind < kinds_; ++kind) {
      ends_[kind + 1] = ends_[kind] + (count(kind) + kBlock - 1) / kBlock;
    }
    starts_ = Scratch<PlanePixel>(ends_[kinds_]);
    for (std::int64_t kind = 0; kind < kinds_; ++kind) find_starts(kind);
  }
  PlaneNest(const PlaneNest&) = delete;
  PlaneNest& operator=(const PlaneNest&) = delete;

  Nest nest() const {
    Nest nest{};
    nest.B = batches();
    nest.O = segments();
    nest.K = planes_.channels;
    nest.I = planes_.pixels;
    nest.affine_k = {1, planes_.channels, 1};
    nest.eps = planes_.eps;
    nest.centred = planes_.centred;
    return nest;
  }
  ValidBits valid() const { return {planes_.words, at({0, planes_.pitch, 0})}; }
  // A tensor's pitch, with the samples where the nest has them.
  Pitch at(const Pitch& given) const { return together_ ? Pitch{0, given.o, given.k} : Pitch{given.o, 0, given.k}; }

  const Planes& planes() const { return planes_; }
  bool together() const { return together_; }
  std::int64_t batches() const { return together_ ? 1 : planes_.samples; }
  std::int64_t segments() const { return together_ ? planes_.samples : 1; }
  // Channels that have one statistic, and the statistic of channel k of b.
  std::int64_t each() const { return each_; }
  std::int64_t statistic(std::int64_t b, std::int64_t k) const { return (b * planes_.channels + k) / each_; }
  // Elements behind it.
  std::int64_t count(std::int64_t b) const { return together_ ? total_ : planes_.count(b) * each_; }

  std::int64_t blocks(std::int64_t b) const { return ends_[kind_of(b) + 1] - ends_[kind_of(b)]; }
  // Block `at` of a statistic of b, of planes `pitch` apart in a tensor: samples, or channels.
  ValidBlock block(std::int64_t b, std::int64_t at) const {
    const std::int64_t kind = kind_of(b);
    const std::int64_t end = blocks(b);
    const PlanePixel* const starts = starts_.data() + ends_[kind];
    const std::int64_t planes = together_ ? planes_.samples : each_;
    const bool is_last = at + 1 == end;
    return {planes_.words + (together_ ? 0 : b * planes_.pitch),
            together_ ? planes_.pitch : 0,
            planes_.pixels,
            starts[at],
            is_last ? PlanePixel{planes - 1, planes_.pixels} : starts[at + 1],
            is_last ? count(b) - at * kBlock : kBlock};
  }
  // From plane to plane of a statistic.
  std::int64_t step(const Pitch& given) const { return together_ ? given.o : given.k; }

  // Channels that are worked on together, in whole statistics: what fits L2 where they are pieces of every sample, or
  // else L1.
  std::int64_t width() const {
    const std::int64_t elements = together_ ? 65536 : 4096;
    const std::int64_t of_one = segments() * planes_.pixels * each_;
    return std::min(planes_.channels, std::max<std::int64_t>(elements / of_one, 1) * each_);
  }
  std::int64_t slabs() const { return (planes_.channels + width() - 1) / width(); }
  int threads() const { return threads_for(planes_.elements(), batches() * slabs()); }
  // Are the planes long, is there a sample for every thread, and is all of it, of so many bytes, streamed past the
  // caches? Then memory may be swept in its order, twice, by all threads together (rows.cpp has why).
  bool by_stages(std::int64_t bytes) const {
    constexpr std::int64_t kShortest = 2048;
    return together_ && planes_.samples > 1 && planes_.samples >= most_threads() && planes_.pixels >= kShortest &&
           beyond_caches(bytes);
  }

  // run(member, b, first channel, channels), slab by slab.
  template <class Run>
  void over_slabs(const Run& run) const {
    run_team(threads(), [&](const Team& team) {
      const Share share = team.share(batches() * slabs());
      for (std::int64_t t = share.first; t < share.last; ++t) {
        const std::int64_t k = t % slabs() * width();
        run(team.member(), t / slabs(), k, std::min(width(), planes_.channels - k));
      }
    });
  }

  // fill(blocks) of all channels, then merge(channels), then write(samples), each a share.
  template <class Fill, class Merge, class Write>
  void in_stages(const Fill& fill, const Merge& merge, const Write& write) const {
    run_team(
        threads_for(planes_.elements(), planes_.samples), [&](const Team& team) { fill(team.share(blocks(0))); },
        [&](const Team& team) { merge(team.share(planes_.channels)); },
        [&](const Team& team) { write(team.share(planes_.samples)); });
  }

 private:
  std::int64_t kind_of(std::int64_t b) const { return kinds_ == 1 ? 0 : b; }

  // Where the blocks of a statistic begin.
  void find_starts(std::int64_t kind) {
    PlanePixel* to = starts_.data() + ends_[kind];
    std::int64_t rank = 0;  // of what counts before the plane
    std::int64_t next = 0;  // the next block's
    for (std::int64_t plane = 0; plane < (together_ ? planes_.samples : each_); ++plane) {
      const std::int64_t sample = together_ ? plane : kind;
      const std::int64_t count = planes_.count(sample);
      const std::uint64_t* const words = planes_.words + sample * planes_.pitch;
      std::int64_t before = rank;
      for (std::int64_t word = 0; next < rank + count; ++word) {
        const std::int64_t here = std::popcount(words[word]);
        if (next < before + here) {
          std::uint64_t bits = words[word];
          for (std::int64_t n = before; n < next; ++n) bits &= bits - 1;
          *to++ = {plane, word * 64 + std::countr_zero(bits)};
          next += kBlock;
        }
        before += here;
      }
      rank += count;
    }
  }

  const Planes& planes_;
  const bool together_;
  const std::int64_t each_;
  const std::int64_t total_;
  const std::int64_t kinds_;  // samples whose statistics fall in blocks of their own
  Scratch<std::int64_t> ends_;
  Scratch<PlanePixel> starts_;
};

}  // namespace norma::cpu
