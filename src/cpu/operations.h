// The operations on a plan: what src/ops calls. Arguments are checked by then; x has at least one element and the
// plan is direct. Statistics are in memory order and in f64; so are gamma and beta in memory order.
#pragma once

#include <cstdint>

#include "cpu/kernels.h"
#include "plan/plan.h"

namespace norma::cpu {

template <class T>
struct ForwardCall {
  const T* x = nullptr;
  const Compute<T>* gamma = nullptr;
  const Compute<T>* beta = nullptr;
  T* y = nullptr;
  // Forward writes them, where present; inference reads both.
  double* mean = nullptr;
  double* rstd = nullptr;
};

template <class T>
struct BackwardCall {
  const T* dy = nullptr;
  const T* x = nullptr;
  const Compute<T>* gamma = nullptr;
  const double* mean = nullptr;  // null: 0
  const double* rstd = nullptr;
  T* dx = nullptr;
  double* dgamma = nullptr;  // set, not added to
  double* dbeta = nullptr;
  bool constant_statistics = false;
};

template <class T>
void forward(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void inference(const plan::Plan& plan, const ForwardCall<T>& call);
// mean and M2 of every statistic.
template <class T>
void statistics(const plan::Plan& plan, const T* x, double* mean, double* m2);
template <class T>
void backward(const plan::Plan& plan, const BackwardCall<T>& call);

// The two families behind these.
template <class T>
void rows_forward(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void rows_inference(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void rows_statistics(const plan::Plan& plan, const T* x, double* mean, double* m2);
template <class T>
void rows_backward(const plan::Plan& plan, const BackwardCall<T>& call);
template <class T>
void columns_forward(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void columns_inference(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void columns_statistics(const plan::Plan& plan, const T* x, double* mean, double* m2);
template <class T>
void columns_backward(const plan::Plan& plan, const BackwardCall<T>& call);

}  // namespace norma::cpu
