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
  plan::Pitch x_at, y_at;
  // The rows that count, plan.B of them where O and K are 1, plan.O of them where B and I are (and gamma is none of
  // o's); null: all.
  const std::int64_t* rows = nullptr;
  bool is_fused = false;
  Fused<T> fused{};
};

// Segments of so many bytes may be streamed: shorter ones begin and end within a cache line, which would be written
// twice.
inline constexpr std::int64_t kStreamedSegment = 1024;

// May y be streamed: is it none of what is read?
template <class T>
bool writes_afresh(const ForwardCall<T>& call) {
  if (call.y == call.x) return false;
  return !call.is_fused || (call.y != call.fused.before && call.y != call.fused.sum && call.y != call.fused.after);
}

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
  plan::Pitch dy_at, x_at, dx_at;
  const std::int64_t* rows = nullptr;
  // The rest is not looked at otherwise.
  bool is_fused = false;
  const Compute<T>* beta = nullptr;
  T* gated = nullptr;  // dy * activation': dafter, dx or working memory
  const T* dsum = nullptr;
  plan::Pitch gated_at{}, dsum_at{};
  Fused<T> fused{};  // `after` and `activation` of it
};

template <class T>
void forward(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void inference(const plan::Plan& plan, const ForwardCall<T>& call);
// mean and M2 of every statistic.
template <class T>
void statistics(const plan::Plan& plan, const T* x, const plan::Pitch& x_at, const std::int64_t* rows, double* mean,
                double* m2);
template <class T>
void backward(const plan::Plan& plan, const BackwardCall<T>& call);

// The two families behind these.
template <class T>
void rows_forward(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void rows_inference(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void rows_statistics(const plan::Plan& plan, const T* x, const plan::Pitch& x_at, const std::int64_t* rows,
                     double* mean, double* m2);
template <class T>
void rows_backward(const plan::Plan& plan, const BackwardCall<T>& call);
template <class T>
void columns_forward(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void columns_inference(const plan::Plan& plan, const ForwardCall<T>& call);
template <class T>
void columns_statistics(const plan::Plan& plan, const T* x, const plan::Pitch& x_at, const std::int64_t* rows,
                        double* mean, double* m2);
template <class T>
void columns_backward(const plan::Plan& plan, const BackwardCall<T>& call);
// Are the segments so short that forward and backward (not inference and statistics) take their elements as columns, a
// group of them to a statistic? As rows each would be a fraction of a register, or not much more. k must be dense (a
// pitch of I).
bool grouped_columns(const plan::Plan& plan);

}  // namespace norma::cpu
