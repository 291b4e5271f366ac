// backward, inference_backward.
#include <algorithm>
#include <optional>

#include "cpu/operations.h"
#include "ops/dense.h"
#include "ops/door.h"
#include "ops/masked.h"

namespace norma {

using ops::AffineIn;
using ops::DenseIn;
using ops::DenseOut;
using ops::Door;
using ops::SumsOut;
using ops::ValidPixels;
using ops::ValidRows;
using ops::dense::pitch_of;

namespace {

void check(Door& door, const Descriptor& descriptor, const FusionGradient& fusion) {
  door.affine("beta", fusion.beta);
  door.like_x("after", fusion.after, false);
  door.like_x("dsum", fusion.dsum, false);
  door.like_x("dafter", fusion.dafter, false);
  ops::check_activation(descriptor.name, fusion.activation);
}

// FusionGradient with dense copies where the kernels need them.
class DenseFusion {
 public:
  // `dsum_copied`: that one in any case.
  DenseFusion(const FusionGradient& fusion, Layout layout, bool copied, bool dsum_copied)
      : after_(fusion.after, layout, copied),
        dsum_(fusion.dsum, layout, copied || dsum_copied),
        dafter_(fusion.dafter, layout, copied),
        given_(fusion) {
    if (!copied && !dsum_copied) return;
    dense_ = FusionGradient{fusion.beta, after_.view(), fusion.activation, dsum_.view(), dafter_.view()};
  }
  const FusionGradient& operator()() const { return dense_ ? *dense_ : given_; }
  void store() const { dafter_.store(); }

