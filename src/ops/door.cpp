#include "ops/door.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu/operations.h"

namespace norma::ops {
namespace {

constexpr unsigned kFirstBit = 1;
constexpr unsigned kLastBit = 2;

// Layouts, as bits.
struct LiesIn {
  unsigned nested;
  unsigned dense;
};

// Do the axes nest in this layout, each stepping over all that is inside it, the innermost contiguous? And with nothing
// in between?
LiesIn lies_in(const ConstTensorView& view, Layout layout, unsigned bit) {
  const int rank = view.shape().rank();
  std::int64_t inside = 1;  // elements that the axes so far reach over
  bool dense = true;
  for (int n = 0; n < rank; ++n) {
    int axis = rank - 1 - n;
    if (layout == Layout::kChannelsLast && rank > 2) axis = n == 0 ? 1 : n == rank - 1 ? 0 : rank - n;
    const std::int64_t size = view.shape()[axis];
    const std::int64_t stride = view.strides()[static_cast<std::size_t>(axis)];
    if (size == 1) continue;
    dense = dense && stride == inside;
    if (stride < inside || (n == 0 && !dense)) return {0, 0};
    if (__builtin_mul_overflow(stride, size, &inside)) return {0, 0};
  }
  if (inside > INT64_MAX / 8) return {0, 0};  // no bytes of f64
  return {bit, dense ? bit : 0U};
}

LiesIn layouts_of(const ConstTensorView& view) {
  constexpr unsigned kBoth = kFirstBit | kLastBit;
  if (view.shape().elements() == 0) return {kBoth, kBoth};
  if (view.shape().rank() <= 2) return lies_in(view, Layout::kChannelsFirst, kBoth);
  const LiesIn first = lies_in(view, Layout::kChannelsFirst, kFirstBit);
  const LiesIn last = lies_in(view, Layout::kChannelsLast, kLastBit);
  return {first.nested | last.nested, first.dense | last.dense};
}

// Elements from one view to another of its shape; both in memory. Axes of size 1 are never stepped over, and their
// strides may be anything.
void copy(const ConstTensorView& from, const TensorView& to) {
  struct Axis {
    std::int64_t size, from, to;
  };
  const Shape& shape = from.shape();
  std::array<Axis, kMaxRank> axes{};
  std::size_t count = 0;
  std::int64_t run = 1;  // elements that lie side by side in both
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    if (shape[axis] == 1) continue;
    if (from.strides()[a] == 1 && to.strides()[a] == 1) {
      run = shape[axis];
    } else {
      axes[count++] = {shape[axis], from.strides()[a], to.strides()[a]};
    }
  }
  const std::size_t bytes = size_of(from.dtype());
  std::array<std::int64_t, kMaxRank> index{};
  std::int64_t from_at = 0;
  std::int64_t to_at = 0;
  for (std::int64_t n = 0; n < shape.elements(); n += run) {
    std::memcpy(static_cast<char*>(to.data()) + static_cast<std::size_t>(to_at) * bytes,
                static_cast<const char*>(from.data()) + static_cast<std::size_t>(from_at) * bytes,
                static_cast<std::size_t>(run) * bytes);
    for (std::size_t a = count; a-- > 0;) {
      const Axis& axis = axes[a];
      from_at += axis.from;
      to_at += axis.to;
      if (++index[a] < axis.size) break;
      from_at -= axis.size * axis.from;
      to_at -= axis.size * axis.to;
      index[a] = 0;
    }
  }
}

std::string strides_text(const ConstTensorView& view) {
  std::string text = "(";
  for (int axis = 0; axis < view.shape().rank(); ++axis) {
    text += (axis > 0 ? ", " : "") + std::to_string(view.strides()[static_cast<std::size_t>(axis)]);
  }
  return "strides " + text + ")";
}

// "f32", "bf16 or f32".
std::string parameter_types(DType x) {
  return std::string(name_of(x)) + (is_short(x) ? " or f32" : "");
}

const ConstTensorView& present_x(const Descriptor& descriptor, const ConstTensorView& x) {
  if (!x.present()) fail(descriptor.name, "x", "a tensor", "none");
  return x;
}

std::string shape_text(const Shape& shape) {
  return "shape " + shape.to_string();
}

}  // namespace

