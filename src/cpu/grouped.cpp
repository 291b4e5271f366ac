// Grouped columns: x[B][O][K][I] with short I, 2 to 16 as a rule (a group's channels, innermost). As rows, every
// segment would be a fraction of a register; as K*I columns, memory is swept as it lies by the column kernels, and the
// statistics of a group's I columns are merged before they become coefficients.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cpu/columns.h"
#include "cpu/extreme.h"
#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"
#include "cpu/tuning.h"

namespace norma::cpu {
namespace {

// Whole groups fit a slab of so many columns.
constexpr std::int64_t kNarrowest = 64;

// The nest's K*I columns in slabs, of which one and its second sweep stay in L2; a task is one slab of one b.
struct Slabs {
  Slabs(const plan::Plan& plan, std::int64_t element_bytes)
      : columns(plan.K * plan.I), blocks((plan.O + kColumnBlock - 1) / kColumnBlock) {
    constexpr std::int64_t kSlabBytes = std::int64_t{512} << 10;
    const std::int64_t fits = kSlabBytes / (plan.O * element_bytes) / kNarrowest * kNarrowest;
    width = std::min(columns, std::max(fits, kNarrowest));
    if (width < columns && plan.B >= kManyBatches && plan.O * columns * element_bytes <= kSharedBytes) {
      width = std::min<std::int64_t>(columns, 1024);
      far = true;
    }
    slabs = (columns + width - 1) / width;
    tasks = plan.B * slabs;
  }
  std::int64_t columns, blocks, width, slabs, tasks;
  bool far = false;  // slabs of whole rows, whose second sweep reads from L3
};

// Runs body(b, first column, columns, memory of `doubles` for this thread) over all slabs.
template <class Body>
void over_slabs(const plan::Plan& plan, const Slabs& cut, std::int64_t doubles, const Body& body) {
  const int threads = threads_for(plan.elements(), cut.tasks);
  const Scratch<double> memory(threads * doubles);
  run_team(threads, [&](const Team& team) {
    const Share share = team.share(cut.tasks);
    for (std::int64_t t = share.first; t < share.last; ++t) {
      const std::int64_t first = t % cut.slabs * cut.width;
      body(t / cut.slabs, first, std::min(cut.width, cut.columns - first), memory.data() + team.member() * doubles);
    }
  });
}

// Coefficients of a slab's columns, four arrays behind each other.
template <class T>
Compute<T>* coefficients_in(double* memory) {
  static_assert(sizeof(Compute<T>) <= sizeof(double));
  return reinterpret_cast<Compute<T>*>(memory);
}

// A sweep over `width` columns from their mean (and low, if any) and rstd. `number`: of the first one's gamma and beta;
// `to`: memory for three arrays of coefficients, `pitch` apart.
template <class T, class Call>
ColumnsForward<T> sweep_of(const Call& call, std::int64_t number, const double* mean, const double* low,
                           const double* rstd, std::int64_t width, Compute<T>* to, std::int64_t pitch) {
  ColumnsFinish<T> finish{};
  finish.mean = mean;
  finish.low = low;
  finish.rstd = rstd;
  finish.gamma = call.gamma == nullptr ? nullptr : call.gamma + number;
  finish.beta = call.beta == nullptr ? nullptr : call.beta + number;
  finish.shift = to;
  finish.scale = to + pitch;
  finish.offset = to + 2 * pitch;
  column_kernels<T>().finish(finish, width);
  ColumnsForward<T> sweep{};
  sweep.width = width;
  sweep.shift = finish.shift;
  sweep.scale = finish.scale;
  sweep.offset = finish.offset;
  return sweep;
}

template <class T>
class GroupedForward {
 public:
  GroupedForward(const plan::Plan& plan, const ForwardCall<T>& call)
      : plan_(plan),
        call_(call),
        kernels_(column_kernels<T>()),
        cut_(plan, static_cast<std::int64_t>(sizeof(T))),
        x_(call.is_fused && call.fused.before != nullptr ? call.fused.sum : call.x),
        x_at_(call.is_fused && call.fused.before != nullptr ? call.fused.sum_at : call.x_at),
        stream_(writes_afresh(call) &&
                stream_output(call.y, 2, plan.elements() * static_cast<std::int64_t>(sizeof(T)))) {}

  void run() const {
    const std::int64_t tree = ColumnTree::size(cut_.blocks, 3, cut_.width);
    over_slabs(plan_, cut_, tree + 4 * cut_.width,
               [&](std::int64_t b, std::int64_t k, std::int64_t width, double* memory) {
                 slab(b, k, width, ColumnTree(memory, 3, cut_.width), memory + tree);
               });
  }