 private:
  DenseIn after_, dsum_;
  DenseOut dafter_;
  const FusionGradient& given_;
  std::optional<FusionGradient> dense_;
};

// Checks what both share; true if there is anything to compute.
bool enter(Door& door, const char* operation, const ConstTensorView& dy, const ConstTensorView& gamma,
           const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta, const TensorView& dafter,
           const MaskView& mask) {
  door.like_x("dy", dy, true);
  door.affine("gamma", gamma);
  door.like_x("dx", dx, false);
  door.affine("dgamma", dgamma);
  door.affine("dbeta", dbeta);
  door.mask(mask);
  if (dafter.present() && dx.present() && !door.empty() && dafter.data() == dx.data()) {
    ops::fail(operation, "dafter", "memory of its own", "that of dx");
  }
  if (!door.empty()) return dx.present() || dgamma.present() || dbeta.present() || dafter.present();
  // A sum over nothing.
  ops::fill(dgamma, 0.0);
  ops::fill(dbeta, 0.0);
  return false;
}

// The pixels that count, if the kernels can tell them.
ValidPixels pixels_of(const Descriptor& descriptor, const MaskView& mask, const ConstTensorView& dy,
                      const ConstTensorView& x, const ConstTensorView& gamma, const TensorView& dx,
                      const TensorView& dgamma, const TensorView& dbeta, const FusionGradient& fusion) {
  const bool is_fused = fusion.activation != Activation::kNone || fusion.dsum.present() || fusion.dafter.present();
  if (!mask.present() || is_fused) return {};
  return {descriptor, mask, {&x, &dy, &dx}, {&gamma, &dgamma, &dbeta}, true};
}

// masked(packing, ...) where the valid elements must be packed, or else dense(rows that count, ...): of dy, x, dx and
// fusion, dense where they must be. `all_valid`: the mask is known to leave everything.
template <class Masked, class Dense>
void on_dense(Door& door, const ConstTensorView& dy, const ConstTensorView& x, const TensorView& dx,
              const MaskView& mask, bool all_valid, const FusionGradient& fusion, const Masked& masked,
              const Dense& dense) {
  const ValidRows rows = mask.present() && !all_valid ? ValidRows(door.plan(), mask) : ValidRows();
  const auto packing = rows.apply() || all_valid ? std::nullopt : door.packing(mask);
  const bool copied = door.must_copy(packing.has_value());
  const DenseIn dy_in(dy, door.layout(), copied);
  const DenseIn x_in(x, door.layout(), copied);
  const DenseOut dx_out(dx, door.layout(), copied);
  // The kernels write dx before they read dsum; of packed tensors both have memory of their own.
  const bool dsum_is_dx = !packing && dx.present() && fusion.dsum.present() && dx.data() == fusion.dsum.data();
  const DenseFusion fused(fusion, door.layout(), copied, dsum_is_dx);
  if (packing) {
    masked(*packing, dy_in.view(), x_in.view(), dx_out.view(), fused());
  } else {
    dense(ops::but_all(rows), dy_in.view(), x_in.view(), dx_out.view(), fused());
  }
  fused.store();
  dx_out.store();
}

void run(const plan::Plan& plan, const ConstTensorView& dy, const ConstTensorView& x, const ConstTensorView& gamma,
         const double* mean, const double* rstd, const TensorView& dx, const TensorView& dgamma,
         const TensorView& dbeta, bool constant_statistics, const FusionGradient& fusion, const ValidRows* valid) {
  const SumsOut dgamma_out(dgamma, plan.affine_order);
  const SumsOut dbeta_out(dbeta, plan.affine_order);
  ops::with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, plan.affine_order);
    const AffineIn<cpu::Compute<T>> b(fusion.beta, plan.affine_order);
    cpu::BackwardCall<T> call{static_cast<const T*>(dy.data()),
                              static_cast<const T*>(x.data()),
                              g.data(),
                              mean,
                              rstd,
                              static_cast<T*>(dx.data()),
                              dgamma_out.data(),
                              dbeta_out.data(),
                              constant_statistics,
                              pitch_of(plan, dy),
                              pitch_of(plan, x),
                              pitch_of(plan, dx),
                              ops::dense::rows_of(valid)};
    const bool gates = fusion.dafter.present() || fusion.activation != Activation::kNone;
    call.is_fused = gates || fusion.dsum.present();
    // dy * activation' goes where the caller wants it, or to dx, or where nobody looks.
    const cpu::Scratch<T> aside(gates && !fusion.dafter.present() && !dx.present() ? x.shape().elements() : 0);
    if (gates) {
      const TensorView& gated = fusion.dafter.present() ? fusion.dafter : dx;
      call.gated = gated.present() ? static_cast<T*>(gated.data()) : aside.data();
      call.gated_at = pitch_of(plan, gated);
      call.beta = b.data();
      call.fused.after = static_cast<const T*>(fusion.after.data());
      call.fused.after_at = pitch_of(plan, fusion.after);
      call.fused.activation = fusion.activation;
    }
    call.dsum = static_cast<const T*>(fusion.dsum.data());
    call.dsum_at = pitch_of(plan, fusion.dsum);
    if (plan.elements() > 0) {
      cpu::backward<T>(plan, call);
    } else {
      // Nothing counts.
      if (call.dgamma != nullptr) std::fill_n(call.dgamma, plan.affine_size, 0.0);
      if (call.dbeta != nullptr) std::fill_n(call.dbeta, plan.affine_size, 0.0);
    }
  });
  ops::dense::clear_masked(plan, valid, fusion.dafter);
  ops::dense::clear_masked(plan, valid, dx);
  dgamma_out.store();
  dbeta_out.store();
}

}  // namespace