std::string number_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.9g", value);
  return text.data();
}

void fail(const char* operation, const char* argument, const std::string& expected, const std::string& got) {
  throw Error("[" + std::string(operation) + "] " + argument + ": expected " + expected + ", got " + got);
}

void check_activation(const char* operation, Activation activation) {
  if (activation <= Activation::kSilu) return;
  fail(operation, "activation", "one of the five", std::to_string(static_cast<int>(activation)));
}

void check_memory(const char* operation, const char* argument, const ConstTensorView& view) {
  if (view.data() == nullptr) fail(operation, argument, "memory of " + shape_text(view.shape()), "a null pointer");
  const std::size_t size = size_of(view.dtype());
  const std::size_t off = reinterpret_cast<std::uintptr_t>(view.data()) & (size - 1);
  if (off != 0) {
    fail(operation, argument, "memory aligned to the " + std::to_string(size) + " bytes of " + name_of(view.dtype()),
         "an address " + std::to_string(off) + " bytes past that");
  }
}

Door::Door(const Descriptor& descriptor, const ConstTensorView& x)
    : descriptor_(descriptor),
      x_(present_x(descriptor, x)),
      resolved_(descriptor, x.shape(), !cpu::has_workspace()),
      layouts_(kFirstBit | kLastBit),
      dense_layouts_(layouts_) {
  if (!(descriptor.eps >= 0) || std::isinf(descriptor.eps)) {
    fail(descriptor.name, "eps", "a finite number >= 0", number_text(descriptor.eps));
  }
  present("x", x);
  lies_like_x("x", x);
}

void Door::lies_like_x(const char* name, const ConstTensorView& view) {
  // In bytes of any type, wherever they lie.
  if (view.shape().elements() > INT64_MAX / 8) {
    fail(descriptor_.name, name, "fewer than 2^60 elements",
         std::to_string(view.shape().elements()) + " of " + view.shape().to_string());
  }
  const LiesIn layouts = layouts_of(view);
  if ((layouts_ & layouts.nested) == 0) {
    fail(descriptor_.name, name,
         layouts_ == (kFirstBit | kLastBit)
             ? "strides of one layout, channels first or last, its innermost axis contiguous"
             : "the layout of x (" + strides_text(x_) + ")",
         strides_text(view));
  }
  layouts_ &= layouts.nested;
  dense_layouts_ &= layouts.dense;
  strides_[tensors_++] = &view.strides();
}

void Door::present(const char* name, const ConstTensorView& view) const {
  if (view.shape().elements() > 0) check_memory(descriptor_.name, name, view);
}

void Door::like_x(const char* name, const ConstTensorView& view, bool required) {
  if (!view.present()) {
    if (required) fail(descriptor_.name, name, "a tensor of " + shape_text(x_.shape()), "none");
    return;
  }
  if (view.shape() != x_.shape()) {
    fail(descriptor_.name, name, shape_text(x_.shape()), view.shape().to_string());
  }
  if (view.dtype() != x_.dtype()) fail(descriptor_.name, name, name_of(x_.dtype()), name_of(view.dtype()));
  present(name, view);
  lies_like_x(name, view);
}

void Door::dense(const char* name, const ConstTensorView& view, const Shape& expected) const {
  if (view.shape() != expected) fail(descriptor_.name, name, shape_text(expected), view.shape().to_string());
  present(name, view);
  if ((layouts_of(view).dense & kFirstBit) == 0) fail(descriptor_.name, name, "dense strides", strides_text(view));
}

void Door::affine(const char* name, const ConstTensorView& view) {
  if (!view.present()) return;
  dense(name, view, resolved_->affine());
  if (view.dtype() != x_.dtype() && !(is_short(x_.dtype()) && view.dtype() == DType::kFloat32)) {
    fail(descriptor_.name, name, parameter_types(x_.dtype()), name_of(view.dtype()));
  }
}

