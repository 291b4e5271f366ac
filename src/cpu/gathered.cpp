// Axes by hand whose runs exceed the plan's four: x is gathered into [B kept][I reduced], a dense nest without affine
// does the work, and the result is scattered back with gamma and beta. Slower by the copies, right for every choice
// of axes.
#include <algorithm>

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

template <class T, class Inner>
void gathered_apply(const plan::Plan& plan, const ForwardCall<T>& call, Inner inner) {
  const Scratch<T> rows(plan.B * plan.I);
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t) { rows[n] = call.x[at]; });
  ForwardCall<T> dense = call;
  dense.x = rows.data();
  dense.y = rows.data();
  dense.gamma = dense.beta = nullptr;
  inner(dense_plan(plan), dense);
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t number) {
    const T scaled = call.gamma == nullptr ? rows[n] : rows[n] * call.gamma[number];
    call.y[at] = call.beta == nullptr ? scaled : scaled + call.beta[number];
  });
}

template <class T>
void gathered_backward(const plan::Plan& plan, const BackwardCall<T>& call) {
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
  const Scratch<T> x(plan.B * plan.I);
  const Scratch<T> g(plan.B * plan.I);
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t number) {
    x[n] = call.x[at];
    g[n] = call.gamma == nullptr ? call.dy[at] : call.dy[at] * call.gamma[number];
  });
  BackwardCall<T> dense = call;
  dense.x = x.data();
  dense.dy = g.data();
  dense.dx = g.data();
  dense.gamma = nullptr;
  dense.dgamma = dense.dbeta = nullptr;
  backward(dense_plan(plan), dense);
  visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t) { call.dx[at] = g[n]; });
}

}  // namespace

template <class T>
void forward(const plan::Plan& plan, const ForwardCall<T>& call) {
  if (!plan.direct) return gathered_apply(plan, call, [](const auto& p, const auto& c) { forward(p, c); });
  plan.rows() ? rows_forward(plan, call) : columns_forward(plan, call);
}

template <class T>
void inference(const plan::Plan& plan, const ForwardCall<T>& call) {
  if (!plan.direct) return gathered_apply(plan, call, [](const auto& p, const auto& c) { inference(p, c); });
  plan.rows() ? rows_inference(plan, call) : columns_inference(plan, call);
}

template <class T>
void statistics(const plan::Plan& plan, const T* x, double* mean, double* m2) {
  if (!plan.direct) {
    const Scratch<T> rows(plan.B * plan.I);
    visit_all(plan, threads_of(plan), [&](std::int64_t n, std::int64_t at, std::int64_t) { rows[n] = x[at]; });
    return statistics(dense_plan(plan), static_cast<const T*>(rows.data()), mean, m2);
  }
  plan.rows() ? rows_statistics(plan, x, mean, m2) : columns_statistics(plan, x, mean, m2);
}

template <class T>
void backward(const plan::Plan& plan, const BackwardCall<T>& call) {
  if (!plan.direct) return gathered_backward(plan, call);
  plan.rows() ? rows_backward(plan, call) : columns_backward(plan, call);
}

template void forward(const plan::Plan&, const ForwardCall<float>&);
template void forward(const plan::Plan&, const ForwardCall<double>&);
template void inference(const plan::Plan&, const ForwardCall<float>&);
template void inference(const plan::Plan&, const ForwardCall<double>&);
template void statistics(const plan::Plan&, const float*, double*, double*);
template void statistics(const plan::Plan&, const double*, double*, double*);
template void backward(const plan::Plan&, const BackwardCall<float>&);
template void backward(const plan::Plan&, const BackwardCall<double>&);

}  // namespace norma::cpu
