// The gradient of a gradient, in closed form.
//
// With S the elements that share statistics, M the mean over S, r = rstd, z = (x - M x) r the normalized values and
// g = gamma dy, the first pass gives dx = D(g), dgamma = sum dy z and dbeta = sum dy, where
//
//     D(t) = r (t - M t - z M(t z))                      (not centred: without M t)
//
// is symmetric in t and the argument of its inner product, and is what takes a cotangent of z to one of x. So for
// cotangents a, b, c of the three, <a, dx> = <g, D(a)> and
//
//     to dy:     gamma D(a) + b z + c
//     to gamma:  sum dy D(a)
//     to x:      D(b dy) - r (M(g z) D(a) + M(a z) D(g)) - r^2 z (M(a g) - M(a) M(g) - M(a z) M(g z))
//
// (not centred: without M(a) M(g)), the last from dr/dx = -r^2 z / |S|. With given statistics D(t) = r t, and to x goes
// r b dy alone.
#include "second_order.h"

#include <ATen/ops/where.h>

#include <algorithm>

namespace norma {
namespace {

bool contains(at::IntArrayRef axes, std::int64_t axis, std::int64_t rank) {
  return std::any_of(axes.begin(), axes.end(), [&](std::int64_t a) { return a == axis || a + rank == axis; });
}

// x's axes, those that are split (normalization batches, groups) as two, so that a set S is a list of axes.
class Sets {
 public:
  Sets(const at::Tensor& x, const at::Tensor& mask, const OperatorArguments& how)
      : sizes_(x.sizes().begin(), x.sizes().end()), affine_(how.affine.begin(), how.affine.end()) {
    const std::int64_t rank = x.dim();
    for (std::int64_t axis = 0; axis < rank; ++axis) {
      const std::int64_t parts = axis == 0 ? how.batch_groups : axis == 1 ? how.groups : 1;
      if (parts > 1) add(parts, false);
      add(x.size(axis) / parts, contains(how.statistics, axis, rank));
    }
    if (mask.defined()) {
      at::Tensor whole = mask.to(at::kBool);
      if (whole.dim() < rank) whole = whole.unsqueeze((how.affine[0] + rank) % rank);
      mask_ = whole.expand(sizes_).reshape(split_);
      count_ = sum(mask_.to(at::kDouble)).clamp_min(1);
    }
  }

  // In f64, split, and 0 where masked, whatever stands there.
  at::Tensor wide(const at::Tensor& t) const { return valid(t.to(at::kDouble).reshape(split_)); }
  at::Tensor valid(const at::Tensor& t) const { return mask_.defined() ? at::where(mask_, t, 0.0) : t; }
  at::Tensor mean(const at::Tensor& t) const {
    return mask_.defined() ? sum(t) / count_ : sum(t) / static_cast<double>(std::max<std::int64_t>(size_, 1));
  }
  // A statistic, to be broadcast.
  at::Tensor statistic(const at::Tensor& t) const { return t.to(at::kDouble).reshape(kept_); }
  // gamma or its cotangent, the same.
  at::Tensor parameter(const at::Tensor& t) const {
    at::DimVector sizes;
    const auto rank = static_cast<std::int64_t>(sizes_.size());
    for (std::int64_t axis = 0; axis < rank; ++axis) {
      sizes.push_back(contains(affine_, axis, rank) ? sizes_[static_cast<std::size_t>(axis)] : 1);
    }
    return t.to(at::kDouble).reshape(sizes).expand(sizes_).reshape(split_);
  }
  // The sum over all that shares an entry of gamma.
  at::Tensor to_parameter(const at::Tensor& t) const {
    at::DimVector others, sizes;
    const auto rank = static_cast<std::int64_t>(sizes_.size());
    for (std::int64_t axis = 0; axis < rank; ++axis) {
      if (contains(affine_, axis, rank)) {
        sizes.push_back(sizes_[static_cast<std::size_t>(axis)]);
      } else {
        others.push_back(axis);
      }
    }
    const at::Tensor whole = t.reshape(sizes_);
    return (others.empty() ? whole : whole.sum(others)).reshape(sizes);
  }
  // As x is.
  at::Tensor like(const at::Tensor& t, const at::Tensor& x) const {
    return valid(t).reshape(sizes_).to(x.scalar_type()).contiguous(x.suggest_memory_format());
  }