void Door::statistic(const char* name, const ConstTensorView& view, bool required) {
  if (!view.present()) {
    if (required) fail(descriptor_.name, name, "a tensor of " + shape_text(resolved_->statistics()), "none");
    return;
  }
  dense(name, view, resolved_->statistics());
  if (view.dtype() != x_.dtype() && view.dtype() != DType::kFloat64 &&
      !(is_short(x_.dtype()) && view.dtype() == DType::kFloat32)) {
    fail(descriptor_.name, name, parameter_types(x_.dtype()) + " or f64", name_of(view.dtype()));
  }
}

void check_mask(const Descriptor& descriptor, const Shape& x, const MaskView& mask) {
  const auto refuse = [&](const std::string& expected, const std::string& got) {
    fail(descriptor.name, "mask", expected, got);
  };
  const Shape& shape = mask.shape();
  bool fits = shape.rank() == x.rank();
  for (int axis = 0; fits && axis < x.rank(); ++axis) fits = shape[axis] == x[axis] || shape[axis] == 1;
  if (!fits) refuse(shape_text(x) + ", or 1 where one byte stands for the axis", shape.to_string());
  if (shape.elements() == 0) return;
  if (mask.data() == nullptr) refuse("memory of " + shape_text(shape), "a null pointer");
  std::int64_t reach = 0;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const std::int64_t stride = mask.strides()[static_cast<std::size_t>(axis)];
    std::int64_t length = 0;
    const bool overflows = __builtin_mul_overflow(stride, shape[axis], &length);
    // All with one sign, the one that has room for -2^63: strides of both may not add up to something harmless.
    if (overflows || __builtin_add_overflow(reach, length > 0 ? -length : length, &reach)) {
      refuse("strides within 63 bits", "stride " + std::to_string(stride) + " on axis " + std::to_string(axis));
    }
  }
  if (descriptor.groups != 1 && shape[1] > 1 && mask.strides()[1] != 0) {
    refuse("one byte for all of axis 1, which falls into groups", shape.to_string());
  }
}

void Door::mask(const MaskView& mask) const {
  if (mask.present()) check_mask(descriptor_, x_.shape(), mask);
}

void Door::training() const {
  if (resolved_->over_batch() && resolved_->normalized() == 1) {
    fail(descriptor_.name, "x", "more than 1 value per statistic in training", "1 of " + shape_text(x_.shape()));
  }
}

void Door::training(const Packing& packing) const {
  if (!resolved_->over_batch()) return;
  const cpu::Scratch<std::int64_t> counts = packing.counts();
  const std::int64_t* const end = counts.data() + packing.statistics();
  const std::int64_t* const fewest = std::min_element<const std::int64_t*>(counts.data(), end);
  if (fewest != end && *fewest < 2) {
    fail(descriptor_.name, "mask", "more than 1 valid value per statistic in training",
         std::to_string(*fewest) + " for statistic " + std::to_string(fewest - counts.data()) + " of " +
             resolved_->statistics().to_string());
  }
}

void Door::training(const ValidPixels& pixels) const {
  if (!pixels.over_samples() || pixels.count() > 1) return;
  fail(descriptor_.name, "mask", "more than 1 valid value per statistic in training",
       std::to_string(pixels.count()) + " for statistic 0 of " + resolved_->statistics().to_string());
}

void Door::training(const ValidRows& rows) const {
  if (!resolved_->over_batch() || (rows.statistics() ? rows.all() : rows.count() > 1)) return;
  fail(descriptor_.name, "mask", "more than 1 valid value per statistic in training",
       std::to_string(rows.statistics() ? 0 : rows.count()) + " for statistic " +
           std::to_string(rows.statistics() ? rows.masked()[0] : 0) + " of " + resolved_->statistics().to_string());
}

Layout Door::layout() const {
  return ((dense_layouts_ != 0 ? dense_layouts_ : layouts_) & kFirstBit) != 0 ? Layout::kChannelsFirst
                                                                              : Layout::kChannelsLast;
}