 private:
  void slab(std::int64_t b, std::int64_t k, std::int64_t width, const ColumnTree& tree, double* memory) const {
    const Fused<T>& fused = call_.fused;
    const T* const x = x_ + b * x_at_.b + k;
    if (x_ != call_.x) {
      kernels_.add(call_.x + b * call_.x_at.b + k, call_.x_at.o, fused.before + b * fused.before_at.b + k,
                   fused.before_at.o, fused.sum + b * fused.sum_at.b + k, fused.sum_at.o, plan_.O, width);
    }
    column_moments(kernels_, x, plan_.O, x_at_.o, width, plan_.centred,
                   {.far = cut_.far, .narrow = cut_.columns < kNarrowColumns}, tree, ColumnRows(nullptr),
                   static_cast<T*>(nullptr));
    double* const rstd = memory;
    merge_groups(b, k, width, x, tree, rstd);
    ColumnsForward<T> sweep = sweep_of<T>(call_, plan_.affine_b(b) + k, tree.at(0, 0), tree.at(0, 1), rstd, width,
                                          coefficients_in<T>(memory + cut_.width), cut_.width);
    sweep.x = x;
    sweep.y = call_.y + b * call_.y_at.b + k;
    sweep.x_pitch = x_at_.o;
    sweep.y_pitch = call_.y_at.o;
    sweep.far = cut_.far;
    sweep.stream = stream_;
    if (!call_.is_fused) return kernels_.apply(sweep, 0, plan_.O);
    sweep.after = fused.after == nullptr ? nullptr : fused.after + b * fused.after_at.b + k;
    sweep.after_pitch = fused.after_at.o;
    sweep.activation = fused.activation;
    kernels_.apply_fused(sweep, 0, plan_.O);
  }

  // The columns' moments become their group's; rstd of every column.
  void merge_groups(std::int64_t b, std::int64_t k, std::int64_t width, const T* x, const ColumnTree& tree,
                    double* rstd) const {
    double* const mean = tree.at(0, 0);
    double* const low = tree.at(0, 1);
    const double* const m2 = tree.at(0, 2);
    for (std::int64_t at = 0; at < width; at += plan_.I) {
      Moments total{static_cast<double>(plan_.O), mean[at], low[at], m2[at]};
      for (std::int64_t i = 1; i < plan_.I; ++i) {
        merge_moments(total, {static_cast<double>(plan_.O), mean[at + i], low[at + i], m2[at + i]});
      }
      const double spread = total.m2 / total.count + plan_.eps;
      double inverse = spread == 0 ? 0.0 : 1.0 / std::sqrt(spread);
      if constexpr (std::is_same_v<T, double>) {
        if (is_extreme(spread)) {
          const long double center = static_cast<long double>(total.mean) + total.low;
          inverse = extreme_rstd(x + at, plan_.O, x_at_.o, plan_.I, 1, center, plan_.eps);
        }
      }
      std::fill_n(mean + at, plan_.I, total.mean);
      std::fill_n(low + at, plan_.I, total.low);
      std::fill_n(rstd + at, plan_.I, inverse);
      const std::int64_t s = b * plan_.K + (k + at) / plan_.I;
      if (call_.mean != nullptr) call_.mean[s] = total.mean + total.low;
      if (call_.rstd != nullptr) call_.rstd[s] = inverse;
    }
  }

  const plan::Plan& plan_;
  const ForwardCall<T>& call_;
  const ColumnKernels<T>& kernels_;
  const Slabs cut_;
  // What is normalized: x, or its sum with `before`.
  const T* const x_;
  const plan::Pitch x_at_;
  const bool stream_;
};

template <class T>
class GroupedBackward {
 public:
  GroupedBackward(const plan::Plan& plan, const BackwardCall<T>& call)
      : plan_(plan),
        call_(call),
        kernels_(column_kernels<T>()),
        cut_(plan, 2 * static_cast<std::int64_t>(sizeof(T))),
        sum_g_(plan.B * cut_.columns),
        sum_gx_(plan.B * cut_.columns),
        gates_(call.is_fused && call.gated != nullptr),
        stream_(call.dx != nullptr && call.dx != call.dy && call.dx != call.x && !call.is_fused &&
                stream_output(call.dx, 3, plan.elements() * static_cast<std::int64_t>(sizeof(T)))) {}

