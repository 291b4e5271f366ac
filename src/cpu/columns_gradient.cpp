// Columns, backward: as columns.cpp, with the sums of g and g * (x - mean) in place of the moments.
#include <algorithm>

#include "cpu/columns.h"
#include "cpu/operations.h"
#include "cpu/pairwise.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"
#include "cpu/tuning.h"

namespace norma::cpu {
namespace {

template <class T>
class Backward {
 public:
  Backward(const plan::Plan& plan, const BackwardCall<T>& call)
      : plan_(plan),
        call_(call),
        kernels_(column_kernels<T>()),
        cut_(plan, 2 * static_cast<std::int64_t>(sizeof(T))),
        parameters_(call.dgamma != nullptr || call.dbeta != nullptr),
        by_column_(plan.affine_k.stride != 0),
        by_row_(!by_column_),
        sums_wanted_(!call.constant_statistics || (parameters_ && !by_row_)),
        arrays_((cut_.whole ? cut_.blocks : plan.B) * plan.K),
        columns_((cut_.whole ? 1 : plan.B) * plan.K),
        sum_g_(sums_wanted_ ? arrays_ : 0),
        sum_gx_(sums_wanted_ ? arrays_ : 0),
        narrow_(plan.statistics()),
        shift_(columns_),
        mean_g_(columns_),
        slope_(columns_),
        scale_(columns_),
        row_dgamma_(by_row_ && call.dgamma != nullptr ? row_sums() : 0),
        row_dbeta_(by_row_ && call.dbeta != nullptr ? row_sums() : 0),
        stream_(call.dx != nullptr && call.dx != call.dy && call.dx != call.x &&
                stream_output(call.dx, 3, plan.elements() * static_cast<std::int64_t>(sizeof(T)))) {}

  void run() {
    for (std::int64_t s = 0; s < plan_.statistics(); ++s) {
      narrow_[s] = call_.mean == nullptr ? Compute<T>{0} : static_cast<Compute<T>>(call_.mean[s]);
    }
    const int threads = threads_for(plan_.elements(), cut_.tasks());
    const std::int64_t tree_size = cut_.whole || !sums_wanted_ ? 0 : ColumnTree::size(cut_.blocks, 2, cut_.width);
    const Scratch<double> trees(threads * tree_size);
    if (cut_.whole) {
      run_team(
          threads, [&](const Team& team) { whole_sums(team.share(cut_.blocks)); },
          [&](const Team& team) { whole_slope(team.share(plan_.K)); },
          [&](const Team& team) { whole_apply(team.share(cut_.blocks)); });
    } else {
      run_team(threads, [&](const Team& team) {
        const ColumnTree tree(trees.data() + team.member() * tree_size, 2, cut_.width);
        const Share share = team.share(cut_.tasks());
        for (std::int64_t t = share.first; t < share.last; ++t) slab(t / cut_.slabs, t % cut_.slabs, tree);
      });
    }
    if (parameters_) add_up();
  }

 private:
  // Slots for one dgamma per (b, slab, o). All columns of a whole sweep are one slab.
  std::int64_t row_sums() const { return plan_.B * row_slabs() * plan_.O; }
  std::int64_t row_slabs() const { return cut_.whole ? 1 : cut_.slabs; }

  ColumnsBackward<T> sweep_of(std::int64_t b, std::int64_t s, std::int64_t k, std::int64_t width) const {
    const std::int64_t origin = b * plan_.O * plan_.K + k;
    const std::int64_t at = b * plan_.K + k;
    ColumnsBackward<T> task{};
    task.dy = call_.dy + origin;
    task.x = call_.x + origin;
    task.dx = call_.dx == nullptr ? nullptr : call_.dx + origin;
    task.pitch = plan_.K;
    task.width = width;
    task.mean = shift_.data() + at;
    task.mean_g = mean_g_.data() + at;
    task.slope = slope_.data() + at;
    task.scale = scale_.data() + at;
    if (!by_column_ && call_.gamma != nullptr) {
      task.gamma_o = call_.gamma + plan_.affine_b(b);
      task.affine_o = plan_.affine_o;
    }
    task.mean_narrow = narrow_.data() + at;
    task.mean_wide = call_.mean == nullptr ? nullptr : call_.mean + at;
    task.rstd_wide = call_.rstd + at;
    const std::int64_t slot = (b * row_slabs() + s) * plan_.O;
    if (row_dgamma_.data() != nullptr) task.row_dgamma = row_dgamma_.data() + slot;
    if (row_dbeta_.data() != nullptr) task.row_dbeta = row_dbeta_.data() + slot;
    task.far = cut_.whole && beyond_core(3 * plan_.elements() * static_cast<std::int64_t>(sizeof(T)));
    task.stream = stream_;
    return task;
  }

  void slope(std::int64_t b, std::int64_t k, std::int64_t width) const {
    const std::int64_t at = b * plan_.K + k;
    ColumnsSlope<T> task{};
    task.count = static_cast<double>(plan_.O);
    task.mean = call_.mean == nullptr ? nullptr : call_.mean + at;
    task.rstd = call_.rstd + at;
    if (!call_.constant_statistics) {
      task.sum_g = sum_g_.data() + at;
      task.sum_gx = sum_gx_.data() + at;
    }
    if (by_column_ && call_.gamma != nullptr) task.gamma = call_.gamma + plan_.affine_b(b) + k;
    task.centred = plan_.centred;
    task.shift = shift_.data() + at;
    task.mean_g = mean_g_.data() + at;
    task.slope = slope_.data() + at;
    task.scale = scale_.data() + at;
    kernels_.slope(task, width);
  }

