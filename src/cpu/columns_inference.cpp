// Columns with given statistics: coefficients, then one sweep.
#include <algorithm>

#include "cpu/columns.h"
#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/threads.h"
#include "cpu/tuning.h"

namespace norma::cpu {

template <class T>
void columns_inference(const plan::Plan& plan, const ForwardCall<T>& call) {
  const ColumnKernels<T>& kernels = column_kernels<T>();
  const ColumnCoefficients<T> to(plan.statistics());
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
      writes_afresh(call) && stream_output(call.y, 2, plan.elements() * static_cast<std::int64_t>(sizeof(T)));
  const bool far = beyond_core(2 * plan.elements() * static_cast<std::int64_t>(sizeof(T)));
  const ColumnRows listed(call.rows);
  const bool has_before = call.is_fused && call.fused.before != nullptr;
  const T* const x = has_before ? call.fused.sum : call.x;
  const plan::Pitch x_at = has_before ? call.fused.sum_at : call.x_at;
  constexpr std::int64_t kElementsInCache = 8192;
  constexpr std::int64_t kRows = 4;
  const std::int64_t strips = (plan.O + kRows - 1) / kRows;
  const std::int64_t tasks = plan.B * strips;
  run_team(threads_for(plan.elements() / kInferenceShare, tasks), [&](const Team& team) {
    const Share share = team.share(tasks);
    for (std::int64_t t = share.first; t < share.last;) {
      // This thread's strips of one b, in one go.
      const std::int64_t b = t / strips;
      const std::int64_t end = std::min(share.last, (b + 1) * strips);
      ColumnsForward<T> task{};
      task.x = x + x_at.at(b, 0, 0);
      task.y = call.y + call.y_at.at(b, 0, 0);
      task.x_pitch = x_at.o;
      task.y_pitch = call.y_at.o;
      task.width = plan.K;
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
      const std::int64_t first = (t - b * strips) * kRows;
      const std::int64_t last = std::min((end - b * strips) * kRows, plan.O);
      t = end;
      follow(task, call, b, 0);
      // So few rows at a time that sums are still in cache.
      const std::int64_t many = has_before ? std::max<std::int64_t>(kElementsInCache / plan.K, 1) : last - first;
      for (std::int64_t o = first; o < last; o += many) {
        listed.for_runs(o, std::min(o + many, last), [&](std::int64_t from, std::int64_t to_row) {
          add_up_before(kernels, call, b, 0, from, to_row - from, plan.K);
          (call.is_fused ? kernels.apply_fused : kernels.apply)(task, from, to_row);
        });
      }
    }
  });
}

#define NORMA_INSTANTIATE(T) template void columns_inference(const plan::Plan&, const ForwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
