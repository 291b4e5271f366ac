// Columns, forward: the work of the column kernels. The O rows of a statistic fall in blocks of kColumnBlock, whose
// moments (or sums) merge in order.
//
// Two ways to cut, with the same bits. Many batches b, or a slab of columns whose rows all fit L2: one task does a
// slab from the moments to y (`slab` below). Otherwise all threads sweep the blocks, from the last to the first, merge
// column by column, and sweep forwards to write y, beginning with what the caches still hold.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cpu/columns.h"
#include "cpu/extreme.h"
#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/pairwise.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"
#include "cpu/tuning.h"

namespace norma::cpu {

namespace {

// Forward with everything that one call's tasks share.
template <class T>
class Forward {
 public:
  Forward(const plan::Plan& plan, const ForwardCall<T>& call)
      : plan_(plan),
        call_(call),
        kernels_(column_kernels<T>()),
        cut_(plan, static_cast<std::int64_t>(sizeof(T))),
        by_column_(cut_.group > 1 || plan.affine_k.stride != 0),
        x_(call.is_fused && call.fused.before != nullptr ? call.fused.sum : call.x),
        x_at_(call.is_fused && call.fused.before != nullptr ? call.fused.sum_at : call.x_at),
        listed_(call.rows),
        strip_(listed_.all() || !cut_.whole ? cut_.width : std::min<std::int64_t>(cut_.width, 256)),
        buffer_size_(listed_.buffer_size(plan.O, strip_)),
        far_((cut_.whole || cut_.wide) && beyond_core(2 * plan.elements() * static_cast<std::int64_t>(sizeof(T)))),
        sweep_{.far = far_ && listed_.all(), .narrow = cut_.columns < kNarrowColumns},
        stream_(writes_afresh(call) &&
                stream_output(call.y, 2, plan.elements() * static_cast<std::int64_t>(sizeof(T)))) {}

  void run() {
    const int threads = cut_.threads(plan_, sizeof(T));
    const Scratch<T> buffers(threads * buffer_size_);
    if (cut_.whole) {
      const Scratch<double> mean(cut_.blocks * cut_.columns);
      const Scratch<double> low(cut_.blocks * cut_.columns);
      const Scratch<double> m2(cut_.blocks * cut_.columns);
      const ColumnCoefficients<T> to(cut_.columns);
      run_team(
          threads,
          [&](const Team& team) {
            whole_moments(team.share(cut_.blocks), mean.data(), low.data(), m2.data(),
                          buffers.data() + team.member() * buffer_size_);
          },
          [&](const Team& team) {
            whole_merge(cut_.groups_of(team.share(plan_.K)), mean.data(), low.data(), m2.data(), to);
          },
          [&](const Team& team) { whole_apply(team.share(plan_.O), to); });
      return;
    }
    const std::int64_t tree_size = ColumnTree::size(cut_.blocks, 3, cut_.width);
    const Scratch<double> trees(threads * tree_size);
    const ColumnCoefficients<T> to(threads * cut_.width);
    run_team(threads, [&](const Team& team) {
      const ColumnTree tree(trees.data() + team.member() * tree_size, 3, cut_.width);
      const Share share = team.share(cut_.tasks());
      for (std::int64_t t = share.first; t < share.last; ++t) {
        slab(t / cut_.slabs, t % cut_.slabs, tree, to, team.member() * cut_.width,
             buffers.data() + team.member() * buffer_size_);
      }
    });
  }

 private:
  // gamma and beta of batch b per column, where they are: a scalar is spread over the columns' coefficients as well.
  // Of groups, mean, low and m2 are overwritten.
  void finish(std::int64_t b, std::int64_t k, std::int64_t width, double* mean, double* low, double* m2,
              Compute<T>* shift, Compute<T>* scale, Compute<T>* offset) const {
    ColumnsFinish<T> task{};
    task.count = static_cast<double>(plan_.O);
    task.eps = plan_.eps;
    task.mean = mean;
    task.low = low;
    task.m2 = m2;
    if (by_column_) {
      task.gamma = call_.gamma == nullptr ? nullptr : call_.gamma + plan_.affine_b(b) + k;
      task.beta = call_.beta == nullptr ? nullptr : call_.beta + plan_.affine_b(b) + k;
    }
    task.shift = shift;
    task.scale = scale;
    task.offset = offset;
    if (cut_.group > 1) {
      merge_groups(b, k, width, mean, low, m2);
      task.m2 = nullptr;
      task.rstd = m2;
      kernels_.finish(task, width);
      return;
    }
    if (call_.rstd != nullptr) task.rstd_out = call_.rstd + b * plan_.K + k;
    kernels_.finish(task, width);
    if constexpr (std::is_same_v<T, double>) finish_extremes(task, x_ + x_at_.at(b, 0, k), width);
    if (call_.mean != nullptr) {
      for (std::int64_t i = 0; i < width; ++i) call_.mean[b * plan_.K + k + i] = mean[i] + low[i];
    }
  }

