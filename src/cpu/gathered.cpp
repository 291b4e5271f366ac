// Axes by hand whose runs exceed the plan's four: x is gathered into [B kept][I reduced], a dense nest without affine
// does the work, and the result is scattered back with gamma and beta. Slower by the copies, right for every choice
// of axes.
#include <algorithm>

#include "cpu/activation.h"
#include "cpu/operations.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"

namespace norma::cpu {
namespace {

plan::Plan dense_plan(const plan::Plan& plan) {
  plan::Plan dense;
  (plan.I > 1 ? dense.B : dense.K) = plan.B;
  dense.I = plan.I;
  dense.eps = plan.eps;
  dense.centred = plan.centred;
  return dense;
}

// visit(b*I + i, offset in x, gamma's number) for all elements, over threads; a b is one thread's.
template <class Visit>
void visit_all(const plan::Plan& plan, int threads, const Visit& visit) {
  run_team(threads, [&](const Team& team) {
    const Share share = team.share(plan.B);
    for (std::int64_t b = share.first; b < share.last; ++b) {
      const std::int64_t origin = plan.kept_axes.offset(b);
      const std::int64_t number = plan.kept_affine.offset(b);
      for (std::int64_t i = 0; i < plan.I; ++i) {
        visit(b * plan.I + i, origin + plan.reduced_axes.offset(i), number + plan.reduced_affine.offset(i));
      }
    }
  });
}

int threads_of(const plan::Plan& plan) {
  return threads_for(plan.B * plan.I, plan.B);
}

// What the activation makes of v and what is added to it.
template <class T>
Activated follow(const Fused<T>& fused, std::int64_t at, Compute<T> v) {
  const double after = fused.after == nullptr ? 0.0 : static_cast<double>(fused.after[at]);
  return activated(static_cast<double>(v) + after, fused.activation);
}

template <class T, class Inner>
void gathered_apply(const plan::Plan& plan, const ForwardCall<T>& call, Inner inner) {
  using C = Compute<T>;
  const Scratch<C> rows(plan.B * plan.I);
  const T* const before = call.is_fused ? call.fused.before : nullptr;
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t) {
    rows[n] = static_cast<C>(call.x[at]);
    if (before == nullptr) return;
    call.fused.sum[at] = static_cast<T>(rows[n] + static_cast<C>(before[at]));
    rows[n] = static_cast<C>(call.fused.sum[at]);
  });
  ForwardCall<C> dense;
  dense.x = rows.data();
  dense.y = rows.data();
  dense.mean = call.mean;
  dense.rstd = call.rstd;
  dense.x_at = dense.y_at = dense_plan(plan).dense();
  inner(dense_plan(plan), dense);
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t number) {
    const C scaled = call.gamma == nullptr ? rows[n] : rows[n] * call.gamma[number];
    const C y = call.beta == nullptr ? scaled : scaled + call.beta[number];
    call.y[at] = call.is_fused ? static_cast<T>(follow(call.fused, at, y).value) : static_cast<T>(y);
  });
}

// dy * activation' into `gated`.
template <class T>
void gathered_gate(const plan::Plan& plan, const BackwardCall<T>& call) {
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t number) {
    const std::int64_t b = n / plan.I;
    const double mean = call.mean == nullptr ? 0.0 : call.mean[b];
    double v = (static_cast<double>(call.x[at]) - mean) * call.rstd[b];
    if (call.gamma != nullptr) v *= static_cast<double>(call.gamma[number]);
    if (call.beta != nullptr) v += static_cast<double>(call.beta[number]);
    const double slope = follow(call.fused, at, static_cast<Compute<T>>(v)).slope;
    call.gated[at] = static_cast<T>(static_cast<double>(call.dy[at]) * slope);
  });
}