 private:
  void add(std::int64_t size, bool shares) {
    if (shares) {
      reduced_.push_back(static_cast<std::int64_t>(split_.size()));
      size_ *= size;
    }
    kept_.push_back(shares ? 1 : size);
    split_.push_back(size);
  }
  at::Tensor sum(const at::Tensor& t) const { return reduced_.empty() ? t : t.sum(reduced_, /*keepdim=*/true); }

  at::DimVector sizes_, affine_;
  at::DimVector split_, kept_, reduced_;
  std::int64_t size_ = 1;
  at::Tensor mask_, count_;
};

// 1 / sqrt(variance + eps), 0 where that is 0, as the kernels have it.
at::Tensor rstd_of(const at::Tensor& variance, double eps) {
  const at::Tensor under = variance + eps;
  const at::Tensor positive = under > 0;
  return at::where(positive, at::where(positive, under, 1.0).rsqrt(), 0.0);
}

// The three results, in f64 and split; undefined ones are zero.
struct Results {
  at::Tensor dy, x, gamma;  // gamma's still one value an element
};

void add_to(at::Tensor& sum, const at::Tensor& term) {
  sum = sum.defined() ? sum + term : term;
}

// As many of the cotangents as are defined, split: a of dx, b of dgamma.
Results of_own_statistics(const Sets& sets, const at::Tensor& x, const at::Tensor& dy, const at::Tensor& gamma,
                          const OperatorArguments& how, const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor distance = how.centred ? sets.valid(x - sets.mean(x)) : x;
  const at::Tensor r = rstd_of(sets.mean(distance.square()), how.eps);
  const at::Tensor z = distance * r;
  const auto d = [&](const at::Tensor& t) {
    const at::Tensor rest = how.centred ? t - sets.mean(t) : t;
    return r * (rest - z * sets.mean(t * z));
  };
  Results out;
  if (a.defined()) {
    const at::Tensor g = gamma.defined() ? dy * gamma : dy;
    const at::Tensor d_a = d(a), a_z = sets.mean(a * z), g_z = sets.mean(g * z);
    at::Tensor rest = sets.mean(a * g) - a_z * g_z;
    if (how.centred) rest = rest - sets.mean(a) * sets.mean(g);
    out.dy = gamma.defined() ? d_a * gamma : d_a;
    out.gamma = sets.valid(d_a) * dy;
    out.x = -r * (g_z * d_a + a_z * d(g)) - r.square() * z * rest;
  }
  if (b.defined()) {
    add_to(out.dy, b * z);
    add_to(out.x, d(sets.valid(b * dy)));
  }
  return out;
}

Results of_given_statistics(const at::Tensor& distance, const at::Tensor& r, const at::Tensor& dy,
                            const at::Tensor& gamma, const at::Tensor& a, const at::Tensor& b) {
  Results out;
  if (a.defined()) {
    out.dy = gamma.defined() ? a * gamma * r : a * r;
    out.gamma = a * r * dy;
  }
  if (b.defined()) {
    add_to(out.dy, b * distance * r);
    out.x = b * dy * r;
  }
  return out;
}

}  // namespace

Three second_order(const FirstOrder& first, const OperatorArguments& how, const std::array<at::Tensor, 3>& cotangents,
                   std::array<bool, 3> wanted) {
  const Sets sets(first.x, first.mask, how);
  const at::Tensor x = sets.wide(first.x), dy = sets.wide(first.dy);
  const at::Tensor gamma = first.gamma.defined() ? sets.parameter(first.gamma) : at::Tensor();
  const at::Tensor a = cotangents[0].defined() ? sets.wide(cotangents[0]) : at::Tensor();
  const at::Tensor b = cotangents[1].defined() ? sets.parameter(cotangents[1]) : at::Tensor();
  Results found;
  if (first.variance.defined()) {
    const at::Tensor distance = first.mean.defined() ? x - sets.statistic(first.mean) : x;
    found = of_given_statistics(distance, rstd_of(sets.statistic(first.variance), how.eps), dy, gamma, a, b);
  } else {
    found = of_own_statistics(sets, x, dy, gamma, how, a, b);
  }
  if (cotangents[2].defined()) add_to(found.dy, sets.parameter(cotangents[2]));
  Three out;
  if (wanted[0] && found.dy.defined()) std::get<0>(out) = sets.like(found.dy, first.x);
  if (wanted[1] && found.x.defined()) std::get<1>(out) = sets.like(found.x, first.x);
  if (wanted[2] && found.gamma.defined()) {
    std::get<2>(out) = sets.to_parameter(found.gamma).to(first.gamma.scalar_type());
  }
  return out;
}

}  // namespace norma
