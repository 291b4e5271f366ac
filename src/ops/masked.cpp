#include "ops/masked.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <initializer_list>
#include <optional>

#include "cpu/operations.h"
#include "ops/dense.h"
#include "ops/door.h"
#include "ops/packed_x.h"

namespace norma::ops::masked {
namespace {

using cpu::Scratch;

// A statistic, dgamma or dbeta of the whole call in f64, row-major, collected block by block.
class Collected {
 public:
  explicit Collected(const TensorView& view) : view_(view), sums_(view.present() ? view.shape().elements() : 0) {
    if (view.present()) std::fill_n(sums_.data(), view.shape().elements(), 0.0);
  }
  bool wanted() const { return view_.present(); }
  double* data() const { return sums_.data(); }
  void store() const {
    if (!wanted()) return;
    with_type(view_.dtype(), [&]<class T>(T) {
      T* to = static_cast<T*>(view_.data());
      for (std::int64_t n = 0; n < view_.shape().elements(); ++n) to[n] = static_cast<T>(sums_[n]);
    });
  }

 private:
  const TensorView& view_;
  Scratch<double> sums_;
};

// A given statistic of the whole call, widened to f64.
class Given {
 public:
  explicit Given(const ConstTensorView& view)
      : present_(view.present()), values_(view.present() ? view.shape().elements() : 0) {
    if (!present_) return;
    with_type(view.dtype(), [&]<class T>(T) {
      const T* from = static_cast<const T*>(view.data());
      for (std::int64_t n = 0; n < view.shape().elements(); ++n) values_[n] = static_cast<double>(from[n]);
    });
  }
  bool present() const { return present_; }
  const double* data() const { return values_.data(); }

 private:
  bool present_;
  Scratch<double> values_;
};

// A block's part of a statistic, dgamma or dbeta, packed; absent where the whole is.
class Part {
 public:
  Part(bool wanted, const Shape& shape) : shape_(shape), sums_(wanted ? shape.elements() : 0) {}
  Part(const Given& whole, const Packing::Block& block, const Shape& shape) : Part(whole.present(), shape) {
    if (whole.present()) pack(block.statistic, block.positions, whole.data(), sums_.data());
  }
  TensorView view() const { return sums_.data() == nullptr ? TensorView() : TensorView(sums_.data(), shape_); }
  const double* data() const { return sums_.data(); }

 private:
  Shape shape_;
  Scratch<double> sums_;
};

// gamma or beta of the whole call, and as a block takes it.
template <class C>
class AffinePart {
 public:
  AffinePart(const Packing& packing, const Packing::Block& block, const AffineIn<C>& whole)
      : shape_(affine_shape(packing.descriptor(), block.shape)),
        copy_(whole.data() != nullptr && packing.affine_varies() ? shape_.elements() : 0),
        data_(whole.data()) {
    if (copy_.data() == nullptr) {
      if (data_ != nullptr) data_ += block.affine.walk[0].whole;
      return;
    }
    pack(block.affine, block.positions, data_, copy_.data());
    data_ = copy_.data();
  }
  ConstTensorView view() const { return data_ == nullptr ? ConstTensorView() : ConstTensorView(data_, shape_); }

 private:
  Shape shape_;
  Scratch<C> copy_;
  const C* data_;
};

plan::Plan plan_of(const Packing& packing, const Packing::Block& block) {
  return plan::make_plan(packing.descriptor(), block.shape, dense_strides(block.shape, packing.layout()));
}

// x or dy of a block, dense.
template <class T>
class Packed {
 public:
  Packed(const Packing& packing, const Packing::Block& block, const ConstTensorView& whole)
      : packing_(packing), block_(block), values_(block.shape.elements()) {
    pack_x(block, static_cast<const T*>(whole.data()), values_.data());
  }
  TensorView view() const { return {values_.data(), block_.shape, packing_.layout()}; }
  void unpack_to(const TensorView& whole) const { unpack_x(block_, values_.data(), static_cast<T*>(whole.data())); }

 private:
  const Packing& packing_;
  const Packing::Block& block_;
  Scratch<T> values_;
};

// What is fused with a block's forward. The sum takes the place of `before`.
template <class T>
class PackedFusion {
 public:
  PackedFusion(const Packing& packing, const Packing::Block& block, const Fusion& whole) {
    view_.activation = whole.activation;
    if (whole.before.present()) {
      before_.emplace(packing, block, whole.before);
      view_.before = view_.sum = before_->view();
    }
    if (whole.after.present()) {
      after_.emplace(packing, block, whole.after);
      view_.after = after_->view();
    }
  }
  const Fusion& view() const { return view_; }
  void unpack_to(const TensorView& sum) const {
    if (before_) before_->unpack_to(sum);
  }

