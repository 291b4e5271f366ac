// forward, inference, statistics.
#include <algorithm>

#include "cpu/operations.h"
#include "cpu/threads.h"
#include "ops/dense.h"
#include "ops/door.h"
#include "ops/masked.h"

namespace norma {

using ops::AffineIn;
using ops::DenseIn;
using ops::DenseOut;
using ops::Door;
using ops::ValidPixels;
using ops::ValidRows;

namespace {

bool is_fused(const Fusion& fusion) {
  return fusion.before.present() || fusion.after.present() || fusion.activation != Activation::kNone;
}

template <class T>
cpu::Fused<T> fused_of(const plan::Plan& plan, const Fusion& fusion) {
  using ops::dense::pitch_of;
  cpu::Fused<T> fused;
  fused.before = static_cast<const T*>(fusion.before.data());
  fused.sum = static_cast<T*>(fusion.sum.data());
  fused.after = static_cast<const T*>(fusion.after.data());
  fused.activation = fusion.activation;
  fused.before_at = pitch_of(plan, fusion.before);
  fused.sum_at = pitch_of(plan, fusion.sum);
  fused.after_at = pitch_of(plan, fusion.after);
  return fused;
}

// The pixels that count, if the kernels can tell them. y, gamma and beta may be absent.
ValidPixels pixels_of(const Descriptor& descriptor, const MaskView& mask, const ValidRows& rows,
                      const ConstTensorView& x, const ConstTensorView& y, const ConstTensorView& gamma,
                      const ConstTensorView& beta, const Fusion& fusion) {
  if (!mask.present() || rows.apply() || is_fused(fusion)) return {};
  return {descriptor, mask, {&x, &y}, {&gamma, &beta}, false};
}

void check(Door& door, const Descriptor& descriptor, const Fusion& fusion) {
  door.like_x("before", fusion.before, fusion.sum.present());
  door.like_x("sum", fusion.sum, fusion.before.present());
  door.like_x("after", fusion.after, false);
  ops::check_activation(descriptor.name, fusion.activation);
}

// Fusion with dense copies where the kernels need them.
class DenseFusion {
 public:
  DenseFusion(const Fusion& fusion, Layout layout, bool copied)
      : before_(fusion.before, layout, copied),
        after_(fusion.after, layout, copied),
        sum_(fusion.sum, layout, copied),
        given_(fusion) {
    if (copied) dense_ = Fusion{before_.view(), sum_.view(), after_.view(), fusion.activation};
  }
  const Fusion& operator()() const { return dense_ ? *dense_ : given_; }
  void store() const { sum_.store(); }

 private:
  DenseIn before_, after_;
  DenseOut sum_;
  const Fusion& given_;
  std::optional<Fusion> dense_;
};

}  // namespace

namespace ops::dense {

void clear_masked(const plan::Plan& plan, const ValidRows* valid, const TensorView& view) {
  if (valid == nullptr || !view.present()) return;
  const std::int64_t length = plan.rows() ? plan.I : plan.K;
  const std::int64_t pitch = plan.rows() ? pitch_of(plan, view).b : pitch_of(plan, view).o;
  const std::int64_t count = valid->masked_count();
  with_type(view.dtype(), [&]<class T>(T) {
    cpu::run_team(cpu::threads_for(count * length, count), [&](const cpu::Team& team) {
      const cpu::Share share = team.share(count);
      for (std::int64_t n = share.first; n < share.last; ++n) {
        std::fill_n(static_cast<T*>(view.data()) + valid->masked()[n] * pitch, length, T{});
      }
    });
  });
}

void forward(const plan::Plan& all, const ConstTensorView& x, const ConstTensorView& gamma, const ConstTensorView& beta,
             const TensorView& y, const TensorView& mean, const TensorView& rstd, const Fusion& fusion,
             const ValidRows* valid) {
  const PlanOfRows plan_of_rows(all, valid);
  const plan::Plan& plan = plan_of_rows();
  const SumsOut mean_out(mean, plan.statistics_order);
  const SumsOut rstd_out(rstd, plan.statistics_order);
  clear_masked(valid, plan.statistics_order.elements(), mean_out.data());
  clear_masked(valid, plan.statistics_order.elements(), rstd_out.data());
  with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, plan.affine_order);
    const AffineIn<cpu::Compute<T>> b(beta, plan.affine_order);
    if (plan.elements() == 0) return;  // nothing counts
    cpu::forward<T>(plan, {static_cast<const T*>(x.data()), g.data(), b.data(), static_cast<T*>(y.data()),
                           mean_out.data(), rstd_out.data(), pitch_of(plan, x), pitch_of(plan, y), rows_of(valid),
                           is_fused(fusion), fused_of<T>(plan, fusion)});
  });
  clear_masked(plan, valid, fusion.sum);
  clear_masked(plan, valid, y);
  mean_out.store();
  rstd_out.store();
}

void inference(const plan::Plan& all, const ConstTensorView& x, const ConstTensorView& gamma,
               const ConstTensorView& beta, const ConstTensorView& mean, const ConstTensorView& variance,
               const TensorView& y, const Fusion& fusion, const ValidRows* valid) {
  const PlanOfRows plan_of_rows(all, valid);
  const plan::Plan& plan = plan_of_rows();
  const GivenStatistics given(plan, mean, variance);
  with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, plan.affine_order);
    const AffineIn<cpu::Compute<T>> b(beta, plan.affine_order);
    if (plan.elements() == 0) return;
    cpu::inference<T>(plan, {static_cast<const T*>(x.data()), g.data(), b.data(), static_cast<T*>(y.data()),
                             given.mean(), given.rstd(), pitch_of(plan, x), pitch_of(plan, y), rows_of(valid),
                             is_fused(fusion), fused_of<T>(plan, fusion)});
  });
  clear_masked(plan, valid, fusion.sum);
  clear_masked(plan, valid, y);
}