template <class T>
void gathered_backward(const plan::Plan& plan, const BackwardCall<T>& given) {
  BackwardCall<T> call = given;
  if (given.is_fused && given.gated != nullptr) {
    gathered_gate(plan, given);
    call.dy = given.gated;
  }
  if (call.dgamma != nullptr) std::fill(call.dgamma, call.dgamma + plan.affine_size, 0.0);
  if (call.dbeta != nullptr) std::fill(call.dbeta, call.dbeta + plan.affine_size, 0.0);
  if (call.dgamma != nullptr || call.dbeta != nullptr) {
    // One thread: the order of these sums is the order of the elements.
    visit_all(plan, 1, [&](std::int64_t n, std::int64_t at, std::int64_t number) {
      const std::int64_t b = n / plan.I;
      const double mean = call.mean == nullptr ? 0.0 : call.mean[b];
      const double g = static_cast<double>(call.dy[at]);
      if (call.dgamma != nullptr) call.dgamma[number] += g * ((static_cast<double>(call.x[at]) - mean) * call.rstd[b]);
      if (call.dbeta != nullptr) call.dbeta[number] += g;
    });
  }
  if (call.dx == nullptr) return;
  using C = Compute<T>;
  const Scratch<C> x(plan.B * plan.I);
  const Scratch<C> g(plan.B * plan.I);
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t number) {
    const C dy = static_cast<C>(call.dy[at]);
    x[n] = static_cast<C>(call.x[at]);
    g[n] = call.gamma == nullptr ? dy : dy * call.gamma[number];
  });
  BackwardCall<C> dense;
  dense.x = x.data();
  dense.dy = g.data();
  dense.dx = g.data();
  dense.mean = call.mean;
  dense.rstd = call.rstd;
  dense.constant_statistics = call.constant_statistics;
  dense.dy_at = dense.x_at = dense.dx_at = dense_plan(plan).dense();
  backward(dense_plan(plan), dense);
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t) {
    call.dx[at] = static_cast<T>(g[n]);
    if (call.is_fused && call.dsum != nullptr) {
      call.dx[at] = static_cast<T>(static_cast<C>(call.dx[at]) + static_cast<C>(call.dsum[at]));
    }
  });
}

}  // namespace

template <class T>
void forward(const plan::Plan& plan, const ForwardCall<T>& call) {
  if (!plan.direct) return gathered_apply(plan, call, [](const auto& p, const auto& c) { forward(p, c); });
  plan.rows() && !grouped_columns(plan) ? rows_forward(plan, call) : columns_forward(plan, call);
}

template <class T>
void inference(const plan::Plan& plan, const ForwardCall<T>& call) {
  if (!plan.direct) return gathered_apply(plan, call, [](const auto& p, const auto& c) { inference(p, c); });
  plan.rows() ? rows_inference(plan, call) : columns_inference(plan, call);
}

template <class T>
void statistics(const plan::Plan& plan, const T* x, const plan::Pitch& x_at, const std::int64_t* rows_of_x,
                double* mean, double* m2) {
  if (!plan.direct) {
    using C = Compute<T>;
    const Scratch<C> rows(plan.B * plan.I);
    visit_all(plan, threads_of(plan),
              [&](std::int64_t n, std::int64_t at, std::int64_t) { rows[n] = static_cast<C>(x[at]); });
    return statistics(dense_plan(plan), static_cast<const C*>(rows.data()), dense_plan(plan).dense(), nullptr, mean,
                      m2);
  }
  plan.rows() ? rows_statistics(plan, x, x_at, rows_of_x, mean, m2)
              : columns_statistics(plan, x, x_at, rows_of_x, mean, m2);
}

template <class T>
void backward(const plan::Plan& plan, const BackwardCall<T>& call) {
  if (!plan.direct) return gathered_backward(plan, call);
  plan.rows() && !grouped_columns(plan) ? rows_backward(plan, call) : columns_backward(plan, call);
}

#define NORMA_INSTANTIATE(T)                                                                                        \
  template void forward(const plan::Plan&, const ForwardCall<T>&);                                                  \
  template void inference(const plan::Plan&, const ForwardCall<T>&);                                                \
  template void statistics(const plan::Plan&, const T*, const plan::Pitch&, const std::int64_t*, double*, double*); \
  template void backward(const plan::Plan&, const BackwardCall<T>&)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE

}  // namespace norma::cpu
