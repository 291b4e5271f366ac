// Columns: how the column kernels' work is cut. The O rows of a statistic fall in blocks of kColumnBlock, whose moments
// (or sums) merge in order.
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

template <class T>
struct Coefficients {
  explicit Coefficients(std::int64_t columns) : shift(columns), scale(columns), offset(columns) {}
  Scratch<Compute<T>> shift, scale, offset;
};

// Forward with everything that one call's tasks share.
template <class T>
class Forward {
 public:
  Forward(const plan::Plan& plan, const ForwardCall<T>& call)
      : plan_(plan),
        call_(call),
        kernels_(column_kernels<T>()),
        cut_(plan, static_cast<std::int64_t>(sizeof(T))),
        by_column_(plan.affine_k.stride != 0),
        far_(cut_.whole && beyond_core(2 * plan.elements() * static_cast<std::int64_t>(sizeof(T)))),
        stream_(call.y != call.x && stream_output(call.y, 2, plan.elements() * static_cast<std::int64_t>(sizeof(T)))) {}

  void run() {
    const int threads = threads_for(plan_.elements(), cut_.tasks());
    if (cut_.whole) {
      const Scratch<double> mean(cut_.blocks * plan_.K);
      const Scratch<double> low(cut_.blocks * plan_.K);
      const Scratch<double> m2(cut_.blocks * plan_.K);
      const Coefficients<T> to(plan_.K);
      run_team(
          threads,
          [&](const Team& team) { whole_moments(team.share(cut_.blocks), mean.data(), low.data(), m2.data()); },
          [&](const Team& team) { whole_merge(team.share(plan_.K), mean.data(), low.data(), m2.data(), to); },
          [&](const Team& team) { whole_apply(team.share(cut_.blocks), to); });
      return;
    }
    const std::int64_t tree_size = ColumnTree::size(cut_.blocks, 3, cut_.width);
    const Scratch<double> trees(threads * tree_size);
    const Coefficients<T> to(threads * cut_.width);
    run_team(threads, [&](const Team& team) {
      const ColumnTree tree(trees.data() + team.member() * tree_size, 3, cut_.width);
      const Share share = team.share(cut_.tasks());
      for (std::int64_t t = share.first; t < share.last; ++t) {
        slab(t / cut_.slabs, t % cut_.slabs, tree, to, team.member() * cut_.width);
      }
    });
  }

 private:
  // gamma and beta of batch b per column, where they are: a scalar is spread over the columns' coefficients as well.
  void finish(std::int64_t b, std::int64_t k, std::int64_t width, const double* mean, const double* low,
              const double* m2, Compute<T>* shift, Compute<T>* scale, Compute<T>* offset) const {
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
    if (call_.rstd != nullptr) task.rstd_out = call_.rstd + b * plan_.K + k;
    task.shift = shift;
    task.scale = scale;
    task.offset = offset;
    kernels_.finish(task, width);
    if constexpr (std::is_same_v<T, double>) finish_extremes(task, call_.x + b * plan_.O * plan_.K + k, width);
    if (call_.mean != nullptr) {
      for (std::int64_t i = 0; i < width; ++i) call_.mean[b * plan_.K + k + i] = mean[i] + low[i];
    }
  }

