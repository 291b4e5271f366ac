// Rows: how the row kernels' work is cut over threads. Statistics are dealt out in contiguous ranges; dgamma and dbeta
// are summed in a number of partial arrays that the sizes alone decide, then added up in order.
#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"
#include "cpu/tuning.h"

namespace norma::cpu {
namespace {

Nest nest_of(const plan::Plan& plan) {
  return {plan.B,        plan.O,        plan.K,        plan.I,   plan.affine_b,
          plan.affine_o, plan.affine_k, plan.affine_i, plan.eps, plan.centred};
}

// Short segments begin and end within a cache line, which streaming would write twice.
template <class T>
bool long_segments(const plan::Plan& plan) {
  return plan.I * static_cast<std::int64_t>(sizeof(T)) >= 1024;
}

template <class T>
RowsForward<T> task_of(const plan::Plan& plan, const ForwardCall<T>& call) {
  const bool stream = call.y != nullptr && call.y != call.x && long_segments<T>(plan) &&
                      stream_output(call.y, 2, plan.elements() * static_cast<std::int64_t>(sizeof(T)));
  return {nest_of(plan), call.x, call.gamma, call.beta, call.y, call.mean, call.rstd, stream};
}

template <class Kernel, class Task>
void over_statistics(const plan::Plan& plan, Kernel kernel, const Task& task) {
  run_team(threads_for(plan.elements(), plan.statistics()), [&](const Team& team) {
    const Share share = team.share(plan.statistics());
    if (share.first < share.last) kernel(task, share.first, share.last);
  });
}

// How dgamma is cut: `parts` ranges of b, each with sums of its own.
struct Cut {
  std::int64_t parts = 1;
  std::int64_t rows = 1;  // b's a part
  bool split_k = false;   // may the k's of a part go to different threads?
};

Cut cut_of(const plan::Plan& plan, bool parameters) {
  // A part's sums are worth it only beside many more elements of x.
  constexpr std::int64_t kElementsAtLeast = 32768;
  constexpr std::int64_t kMostParts = 64;
  const std::int64_t rows = std::clamp<std::int64_t>(kElementsAtLeast / (plan.elements() / plan.B), 8, 128);
  Cut cut;
  cut.split_k = plan.K > 1 && (!parameters || plan.affine_k.injective(plan.K));
  // Every b has gammas of its own, or there are none: no sums to keep apart.
  const bool alone = !parameters || plan.affine_b.injective(plan.B);
  const std::int64_t least = alone ? 1 : rows;
  const std::int64_t parts = std::clamp<std::int64_t>(plan.B / least, 1, kMostParts);
  // In whole blocks of the kernel's eight rows.
  cut.rows = (plan.B + parts - 1) / parts;
  if (cut.rows >= 8) cut.rows = (cut.rows + 7) / 8 * 8;
  cut.parts = (plan.B + cut.rows - 1) / cut.rows;
  return cut;
}

void add_parts(const double* parts, std::int64_t count, std::int64_t size, double* total, Share range) {
  for (std::int64_t i = range.first; i < range.last; ++i) total[i] = parts[i];
  for (std::int64_t part = 1; part < count; ++part) {
    for (std::int64_t i = range.first; i < range.last; ++i) total[i] += parts[part * size + i];
  }
}

}  // namespace

template <class T>
void rows_forward(const plan::Plan& plan, const ForwardCall<T>& call) {
  over_statistics(plan, row_kernels<T>().forward, task_of(plan, call));
}

template <class T>
void rows_inference(const plan::Plan& plan, const ForwardCall<T>& call) {
  over_statistics(plan, row_kernels<T>().apply, task_of(plan, call));
}

template <class T>
void rows_statistics(const plan::Plan& plan, const T* x, double* mean, double* m2) {
  ForwardCall<T> call;
  call.x = x;
  call.mean = mean;
  call.rstd = m2;
  over_statistics(plan, row_kernels<T>().moments, task_of(plan, call));
}

template <class T>
void rows_backward(const plan::Plan& plan, const BackwardCall<T>& call) {
  const bool parameters = call.dgamma != nullptr || call.dbeta != nullptr;
  const Cut cut = cut_of(plan, parameters);
  const std::int64_t size = plan.affine_size;
  // With a part that owns its gammas, parts share one array.
  const bool together = cut.parts == 1 || plan.affine_b.injective(plan.B);
  const std::int64_t arrays = together ? 1 : cut.parts;
  const Scratch<double> sums_gamma(!together && call.dgamma != nullptr ? arrays * size : 0);
  const Scratch<double> sums_beta(!together && call.dbeta != nullptr ? arrays * size : 0);
  double* const dgamma = together ? call.dgamma : sums_gamma.data();
  double* const dbeta = together ? call.dbeta : sums_beta.data();

  RowsBackward<T> task{nest_of(plan), call.dy, call.x, call.gamma, call.mean,
                       call.rstd,     call.dx, dgamma, dbeta,      call.constant_statistics,
                       false};
  task.stream = call.dx != call.dy && call.dx != call.x && long_segments<T>(plan) &&
                stream_output(call.dx, 3, plan.elements() * static_cast<std::int64_t>(sizeof(T)));
  const auto kernel = row_kernels<T>().backward;
  const std::int64_t k_tasks = cut.split_k ? plan.K : 1;
  const std::int64_t k_each = plan.K / k_tasks;
  const std::int64_t tasks = cut.parts * k_tasks;
  const auto clear = [&](const Team& team) {
    const Share zero = team.share(arrays * size);
    if (call.dgamma != nullptr) std::fill(dgamma + zero.first, dgamma + zero.last, 0.0);
    if (call.dbeta != nullptr) std::fill(dbeta + zero.first, dbeta + zero.last, 0.0);
  };
  const auto sweep = [&](const Team& team) {
    const Share share = team.share(tasks);
    for (std::int64_t t = share.first; t < share.last; ++t) {
      const std::int64_t part = t / k_tasks;
      RowsBackward<T> own = task;
      if (!together && call.dgamma != nullptr) own.dgamma = dgamma + part * size;
      if (!together && call.dbeta != nullptr) own.dbeta = dbeta + part * size;
      const std::int64_t end = std::min((part + 1) * cut.rows, plan.B);
      if (k_tasks == 1) {
        kernel(own, part * cut.rows * plan.K, end * plan.K);
      } else {
        const std::int64_t k = t % k_tasks * k_each;
        for (std::int64_t b = part * cut.rows; b < end; ++b) kernel(own, b * plan.K + k, b * plan.K + k + k_each);
      }
    }
  };
  const auto add_up = [&](const Team& team) {
    const Share range = team.share(size);
    if (call.dgamma != nullptr) add_parts(dgamma, arrays, size, call.dgamma, range);
    if (call.dbeta != nullptr) add_parts(dbeta, arrays, size, call.dbeta, range);
  };
  const int threads = threads_for(plan.elements(), std::max(tasks, size / 1024));
  if (together) {
    run_team(threads, clear, sweep);
  } else {
    run_team(threads, clear, sweep, add_up);
  }
}

#define NORMA_INSTANTIATE(T)                                                    \
  template void rows_forward(const plan::Plan&, const ForwardCall<T>&);         \
  template void rows_inference(const plan::Plan&, const ForwardCall<T>&);       \
  template void rows_statistics(const plan::Plan&, const T*, double*, double*); \
  template void rows_backward(const plan::Plan&, const BackwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