  void slab(std::int64_t b, std::int64_t s, const ColumnTree& tree) const {
    const std::int64_t k = s * cut_.width;
    const std::int64_t width = std::min(cut_.width, plan_.K - k);
    const std::int64_t at = b * plan_.K + k;
    const ColumnsBackward<T> sweep = sweep_of(b, s, k, width);
    if (sums_wanted_) {
      tree.run(
          cut_.blocks,
          [&](std::int64_t level, std::int64_t block) {
            const std::int64_t first = block * kColumnBlock;
            kernels_.backward_sums(sweep, first, std::min(first + kColumnBlock, plan_.O), tree.at(level, 0),
                                   tree.at(level, 1));
          },
          [&](std::int64_t level, std::int64_t, std::int64_t) {
            add(tree.at(level, 0), tree.at(level + 1, 0), width);
            add(tree.at(level, 1), tree.at(level + 1, 1), width);
          });
      std::copy_n(tree.at(0, 0), width, sum_g_.data() + at);
      std::copy_n(tree.at(0, 1), width, sum_gx_.data() + at);
    }
    slope(b, k, width);
    kernels_.backward_apply(sweep, 0, plan_.O);
  }

  // All of x at once, in three stages; B is 1.
  void whole_sums(Share blocks) const {
    if (!sums_wanted_) return;
    cut_.from_the_end(blocks, [&](std::int64_t j) {
      for (std::int64_t k = 0; k < plan_.K; k += cut_.width) {
        const std::int64_t at = j * plan_.K + k;
        kernels_.backward_sums(sweep_of(0, 0, k, std::min(cut_.width, plan_.K - k)), j * kColumnBlock,
                               std::min((j + 1) * kColumnBlock, plan_.O), sum_g_.data() + at, sum_gx_.data() + at);
      }
    });
  }

  void whole_slope(Share columns) const {
    const std::int64_t width = columns.last - columns.first;
    if (width == 0) return;
    if (sums_wanted_) {
      pairwise(cut_.blocks, [&](std::int64_t a, std::int64_t b, std::int64_t) {
        const std::int64_t to = a * plan_.K + columns.first;
        const std::int64_t from = b * plan_.K + columns.first;
        add(sum_g_.data() + to, sum_g_.data() + from, width);
        add(sum_gx_.data() + to, sum_gx_.data() + from, width);
      });
    }
    slope(0, columns.first, width);
  }

  void whole_apply(Share blocks) const {
    kernels_.backward_apply(sweep_of(0, 0, 0, plan_.K), blocks.first * kColumnBlock,
                            std::min(blocks.last * kColumnBlock, plan_.O));
  }

  static void add(double* sums, const double* more, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) sums[i] += more[i];
  }

  // dgamma and dbeta, b after b.
  void add_up() const {
    if (call_.dgamma != nullptr) std::fill(call_.dgamma, call_.dgamma + plan_.affine_size, 0.0);
    if (call_.dbeta != nullptr) std::fill(call_.dbeta, call_.dbeta + plan_.affine_size, 0.0);
    for (std::int64_t b = 0; b < plan_.B; ++b) {
      if (by_row_) {
        add_rows(b, call_.dgamma, row_dgamma_.data());
        add_rows(b, call_.dbeta, row_dbeta_.data());
      } else {
        add_columns(b);
      }
    }
  }

  void add_rows(std::int64_t b, double* sums, const double* rows) const {
    if (sums == nullptr) return;
    for (std::int64_t s = 0; s < row_slabs(); ++s) {
      const double* slab_rows = rows + (b * row_slabs() + s) * plan_.O;
      for (std::int64_t o = 0; o < plan_.O; ++o) sums[plan_.affine_b(b) + plan_.affine_o(o)] += slab_rows[o];
    }
  }

  void add_columns(std::int64_t b) const {
    const std::int64_t number = plan_.affine_b(b);
    for (std::int64_t k = 0; k < plan_.K; ++k) {
      const std::int64_t at = b * plan_.K + k;
      if (call_.dgamma != nullptr) call_.dgamma[number + k] += sum_gx_[at] * call_.rstd[at];
      if (call_.dbeta != nullptr) call_.dbeta[number + k] += sum_g_[at];
    }
  }

  const plan::Plan& plan_;
  const BackwardCall<T>& call_;
  const ColumnKernels<T>& kernels_;
  const ColumnCut cut_;
  const bool parameters_;
  const bool by_column_;
  const bool by_row_;  // a gamma per o, or one for all: dgamma is summed along the rows
  const bool sums_wanted_;
  const std::int64_t arrays_;
  const std::int64_t columns_;
  const Scratch<double> sum_g_, sum_gx_;
  const Scratch<Compute<T>> narrow_;  // means
  const Scratch<Compute<T>> shift_, mean_g_, slope_, scale_;
  const Scratch<double> row_dgamma_, row_dbeta_;
  const bool stream_;
};

}  // namespace

template <class T>
void columns_backward(const plan::Plan& plan, const BackwardCall<T>& call) {
  Backward<T>(plan, call).run();
}

#define NORMA_INSTANTIATE(T) template void columns_backward(const plan::Plan&, const BackwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
