// backward, inference_backward.
#include "cpu/operations.h"
#include "ops/dense.h"
#include "ops/door.h"
#include "ops/masked.h"

namespace norma {

using ops::AffineIn;
using ops::Door;
using ops::StatisticIn;
using ops::SumsOut;

namespace {

// Checks what both share; true if there is anything to compute.
bool enter(Door& door, const ConstTensorView& dy, const ConstTensorView& gamma, const TensorView& dx,
           const TensorView& dgamma, const TensorView& dbeta, const MaskView& mask) {
  door.like_x("dy", dy, true);
  door.affine("gamma", gamma);
  door.like_x("dx", dx, false);
  door.affine("dgamma", dgamma);
  door.affine("dbeta", dbeta);
  door.mask(mask);
  if (!door.empty()) return dx.present() || dgamma.present() || dbeta.present();
  // A sum over nothing.
  ops::fill(dgamma, 0.0);
  ops::fill(dbeta, 0.0);
  return false;
}

void run(const plan::Plan& plan, const ConstTensorView& dy, const ConstTensorView& x, const ConstTensorView& gamma,
         const double* mean, const double* rstd, const TensorView& dx, const TensorView& dgamma,
         const TensorView& dbeta, bool constant_statistics) {
  const SumsOut dgamma_out(dgamma, plan.affine_order);
  const SumsOut dbeta_out(dbeta, plan.affine_order);
  ops::with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, plan.affine_order);
    cpu::backward<T>(plan, {static_cast<const T*>(dy.data()), static_cast<const T*>(x.data()), g.data(), mean, rstd,
                            static_cast<T*>(dx.data()), dgamma_out.data(), dbeta_out.data(), constant_statistics});
  });
  dgamma_out.store();
  dbeta_out.store();
}

}  // namespace

namespace ops::dense {

void backward(const Descriptor& descriptor, Layout layout, const ConstTensorView& dy, const ConstTensorView& x,
              const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& rstd,
              const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta) {
  const plan::Plan plan = plan_of(descriptor, x, layout);
  const StatisticIn mean_in(descriptor.centred ? mean : ConstTensorView(), plan.statistics_order);
  const StatisticIn rstd_in(rstd, plan.statistics_order);
  run(plan, dy, x, gamma, mean_in.data(), rstd_in.data(), dx, dgamma, dbeta, false);
}

void inference_backward(const Descriptor& descriptor, Layout layout, const ConstTensorView& dy,
                        const ConstTensorView& x, const ConstTensorView& gamma, const ConstTensorView& mean,
                        const ConstTensorView& variance, const TensorView& dx, const TensorView& dgamma,
                        const TensorView& dbeta) {
  const plan::Plan plan = plan_of(descriptor, x, layout);
  const GivenStatistics given(descriptor, mean, variance, plan.statistics_order);
  run(plan, dy, x, gamma, given.mean(), given.rstd(), dx, dgamma, dbeta, true);
}

}  // namespace ops::dense

void backward(const Descriptor& descriptor, ConstTensorView dy, ConstTensorView x, ConstTensorView gamma,
              ConstTensorView mean, ConstTensorView rstd, TensorView dx, TensorView dgamma, TensorView dbeta,
              MaskView mask) {
  Door door(descriptor, x);
  door.statistic("mean", mean, descriptor.centred);
  door.statistic("rstd", rstd, true);
  if (!enter(door, dy, gamma, dx, dgamma, dbeta, mask)) return;
  if (const auto packing = door.packing(mask)) {
    return ops::masked::backward(*packing, dy, x, gamma, mean, rstd, dx, dgamma, dbeta);
  }
  ops::dense::backward(descriptor, door.layout(), dy, x, gamma, mean, rstd, dx, dgamma, dbeta);
}

void inference_backward(const Descriptor& descriptor, ConstTensorView dy, ConstTensorView x, ConstTensorView gamma,
                        ConstTensorView mean, ConstTensorView variance, TensorView dx, TensorView dgamma,
                        TensorView dbeta, MaskView mask) {
  Door door(descriptor, x);
  door.statistic("mean", mean, descriptor.centred);
  door.statistic("variance", variance, true);
  if (!enter(door, dy, gamma, dx, dgamma, dbeta, mask)) return;
  if (const auto packing = door.packing(mask)) {
    return ops::masked::inference_backward(*packing, dy, x, gamma, mean, variance, dx, dgamma, dbeta);
  }
  ops::dense::inference_backward(descriptor, door.layout(), dy, x, gamma, mean, variance, dx, dgamma, dbeta);
}

}  // namespace norma