namespace ops::dense {

void backward(const plan::Plan& all, const ConstTensorView& dy, const ConstTensorView& x, const ConstTensorView& gamma,
              const ConstTensorView& mean, const ConstTensorView& rstd, const TensorView& dx, const TensorView& dgamma,
              const TensorView& dbeta, const FusionGradient& fusion, const ValidRows* valid) {
  const PlanOfRows plan_of_rows(all, valid);
  const plan::Plan& plan = plan_of_rows();
  const StatisticIn mean_in(plan.centred ? mean : ConstTensorView(), plan.statistics_order);
  const StatisticIn rstd_in(rstd, plan.statistics_order);
  run(plan, dy, x, gamma, mean_in.data(), rstd_in.data(), dx, dgamma, dbeta, false, fusion, valid);
}

void inference_backward(const plan::Plan& all, const ConstTensorView& dy, const ConstTensorView& x,
                        const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& variance,
                        const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta,
                        const FusionGradient& fusion, const ValidRows* valid) {
  const PlanOfRows plan_of_rows(all, valid);
  const plan::Plan& plan = plan_of_rows();
  const GivenStatistics given(plan, mean, variance);
  run(plan, dy, x, gamma, given.mean(), given.rstd(), dx, dgamma, dbeta, true, fusion, valid);
}

}  // namespace ops::dense

void backward(const Descriptor& descriptor, ConstTensorView dy, ConstTensorView x, ConstTensorView gamma,
              ConstTensorView mean, ConstTensorView rstd, TensorView dx, TensorView dgamma, TensorView dbeta,
              MaskView mask, const FusionGradient& fusion) {
  Door door(descriptor, x);
  door.statistic("mean", mean, descriptor.centred);
  door.statistic("rstd", rstd, true);
  check(door, descriptor, fusion);
  if (!enter(door, descriptor.name, dy, gamma, dx, dgamma, dbeta, fusion.dafter, mask)) return;
  const ValidPixels pixels = pixels_of(descriptor, mask, dy, x, gamma, dx, dgamma, dbeta, fusion);
  if (pixels.apply() && !pixels.all()) {
    return ops::planes::backward(pixels, dy, x, gamma, mean, rstd, dx, dgamma, dbeta);
  }
  on_dense(
      door, dy, x, dx, mask, pixels.apply(), fusion,
      [&](const auto& packing, const auto& dy_in, const auto& x_in, const auto& dx_out, const auto& fused) {
        ops::masked::backward(packing, dy_in, x_in, gamma, mean, rstd, dx_out, dgamma, dbeta, fused);
      },
      [&](auto* valid, const auto& dy_in, const auto& x_in, const auto& dx_out, const auto& fused) {
        ops::dense::backward(door.plan(), dy_in, x_in, gamma, mean, rstd, dx_out, dgamma, dbeta, fused, valid);
      });
}

void inference_backward(const Descriptor& descriptor, ConstTensorView dy, ConstTensorView x, ConstTensorView gamma,
                        ConstTensorView mean, ConstTensorView variance, TensorView dx, TensorView dgamma,
                        TensorView dbeta, MaskView mask, const FusionGradient& fusion) {
  Door door(descriptor, x);
  door.statistic("mean", mean, descriptor.centred);
  door.statistic("variance", variance, true);
  check(door, descriptor, fusion);
  if (!enter(door, descriptor.name, dy, gamma, dx, dgamma, dbeta, fusion.dafter, mask)) return;
  const ValidPixels pixels = pixels_of(descriptor, mask, dy, x, gamma, dx, dgamma, dbeta, fusion);
  if (pixels.apply() && !pixels.all()) {
    return ops::planes::inference_backward(pixels, dy, x, gamma, mean, variance, dx, dgamma, dbeta);
  }
  on_dense(
      door, dy, x, dx, mask, pixels.apply(), fusion,
      [&](const auto& packing, const auto& dy_in, const auto& x_in, const auto& dx_out, const auto& fused) {
        ops::masked::inference_backward(packing, dy_in, x_in, gamma, mean, variance, dx_out, dgamma, dbeta, fused);
      },
      [&](auto* valid, const auto& dy_in, const auto& x_in, const auto& dx_out, const auto& fused) {
        ops::dense::inference_backward(door.plan(), dy_in, x_in, gamma, mean, variance, dx_out, dgamma, dbeta, fused,
                                       valid);
      });
}

}  // namespace norma
