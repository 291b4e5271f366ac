#include "ops/planes.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "ops/door.h"
#include "plan/axes.h"

namespace norma::ops {
namespace {

// Are the pixels of a channel neighbours?
bool dense_pixels(const ConstTensorView& view) {
  std::int64_t step = 1;
  for (int axis = view.shape().rank() - 1; axis >= 2; --axis) {
    if (view.shape()[axis] == 1) continue;
    if (view.strides()[static_cast<std::size_t>(axis)] != step) return false;
    step *= view.shape()[axis];
  }
  return true;
}

// Statistics over all pixels of a channel and, where they are shared over the samples, of no other channel.
bool shares_pixels(const plan::AxisRoles& roles, const Shape& x) {
  for (int axis = 2; axis < x.rank(); ++axis) {
    if (roles.kept(axis) && x[axis] > 1) return false;
  }
  return roles.kept(0) || (roles.kept(1) && !roles.split_channels);
}

bool varies(const MaskView& mask, int axis) {
  return mask.shape()[axis] > 1 && mask.strides()[static_cast<std::size_t>(axis)] != 0;
}

// In all channels the same, and along every axis that shares statistics: along others nothing is packed.
bool masks_pixels(const MaskView& mask, const plan::AxisRoles& roles, const Shape& x) {
  if (varies(mask, 1) || (!roles.kept(0) && x[0] > 1 && !varies(mask, 0))) return false;
  bool any = false;
  for (int axis = 2; axis < x.rank(); ++axis) {
    if (x[axis] > 1 && !varies(mask, axis)) return false;
    any = any || x[axis] > 1;
  }
  return any;
}

// Which of 8 bytes are not 0, the first in the lowest bit.
std::uint64_t bits_of_bytes(const std::uint8_t* bytes) {
  constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7f;
  std::uint64_t eight = 0;
  std::memcpy(&eight, bytes, sizeof(eight));
  const std::uint64_t set = (((eight & kLow) + kLow) | eight) & ~kLow;  // each byte's highest bit
  // The products that meet in the highest byte do not carry.
  return ((set >> 7) * 0x0102040810204080) >> 56;
}

plan::Pitch pitch_of(const ConstTensorView& view) {
  return view.present() ? plan::Pitch{0, view.strides()[0], view.strides()[1]} : plan::Pitch{};
}

}  // namespace

ValidPixels::ValidPixels(const Descriptor& descriptor, const MaskView& mask,
                         std::initializer_list<const ConstTensorView*> views,
                         std::initializer_list<const ConstTensorView*> affine, bool by_channel) {
  const Shape& x = (*views.begin())->shape();
  if (x.rank() < 3) return;
  const plan::AxisRoles roles = plan::resolve(descriptor, x);
  const auto present = [](const ConstTensorView* view) { return view->present(); };
  if (!shares_pixels(roles, x) || !masks_pixels(mask, roles, x)) return;
  if (roles.affine_bits != 2U && std::any_of(affine.begin(), affine.end(), present)) return;
  if (std::any_of(views.begin(), views.end(),
                  [](const ConstTensorView* view) { return view->present() && !dense_pixels(*view); })) {
    return;
  }
  planes_.samples = x[0];
  planes_.channels = x[1];
  planes_.pixels = x.elements() / (x[0] * x[1]);
  if (roles.kept(0)) planes_.groups = roles.split_channels ? descriptor.groups : roles.kept(1) ? x[1] : 1;
  if (by_channel && !over_samples() && planes_.groups != planes_.channels) return;
  planes_.eps = descriptor.eps;
  planes_.centred = descriptor.centred;
  set_bits(x, mask);
  apply_ = !has_single_pixels();
}

// Channels that share a statistic of one pixel each: packed, gamma would lie along them, which rounds y otherwise.
bool ValidPixels::has_single_pixels() const {
  if (over_samples() || planes_.groups == planes_.channels) return false;
  const std::int64_t* const end = planes_.counts + (planes_.pitch == 0 ? 1 : planes_.samples);
  return std::find(planes_.counts, end, 1) != end;
}

void ValidPixels::set_bits(const Shape& x, const MaskView& mask) {
  const std::int64_t samples = varies(mask, 0) ? planes_.samples : 1;
  const std::int64_t words = (planes_.pixels + 63) / 64;
  words_ = cpu::Scratch<std::uint64_t>(samples * words + 1);
  counts_ = cpu::Scratch<std::int64_t>(samples);
  std::fill_n(words_.data(), samples * words + 1, 0);
  planes_.words = words_.data();
  planes_.counts = counts_.data();
  planes_.pitch = samples == 1 ? 0 : words;
  bool dense = true;
  std::int64_t step = 1;
  for (int axis = x.rank() - 1; axis >= 2; --axis) {
    if (x[axis] > 1 && (mask.shape()[axis] == 1 || mask.strides()[static_cast<std::size_t>(axis)] != step))
      dense = false;
    step *= x[axis];
  }
  std::array<std::int64_t, kMaxRank> index{};
  for (std::int64_t n = 0; n < samples; ++n) {
    const std::uint8_t* byte = mask.data() + (samples == 1 ? 0 : n * mask.strides()[0]);
    std::uint64_t* const to = words_.data() + n * words;
    std::int64_t i = 0;
    if (dense) {
      for (; i + 8 <= planes_.pixels; i += 8) to[i / 64] |= bits_of_bytes(byte + i) << (i % 64);
      for (; i < planes_.pixels; ++i) to[i / 64] |= std::uint64_t{byte[i] != 0} << (i % 64);
    }
    for (; i < planes_.pixels; ++i) {
      to[i / 64] |= std::uint64_t{*byte != 0} << (i % 64);
      for (int axis = x.rank() - 1; axis >= 2; --axis) {
        const auto a = static_cast<std::size_t>(axis);
        const std::int64_t stride = mask.shape()[axis] == 1 ? 0 : mask.strides()[a];
        byte += stride;
        if (++index[a] < x[axis]) break;
        byte -= stride * x[axis];
        index[a] = 0;
      }
    }
    counts_[n] = 0;
    for (std::int64_t word = 0; word < words; ++word) counts_[n] += std::popcount(to[word]);
  }
}

namespace planes {
namespace {

void run_backward(const ValidPixels& valid, const ConstTensorView& dy, const ConstTensorView& x,
                  const ConstTensorView& gamma, const double* mean, const double* rstd, const TensorView& dx,
                  const TensorView& dgamma, const TensorView& dbeta, bool constant_statistics) {
  const plan::Order dgamma_order = in_order(dgamma);
  const plan::Order dbeta_order = in_order(dbeta);
  const SumsOut dgamma_out(dgamma, dgamma_order);
  const SumsOut dbeta_out(dbeta, dbeta_order);
  with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, in_order(gamma));
    const cpu::BackwardCall<T> call{static_cast<const T*>(dy.data()),
                                    static_cast<const T*>(x.data()),
                                    g.data(),
                                    mean,
                                    rstd,
                                    static_cast<T*>(dx.data()),
                                    dgamma_out.data(),
                                    dbeta_out.data(),
                                    constant_statistics,
                                    pitch_of(dy),
                                    pitch_of(x),
                                    pitch_of(dx)};
    cpu::planes_backward<T>(valid.planes(), call);
  });
  dgamma_out.store();
  dbeta_out.store();
}

}  // namespace