 private:
  std::optional<Packed<T>> before_, after_;
  Fusion view_;
};

// With its backward: dafter takes the place of `dy`, if it is wanted, and dx has memory of its own then.
template <class T>
class PackedGradient {
 public:
  PackedGradient(const Packing& packing, const Packing::Block& block, const FusionGradient& whole,
                 const ConstTensorView& beta, const Packed<T>& dy)
      : dx_(dy.view()) {
    view_.activation = whole.activation;
    view_.beta = beta;
    if (whole.after.present()) {
      after_.emplace(packing, block, whole.after);
      view_.after = after_->view();
    }
    if (whole.dsum.present()) {
      dsum_.emplace(packing, block, whole.dsum);
      view_.dsum = dsum_->view();
    }
    if (whole.dafter.present()) {
      own_dx_.emplace(block.shape.elements());
      dx_ = TensorView(own_dx_->data(), block.shape, packing.layout());
      view_.dafter = dy.view();
    }
  }
  const FusionGradient& view() const { return view_; }
  const TensorView& dx() const { return dx_; }

 private:
  std::optional<Packed<T>> after_, dsum_;
  std::optional<Scratch<T>> own_dx_;
  TensorView dx_;
  FusionGradient view_;
};

// y or dx of a block where x does not count.
void clear_masked(const Packing::Block& block, const TensorView& whole) {
  if (!whole.present()) return;
  with_type(whole.dtype(), [&]<class T>(T) { clear_x(block, static_cast<T*>(whole.data())); });
}

// run(block) for every block with a valid position, and then zeros where it is masked in all `outputs`; the chunks of
// one block may run at the same time.
template <class Run>
void for_each_block(const Packing& packing, std::initializer_list<const TensorView*> outputs, const Run& run) {
  const auto run_chunk = [&](std::int64_t chunk) {
    for (std::int64_t number = 0; number < packing.blocks(); ++number) {
      const Packing::Block block = packing.block(number, chunk);
      if (!block.positions.empty()) run(block);
      for (const TensorView* output : outputs) clear_masked(block, *output);
    }
  };
  // On the caller's threads, and in the caller's memory, one after the other: a pool may not be entered from its own
  // tasks, and its memory is this thread's alone.
  if (packing.chunks() == 1 || cpu::threads_in_use().parallel_for != nullptr || cpu::has_workspace()) {
    for (std::int64_t chunk = 0; chunk < packing.chunks(); ++chunk) run_chunk(chunk);
    return;
  }
  std::exception_ptr failure;
  std::atomic_flag failed;
  cpu::run_team(cpu::threads_for(packing.elements(), packing.chunks()), [&](const cpu::Team& team) {
    const cpu::Share share = team.share(packing.chunks());
    try {
      for (std::int64_t chunk = share.first; chunk < share.last; ++chunk) run_chunk(chunk);
    } catch (...) {
      if (!failed.test_and_set()) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

void collect(const Side& side, const Packing::Block& block, const Part& part, const Collected& whole) {
  if (whole.wanted()) unpack(side, block.positions, part.data(), whole.data());
}

// Both gradients; `spread` is rstd, or the variance where the statistics are given.
template <class Dense>
void gradient(const Packing& packing, const ConstTensorView& dy, const ConstTensorView& x, const ConstTensorView& gamma,
              const ConstTensorView& mean, const ConstTensorView& spread, const TensorView& dx,
              const TensorView& dgamma, const TensorView& dbeta, const FusionGradient& fusion, const Dense& dense) {
  const Descriptor& descriptor = packing.descriptor();
  const Given mean_in(descriptor.centred ? mean : ConstTensorView());
  const Given spread_in(spread);
  const Collected dgamma_out(dgamma);
  const Collected dbeta_out(dbeta);
  with_type(x.dtype(), [&]<class T>(T) {
    using C = cpu::Compute<T>;
    const AffineIn<C> gamma_whole(gamma, in_order(gamma));
    const AffineIn<C> beta_whole(fusion.beta, in_order(fusion.beta));
    for_each_block(packing, {&fusion.dafter, &dx}, [&](const Packing::Block& block) {
      const Shape statistics = statistics_shape(descriptor, block.shape);
      const Shape affine = affine_shape(descriptor, block.shape);
      const Packed<T> x_in(packing, block, x);
      const Packed<T> dy_in(packing, block, dy);
      const AffinePart<C> gamma_in(packing, block, gamma_whole);
      const Part block_mean(mean_in, block, statistics);
      const Part block_spread(spread_in, block, statistics);
      const Part block_dgamma(dgamma.present(), affine);
      const Part block_dbeta(dbeta.present(), affine);
      const AffinePart<C> beta_in(packing, block, beta_whole);
      const PackedGradient<T> fused(packing, block, fusion, beta_in.view(), dy_in);
      dense(plan_of(packing, block), dy_in.view(), x_in.view(), gamma_in.view(), block_mean.view(), block_spread.view(),
            dx.present() ? fused.dx() : TensorView(), block_dgamma.view(), block_dbeta.view(), fused.view(), nullptr);
      if (fusion.dafter.present()) dy_in.unpack_to(fusion.dafter);
      if (dx.present()) {
        unpack_x(block, static_cast<const T*>(fused.dx().data()), static_cast<T*>(dx.data()));
      }
      if (dgamma.present()) unpack_sums(block.affine, block.positions, block_dgamma.data(), dgamma_out.data());
      if (dbeta.present()) unpack_sums(block.affine, block.positions, block_dbeta.data(), dbeta_out.data());
    });
  });
  dgamma_out.store();
  dbeta_out.store();
}

}  // namespace

void forward(const Packing& packing, const ConstTensorView& x, const ConstTensorView& gamma,
             const ConstTensorView& beta, const TensorView& y, const TensorView& mean, const TensorView& rstd,
             const Fusion& fusion) {
  const Descriptor& descriptor = packing.descriptor();
  const Collected mean_out(mean);
  const Collected rstd_out(rstd);
  with_type(x.dtype(), [&]<class T>(T) {
    using C = cpu::Compute<T>;
    const AffineIn<C> gamma_whole(gamma, in_order(gamma));
    const AffineIn<C> beta_whole(beta, in_order(beta));
    for_each_block(packing, {&fusion.sum, &y}, [&](const Packing::Block& block) {
      const Shape statistics = statistics_shape(descriptor, block.shape);
      const Packed<T> values(packing, block, x);
      const AffinePart<C> gamma_in(packing, block, gamma_whole);
      const AffinePart<C> beta_in(packing, block, beta_whole);
      const Part block_mean(mean.present(), statistics);
      const Part block_rstd(rstd.present(), statistics);
      const PackedFusion<T> fused(packing, block, fusion);
      dense::forward(plan_of(packing, block), values.view(), gamma_in.view(), beta_in.view(), values.view(),
                     block_mean.view(), block_rstd.view(), fused.view(), nullptr);
      fused.unpack_to(fusion.sum);
      values.unpack_to(y);
      collect(block.statistic, block, block_mean, mean_out);
      collect(block.statistic, block, block_rstd, rstd_out);
    });
  });
  mean_out.store();
  rstd_out.store();
}

void clear(const Packing& packing, std::initializer_list<const TensorView*> outputs) {
  for_each_block(packing, outputs, [](const Packing::Block&) {});
}

void statistics(const Packing& packing, const ConstTensorView& x, const TensorView& mean, const TensorView& m2) {
  const Descriptor& descriptor = packing.descriptor();
  const Collected mean_out(mean);
  const Collected m2_out(m2);
  with_type(x.dtype(), [&]<class T>(T) {
    for_each_block(packing, {}, [&](const Packing::Block& block) {
      const Shape shape = statistics_shape(descriptor, block.shape);
      const Packed<T> values(packing, block, x);
      const Part block_mean(true, shape);
      const Part block_m2(true, shape);
      dense::statistics(plan_of(packing, block), values.view(), block_mean.view(), block_m2.view(), nullptr);
      collect(block.statistic, block, block_mean, mean_out);
      collect(block.statistic, block, block_m2, m2_out);
    });
  });
  mean_out.store();
  m2_out.store();
}

void backward(const Packing& packing, const ConstTensorView& dy, const ConstTensorView& x, const ConstTensorView& gamma,
              const ConstTensorView& mean, const ConstTensorView& rstd, const TensorView& dx, const TensorView& dgamma,
              const TensorView& dbeta, const FusionGradient& fusion) {
  gradient(packing, dy, x, gamma, mean, rstd, dx, dgamma, dbeta, fusion, dense::backward);
}

void inference_backward(const Packing& packing, const ConstTensorView& dy, const ConstTensorView& x,
                        const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& variance,
                        const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta,
                        const FusionGradient& fusion) {
  gradient(packing, dy, x, gamma, mean, variance, dx, dgamma, dbeta, fusion, dense::inference_backward);
}

}  // namespace norma::ops::masked