  // The columns whose M2 overflowed, again.
  void finish_extremes(const ColumnsFinish<T>& task, const T* x, std::int64_t width) const {
    for (std::int64_t k = 0; k < width; ++k) {
      if (std::isfinite(task.m2[k])) continue;
      const double rstd = extreme_rstd(x + k, 1, 0, plan_.O, plan_.K, task.mean[k], plan_.eps);
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

  ColumnsForward<T> sweep_of(std::int64_t b, std::int64_t k, std::int64_t width, const Coefficients<T>& to,
                             std::int64_t at) const {
    ColumnsForward<T> task{};
    task.x = call_.x + b * plan_.O * plan_.K + k;
    task.y = call_.y + b * plan_.O * plan_.K + k;
    task.pitch = plan_.K;
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
    return task;
  }

  // One slab from the moments to y; `at`: this thread's coefficients.
  void slab(std::int64_t b, std::int64_t s, const ColumnTree& tree, const Coefficients<T>& to, std::int64_t at) const {
    const std::int64_t k = s * cut_.width;
    const std::int64_t width = std::min(cut_.width, plan_.K - k);
    column_moments(kernels_, call_.x + b * plan_.O * plan_.K + k, plan_.O, plan_.K, width, plan_.centred, tree);
    finish(b, k, width, tree.at(0, 0), tree.at(0, 1), tree.at(0, 2), to.shift.data() + at, to.scale.data() + at,
           to.offset.data() + at);
    kernels_.apply(sweep_of(b, k, width, to, at), 0, plan_.O);
  }

  // All of x at once, in three stages; B is 1.
  void whole_moments(Share blocks, double* mean, double* low, double* m2) const {
    cut_.from_the_end(blocks, [&](std::int64_t j) {
      const std::int64_t first = j * kColumnBlock;
      for (std::int64_t k = 0; k < plan_.K; k += cut_.width) {
        const std::int64_t at = j * plan_.K + k;
        kernels_.moments(call_.x + first * plan_.K + k, plan_.K, std::min(kColumnBlock, plan_.O - first),
                         std::min(cut_.width, plan_.K - k), plan_.centred, far_, mean + at, low + at, m2 + at);
      }
    });
  }

  void whole_merge(Share columns, double* mean, double* low, double* m2, const Coefficients<T>& to) const {
    const std::int64_t k = columns.first;
    const std::int64_t width = columns.last - columns.first;
    if (width == 0) return;
    pairwise(cut_.blocks, [&](std::int64_t a, std::int64_t other, std::int64_t step) {
      const std::int64_t rows = std::min((other + step) * kColumnBlock, plan_.O) - other * kColumnBlock;
      const std::int64_t to_a = a * plan_.K + k;
      const std::int64_t to_b = other * plan_.K + k;
      kernels_.merge(static_cast<double>(step * kColumnBlock), mean + to_a, low + to_a, m2 + to_a,
                     static_cast<double>(rows), mean + to_b, low + to_b, m2 + to_b, width);
    });
    finish(0, k, width, mean + k, low + k, m2 + k, to.shift.data() + k, to.scale.data() + k, to.offset.data() + k);
  }

  void whole_apply(Share blocks, const Coefficients<T>& to) const {
    kernels_.apply(sweep_of(0, 0, plan_.K, to, 0), blocks.first * kColumnBlock,
                   std::min(blocks.last * kColumnBlock, plan_.O));
  }

  const plan::Plan& plan_;
  const ForwardCall<T>& call_;
  const ColumnKernels<T>& kernels_;
  const ColumnCut cut_;
  const bool by_column_;
  const bool far_;
  const bool stream_;
};

}  // namespace

ColumnCut::ColumnCut(const plan::Plan& plan, std::int64_t element_bytes)
    : blocks((plan.O + kColumnBlock - 1) / kColumnBlock) {
  constexpr std::int64_t kNarrowest = 64;
  // The share of L2 that a slab may fill, so that its second sweep reads from there.
  constexpr std::int64_t kSlabBytes = std::int64_t{512} << 10;
  const std::int64_t fits = kSlabBytes / (plan.O * element_bytes) / kNarrowest * kNarrowest;
  whole = plan.B == 1 && fits < std::min(kNarrowest, plan.K);
  width = whole ? std::min<std::int64_t>(plan.K, 1024) : std::min(plan.K, std::max(fits, kNarrowest));
  slabs = (plan.K + width - 1) / width;
  batches = plan.B;
  constexpr std::int64_t kRunBytes = std::int64_t{1} << 20;
  run = std::max<std::int64_t>(kRunBytes / (kColumnBlock * plan.K * element_bytes), 1);
}

template <class T>
void column_moments(const ColumnKernels<T>& kernels, const T* x, std::int64_t rows, std::int64_t pitch,
                    std::int64_t width, bool centred, const ColumnTree& tree) {
  const std::int64_t blocks = (rows + kColumnBlock - 1) / kColumnBlock;
  std::int64_t seen = 0;  // rows in the tree so far: only the last block is short
  tree.run(
      blocks,
      [&](std::int64_t level, std::int64_t block) {
        const std::int64_t first = block * kColumnBlock;
        const std::int64_t count = std::min(kColumnBlock, rows - first);
        kernels.moments(x + first * pitch, pitch, count, width, centred, false, tree.at(level, 0), tree.at(level, 1),
                        tree.at(level, 2));
        seen = first + count;
      },
      [&](std::int64_t level, std::int64_t blocks_a, std::int64_t blocks_b) {
        // What is merged second ends with the newest row.
        const std::int64_t count_b = std::min(
            blocks_b * kColumnBlock, seen - (seen - 1) / kColumnBlock * kColumnBlock + (blocks_b - 1) * kColumnBlock);
        kernels.merge(static_cast<double>(blocks_a * kColumnBlock), tree.at(level, 0), tree.at(level, 1),
                      tree.at(level, 2), static_cast<double>(count_b), tree.at(level + 1, 0), tree.at(level + 1, 1),
                      tree.at(level + 1, 2), width);
      });
}

template <class T>
void columns_forward(const plan::Plan& plan, const ForwardCall<T>& call) {
  Forward<T>(plan, call).run();
}

template <class T>
void columns_statistics(const plan::Plan& plan, const T* x, double* mean, double* m2) {
  const ColumnKernels<T>& kernels = column_kernels<T>();
  constexpr std::int64_t kSlab = 64;
  const std::int64_t slabs = (plan.K + kSlab - 1) / kSlab;
  const std::int64_t tasks = plan.B * slabs;
  const int threads = threads_for(plan.elements(), tasks);
  const std::int64_t blocks = (plan.O + kColumnBlock - 1) / kColumnBlock;
  const std::int64_t tree_size = ColumnTree::size(blocks, 3, kSlab);
  const Scratch<double> trees(threads * tree_size);
  run_team(threads, [&](const Team& team) {
    const ColumnTree tree(trees.data() + team.member() * tree_size, 3, kSlab);
    const Share share = team.share(tasks);
    for (std::int64_t t = share.first; t < share.last; ++t) {
      const std::int64_t b = t / slabs;
      const std::int64_t k = t % slabs * kSlab;
      const std::int64_t width = std::min(kSlab, plan.K - k);
      column_moments(kernels, x + b * plan.O * plan.K + k, plan.O, plan.K, width, plan.centred, tree);
      for (std::int64_t i = 0; i < width; ++i) {
        mean[b * plan.K + k + i] = tree.at(0, 0)[i] + tree.at(0, 1)[i];
        m2[b * plan.K + k + i] = tree.at(0, 2)[i];
      }
    }
  });
}

template <class T>
void columns_inference(const plan::Plan& plan, const ForwardCall<T>& call) {
  const ColumnKernels<T>& kernels = column_kernels<T>();
  const Coefficients<T> to(plan.statistics());
  const bool by_column = plan.affine_k.stride != 0;
  for (std::int64_t b = 0; b < plan.B; ++b) {
    ColumnsFinish<T> task{};
    const std::int64_t at = b * plan.K;
    const std::int64_t number = plan.affine_b(b);
    task.mean = call.mean + at;
    task.rstd = call.rstd + at;
    if (by_column) {
      task.gamma = call.gamma == nullptr ? nullptr : call.gamma + number;
      task.beta = call.beta == nullptr ? nullptr : call.beta + number;
    }
    task.shift = to.shift.data() + at;
    task.scale = to.scale.data() + at;
    task.offset = to.offset.data() + at;
    kernels.finish(task, plan.K);
  }
  const bool stream =
      call.y != call.x && stream_output(call.y, 2, plan.elements() * static_cast<std::int64_t>(sizeof(T)));
  const bool far = beyond_core(2 * plan.elements() * static_cast<std::int64_t>(sizeof(T)));
  constexpr std::int64_t kRows = 4;
  const std::int64_t strips = (plan.O + kRows - 1) / kRows;
  const std::int64_t tasks = plan.B * strips;
  run_team(threads_for(plan.elements(), tasks), [&](const Team& team) {
    const Share share = team.share(tasks);
    for (std::int64_t t = share.first; t < share.last;) {
      // This thread's strips of one b, in one go.
      const std::int64_t b = t / strips;
      const std::int64_t end = std::min(share.last, (b + 1) * strips);
      ColumnsForward<T> task{};
      task.x = call.x + b * plan.O * plan.K;
      task.y = call.y + b * plan.O * plan.K;
      task.pitch = task.width = plan.K;
      task.shift = to.shift.data() + b * plan.K;
      task.scale = to.scale.data() + b * plan.K;
      task.offset = to.offset.data() + b * plan.K;
      if (!by_column) {
        task.gamma_o = call.gamma == nullptr ? nullptr : call.gamma + plan.affine_b(b);
        task.beta_o = call.beta == nullptr ? nullptr : call.beta + plan.affine_b(b);
        task.affine_o = plan.affine_o;
      }
      task.far = far;
      task.stream = stream;
      kernels.apply(task, (t - b * strips) * kRows, std::min((end - b * strips) * kRows, plan.O));
      t = end;
    }
  });
}

#define NORMA_INSTANTIATE(T)                                                                                      \
  template void column_moments(const ColumnKernels<T>&, const T*, std::int64_t, std::int64_t, std::int64_t, bool, \
                               const ColumnTree&);                                                                \
  template void columns_forward(const plan::Plan&, const ForwardCall<T>&);                                        \
  template void columns_inference(const plan::Plan&, const ForwardCall<T>&);                                      \
  template void columns_statistics(const plan::Plan&, const T*, double*, double*)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
