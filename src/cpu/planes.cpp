#include "cpu/planes.h"

#include <algorithm>
#include <cmath>

#include "cpu/extreme.h"
#include "cpu/pairwise.h"
#include "cpu/plane_nest.h"
#include "cpu/scratch.h"
#include "cpu/tuning.h"

namespace norma::cpu {
namespace {

template <class T>
bool streams(const Planes& planes, const T* output, std::int64_t tensors) {
  const auto bytes = static_cast<std::int64_t>(sizeof(T));
  return output != nullptr && planes.pixels * bytes >= kStreamedSegment &&
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