  Moments moments_of_group(const double* mean, const double* low, const double* m2) const {
    const std::int64_t group = cut_.group;
    const auto rows = static_cast<double>(plan_.O);
    Moments total{rows, mean[0], low[0], m2[0]};
    if constexpr (std::is_same_v<T, double>) {
      for (std::int64_t i = 1; i < group; ++i) merge_moments(total, {rows, mean[i], low[i], m2[i]});
      return total;
    }
    // Of one word a mean, and all of one count: no division a column. The differences, about the first, are exact
    // where it matters.
    double sum = 0;
    for (std::int64_t i = 1; i < group; ++i) sum += mean[i] - mean[0];
    const double shift = sum / static_cast<double>(group);
    double between = shift * shift;
    for (std::int64_t i = 1; i < group; ++i) {
      const double d = mean[i] - mean[0] - shift;
      between += d * d;
      total.m2 += m2[i];
    }
    total.count = rows * static_cast<double>(group);
    total.mean += shift;
    total.m2 += rows * between;
    return total;
  }

  // The columns' moments become their group's, and m2 its rstd.
  void merge_groups(std::int64_t b, std::int64_t k, std::int64_t width, double* mean, double* low, double* m2) const {
    const std::int64_t group = cut_.group;
    for (std::int64_t at = 0; at < width; at += group) {
      const Moments total = moments_of_group(mean + at, low + at, m2 + at);
      const double spread = total.m2 / total.count + plan_.eps;
      double rstd = spread == 0 ? 0.0 : 1.0 / std::sqrt(spread);
      if constexpr (std::is_same_v<T, double>) {
        if (is_extreme(spread)) {
          const long double center = static_cast<long double>(total.mean) + total.low;
          rstd = extreme_rstd(x_ + x_at_.at(b, 0, k + at), plan_.O, x_at_.o, group, center, plan_.eps);
        }
      }
      std::fill_n(mean + at, group, total.mean);
      std::fill_n(low + at, group, total.low);
      std::fill_n(m2 + at, group, rstd);
      const std::int64_t s = b * plan_.K + (k + at) / group;
      if (call_.mean != nullptr) call_.mean[s] = total.mean + total.low;
      if (call_.rstd != nullptr) call_.rstd[s] = rstd;
    }
  }

  // The columns whose M2 overflowed or vanished, again.
  void finish_extremes(const ColumnsFinish<T>& task, const T* x, std::int64_t width) const {
    for (std::int64_t k = 0; k < width; ++k) {
      if (!is_extreme(task.m2[k] / task.count + plan_.eps)) continue;
      const long double mean = static_cast<long double>(task.mean[k]) + task.low[k];
      long double squares = 0;
      listed_.for_runs(0, plan_.O, [&](std::int64_t from, std::int64_t to) {
        add_extreme_squares(x + from * x_at_.o + k, to - from, x_at_.o, 1, mean, squares);
      });
      const double rstd = extreme_rstd_of(squares, plan_.O, plan_.eps);
      ColumnsFinish<T> one = task;
      one.m2 = nullptr;
      one.mean += k;
      one.low += k;
      one.rstd = &rstd;
      if (one.gamma != nullptr) one.gamma += k;
      if (one.beta != nullptr) one.beta += k;
      if (one.rstd_out != nullptr) one.rstd_out += k;
      one.shift += k;
      one.scale += k;
      one.offset += k;
      kernels_.finish(one, 1);
    }
  }

  ColumnsForward<T> sweep_of(std::int64_t b, std::int64_t k, std::int64_t width, const ColumnCoefficients<T>& to,
                             std::int64_t at) const {
    ColumnsForward<T> task{};
    task.x = x_ + x_at_.at(b, 0, k);
    task.y = call_.y + call_.y_at.at(b, 0, k);
    task.x_pitch = x_at_.o;
    task.y_pitch = call_.y_at.o;
    task.width = width;
    task.shift = to.shift.data() + at;
    task.scale = to.scale.data() + at;
    task.offset = to.offset.data() + at;
    // A gamma of the batch alone, neither of k nor of o, is one of o with stride 0.
    if (!by_column_) {
      task.gamma_o = call_.gamma == nullptr ? nullptr : call_.gamma + plan_.affine_b(b);
      task.beta_o = call_.beta == nullptr ? nullptr : call_.beta + plan_.affine_b(b);
      task.affine_o = plan_.affine_o;
    }
    task.far = far_;
    task.stream = stream_;
    follow(task, call_, b, k);
    return task;
  }