void forward(const ValidPixels& valid, const ConstTensorView& x, const ConstTensorView& gamma,
             const ConstTensorView& beta, const TensorView& y, const TensorView& mean, const TensorView& rstd) {
  const plan::Order mean_order = in_order(mean);
  const plan::Order rstd_order = in_order(rstd);
  const SumsOut mean_out(mean, mean_order);
  const SumsOut rstd_out(rstd, rstd_order);
  with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, in_order(gamma));
    const AffineIn<cpu::Compute<T>> b(beta, in_order(beta));
    cpu::planes_forward<T>(valid.planes(),
                           {static_cast<const T*>(x.data()), g.data(), b.data(), static_cast<T*>(y.data()),
                            mean_out.data(), rstd_out.data(), pitch_of(x), pitch_of(y)});
  });
  mean_out.store();
  rstd_out.store();
}

void inference(const ValidPixels& valid, const ConstTensorView& x, const ConstTensorView& gamma,
               const ConstTensorView& beta, const ConstTensorView& mean, const ConstTensorView& variance,
               const TensorView& y) {
  const GivenStatistics given(in_order(variance), valid.planes().centred, valid.planes().eps, mean, variance);
  with_type(x.dtype(), [&]<class T>(T) {
    const AffineIn<cpu::Compute<T>> g(gamma, in_order(gamma));
    const AffineIn<cpu::Compute<T>> b(beta, in_order(beta));
    cpu::planes_inference<T>(
        valid.planes(), {static_cast<const T*>(x.data()), g.data(), b.data(), static_cast<T*>(y.data()), given.mean(),
                         given.rstd(), pitch_of(x), pitch_of(y)});
  });
}

std::int64_t statistics(const ValidPixels& valid, const ConstTensorView& x, const TensorView& mean,
                        const TensorView& m2) {
  const plan::Order mean_order = in_order(mean);
  const plan::Order m2_order = in_order(m2);
  const SumsOut mean_out(mean, mean_order);
  const SumsOut m2_out(m2, m2_order);
  with_type(x.dtype(), [&]<class T>(T) {
    cpu::planes_statistics<T>(valid.planes(), static_cast<const T*>(x.data()), pitch_of(x), mean_out.data(),
                              m2_out.data());
  });
  mean_out.store();
  m2_out.store();
  const cpu::Planes& planes = valid.planes();
  if (valid.over_samples()) return valid.count();
  for (std::int64_t n = 1; n < planes.samples; ++n) {
    if (planes.count(n) != planes.count(0)) return -1;
  }
  return planes.count(0) * (planes.channels / planes.groups);
}

void backward(const ValidPixels& valid, const ConstTensorView& dy, const ConstTensorView& x,
              const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& rstd,
              const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta) {
  const StatisticIn mean_in(valid.planes().centred ? mean : ConstTensorView(), in_order(mean));
  const StatisticIn rstd_in(rstd, in_order(rstd));
  run_backward(valid, dy, x, gamma, mean_in.data(), rstd_in.data(), dx, dgamma, dbeta, false);
}

void inference_backward(const ValidPixels& valid, const ConstTensorView& dy, const ConstTensorView& x,
                        const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& variance,
                        const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta) {
  const GivenStatistics given(in_order(variance), valid.planes().centred, valid.planes().eps, mean, variance);
  run_backward(valid, dy, x, gamma, given.mean(), given.rstd(), dx, dgamma, dbeta, true);
}

}  // namespace planes
}  // namespace norma::ops
