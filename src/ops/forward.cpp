// forward, inference, statistics.
#include <algorithm>

#include "cpu/operations.h"
#include "ops/dense.h"
#include "ops/door.h"
#include "ops/masked.h"

namespace norma {

using ops::AffineIn;
using ops::Door;
using ops::SumsOut;

namespace ops::dense {

void forward(const Descriptor& descriptor, Layout layout, const ConstTensorView& x, const ConstTensorView& gamma,
             const ConstTensorView& beta, const TensorView& y, const TensorView& mean, const TensorView& rstd) {
  const plan::Plan plan = plan_of(descriptor, x, layout);
  const SumsOut mean_out(mean, plan.statistics_order);
  const SumsOut rstd_out(rstd, plan.statistics_order);
  with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, plan.affine_order);
    const AffineIn<cpu::Compute<T>> b(beta, plan.affine_order);
    cpu::forward<T>(plan, {static_cast<const T*>(x.data()), g.data(), b.data(), static_cast<T*>(y.data()),
                           mean_out.data(), rstd_out.data()});
  });
  mean_out.store();
  rstd_out.store();
}

void inference(const Descriptor& descriptor, Layout layout, const ConstTensorView& x, const ConstTensorView& gamma,
               const ConstTensorView& beta, const ConstTensorView& mean, const ConstTensorView& variance,
               const TensorView& y) {
  const plan::Plan plan = plan_of(descriptor, x, layout);
  const GivenStatistics given(descriptor, mean, variance, plan.statistics_order);
  with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, plan.affine_order);
    const AffineIn<cpu::Compute<T>> b(beta, plan.affine_order);
    cpu::inference<T>(plan, {static_cast<const T*>(x.data()), g.data(), b.data(), static_cast<T*>(y.data()),
                             given.mean(), given.rstd()});
  });
}

void statistics(const Descriptor& descriptor, Layout layout, const ConstTensorView& x, const TensorView& mean,
                const TensorView& m2) {
  const plan::Plan plan = plan_of(descriptor, x, layout);
  const SumsOut mean_out(mean, plan.statistics_order);
  const SumsOut m2_out(m2, plan.statistics_order);
  with_type(x.dtype(), [&]<class T>(T) {
    cpu::statistics<T>(plan, static_cast<const T*>(x.data()), mean_out.data(), m2_out.data());
  });
  mean_out.store();
  m2_out.store();
}

}  // namespace ops::dense

void forward(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta, TensorView y,
             TensorView mean, TensorView rstd, MaskView mask) {
  Door door(descriptor, x);
  door.affine("gamma", gamma);
  door.affine("beta", beta);
  door.like_x("y", y, true);
  door.statistic("mean", mean, false);
  door.statistic("rstd", rstd, false);
  door.mask(mask);
  door.training();
  if (door.empty()) {
    // Statistics of no values: nothing reads them, but they must not be garbage.
    ops::fill(mean, 0.0);
    ops::fill(rstd, 0.0);
    return;
  }
  if (const auto packing = door.packing(mask)) {
    door.training(*packing);
    return ops::masked::forward(*packing, x, gamma, beta, y, mean, rstd);
  }
  ops::dense::forward(descriptor, door.layout(), x, gamma, beta, y, mean, rstd);
}

void inference(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta,
               ConstTensorView mean, ConstTensorView variance, TensorView y, MaskView mask) {
  Door door(descriptor, x);
  door.affine("gamma", gamma);
  door.affine("beta", beta);
  door.statistic("mean", mean, descriptor.centred);
  door.statistic("variance", variance, true);
  door.like_x("y", y, true);
  door.mask(mask);
  if (door.empty()) return;
  if (const auto packing = door.packing(mask)) {
    return ops::masked::inference(*packing, x, gamma, beta, mean, variance, y);
  }
  ops::dense::inference(descriptor, door.layout(), x, gamma, beta, mean, variance, y);
}

std::int64_t statistics(const Descriptor& descriptor, ConstTensorView x, TensorView mean, TensorView m2,
                        MaskView mask) {
  Door door(descriptor, x);
  door.statistic("mean", mean, true);
  door.statistic("m2", m2, true);
  door.mask(mask);
  if (door.empty()) {
    ops::fill(mean, 0.0);
    ops::fill(m2, 0.0);
    return normalized_size(descriptor, x.shape());
  }
  if (const auto packing = door.packing(mask)) {
    ops::masked::statistics(*packing, x, mean, m2);
    const cpu::Scratch<std::int64_t> counts = packing->counts();
    const bool equal = std::all_of(counts.data(), counts.data() + packing->statistics(),
                                   [&](std::int64_t n) { return n == counts[0]; });
    return equal ? counts[0] : -1;
  }
  ops::dense::statistics(descriptor, door.layout(), x, mean, m2);
  return normalized_size(descriptor, x.shape());
}

std::vector<std::int64_t> valid_counts(const Descriptor& descriptor, const Shape& x, MaskView mask) {
  if (mask.present()) ops::check_mask(descriptor, x, mask);
  if (mask.present() && x.elements() > 0) {
    const ops::Packing packing(descriptor, x, Layout::kChannelsFirst, mask);
    if (packing.all_valid()) return valid_counts(descriptor, x, {});
    const cpu::Scratch<std::int64_t> counts = packing.counts();
    return {counts.data(), counts.data() + packing.statistics()};
  }
  return std::vector<std::int64_t>(static_cast<std::size_t>(statistics_shape(descriptor, x).elements()),
                                   normalized_size(descriptor, x));
}

}  // namespace norma
