// Rows: how the row kernels' work is cut over threads. Statistics are dealt out in contiguous ranges; dgamma and dbeta
// are summed in a number of partial arrays that the sizes alone decide, then added up in order.
#include <algorithm>

#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/pairwise.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"
#include "cpu/tuning.h"

namespace norma::cpu {
namespace {

Nest nest_of(const plan::Plan& plan) {
  return {plan.B,        plan.O,        plan.K,        plan.I,   plan.affine_b,
          plan.affine_o, plan.affine_k, plan.affine_i, plan.eps, plan.centred};
}

// Segments, or their pieces of one gamma, that may be streamed.
template <class T>
bool long_segments(const plan::Plan& plan) {
  const bool in_pieces = plan.affine_i.stride != 0 && plan.affine_i.div > 1;
  const std::int64_t segment = in_pieces ? std::min(plan.affine_i.div, plan.I) : plan.I;
  return segment * static_cast<std::int64_t>(sizeof(T)) >= kStreamedSegment;
}

template <class T>
RowsForward<T> task_of(const plan::Plan& plan, const ForwardCall<T>& call) {
  const Fused<T>& fused = call.fused;
  const bool stream = call.y != nullptr && writes_afresh(call) && long_segments<T>(plan) &&
                      stream_output(call.y, 2, plan.elements() * static_cast<std::int64_t>(sizeof(T)));
  return {nest_of(plan), call.x, call.gamma, call.beta, call.y,    call.mean,
          call.rstd,     stream, call.x_at,  call.y_at, call.rows, fused};
}

// Statistics of several segments lie between those of others: a thread's are pieces of every sample. `ease`: how many
// elements are the work of one.
template <class T>
int threads_for_statistics(const plan::Plan& plan, std::int64_t ease, std::int64_t tasks) {
  const int threads = threads_for(plan.elements() / ease, tasks);
  if (plan.O == 1 || plan.B > 1) return threads;
  return threads_for_pieces(threads, plan.elements(), plan.K * plan.I * static_cast<std::int64_t>(sizeof(T)));
}

template <class T, class Kernel, class Task>
void over_statistics(const plan::Plan& plan, Kernel kernel, const Task& task, std::int64_t ease = 1) {
  run_team(threads_for_statistics<T>(plan, ease, plan.statistics()), [&](const Team& team) {
    const Share share = team.share(plan.statistics());
    if (share.first < share.last) kernel(task, share.first, share.last);
  });
}

// Are there too few statistics to deal out, each long enough for all threads? With one gamma each, they are then worked
// on by all threads together: 64x3x224x224 has three. Not so the fused calls, which keep to a thread a statistic:
// their kernels write parts of one in the order of memory alone.
bool few_statistics(const plan::Plan& plan, int threads) {
  return threads > 1 && plan.statistics() < std::int64_t{4} * threads && plan.O >= threads &&
         plan.normalized() >= threads * kElementsPerThread && plan.affine_o.stride == 0 && plan.affine_i.stride == 0;
}

// Statistic by statistic, all threads on each: fill(s, first, last, parts) of its blocks, then, with what finish(s,
// total) makes of them, write(s, finished, first, last) of its segments.
template <class Part, void (*kMerge)(Part& a, const Part& b), class Fill, class Finish, class Write>
void together_on_each(const plan::Plan& plan, int threads, const Fill& fill, const Finish& finish, const Write& write) {
  const std::int64_t blocks = Blocks(plan.O, plan.I).count();
  const Scratch<Part> parts(blocks);
  for (std::int64_t s = 0; s < plan.statistics(); ++s) {
    run_team(threads, [&](const Team& team) {
      const Share share = team.share(blocks);
      fill(s, share.first, share.last, parts.data());
    });
    Pairwise<Part, kMerge> tree;
    for (std::int64_t at = 0; at < blocks; ++at) tree.push(parts[at]);
    const auto finished = finish(s, tree.total());
    run_team(threads, [&](const Team& team) {
      const Share segments = team.share(plan.O);
      write(s, finished, segments.first, segments.last);
    });
  }
}

// Statistics of several long segments, with one gamma each, of a tensor that is streamed past the caches: a statistic
// is pieces of memory far apart, and reading one does not overlap with writing another. So all of memory is swept in
// its order, twice: the second sweep begins with what the first one left in cache.
template <class T>
bool in_memory_order(const plan::Plan& plan) {
  constexpr std::int64_t kShortest = 2048;
  return plan.O > 1 && plan.K > 1 && plan.I >= kShortest && plan.affine_o.stride == 0 && plan.affine_i.stride == 0 &&
         beyond_caches(2 * plan.elements() * static_cast<std::int64_t>(sizeof(T)));
}

template <class T>
void forward_in_memory_order(const plan::Plan& plan, const RowKernels<T>& kernels, const RowsForward<T>& task,
                             bool is_fused) {
  const auto write_kernel = is_fused ? kernels.write_all_fused : kernels.write_all;
  const std::int64_t count = Blocks(plan.O, plan.I).count();
  const std::int64_t pieces = (plan.I + kBlock - 1) / kBlock;
  const std::int64_t rows = count / pieces;
  const Scratch<Moments> parts(plan.statistics() * count);
  const Scratch<Spread> spreads(plan.statistics());
  const auto add_up = [&](const Team& team) {
    const Share share = team.share(plan.B * rows);
    for (std::int64_t n = share.first; n < share.last; ++n) {
      const std::int64_t at = n % rows * pieces;
      for (std::int64_t s = n / rows * plan.K; s < (n / rows + 1) * plan.K; ++s) {
        kernels.block_moments(task, s, at, at + pieces, parts.data() + s * count);
      }
    }
  };
  const auto merge = [&](const Team& team) {
    const Share share = team.share(plan.statistics());
    for (std::int64_t s = share.first; s < share.last; ++s) {
      Pairwise<Moments, merge_moments> tree;
      for (std::int64_t at = 0; at < count; ++at) tree.push(parts[s * count + at]);
      spreads[s] = kernels.finish(task, s, tree.total());
    }
  };
  const auto write = [&](const Team& team) {
    const Share share = team.share(plan.B * plan.O);
    for (std::int64_t n = share.first; n < share.last;) {
      const std::int64_t b = n / plan.O;
      const std::int64_t last = std::min(share.last, (b + 1) * plan.O);
      write_kernel(task, b, spreads.data() + b * plan.K, n - b * plan.O, last - b * plan.O);
      n = last;
    }
  };
  run_team(threads_for(plan.elements(), plan.B * rows), add_up, merge, write);
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
  // Rows that share gammas are so many apart, and blocks are made of them.
  const std::int64_t period = std::max<std::int64_t>(rows_period(nest_of(plan)), 1);
  const std::int64_t rows =
      period * std::clamp<std::int64_t>(kElementsAtLeast / (plan.elements() / plan.B * period), 8, 128);
  Cut cut;
  cut.split_k = plan.K > 1 && (!parameters || plan.affine_k.injective(plan.K));
  // Every b has gammas of its own, or there are none: no sums to keep apart.
  const bool alone = !parameters || plan.affine_b.injective(plan.B);
  const std::int64_t least = alone ? 1 : rows;
  const std::int64_t parts = std::clamp<std::int64_t>(plan.B / least, 1, kMostParts);
  // In whole blocks of the kernel's eight rows.
  const std::int64_t block = 8 * period;
  cut.rows = (plan.B + parts - 1) / parts;
  if (cut.rows >= block) cut.rows = (cut.rows + block - 1) / block * block;
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
  const RowKernels<T>& kernels = row_kernels<T>();
  const RowsForward<T> task = task_of(plan, call);
  // What is added before the normalization is added up segment by segment, as its moments are taken.
  const bool adds_before = call.is_fused && call.fused.before != nullptr;
  if (!adds_before && in_memory_order<T>(plan)) return forward_in_memory_order(plan, kernels, task, call.is_fused);
  const int threads = threads_for(plan.elements(), plan.O);
  if (call.is_fused || !few_statistics(plan, threads)) {
    return over_statistics<T>(plan, call.is_fused ? kernels.forward_fused : kernels.forward, task);
  }
  together_on_each<Moments, merge_moments>(
      plan, threads,
      [&](std::int64_t s, std::int64_t first, std::int64_t last, Moments* parts) {
        kernels.block_moments(task, s, first, last, parts);
      },
      [&](std::int64_t s, const Moments& total) { return kernels.finish(task, s, total); },
      [&](std::int64_t s, const Spread& spread, std::int64_t first, std::int64_t last) {
        kernels.write(task, s, spread, first, last);
      });
}

template <class T>
void rows_inference(const plan::Plan& plan, const ForwardCall<T>& call) {
  const RowKernels<T>& kernels = row_kernels<T>();
  over_statistics<T>(plan, call.is_fused ? kernels.apply_fused : kernels.apply, task_of(plan, call), kInferenceShare);
}

template <class T>
void rows_statistics(const plan::Plan& plan, const T* x, const plan::Pitch& x_at, const std::int64_t* rows,
                     double* mean, double* m2) {
  ForwardCall<T> call;
  call.x = x;
  call.mean = mean;
  call.rstd = m2;
  call.x_at = x_at;
  call.rows = rows;
  over_statistics<T>(plan, row_kernels<T>().moments, task_of(plan, call));
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

  RowsBackward<T> task{nest_of(plan), call.dy,    call.x,    call.gamma, call.mean,
                       call.rstd,     call.dx,    dgamma,    dbeta,      call.constant_statistics,
                       false,         call.dy_at, call.x_at, call.dx_at, call.rows};
  task.stream = call.dx != nullptr && call.dx != call.dy && call.dx != call.x && long_segments<T>(plan) &&
                stream_output(call.dx, 3, plan.elements() * static_cast<std::int64_t>(sizeof(T)));
  const RowKernels<T>& kernels = row_kernels<T>();
  const auto kernel = call.is_fused ? kernels.backward_fused : kernels.backward;
  if (call.is_fused) {
    task.stream = false;
    task.beta = call.beta;
    task.gated = call.gated;
    task.gated_at = call.gated_at;
    task.dsum = call.dsum;
    task.dsum_at = call.dsum_at;
    task.fused = call.fused;
    task.fused.dy = call.dy;
    task.fused.dy_at = call.dy_at;
  }
  const int team_of_all = threads_for(plan.elements(), plan.O);
  if (together && !call.is_fused && few_statistics(plan, team_of_all)) {
    if (call.dgamma != nullptr) std::fill(dgamma, dgamma + size, 0.0);
    if (call.dbeta != nullptr) std::fill(dbeta, dbeta + size, 0.0);
    return together_on_each<Sums, add_sums>(
        plan, team_of_all,
        [&](std::int64_t s, std::int64_t first, std::int64_t last, Sums* parts_of) {
          kernels.block_sums(task, s, first, last, parts_of);
        },
        [](std::int64_t, const Sums& total) { return total; },
        [&](std::int64_t s, const Sums& total, std::int64_t first, std::int64_t last) {
          kernels.write_dx(task, s, total, first, last);
        });
  }
  // Classes of rows that share gammas have sums of their own: where there are fewer parts than threads, they are dealt
  // out too. Not so the fused calls, which gate all rows of a part at once.
  const std::int64_t period = rows_period(task.nest);
  const bool split_classes = period > 1 && !call.is_fused && cut.rows % period == 0;
  const std::int64_t classes = split_classes ? std::min<std::int64_t>(period, 16) : 1;
  const std::int64_t k_tasks = cut.split_k ? plan.K : classes;
  const std::int64_t tasks = cut.parts * k_tasks;
  const auto clear = [&](const Team& team) {
    const Share zero = team.share(arrays * size);
    if (call.dgamma != nullptr) std::fill(dgamma + zero.first, dgamma + zero.last, 0.0);
    if (call.dbeta != nullptr) std::fill(dbeta + zero.first, dbeta + zero.last, 0.0);
  };
  const auto sweep = [&](const Team& team) {
    const Share share = team.share(tasks);
    for (std::int64_t t = share.first; t < share.last;) {
      // This thread's statistics of a part, in one go.
      const std::int64_t part = t / k_tasks;
      const std::int64_t next = std::min(share.last, (part + 1) * k_tasks);
      RowsBackward<T> own = task;
      if (!together && call.dgamma != nullptr) own.dgamma = dgamma + part * size;
      if (!together && call.dbeta != nullptr) own.dbeta = dbeta + part * size;
      const std::int64_t end = std::min((part + 1) * cut.rows, plan.B);
      if (split_classes) {
        own.class_first = t % k_tasks * period / classes;
        own.class_last = (t % k_tasks + next - t) * period / classes;
      }
      const std::int64_t k = cut.split_k ? t % k_tasks : 0;
      const std::int64_t k_end = cut.split_k ? k + (next - t) : plan.K;
      if (k_end - k == plan.K) {
        kernel(own, part * cut.rows * plan.K, end * plan.K);
      } else {
        for (std::int64_t b = part * cut.rows; b < end; ++b) kernel(own, b * plan.K + k, b * plan.K + k_end);
      }
      t = next;
    }
  };
  const auto add_up = [&](const Team& team) {
    const Share range = team.share(size);
    if (call.dgamma != nullptr) add_parts(dgamma, arrays, size, call.dgamma, range);
    if (call.dbeta != nullptr) add_parts(dbeta, arrays, size, call.dbeta, range);
  };
  const int threads = threads_for_statistics<T>(plan, kGradientShare, std::max(tasks, size / 1024));
  if (together) {
    run_team(threads, clear, sweep);
  } else {
    run_team(threads, clear, sweep, add_up);
  }
}

#define NORMA_INSTANTIATE(T)                                                                                   \
  template void rows_forward(const plan::Plan&, const ForwardCall<T>&);                                        \
  template void rows_inference(const plan::Plan&, const ForwardCall<T>&);                                      \
  template void rows_statistics(const plan::Plan&, const T*, const plan::Pitch&, const std::int64_t*, double*, \
                                double*);                                                                      \
  template void rows_backward(const plan::Plan&, const BackwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
