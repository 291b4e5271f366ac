// The public door: every argument is checked here, once, before anything is written.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "cpu/scratch.h"
#include "norma/ops.h"
#include "ops/packing.h"
#include "ops/planes.h"
#include "ops/valid_rows.h"
#include "plan/resolved.h"

namespace norma::ops {

// Run-time data type -> compile-time type: visit(T{}) for the T that `dtype` names. The one place that lists them.
template <class Visit>
decltype(auto) with_type(DType dtype, Visit&& visit) {
  if (dtype == DType::kFloat64) return visit(double{});
  if (dtype == DType::kBFloat16) return visit(bfloat16{});
  if (dtype == DType::kFloat16) return visit(float16{});
  return visit(float{});
}

// One call's checks, in the order of its arguments, which live as long as it does.
class Door {
 public:
  Door(const Descriptor& descriptor, const ConstTensorView& x);

  // A tensor of x's shape, type and layout.
  void like_x(const char* name, const ConstTensorView& view, bool required);
  // gamma, beta, dgamma, dbeta: of x's type, or f32 where that is a short one.
  void affine(const char* name, const ConstTensorView& view);
  // mean, rstd, variance, M2: as the above, or f64.
  void statistic(const char* name, const ConstTensorView& view, bool required);
  void mask(const MaskView& mask) const;
  // More than one value behind a statistic that is shared over the batch.
  void training() const;
  void training(const Packing& packing) const;
  void training(const ValidRows& rows) const;
  void training(const ValidPixels& pixels) const;

  bool empty() const { return x_.shape().elements() == 0; }
  // Of all tensors.
  Layout layout() const;
  // x is not empty.
  const plan::Plan& plan() const { return resolved_->plan(layout()); }
  // Can the kernels not read and write the tensors as they lie? Dense ones they can, and those whose rows (or samples,
  // or whatever a run of the plan steps over) are further apart; not crops of images, nor where a mask packs.
  bool must_copy(bool packs) const;
  // What the mask leaves of x; nothing where it leaves everything, or is absent. x is not empty.
  std::optional<Packing> packing(const MaskView& mask) const;

 private:
  void present(const char* name, const ConstTensorView& view) const;
  void lies_like_x(const char* name, const ConstTensorView& view);
  void dense(const char* name, const ConstTensorView& view, const Shape& expected) const;

  const Descriptor& descriptor_;
  const ConstTensorView& x_;
  plan::Lease resolved_;
  unsigned layouts_;  // of the tensors so far
  unsigned dense_layouts_;
  std::array<const Strides*, 8> strides_{};  // of the tensors so far
  std::size_t tensors_ = 0;
};

// What lies like x and is read: itself, or a dense copy of it.
class DenseIn {
 public:
  DenseIn(const ConstTensorView& view, Layout layout, bool copied);
  const ConstTensorView& view() const { return copy_ ? *copy_ : view_; }

 private:
  cpu::Scratch<char> memory_;
  const ConstTensorView& view_;
  std::optional<ConstTensorView> copy_;
};

// Likewise what is written; `store` copies it back.
class DenseOut {
 public:
  DenseOut(const TensorView& view, Layout layout, bool copied);
  const TensorView& view() const { return copy_ ? *copy_ : view_; }
  void store() const;

 private:
  cpu::Scratch<char> memory_;
  const TensorView& view_;
  std::optional<TensorView> copy_;
};

// A number as an error message gives it: "-1e-09".
std::string number_text(double value);

[[noreturn]] void fail(const char* operation, const char* argument, const std::string& expected,
                       const std::string& got);

// One of those that there are, or an error.
void check_activation(const char* operation, Activation activation);
// Memory for a view that has elements: not null, and where its type may lie.
void check_memory(const char* operation, const char* argument, const ConstTensorView& view);

// A mask that fits an x of this shape, or an error.
void check_mask(const Descriptor& descriptor, const Shape& x, const MaskView& mask);

// The order of a dense array as it lies, of as many elements.
inline plan::Order in_order(const ConstTensorView& view) {
  plan::Order order;
  if (view.present()) order.push(view.shape().elements(), 1);
  return order;
}

// to[n] = from[order.offset(n)].
template <class From, class To>
void gather(const From* from, To* to, const plan::Order& order) {
  const std::int64_t count = order.elements();
  if (order.identity) {
    for (std::int64_t n = 0; n < count; ++n) to[n] = static_cast<To>(from[n]);
  } else {
    for (std::int64_t n = 0; n < count; ++n) to[n] = static_cast<To>(from[order.offset(n)]);
  }
}

// A statistic read as f64 in memory order.
class StatisticIn {
 public:
  StatisticIn(const ConstTensorView& view, const plan::Order& order);
  // Null if the view is absent.
  const double* data() const { return data_; }

 private:
  cpu::Scratch<double> copy_;
  const double* data_;
};

// A statistic, dgamma or dbeta that the kernels write as f64 in memory order; `store` puts it where it belongs.
class SumsOut {
 public:
  SumsOut(const TensorView& view, const plan::Order& order);
  double* data() const { return data_; }
  void store() const;

 private:
  const TensorView& view_;
  const plan::Order& order_;
  cpu::Scratch<double> copy_;
  double* data_;
};

// gamma or beta in memory order, as C's, which hold every value of the view.
template <class C>
class AffineIn {
 public:
  AffineIn(const ConstTensorView& view, const plan::Order& order)
      : copy_(view.present() && !(order.identity && view.dtype() == ConstTensorView::dtype_of<C>()) ? order.elements()
                                                                                                    : 0),
        data_(static_cast<const C*>(view.data())) {
    if (copy_.data() == nullptr) return;
    with_type(view.dtype(), [&]<class T>(T) { gather(static_cast<const T*>(view.data()), copy_.data(), order); });
    data_ = copy_.data();
  }
  // Null if the view is absent.
  const C* data() const { return data_; }

 private:
  cpu::Scratch<C> copy_;
  const C* data_;
};

// Given statistics: the mean as it is, and rstd = 1 / sqrt(variance + eps), in f64 and memory order.
class GivenStatistics {
 public:
  GivenStatistics(const plan::Order& order, bool centred, double eps, const ConstTensorView& mean,
                  const ConstTensorView& variance);
  GivenStatistics(const plan::Plan& plan, const ConstTensorView& mean, const ConstTensorView& variance)
      : GivenStatistics(plan.statistics_order, plan.centred, plan.eps, mean, variance) {}
  double* mean() const { return mean_.data(); }
  double* rstd() const { return rstd_.data(); }

 private:
  cpu::Scratch<double> mean_;
  cpu::Scratch<double> rstd_;
};

// All elements of a present view.
void fill(const TensorView& view, double value);

}  // namespace norma::ops