  void run() const {
    const std::int64_t tree = ColumnTree::size(cut_.blocks, 2, cut_.width);
    over_slabs(plan_, cut_, tree + 7 * cut_.width,
               [&](std::int64_t b, std::int64_t k, std::int64_t width, double* memory) {
                 slab(b, k, width, ColumnTree(memory, 2, cut_.width), memory + tree);
               });
    add_up();
  }

 private:
  void slab(std::int64_t b, std::int64_t k, std::int64_t width, const ColumnTree& tree, double* memory) const {
    double* const mean = memory;
    double* const rstd = memory + cut_.width;
    Compute<T>* const to = coefficients_in<T>(memory + 2 * cut_.width);
    for (std::int64_t i = 0; i < width; ++i) {
      const std::int64_t s = b * plan_.K + (k + i) / plan_.I;
      mean[i] = call_.mean == nullptr ? 0.0 : call_.mean[s];
      rstd[i] = call_.rstd[s];
      to[i] = static_cast<Compute<T>>(mean[i]);
    }
    if (gates_) gate(b, k, width, mean, rstd, to + cut_.width);
    ColumnsBackward<T> sweep{};
    sweep.dy = gates_ ? call_.gated + b * call_.gated_at.b + k : call_.dy + b * call_.dy_at.b + k;
    sweep.x = call_.x + b * call_.x_at.b + k;
    sweep.dx = call_.dx == nullptr ? nullptr : call_.dx + b * call_.dx_at.b + k;
    sweep.dy_pitch = gates_ ? call_.gated_at.o : call_.dy_at.o;
    sweep.x_pitch = call_.x_at.o;
    sweep.dx_pitch = call_.dx_at.o;
    sweep.width = width;
    sweep.mean = sweep.mean_narrow = to;
    sweep.mean_wide = mean;
    sweep.rstd_wide = rstd;
    sweep.far = cut_.far;
    sweep.stream = stream_;
    sweep.narrow = cut_.columns < kNarrowColumns;
    sums(b, k, width, sweep, tree);
    if (call_.dx == nullptr) return;
    if (call_.gamma != nullptr) sweep.gamma_k = call_.gamma + plan_.affine_b(b) + k;
    sweep.mean_g = to + cut_.width;
    sweep.slope = to + 2 * cut_.width;
    sweep.scale = to + 3 * cut_.width;
    slopes(b, k, width, mean, rstd, to);
    if (!call_.is_fused || call_.dsum == nullptr) return kernels_.backward_apply(sweep, 0, plan_.O);
    // So few rows at a time that dx is still in cache.
    constexpr std::int64_t kElementsInCache = 8192;
    const std::int64_t many = std::max<std::int64_t>(kElementsInCache / width, 1);
    for (std::int64_t o = 0; o < plan_.O; o += many) {
      const std::int64_t count = std::min(many, plan_.O - o);
      kernels_.backward_apply(sweep, o, o + count);
      T* const dx = sweep.dx + o * sweep.dx_pitch;
      kernels_.add(dx, sweep.dx_pitch, call_.dsum + call_.dsum_at.at(b, o, 0) + k, call_.dsum_at.o, dx, sweep.dx_pitch,
                   count, width);
    }
  }

  // dy * activation' of the slab; `to`: memory for three arrays of coefficients.
  void gate(std::int64_t b, std::int64_t k, std::int64_t width, const double* mean, const double* rstd,
            Compute<T>* to) const {
    const Fused<T>& fused = call_.fused;
    ColumnsForward<T> sweep = sweep_of<T>(call_, plan_.affine_b(b) + k, mean, nullptr, rstd, width, to, cut_.width);
    sweep.x = call_.x + b * call_.x_at.b + k;
    sweep.y = call_.gated + b * call_.gated_at.b + k;
    sweep.x_pitch = call_.x_at.o;
    sweep.y_pitch = call_.gated_at.o;
    sweep.after = fused.after == nullptr ? nullptr : fused.after + b * fused.after_at.b + k;
    sweep.after_pitch = fused.after_at.o;
    sweep.dy = call_.dy + b * call_.dy_at.b + k;
    sweep.dy_pitch = call_.dy_at.o;
    sweep.activation = fused.activation;
    kernels_.apply_fused(sweep, 0, plan_.O);
  }

