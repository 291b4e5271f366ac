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
        listed_(call.rows),
        strip_(listed_.all() || !cut_.whole ? cut_.width : std::min<std::int64_t>(cut_.width, 256)),
        buffer_size_(2 * listed_.buffer_size(plan.O, strip_)),
        parameters_(call.dgamma != nullptr || call.dbeta != nullptr),
        by_column_(cut_.group > 1 || plan.affine_k.stride != 0),
        along_(cut_.group > 1 && plan.affine_i.stride != 0),
        by_row_(!by_column_),
        gates_(call.is_fused && call.gated != nullptr),
        dy_(gates_ ? call.gated : call.dy),
        dy_at_(gates_ ? call.gated_at : call.dy_at),
        sums_wanted_(!call.constant_statistics || (parameters_ && !by_row_)),
        arrays_((cut_.whole ? cut_.blocks : plan.B) * cut_.columns),
        columns_(plan.B * cut_.columns),
        sums_(sums_wanted_ ? 2 * arrays_ : 0),
        group_sums_(cut_.group > 1 ? 2 * columns_ : 0),
        coefficients_(5 * columns_),
        row_dgamma_(by_row_ && call.dgamma != nullptr ? row_sums() : 0),
        row_dbeta_(by_row_ && call.dbeta != nullptr ? row_sums() : 0),
        gate_(gates_ ? 3 * columns_ : 0),
        zeros_(gates_ && call.mean == nullptr ? columns_ : 0),
        stream_(call.dx != nullptr && call.dx != dy_ && call.dx != call.dy && call.dx != call.x && !call.is_fused &&
                stream_output(call.dx, 3, plan.elements() * static_cast<std::int64_t>(sizeof(T)))) {}

  void run() {
    if (zeros_.data() != nullptr) std::fill_n(zeros_.data(), columns_, 0.0);
    for (std::int64_t s = 0; s < columns_; ++s) {
      narrow()[s] = call_.mean == nullptr ? Compute<T>{0} : static_cast<Compute<T>>(call_.mean[s]);
    }
    const int threads = cut_.threads(plan_, sizeof(T));
    const std::int64_t tree_size = cut_.whole || !sums_wanted_ ? 0 : ColumnTree::size(cut_.blocks, 2, cut_.width);
    const Scratch<double> trees(threads * tree_size);
    const Scratch<T> buffers(threads * buffer_size_);
    const auto buffer_of = [&](const Team& team) { return buffers.data() + team.member() * buffer_size_; };
    if (cut_.whole) {
      const auto prepare = [&](const Team& team) { whole_prepare(team.share(cut_.columns)); };
      const auto sweep = [&](const Team& team) { whole_sums(team.share(cut_.blocks), buffer_of(team)); };
      const auto merge = [&](const Team& team) { whole_slope(cut_.groups_of(team.share(plan_.K))); };
      const auto write = [&](const Team& team) { whole_apply(team.share(plan_.O)); };
      if (gates_) {
        run_team(threads, prepare, sweep, merge, write);
      } else {
        run_team(threads, sweep, merge, write);
      }
    } else {
      run_team(threads, [&](const Team& team) {
        const ColumnTree tree(trees.data() + team.member() * tree_size, 2, cut_.width);
        const Share share = team.share(cut_.tasks());
        for (std::int64_t t = share.first; t < share.last; ++t) {
          slab(t / cut_.slabs, t % cut_.slabs, tree, buffer_of(team));
        }
      });
    }
    if (parameters_) add_up();
  }

 private:
  double* sum_g() const { return sums_.data(); }
  double* sum_gx() const { return sums_.data() + arrays_; }
  double* group_g() const { return group_sums_.data(); }
  double* group_gx() const { return group_sums_.data() + columns_; }
  Compute<T>* narrow() const { return coefficients_.data(); }  // means
  Compute<T>* shift() const { return coefficients_.data() + columns_; }
  Compute<T>* mean_g() const { return coefficients_.data() + 2 * columns_; }
  Compute<T>* slopes() const { return coefficients_.data() + 3 * columns_; }
  Compute<T>* scale() const { return coefficients_.data() + 4 * columns_; }
  Compute<T>* gate_shift() const { return gate_.data(); }
  Compute<T>* gate_scale() const { return gate_.data() + columns_; }
  Compute<T>* gate_offset() const { return gate_.data() + 2 * columns_; }

  // So many are still in cache when a second sweep comes.
  static constexpr std::int64_t kElementsInCache = 8192;

  // Slots for one dgamma per (b, slab, o). All columns of a whole sweep are one slab.
  std::int64_t row_sums() const { return plan_.B * row_slabs() * plan_.O; }
  std::int64_t row_slabs() const { return cut_.whole ? 1 : cut_.slabs; }

  ColumnsBackward<T> sweep_of(std::int64_t b, std::int64_t s, std::int64_t k, std::int64_t width) const {
    const std::int64_t at = b * cut_.columns + k;
    ColumnsBackward<T> task{};
    task.dy = dy_ + dy_at_.at(b, 0, k);
    task.x = call_.x + call_.x_at.at(b, 0, k);
    task.dx = call_.dx == nullptr ? nullptr : call_.dx + call_.dx_at.at(b, 0, k);
    task.dy_pitch = dy_at_.o;
    task.x_pitch = call_.x_at.o;
    task.dx_pitch = call_.dx_at.o;
    task.width = width;
    task.mean = shift() + at;
    task.mean_g = mean_g() + at;
    task.slope = slopes() + at;
    task.scale = scale() + at;
    if (!by_column_ && call_.gamma != nullptr) {
      task.gamma_o = call_.gamma + plan_.affine_b(b);
      task.affine_o = plan_.affine_o;
    }
    if (along_ && call_.gamma != nullptr) task.gamma_k = call_.gamma + plan_.affine_b(b) + k;
    task.mean_narrow = narrow() + at;
    task.mean_wide = call_.mean == nullptr ? nullptr : call_.mean + at;
    task.rstd_wide = call_.rstd + at;
    const std::int64_t slot = (b * row_slabs() + s) * plan_.O;
    if (row_dgamma_.data() != nullptr) task.row_dgamma = row_dgamma_.data() + slot;
    if (row_dbeta_.data() != nullptr) task.row_dbeta = row_dbeta_.data() + slot;
    task.far = (cut_.whole || cut_.wide) && beyond_core(3 * plan_.elements() * static_cast<std::int64_t>(sizeof(T)));
    task.stream = stream_;
    task.narrow = cut_.columns < kNarrowColumns;
    return task;
  }

  void slope(std::int64_t b, std::int64_t k, std::int64_t width) const {
    const std::int64_t at = b * cut_.columns + k;
    if (!call_.constant_statistics && cut_.group > 1) add_up_groups(b, k, width);
    ColumnsSlope<T> task{};
    task.count = static_cast<double>(plan_.O * cut_.group);
    task.mean = call_.mean == nullptr ? nullptr : call_.mean + at;
    task.rstd = call_.rstd + at;
    if (!call_.constant_statistics) {
      task.sum_g = (cut_.group > 1 ? group_g() : sum_g()) + at;
      task.sum_gx = (cut_.group > 1 ? group_gx() : sum_gx()) + at;
    }
    if (by_column_ && !along_ && call_.gamma != nullptr) task.gamma = call_.gamma + plan_.affine_b(b) + k;
    task.centred = plan_.centred;
    task.shift = shift() + at;
    task.mean_g = mean_g() + at;
    task.slope = slopes() + at;
    task.scale = scale() + at;
    kernels_.slope(task, width);
  }

  // Their group's sums for every column.
  void add_up_groups(std::int64_t b, std::int64_t k, std::int64_t width) const {
    const Compute<T>* const gamma = along_ ? call_.gamma : nullptr;
    const std::int64_t number = plan_.affine_b(b) + k;
    const std::int64_t first = b * cut_.columns + k;
    const double* const g = sum_g() + first;
    const double* const gx = sum_gx() + first;
    for (std::int64_t at = 0; at < width; at += cut_.group) {
      Sums total{0, 0};
      for (std::int64_t i = at; i < at + cut_.group; ++i) {
        const double weight = gamma == nullptr ? 1.0 : static_cast<double>(gamma[number + i]);
        add_sums(total, {weight * g[i], weight * gx[i]});
      }
      std::fill_n(group_g() + first + at, cut_.group, total.g);
      std::fill_n(group_gx() + first + at, cut_.group, total.gx);
    }
  }

  void slab(std::int64_t b, std::int64_t s, const ColumnTree& tree, T* buffer) const {
    const std::int64_t k = s * cut_.width;
    const std::int64_t width = std::min(cut_.width, cut_.columns - k);
    const std::int64_t at = b * cut_.columns + k;
    const ColumnsBackward<T> sweep = sweep_of(b, s, k, width);
    prepare_gate(b, k, width);
    gate(b, k, 0, plan_.O, width);
    if (sums_wanted_) {
      tree.run(
          cut_.blocks,
          [&](std::int64_t level, std::int64_t block) {
            const std::int64_t first = block * kColumnBlock;
            sums(sweep, first, std::min(first + kColumnBlock, plan_.O), buffer, tree.at(level, 0), tree.at(level, 1));
          },
          [&](std::int64_t level, std::int64_t, std::int64_t) {
            add(tree.at(level, 0), tree.at(level + 1, 0), width);
            add(tree.at(level, 1), tree.at(level + 1, 1), width);
          });
      std::copy_n(tree.at(0, 0), width, sum_g() + at);
      std::copy_n(tree.at(0, 1), width, sum_gx() + at);
    }
    slope(b, k, width);
    apply(sweep, b, k, 0, plan_.O);
  }

  // The coefficients of the normalization itself, whose result is gated.
  void prepare_gate(std::int64_t b, std::int64_t k, std::int64_t width) const {
    if (!gates_) return;
    const std::int64_t at = b * cut_.columns + k;
    ColumnsFinish<T> task{};
    task.mean = mean_of(at);
    task.rstd = call_.rstd + at;
    if (by_column_) {
      task.gamma = call_.gamma == nullptr ? nullptr : call_.gamma + plan_.affine_b(b) + k;
      task.beta = call_.beta == nullptr ? nullptr : call_.beta + plan_.affine_b(b) + k;
    }
    task.shift = gate_shift() + at;
    task.scale = gate_scale() + at;
    task.offset = gate_offset() + at;
    kernels_.finish(task, width);
  }

  // dy * activation' of rows [first, last).
  void gate(std::int64_t b, std::int64_t k, std::int64_t first, std::int64_t last, std::int64_t width) const {
    if (!gates_) return;
    const std::int64_t at = b * cut_.columns + k;
    ColumnsForward<T> task{};
    task.x = call_.x + call_.x_at.at(b, 0, k);
    task.y = call_.gated + call_.gated_at.at(b, 0, k);
    task.x_pitch = call_.x_at.o;
    task.y_pitch = call_.gated_at.o;
    task.width = width;
    task.shift = gate_shift() + at;
    task.scale = gate_scale() + at;
    task.offset = gate_offset() + at;
    if (!by_column_) {
      task.gamma_o = call_.gamma == nullptr ? nullptr : call_.gamma + plan_.affine_b(b);
      task.beta_o = call_.beta == nullptr ? nullptr : call_.beta + plan_.affine_b(b);
      task.affine_o = plan_.affine_o;
    }
    const Fused<T>& fused = call_.fused;
    task.after = fused.after == nullptr ? nullptr : fused.after + fused.after_at.at(b, 0, k);
    task.after_pitch = fused.after_at.o;
    task.dy = call_.dy + call_.dy_at.at(b, 0, k);
    task.dy_pitch = call_.dy_at.o;
    task.activation = fused.activation;
    listed_.for_runs(first, last, [&](std::int64_t from, std::int64_t to) { kernels_.apply_fused(task, from, to); });
  }

  // dx, and with it what else reaches the sum.
  void apply(const ColumnsBackward<T>& sweep, std::int64_t b, std::int64_t k, std::int64_t first,
             std::int64_t last) const {
    const bool adds = call_.is_fused && call_.dsum != nullptr && call_.dx != nullptr;
    const std::int64_t many = adds ? std::max<std::int64_t>(kElementsInCache / sweep.width, 1) : last - first;
    for (std::int64_t o = first; o < last; o += many) {
      listed_.for_runs(o, std::min(o + many, last), [&](std::int64_t from, std::int64_t to) {
        kernels_.backward_apply(sweep, from, to);
        if (!adds) return;
        T* const dx = call_.dx + call_.dx_at.at(b, from, k);
        kernels_.add(dx, call_.dx_at.o, call_.dsum + call_.dsum_at.at(b, from, k), call_.dsum_at.o, dx, call_.dx_at.o,
                     to - from, sweep.width);
      });
    }
  }

  const double* mean_of(std::int64_t at) const { return call_.mean == nullptr ? zeros_.data() + at : call_.mean + at; }

  // Of the rows number `first` to `last`, one block.
  void sums(const ColumnsBackward<T>& sweep, std::int64_t first, std::int64_t last, T* buffer, double* sum_g,
            double* sum_gx) const {
    if (listed_.all()) {
      kernels_.backward_sums(sweep, first, last, sum_g, sum_gx);
      return;
    }
    ColumnsBackward<T> task = sweep;
    const std::int64_t count = last - first;
    const auto dy = listed_.block(sweep.dy, sweep.dy_pitch, first, count, sweep.width, buffer);
    const auto x = listed_.block(sweep.x, sweep.x_pitch, first, count, sweep.width, buffer + buffer_size_ / 2);
    task.dy = dy.data;
    task.dy_pitch = dy.pitch;
    task.x = x.data;
    task.x_pitch = x.pitch;
    task.far = false;
    kernels_.backward_sums(task, 0, count, sum_g, sum_gx);
  }

  // All of x at once, stage by stage; B is 1. First, where dy is gated, how.
  void whole_prepare(Share columns) const {
    if (columns.first < columns.last) prepare_gate(0, columns.first, columns.last - columns.first);
  }

  void whole_sums(Share blocks, T* buffer) const {
    if (!sums_wanted_) {
      gate(0, 0, blocks.first * kColumnBlock, std::min(blocks.last * kColumnBlock, plan_.O), cut_.columns);
      return;
    }
    cut_.from_the_end(blocks, [&](std::int64_t j) {
      const std::int64_t last = std::min((j + 1) * kColumnBlock, plan_.O);
      gate(0, 0, j * kColumnBlock, last, cut_.columns);
      for (std::int64_t k = 0; k < cut_.columns; k += strip_) {
        const std::int64_t at = j * cut_.columns + k;
        sums(sweep_of(0, 0, k, std::min(strip_, cut_.columns - k)), j * kColumnBlock, last, buffer, sum_g() + at,
             sum_gx() + at);
      }
    });
  }

  void whole_slope(Share columns) const {
    const std::int64_t width = columns.last - columns.first;
    if (width == 0) return;
    if (sums_wanted_) {
      pairwise(cut_.blocks, [&](std::int64_t a, std::int64_t b, std::int64_t) {
        const std::int64_t to = a * cut_.columns + columns.first;
        const std::int64_t from = b * cut_.columns + columns.first;
        add(sum_g() + to, sum_g() + from, width);
        add(sum_gx() + to, sum_gx() + from, width);
      });
    }
    slope(0, columns.first, width);
  }

  void whole_apply(Share rows) const { apply(sweep_of(0, 0, 0, cut_.columns), 0, 0, rows.first, rows.last); }

  static void add(double* sums, const double* more, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) sums[i] += more[i];
  }
  static void add_products(double* sums, const double* more, const double* times, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) sums[i] += more[i] * times[i];
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
    std::int64_t number = plan_.affine_b(b);
    const std::int64_t columns = along_ ? 1 : cut_.group;  // of one gamma
    const std::int64_t end = (b + 1) * cut_.columns;
    if (columns == 1) {  // loops that the compiler makes registers of
      const std::int64_t at = b * cut_.columns;
      if (call_.dgamma != nullptr) add_products(call_.dgamma + number, sum_gx() + at, call_.rstd + at, cut_.columns);
      if (call_.dbeta != nullptr) add(call_.dbeta + number, sum_g() + at, cut_.columns);
      return;
    }
    for (std::int64_t first = b * cut_.columns; first < end; first += columns, ++number) {
      for (std::int64_t at = first; at < first + columns; ++at) {
        if (call_.dgamma != nullptr) call_.dgamma[number] += sum_gx()[at] * call_.rstd[at];
        if (call_.dbeta != nullptr) call_.dbeta[number] += sum_g()[at];
      }
    }
  }

  const plan::Plan& plan_;
  const BackwardCall<T>& call_;
  const ColumnKernels<T>& kernels_;
  const ColumnCut cut_;
  const ColumnRows listed_;
  const std::int64_t strip_;        // columns that are summed together
  const std::int64_t buffer_size_;  // a thread's: dy and x
  const bool parameters_;
  const bool by_column_;
  const bool along_;   // gamma changes within a group, so that it weighs dy in the sums
  const bool by_row_;  // a gamma per o, or one for all: dgamma is summed along the rows
  const bool gates_;   // dy is multiplied by the activation's slope first
  const T* const dy_;  // that, or dy
  const plan::Pitch dy_at_;
  const bool sums_wanted_;
  const std::int64_t arrays_;
  const std::int64_t columns_;
  // Few pieces of memory: of a small call, taking them is a good part.
  const Scratch<double> sums_, group_sums_;
  const Scratch<Compute<T>> coefficients_;
  const Scratch<double> row_dgamma_, row_dbeta_;
  const Scratch<Compute<T>> gate_;
  const Scratch<double> zeros_;  // where there is no mean
  const bool stream_;
};

}  // namespace