void statistics(const plan::Plan& all, const ConstTensorView& x, const TensorView& mean, const TensorView& m2,
                const ValidRows* valid) {
  const PlanOfRows plan_of_rows(all, valid);
  const plan::Plan& plan = plan_of_rows();
  const SumsOut mean_out(mean, plan.statistics_order);
  const SumsOut m2_out(m2, plan.statistics_order);
  clear_masked(valid, plan.statistics_order.elements(), mean_out.data());
  clear_masked(valid, plan.statistics_order.elements(), m2_out.data());
  with_type(x.dtype(), [&]<class T>(T) {
    if (plan.elements() == 0) return;
    cpu::statistics<T>(plan, static_cast<const T*>(x.data()), pitch_of(plan, x), rows_of(valid), mean_out.data(),
                       m2_out.data());
  });
  mean_out.store();
  m2_out.store();
}

}  // namespace ops::dense

void forward(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta, TensorView y,
             TensorView mean, TensorView rstd, MaskView mask, const Fusion& fusion) {
  Door door(descriptor, x);
  door.affine("gamma", gamma);
  door.affine("beta", beta);
  door.like_x("y", y, true);
  door.statistic("mean", mean, false);
  door.statistic("rstd", rstd, false);
  check(door, descriptor, fusion);
  door.mask(mask);
  door.training();
  if (door.empty()) {
    // Statistics of no values: nothing reads them, but they must not be garbage.
    ops::fill(mean, 0.0);
    ops::fill(rstd, 0.0);
    return;
  }
  const ValidRows rows = mask.present() ? ValidRows(door.plan(), mask) : ValidRows();
  const ValidPixels pixels = pixels_of(descriptor, mask, rows, x, y, gamma, beta, fusion);
  if (pixels.apply() && !pixels.all()) {
    door.training(pixels);
    return ops::planes::forward(pixels, x, gamma, beta, y, mean, rstd);
  }
  const auto packing = rows.apply() || pixels.apply() ? std::nullopt : door.packing(mask);
  if (packing) door.training(*packing);
  if (rows.apply()) door.training(rows);
  const bool copied = door.must_copy(packing.has_value());
  const DenseIn x_in(x, door.layout(), copied);
  const DenseOut y_out(y, door.layout(), copied);
  const DenseFusion fused(fusion, door.layout(), copied);
  if (packing) {
    ops::masked::forward(*packing, x_in.view(), gamma, beta, y_out.view(), mean, rstd, fused());
  } else {
    ops::dense::forward(door.plan(), x_in.view(), gamma, beta, y_out.view(), mean, rstd, fused(), ops::but_all(rows));
  }
  fused.store();
  y_out.store();
}

void inference(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta,
               ConstTensorView mean, ConstTensorView variance, TensorView y, MaskView mask, const Fusion& fusion) {
  Door door(descriptor, x);
  door.affine("gamma", gamma);
  door.affine("beta", beta);
  door.statistic("mean", mean, descriptor.centred);
  door.statistic("variance", variance, true);
  door.like_x("y", y, true);
  check(door, descriptor, fusion);
  door.mask(mask);
  if (door.empty()) return;
  const ValidRows rows = mask.present() ? ValidRows(door.plan(), mask) : ValidRows();
  const ValidPixels pixels = pixels_of(descriptor, mask, rows, x, y, gamma, beta, fusion);
  if (pixels.apply() && !pixels.all()) {
    return ops::planes::inference(pixels, x, gamma, beta, mean, variance, y);
  }
  const auto packing = rows.apply() || pixels.apply() ? std::nullopt : door.packing(mask);
  const bool copied = door.must_copy(packing.has_value());
  const DenseIn x_in(x, door.layout(), copied);
  const DenseOut y_out(y, door.layout(), copied);
  const DenseFusion fused(fusion, door.layout(), copied);
  ops::dense::inference(door.plan(), x_in.view(), gamma, beta, mean, variance, y_out.view(), fused(),
                        ops::but_all(rows));
  if (packing) ops::masked::clear(*packing, {&fused().sum, &y_out.view()});
  fused.store();
  y_out.store();
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
  const ValidRows rows = mask.present() ? ValidRows(door.plan(), mask) : ValidRows();
  const ValidPixels pixels = pixels_of(descriptor, mask, rows, x, {}, {}, {}, {});
  if (pixels.apply() && !pixels.all()) return ops::planes::statistics(pixels, x, mean, m2);
  const auto packing = rows.apply() || pixels.apply() ? std::nullopt : door.packing(mask);
  const DenseIn x_in(x, door.layout(), door.must_copy(packing.has_value()));
  if (packing) {
    ops::masked::statistics(*packing, x_in.view(), mean, m2);
    const cpu::Scratch<std::int64_t> counts = packing->counts();
    const bool equal = std::all_of(counts.data(), counts.data() + packing->statistics(),
                                   [&](std::int64_t n) { return n == counts[0]; });
    return equal ? counts[0] : -1;
  }
  ops::dense::statistics(door.plan(), x_in.view(), mean, m2, ops::but_all(rows));
  if (rows.apply() && !rows.statistics()) return rows.count();
  if (rows.apply() && !rows.all()) return rows.count() == 0 ? 0 : -1;
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
  const std::int64_t statistics = statistics_shape(descriptor, x).elements();
  if (statistics > INT64_MAX / 8) {
    ops::fail(descriptor.name, "x", "fewer than 2^60 statistics", std::to_string(statistics) + " of " + x.to_string());
  }
  return std::vector<std::int64_t>(static_cast<std::size_t>(statistics), normalized_size(descriptor, x));
}

}  // namespace norma