  // Of every column: sum of dy and of dy * (x - mean).
  void sums(std::int64_t b, std::int64_t k, std::int64_t width, const ColumnsBackward<T>& sweep,
            const ColumnTree& tree) const {
    const auto add = [&](double* to, const double* more) {
      for (std::int64_t i = 0; i < width; ++i) to[i] += more[i];
    };
    tree.run(
        cut_.blocks,
        [&](std::int64_t level, std::int64_t block) {
          const std::int64_t first = block * kColumnBlock;
          kernels_.backward_sums(sweep, first, std::min(first + kColumnBlock, plan_.O), tree.at(level, 0),
                                 tree.at(level, 1));
        },
        [&](std::int64_t level, std::int64_t, std::int64_t) {
          add(tree.at(level, 0), tree.at(level + 1, 0));
          add(tree.at(level, 1), tree.at(level + 1, 1));
        });
    std::copy_n(tree.at(0, 0), width, sum_g_.data() + b * cut_.columns + k);
    std::copy_n(tree.at(0, 1), width, sum_gx_.data() + b * cut_.columns + k);
  }

  // dx = ((dy * gamma - mean_g) - (x - shift) * slope) * scale; `to`: shift, mean_g, slope, scale.
  void slopes(std::int64_t b, std::int64_t k, std::int64_t width, const double* mean, const double* rstd,
              Compute<T>* to) const {
    using C = Compute<T>;
    const double count = static_cast<double>(plan_.O * plan_.I);
    const C* const gamma = call_.gamma == nullptr ? nullptr : call_.gamma + plan_.affine_b(b) + k;
    const double* const sum_g = sum_g_.data() + b * cut_.columns + k;
    const double* const sum_gx = sum_gx_.data() + b * cut_.columns + k;
    for (std::int64_t at = 0; at < width; at += plan_.I) {
      Sums total{0, 0};
      for (std::int64_t i = at; i < at + plan_.I && !call_.constant_statistics; ++i) {
        const double weight = gamma == nullptr ? 1.0 : static_cast<double>(gamma[i]);
        add_sums(total, {weight * sum_g[i], weight * sum_gx[i]});
      }
      if (!plan_.centred) total.g = 0;
      const double slope = rstd[at] * (rstd[at] * total.gx / count);
      const double rest = mean[at] - static_cast<double>(to[at]);
      std::fill_n(to + cut_.width + at, plan_.I, static_cast<C>(total.g / count - rest * slope));
      std::fill_n(to + 2 * cut_.width + at, plan_.I, static_cast<C>(slope));
      std::fill_n(to + 3 * cut_.width + at, plan_.I, static_cast<C>(rstd[at]));
    }
  }

  // dgamma and dbeta, b after b.
  void add_up() const {
    if (call_.dgamma != nullptr) std::fill(call_.dgamma, call_.dgamma + plan_.affine_size, 0.0);
    if (call_.dbeta != nullptr) std::fill(call_.dbeta, call_.dbeta + plan_.affine_size, 0.0);
    for (std::int64_t b = 0; b < plan_.B; ++b) {
      const std::int64_t number = plan_.affine_b(b);
      for (std::int64_t k = 0; k < cut_.columns; ++k) {
        const std::int64_t at = b * cut_.columns + k;
        if (call_.dgamma != nullptr) call_.dgamma[number + k] += sum_gx_[at] * call_.rstd[b * plan_.K + k / plan_.I];
        if (call_.dbeta != nullptr) call_.dbeta[number + k] += sum_g_[at];
      }
    }
  }

  const plan::Plan& plan_;
  const BackwardCall<T>& call_;
  const ColumnKernels<T>& kernels_;
  const Slabs cut_;
  const Scratch<double> sum_g_, sum_gx_;
  const bool gates_;  // dy is multiplied by the activation's slope first
  const bool stream_;
};

}  // namespace

bool grouped_columns(const plan::Plan& plan) {
  if (plan.I < 2 || kNarrowest % plan.I != 0 || plan.K < 2 || plan.O < 2) return false;
  // gamma runs along the columns.
  const plan::IndexMap& k = plan.affine_k;
  return plan.affine_o.stride == 0 && plan.affine_i.stride == 1 && plan.affine_i.injective(plan.I) &&
         k.stride == plan.I && k.injective(plan.K);
}

template <class T>
void grouped_forward(const plan::Plan& plan, const ForwardCall<T>& call) {
  GroupedForward<T>(plan, call).run();
}

template <class T>
void grouped_backward(const plan::Plan& plan, const BackwardCall<T>& call) {
  GroupedBackward<T>(plan, call).run();
}

#define NORMA_INSTANTIATE(T)                                               \
  template void grouped_forward(const plan::Plan&, const ForwardCall<T>&); \
  template void grouped_backward(const plan::Plan&, const BackwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