template <class T>
void columns_backward(const plan::Plan& plan, const BackwardCall<T>& call) {
  if (plan.I == 1) return Backward<T>(plan, call).run();
  // As the columns have it: gamma, beta and the statistics of each, and columns side by side.
  const GroupedAffine<T> gamma(plan, call.gamma);
  const GroupedAffine<T> beta(plan, call.beta);
  const std::int64_t columns = plan.statistics() * plan.I;
  const Scratch<double> mean(call.mean == nullptr ? 0 : columns);
  const Scratch<double> rstd(columns);
  for (std::int64_t s = 0; s < plan.statistics(); ++s) {
    if (call.mean != nullptr) std::fill_n(mean.data() + s * plan.I, plan.I, call.mean[s]);
    std::fill_n(rstd.data() + s * plan.I, plan.I, call.rstd[s]);
  }
  BackwardCall<T> grouped = call;
  grouped.gamma = gamma.data();
  grouped.beta = beta.data();
  grouped.mean = mean.data();
  grouped.rstd = rstd.data();
  for (plan::Pitch* at :
       {&grouped.dy_at, &grouped.x_at, &grouped.dx_at, &grouped.gated_at, &grouped.dsum_at, &grouped.fused.after_at}) {
    at->k = 1;
  }
  Backward<T>(plan, grouped).run();
}

#define NORMA_INSTANTIATE(T) template void columns_backward(const plan::Plan&, const BackwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
