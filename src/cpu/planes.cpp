#include "cpu/planes.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "cpu/extreme.h"
#include "cpu/pairwise.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"
#include "cpu/tuning.h"

namespace norma::cpu {
namespace {

// The planes as the kernels' nest, and what counts of a statistic in blocks of kBlock, as if it were packed side by
// side: the bits are those of the packed tensor.
class PlaneNest {
 public:
  explicit PlaneNest(const Planes& planes)
      : planes_(planes),
        together_(planes.groups == 0),
        each_(together_ ? 1 : planes.channels / planes.groups),
        kinds_(together_ || planes.pitch == 0 ? 1 : planes.samples),
        ends_(kinds_ + 1) {
    ends_[0] = 0;
    for (std::int64_t kind = 0; kind < kinds_; ++kind) {
      ends_[kind + 1] = ends_[kind] + (count(kind) + kBlock - 1) / kBlock;
      most_blocks_ = std::max(most_blocks_, ends_[kind + 1] - ends_[kind]);
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
  std::int64_t count(std::int64_t b) const { return together_ ? planes_.total() : planes_.count(b) * each_; }

  std::int64_t blocks(std::int64_t b) const { return ends_[kind_of(b) + 1] - ends_[kind_of(b)]; }
  std::int64_t most_blocks() const { return most_blocks_; }
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
  const std::int64_t kinds_;  // samples whose statistics fall in blocks of their own
  Scratch<std::int64_t> ends_;
  Scratch<PlanePixel> starts_;
  std::int64_t most_blocks_ = 0;
};

// Segments that are a kilobyte and more: short ones begin and end within a cache line, which streaming would write
// twice.
template <class T>
bool streams(const Planes& planes, const T* output, std::int64_t tensors) {
  constexpr std::int64_t kLongSegment = 1024;
  const auto bytes = static_cast<std::int64_t>(sizeof(T));
  return output != nullptr && planes.pixels * bytes >= kLongSegment &&
         stream_output(output, tensors, planes.elements() * bytes);
}

template <class T>
class Forward {
 public:
  Forward(const Planes& planes, const ForwardCall<T>& call) : nest_(planes), call_(call) {
    task_.nest = nest_.nest();
    task_.x = call.x;
    task_.gamma = call.gamma;
    task_.beta = call.beta;
    task_.y = call.y;
    task_.x_at = nest_.at(call.x_at);
    task_.y_at = nest_.at(call.y_at);
    task_.valid = nest_.valid();
    task_.stream = call.y != call.x && streams(planes, call.y, 2);
  }

  void run() const {
    const Planes& planes = nest_.planes();
    if (!nest_.by_stages(2 * planes.elements() * static_cast<std::int64_t>(sizeof(T)))) {
      const Scratch<Spread> spreads(nest_.threads() * nest_.width());
      nest_.over_slabs([&](int member, std::int64_t b, std::int64_t k, std::int64_t count) {
        Spread* const to = spreads.data() + member * nest_.width();
        for (std::int64_t j = 0; j < count; j += nest_.each()) {
          Pairwise<Moments, merge_moments> tree;
          for (std::int64_t at = 0; at < nest_.blocks(b); ++at) tree.push(block(b, k + j, at));
          finish(b, k + j, tree.total(), to + j);
        }
        if (call_.y != nullptr) kernels_.write_valid(task_, b, k, count, to, 0, nest_.segments());
      });
      return;
    }
    const std::int64_t blocks = nest_.blocks(0);
    const Scratch<Moments> parts(planes.channels * blocks);
    const Scratch<Spread> spreads(planes.channels);
    nest_.in_stages(
        [&](Share own) {
          for (std::int64_t at = own.first; at < own.last; ++at) {
            for (std::int64_t k = 0; k < planes.channels; ++k) parts[k * blocks + at] = block(0, k, at);
          }
        },
        [&](Share channels) {
          for (std::int64_t k = channels.first; k < channels.last; ++k) {
            Pairwise<Moments, merge_moments> tree;
            for (std::int64_t at = 0; at < blocks; ++at) tree.push(parts[k * blocks + at]);
            finish(0, k, tree.total(), spreads.data() + k);
          }
        },
        [&](Share samples) {
          if (call_.y == nullptr) return;
          kernels_.write_valid(task_, 0, 0, planes.channels, spreads.data(), samples.first, samples.last);
        });
  }

  // With mean and rstd given.
  void infer() const {
    const Planes& planes = nest_.planes();
    const Scratch<Spread> spreads(nest_.batches() * planes.channels);
    for (std::int64_t n = 0; n < nest_.batches() * planes.channels; ++n) {
      const std::int64_t s = nest_.statistic(n / planes.channels, n % planes.channels);
      spreads[n] = {call_.mean[s], 0.0, call_.rstd[s]};
    }
    // Few samples are dealt out by their channels too.
    const int most = threads_for(planes.elements() / kInferenceShare, planes.samples * planes.channels);
    const std::int64_t cuts = planes.samples >= most ? 1 : std::min<std::int64_t>(planes.channels, most);
    run_team(most, [&](const Team& team) {
      const Share share = team.share(planes.samples * cuts);
      for (std::int64_t t = share.first; t < share.last; ++t) {
        const std::int64_t n = t / cuts;
        const std::int64_t first = t % cuts * planes.channels / cuts;
        const std::int64_t last = (t % cuts + 1) * planes.channels / cuts;
        const std::int64_t b = nest_.together() ? 0 : n;
        const std::int64_t o = nest_.together() ? n : 0;
        kernels_.write_valid(task_, b, first, last - first, spreads.data() + b * planes.channels + first, o, o + 1);
      }
    });
  }

 private:
  // Block `at` of the statistic of channel k of b.
  Moments block(std::int64_t b, std::int64_t k, std::int64_t at) const {
    return kernels_.valid_moments(task_.x + task_.x_at.at(b, 0, k), nest_.step(call_.x_at), nest_.block(b, at),
                                  nest_.planes().centred);
  }

  // Its mean and rstd (or M2, where statistics alone are asked for), and what y is made of in each of its channels.
  void finish(std::int64_t b, std::int64_t k, Moments m, Spread* to) const {
    const std::int64_t s = nest_.statistic(b, k);
    if (m.m2 < 0) m.m2 = 0;
    double rstd = 0;
    if (m.count > 0) {
      const double spread = m.m2 / m.count + nest_.planes().eps;
      rstd = spread == 0 ? 0.0 : 1.0 / std::sqrt(spread);
      if constexpr (std::is_same_v<T, double>) {
        if (is_extreme(spread)) rstd = extreme(b, k, static_cast<long double>(m.mean) + m.low);
      }
    }
    if (call_.mean != nullptr) call_.mean[s] = m.mean + m.low;
    if (call_.rstd != nullptr) call_.rstd[s] = call_.y == nullptr ? m.m2 : rstd;
    std::fill_n(to, nest_.each(), Spread{m.mean, m.low, rstd});
  }

  double extreme(std::int64_t b, std::int64_t k, long double mean) const {
    long double squares = 0;
    for (std::int64_t o = 0; o < nest_.segments(); ++o) {
      const std::uint64_t* const words = task_.valid.segment(b, o, 0);
      for (std::int64_t j = k; j < k + nest_.each(); ++j) {
        const T* const x = task_.x + task_.x_at.at(b, o, j);
        for (std::int64_t i = 0; i < nest_.planes().pixels; ++i) {
          if ((words[i / 64] >> (i % 64) & 1U) != 0) add_extreme_squares(x + i, 1, 0, 1, mean, squares);
        }
      }
    }
    return extreme_rstd_of(squares, nest_.count(b), nest_.planes().eps);
  }

  const PlaneNest nest_;
  const ForwardCall<T>& call_;
  const RowKernels<T>& kernels_ = row_kernels<T>();
  RowsForward<T> task_{};
};

// A channel has one statistic.
template <class T>
class Backward {
 public:
  Backward(const Planes& planes, const BackwardCall<T>& call) : nest_(planes), call_(call), sums_(planes.statistics()) {
    task_.nest = nest_.nest();
    task_.dy = call.dy;
    task_.x = call.x;
    task_.gamma = call.gamma;
    task_.dx = call.dx;
    task_.dy_at = nest_.at(call.dy_at);
    task_.x_at = nest_.at(call.x_at);
    task_.dx_at = nest_.at(call.dx_at);
    task_.valid = nest_.valid();
    task_.stream = call.dx != call.dy && call.dx != call.x && streams(planes, call.dx, 3);
    sums_wanted_ = !call.constant_statistics || call.dgamma != nullptr || call.dbeta != nullptr;
  }

  void run() const {
    const Planes& planes = nest_.planes();
    const bool few = planes.channels < std::int64_t{4} * most_threads();
    if (few && nest_.by_stages(3 * planes.elements() * static_cast<std::int64_t>(sizeof(T)))) {
      in_stages();
    } else {
      const Scratch<Slope> slopes(nest_.threads() * nest_.width());
      nest_.over_slabs([&](int member, std::int64_t b, std::int64_t k, std::int64_t count) {
        Slope* const to = slopes.data() + member * nest_.width();
        for (std::int64_t j = 0; j < count; ++j) {
          Pairwise<Sums, add_sums> tree;
          for (std::int64_t at = 0; sums_wanted_ && at < nest_.blocks(b); ++at) tree.push(block(b, k + j, at));
          to[j] = finish(b, k + j, tree.total());
        }
        if (call_.dx != nullptr) kernels_.write_dx_valid(task_, b, k, count, to, 0, nest_.segments());
      });
    }
    add_up();
  }

 private:
  void in_stages() const {
    const std::int64_t channels = nest_.planes().channels;
    const std::int64_t blocks = nest_.blocks(0);
    const Scratch<Sums> parts(channels * blocks);
    const Scratch<Slope> slopes(channels);
    nest_.in_stages(
        [&](Share own) {
          for (std::int64_t at = own.first; sums_wanted_ && at < own.last; ++at) {
            for (std::int64_t k = 0; k < channels; ++k) parts[k * blocks + at] = block(0, k, at);
          }
        },
        [&](Share own) {
          for (std::int64_t k = own.first; k < own.last; ++k) {
            Pairwise<Sums, add_sums> tree;
            for (std::int64_t at = 0; sums_wanted_ && at < blocks; ++at) tree.push(parts[k * blocks + at]);
            slopes[k] = finish(0, k, tree.total());
          }
        },
        [&](Share samples) {
          if (call_.dx == nullptr) return;
          kernels_.write_dx_valid(task_, 0, 0, channels, slopes.data(), samples.first, samples.last);
        });
  }

  // Block `at` of the statistic of channel k of b.
  Sums block(std::int64_t b, std::int64_t k, std::int64_t at) const {
    return kernels_.valid_sums(task_.dy + task_.dy_at.at(b, 0, k), nest_.step(call_.dy_at),
                               task_.x + task_.x_at.at(b, 0, k), nest_.step(call_.x_at), nest_.block(b, at),
                               mean_of(nest_.statistic(b, k)));
  }

  double mean_of(std::int64_t s) const { return call_.mean == nullptr ? 0.0 : call_.mean[s]; }

  Slope finish(std::int64_t b, std::int64_t k, const Sums& total) const {
    const std::int64_t s = nest_.statistic(b, k);
    sums_[s] = total;
    const Sums used = call_.constant_statistics ? Sums{} : total;
    return {mean_of(s), call_.rstd[s], used.g, used.gx, static_cast<double>(nest_.count(b))};
  }

  // dgamma and dbeta, sample after sample.
  void add_up() const {
    const std::int64_t channels = nest_.planes().channels;
    if (call_.dgamma != nullptr) std::fill_n(call_.dgamma, channels, 0.0);
    if (call_.dbeta != nullptr) std::fill_n(call_.dbeta, channels, 0.0);
    for (std::int64_t b = 0; b < nest_.batches(); ++b) {
      // The statistics of nothing may be anything.
      if (nest_.blocks(b) == 0) continue;
      for (std::int64_t k = 0; k < channels; ++k) {
        const std::int64_t s = nest_.statistic(b, k);
        if (call_.dgamma != nullptr) call_.dgamma[k] += sums_[s].gx * call_.rstd[s];
        if (call_.dbeta != nullptr) call_.dbeta[k] += sums_[s].g;
      }
    }
  }

  const PlaneNest nest_;
  const BackwardCall<T>& call_;
  const RowKernels<T>& kernels_ = row_kernels<T>();
  RowsBackward<T> task_{};
  const Scratch<Sums> sums_;  // of every statistic
  bool sums_wanted_ = true;
};

}  // namespace

template <class T>
void planes_forward(const Planes& planes, const ForwardCall<T>& call) {
  Forward<T>(planes, call).run();
}

template <class T>
void planes_inference(const Planes& planes, const ForwardCall<T>& call) {
  Forward<T>(planes, call).infer();
}

template <class T>
void planes_statistics(const Planes& planes, const T* x, const plan::Pitch& x_at, double* mean, double* m2) {
  ForwardCall<T> call;
  call.x = x;
  call.mean = mean;
  call.rstd = m2;
  call.x_at = x_at;
  Forward<T>(planes, call).run();
}

template <class T>
void planes_backward(const Planes& planes, const BackwardCall<T>& call) {
  Backward<T>(planes, call).run();
}

#define NORMA_INSTANTIATE(T)                                                                      \
  template void planes_forward(const Planes&, const ForwardCall<T>&);                             \
  template void planes_inference(const Planes&, const ForwardCall<T>&);                           \
  template void planes_statistics(const Planes&, const T*, const plan::Pitch&, double*, double*); \
  template void planes_backward(const Planes&, const BackwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