bool Door::must_copy(bool packs) const {
  if (dense_layouts_ != 0) return false;
  if (packs) return true;
  const plan::Plan& plan = this->plan();
  const bool grouped = plan.direct && cpu::grouped_columns(plan);
  return !plan.direct || std::any_of(strides_.begin(), strides_.begin() + tensors_, [&](const Strides* strides) {
    const std::optional<plan::Pitch> pitch = plan::pitch_of(plan, *strides);
    return !pitch || (grouped && pitch->k != plan.I);
  });
}

DenseIn::DenseIn(const ConstTensorView& view, Layout layout, bool copied)
    : memory_(copied && view.present() ? view.shape().elements() * static_cast<std::int64_t>(size_of(view.dtype()))
                                       : 0),
      view_(view) {
  if (memory_.data() == nullptr) return;
  const TensorView dense(memory_.data(), view.dtype(), view.shape(), dense_strides(view.shape(), layout));
  copy(view, dense);
  copy_ = dense;
}

DenseOut::DenseOut(const TensorView& view, Layout layout, bool copied)
    : memory_(copied && view.present() ? view.shape().elements() * static_cast<std::int64_t>(size_of(view.dtype()))
                                       : 0),
      view_(view) {
  if (memory_.data() == nullptr) return;
  copy_ = TensorView(memory_.data(), view.dtype(), view.shape(), dense_strides(view.shape(), layout));
}

void DenseOut::store() const {
  if (copy_) copy(*copy_, view_);
}

std::optional<Packing> Door::packing(const MaskView& mask) const {
  if (!mask.present()) return std::nullopt;
  Packing packing(descriptor_, x_.shape(), layout(), mask);
  if (packing.all_valid()) return std::nullopt;
  return packing;
}

StatisticIn::StatisticIn(const ConstTensorView& view, const plan::Order& order)
    : copy_(view.present() && !(view.dtype() == DType::kFloat64 && order.identity) ? order.elements() : 0),
      data_(static_cast<const double*>(view.data())) {
  if (copy_.data() == nullptr) return;
  with_type(view.dtype(), [&]<class T>(T) { gather(static_cast<const T*>(view.data()), copy_.data(), order); });
  data_ = copy_.data();
}

SumsOut::SumsOut(const TensorView& view, const plan::Order& order)
    : view_(view),
      order_(order),
      copy_(view.present() && !(view.dtype() == DType::kFloat64 && order.identity) ? order.elements() : 0),
      data_(copy_.data() != nullptr ? copy_.data() : static_cast<double*>(view.data())) {}

void SumsOut::store() const {
  if (copy_.data() == nullptr) return;
  with_type(view_.dtype(), [&]<class T>(T) {
    T* const to = static_cast<T*>(view_.data());
    const double* const from = copy_.data();
    const std::int64_t count = order_.elements();
    if (order_.identity) {
      for (std::int64_t n = 0; n < count; ++n) to[n] = static_cast<T>(from[n]);
    } else {
      for (std::int64_t n = 0; n < count; ++n) to[order_.offset(n)] = static_cast<T>(from[n]);
    }
  });
}

GivenStatistics::GivenStatistics(const plan::Order& order, bool centred, double eps, const ConstTensorView& mean,
                                 const ConstTensorView& variance)
    : mean_(order.elements()), rstd_(order.elements()) {
  const std::int64_t count = order.elements();
  if (centred) {
    with_type(mean.dtype(), [&]<class T>(T) { gather(static_cast<const T*>(mean.data()), mean_.data(), order); });
  } else {
    std::fill_n(mean_.data(), count, 0.0);
  }
  with_type(variance.dtype(), [&]<class T>(T) { gather(static_cast<const T*>(variance.data()), rstd_.data(), order); });
  double* const rstd = rstd_.data();
  for (std::int64_t n = 0; n < count; ++n) rstd[n] = 1.0 / std::sqrt(rstd[n] + eps);
}

void fill(const TensorView& view, double value) {
  if (!view.present()) return;
  with_type(view.dtype(), [&]<class T>(T) {
    T* to = static_cast<T*>(view.data());
    std::fill(to, to + view.shape().elements(), static_cast<T>(value));
  });
}

}  // namespace norma::ops