  void apply(const ColumnsForward<T>& task, std::int64_t first, std::int64_t last) const {
    listed_.for_runs(first, last, [&](std::int64_t from, std::int64_t to) {
      (call_.is_fused ? kernels_.apply_fused : kernels_.apply)(task, from, to);
    });
  }

  // x + before of `count` rows from o.
  void add_before(std::int64_t b, std::int64_t k, std::int64_t o, std::int64_t count, std::int64_t width) const {
    if (!call_.is_fused || call_.fused.before == nullptr) return;
    listed_.for_runs(o, o + count, [&](std::int64_t from, std::int64_t to) {
      add_up_before(kernels_, call_, b, k, from, to - from, width);
    });
  }

  // One slab from the moments to y; `at`: this thread's coefficients.
  void slab(std::int64_t b, std::int64_t s, const ColumnTree& tree, const ColumnCoefficients<T>& to, std::int64_t at,
            T* buffer) const {
    const std::int64_t k = s * cut_.width;
    const std::int64_t width = std::min(cut_.width, cut_.columns - k);
    add_before(b, k, 0, plan_.O, width);
    column_moments(kernels_, x_ + x_at_.at(b, 0, k), plan_.O, x_at_.o, width, plan_.centred, sweep_, tree, listed_,
                   buffer);
    finish(b, k, width, tree.at(0, 0), tree.at(0, 1), tree.at(0, 2), to.shift.data() + at, to.scale.data() + at,
           to.offset.data() + at);
    apply(sweep_of(b, k, width, to, at), 0, plan_.O);
  }

  // All of x at once, in three stages; B is 1.
  void whole_moments(Share blocks, double* mean, double* low, double* m2, T* buffer) const {
    cut_.from_the_end(blocks, [&](std::int64_t j) {
      const std::int64_t first = j * kColumnBlock;
      const std::int64_t count = std::min(kColumnBlock, plan_.O - first);
      for (std::int64_t k = 0; k < cut_.columns; k += strip_) {
        const std::int64_t at = j * cut_.columns + k;
        const std::int64_t width = std::min(strip_, cut_.columns - k);
        add_before(0, k, first, count, width);
        const auto block = listed_.block(x_ + k, x_at_.o, first, count, width, buffer);
        kernels_.moments(block.data, block.pitch, count, width, plan_.centred, sweep_, mean + at, low + at, m2 + at);
      }
    });
  }

  void whole_merge(Share columns, double* mean, double* low, double* m2, const ColumnCoefficients<T>& to) const {
    const std::int64_t k = columns.first;
    const std::int64_t width = columns.last - columns.first;
    if (width == 0) return;
    pairwise(cut_.blocks, [&](std::int64_t a, std::int64_t other, std::int64_t step) {
      const std::int64_t rows = std::min((other + step) * kColumnBlock, plan_.O) - other * kColumnBlock;
      const std::int64_t to_a = a * cut_.columns + k;
      const std::int64_t to_b = other * cut_.columns + k;
      kernels_.merge(static_cast<double>(step * kColumnBlock), mean + to_a, low + to_a, m2 + to_a,
                     static_cast<double>(rows), mean + to_b, low + to_b, m2 + to_b, width);
    });
    finish(0, k, width, mean + k, low + k, m2 + k, to.shift.data() + k, to.scale.data() + k, to.offset.data() + k);
  }

  void whole_apply(Share rows, const ColumnCoefficients<T>& to) const {
    apply(sweep_of(0, 0, cut_.columns, to, 0), rows.first, rows.last);
  }

  const plan::Plan& plan_;
  const ForwardCall<T>& call_;
  const ColumnKernels<T>& kernels_;
  const ColumnCut cut_;
  const bool by_column_;
  // What is normalized: x, or its sum with `before`.
  const T* const x_;
  const plan::Pitch x_at_;
  const ColumnRows listed_;
  const std::int64_t strip_;        // columns that are summed together
  const std::int64_t buffer_size_;  // a thread's
  const bool far_;
  const ColumnSweep sweep_;
  const bool stream_;
};

}  // namespace

template <class T>
void columns_forward(const plan::Plan& plan, const ForwardCall<T>& call) {
  if (plan.I == 1) return Forward<T>(plan, call).run();
  // As the columns have it: gamma and beta of each, and columns side by side.
  const GroupedAffine<T> gamma(plan, call.gamma);
  const GroupedAffine<T> beta(plan, call.beta);
  ForwardCall<T> grouped = call;
  grouped.gamma = gamma.data();
  grouped.beta = beta.data();
  for (plan::Pitch* at :
       {&grouped.x_at, &grouped.y_at, &grouped.fused.before_at, &grouped.fused.sum_at, &grouped.fused.after_at}) {
    at->k = 1;
  }
  Forward<T>(plan, grouped).run();
}

#define NORMA_INSTANTIATE(T) template void columns_forward(const plan::Plan&, const ForwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
