// forward, inference, statistics.
#include <cmath>

#include "cpu/operations.h"
#include "ops/door.h"

namespace norma {

using ops::AffineIn;
using ops::Door;
using ops::SumsOut;

void forward(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta, TensorView y,
             TensorView mean, TensorView rstd) {
  Door door(descriptor, x);
  door.affine("gamma", gamma);
  door.affine("beta", beta);
  door.like_x("y", y, true);
  door.statistic("mean", mean, false);
  door.statistic("rstd", rstd, false);
  door.training();
  if (door.empty()) {
    // Statistics of no values: nothing reads them, but they must not be garbage.
    ops::fill(mean, 0.0);
    ops::fill(rstd, 0.0);
    return;
  }
  const plan::Plan plan = door.plan();
  const SumsOut mean_out(mean, plan.statistics_order);
  const SumsOut rstd_out(rstd, plan.statistics_order);
  ops::with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<T> g(gamma, plan.affine_order);
    const AffineIn<T> b(beta, plan.affine_order);
    cpu::forward<T>(plan, {static_cast<const T*>(x.data()), g.data(), b.data(), static_cast<T*>(y.data()),
                           mean_out.data(), rstd_out.data()});
  });
  mean_out.store();
  rstd_out.store();
}

void inference(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta,
               ConstTensorView mean, ConstTensorView variance, TensorView y) {
  Door door(descriptor, x);
  door.affine("gamma", gamma);
  door.affine("beta", beta);
  door.statistic("mean", mean, descriptor.centred);
  door.statistic("variance", variance, true);
  door.like_x("y", y, true);
  if (door.empty()) return;
  const plan::Plan plan = door.plan();
  const ops::GivenStatistics given(descriptor, mean, variance, plan.statistics_order);
  ops::with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<T> g(gamma, plan.affine_order);
    const AffineIn<T> b(beta, plan.affine_order);
    cpu::inference<T>(plan, {static_cast<const T*>(x.data()), g.data(), b.data(), static_cast<T*>(y.data()),
                             given.mean(), given.rstd()});
  });
}

std::int64_t statistics(const Descriptor& descriptor, ConstTensorView x, TensorView mean, TensorView m2) {
  Door door(descriptor, x);
  door.statistic("mean", mean, true);
  door.statistic("m2", m2, true);
  if (door.empty()) {
    ops::fill(mean, 0.0);
    ops::fill(m2, 0.0);
    return normalized_size(descriptor, x.shape());
  }
  const plan::Plan plan = door.plan();
  const SumsOut mean_out(mean, plan.statistics_order);
  const SumsOut m2_out(m2, plan.statistics_order);
  ops::with_type(x.dtype(), [&]<class T>(T) {
    cpu::statistics<T>(plan, static_cast<const T*>(x.data()), mean_out.data(), m2_out.data());
  });
  mean_out.store();
  m2_out.store();
  return plan.normalized();
}

}  // namespace norma
