// Calls with everything fused, their tensors wherever a test wants them.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "norma/norma.h"
#include "reference/cases.h"
#include "strided.h"

namespace norma::testing {

using reference::Case;
using reference::PositionMask;
using reference::Tensor;
using reference::Values;

inline constexpr std::array kActivations{Activation::kNone, Activation::kRelu, Activation::kGelu, Activation::kGeluTanh,
                                         Activation::kSilu};
inline constexpr std::array kLayouts{Layout::kChannelsFirst, Layout::kChannelsLast};

inline const char* name_of(Activation activation) {
  constexpr std::array<const char*, 5> kNames{"none", "relu", "gelu", "gelu tanh", "silu"};
  return kNames[static_cast<std::size_t>(activation)];
}

// Which parts of a fusion there are.
struct Parts {
  bool before, after;
  Activation activation;
};

inline std::vector<Parts> all_parts() {
  std::vector<Parts> parts;
  for (const Activation activation : kActivations) {
    for (const bool before : {false, true}) {
      for (const bool after : {false, true}) parts.push_back({before, after, activation});
    }
  }
  return parts;
}

// Whose memory the results take; "" is their own. What names a tensor that is not there counts as "".
struct Places {
  std::string y, sum, dx, dafter;
};

struct Problem {
  Case norm;
  DType dtype;
  Layout layout = Layout::kChannelsFirst;
  std::optional<PositionMask> mask{};
  // Or one of zeros, of this shape.
  Shape nothing_counts{};
  Places places{};
  bool given_statistics = false;
  // Axes, from the innermost, that lie without gaps; 0: all.
  int without_gaps = 0;
  // Samples of a batch of the same data that come first.
  std::int64_t first_sample = 0;

  MaskView mask_view() const {
    static const std::vector<std::uint8_t> kZeros(4096);
    if (nothing_counts.rank() > 0) return {kZeros.data(), nothing_counts};
    return mask ? mask->view() : MaskView();
  }
  reference::Mask elements() const {
    if (nothing_counts.rank() > 0) return reference::Mask(static_cast<std::size_t>(norm.shape.elements()));
    return mask ? mask->elements() : reference::Mask();
  }
  // Of what lies like x: one sample after the other from the same numbers.
  Values values(std::uint64_t seed) const {
    const std::int64_t skipped = first_sample * (norm.shape.elements() / norm.shape[0]);
    const Values& all = remembered_normal(skipped + norm.shape.elements(), seed);
    Values values(all.begin() + static_cast<std::ptrdiff_t>(skipped), all.end());
    reference::spoil(values, elements());
    return values;
  }
  Values rounded(const Values& values) const { return Tensor(values, dtype, norm.shape).values(); }
  Values rounded(std::uint64_t seed) const { return rounded(values(seed)); }
  // What is normalized.
  Values normalized(const Parts& parts) const {
    Values x = rounded(1);
    if (!parts.before) return x;
    const Values before = rounded(2);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += before[i];
    return rounded(x);
  }
  Shape parameters() const { return affine_shape(norm.descriptor, norm.shape); }
  Shape statistics_size() const { return statistics_shape(norm.descriptor, norm.shape); }
  Tensor gamma() const { return {remembered_normal(parameters().elements(), 11, 1, 0.5), dtype, parameters()}; }
  Tensor beta() const { return {remembered_normal(parameters().elements(), 12), dtype, parameters()}; }
  Values running_mean() const { return remembered_normal(statistics_size().elements(), 13); }
  Values variance() const {
    Values values = remembered_normal(statistics_size().elements(), 14);
    for (double& value : values) value = 0.5 + value * value;
    return values;
  }
};

struct Results {
  Values y, sum, dx, dafter, dgamma, dbeta;
  bool operator==(const Results&) const = default;
};

// The tensors of a call that lie like x, by name.
class Tensors {
 public:
  explicit Tensors(const Problem& problem) : problem_(problem) {}
  ~Tensors() {
    for (auto& [name, tensor] : tensors_) EXPECT_TRUE(tensor.gaps_intact()) << name << ", " << problem_.norm.name;
  }
  Tensors(const Tensors&) = delete;
  Tensors& operator=(const Tensors&) = delete;

  TensorView add(const std::string& name, const Values& values) {
    constexpr std::array<std::int64_t, 5> kGaps{5, 64, 0, 3, 16};
    const Shape& shape = problem_.norm.shape;
    const std::int64_t gap = problem_.without_gaps == 0 ? 0 : kGaps[tensors_.size() % kGaps.size()];
    const Strides strides = strides_with(shape, problem_.layout, problem_.without_gaps, gap);
    tensors_.try_emplace(name, values, problem_.dtype, shape, strides);
    return tensors_.at(name).view();
  }
  // That of this place where there is one, or else a new one of this name.
  TensorView result(const std::string& name, const std::string& place) {
    const auto at = tensors_.find(place);
    return at != tensors_.end() ? at->second.view() : add(name, problem_.values(5));
  }

 private:
  const Problem& problem_;
  std::map<std::string, Strided> tensors_;
};

inline Results run(const Problem& p, const Parts& parts) {
  const Descriptor& d = p.norm.descriptor;
  const Tensor gamma = p.gamma(), beta = p.beta();
  Tensor mean(DType::kFloat64, p.statistics_size()), rstd(DType::kFloat64, p.statistics_size());
  const Tensor given_mean(p.running_mean(), DType::kFloat64, p.statistics_size());
  const Tensor given_variance(p.variance(), DType::kFloat64, p.statistics_size());
  const ConstTensorView given_mean_view = d.centred ? given_mean.view() : ConstTensorView();
  Results results;
  {
    Tensors tensors(p);
    const TensorView x = tensors.add("x", p.values(1));
    Fusion fusion{.activation = parts.activation};
    if (parts.after) fusion.after = tensors.add("after", p.values(3));
    if (parts.before) {
      fusion.before = tensors.add("before", p.values(2));
      fusion.sum = tensors.result("sum", p.places.sum);
    }
    const TensorView y = p.places.y == "sum" && parts.before ? fusion.sum : tensors.result("y", p.places.y);
    if (p.given_statistics) {
      inference(d, x, gamma.view(), beta.view(), given_mean_view, given_variance.view(), y, p.mask_view(), fusion);
    } else {
      forward(d, x, gamma.view(), beta.view(), y, mean.view(), rstd.view(), p.mask_view(), fusion);
    }
    results.y = reference::read(y);
    // Where y took its place there is no sum.
    if (parts.before && fusion.sum.data() != y.data()) results.sum = reference::read(fusion.sum);
  }
  Tensors tensors(p);
  const TensorView x = tensors.add("x", p.normalized(parts));
  const TensorView dy = tensors.add("dy", p.values(4));
  FusionGradient gradient{.beta = beta.view(), .activation = parts.activation};
  if (parts.before) gradient.dsum = tensors.add("dsum", p.values(6));
  if (parts.after) {
    gradient.after = tensors.add("after", p.values(3));
    gradient.dafter = tensors.result("dafter", p.places.dafter);
  }
  const TensorView dx = tensors.result("dx", p.places.dx);
  Tensor dgamma(p.dtype, p.parameters()), dbeta(p.dtype, p.parameters());
  if (p.given_statistics) {
    inference_backward(d, dy, x, gamma.view(), given_mean_view, given_variance.view(), dx, dgamma.view(), dbeta.view(),
                       p.mask_view(), gradient);
  } else {
    backward(d, dy, x, gamma.view(), d.centred ? mean.view() : TensorView(), rstd.view(), dx, dgamma.view(),
             dbeta.view(), p.mask_view(), gradient);
  }
  results.dx = reference::read(dx);
  if (parts.after) results.dafter = reference::read(gradient.dafter);
  results.dgamma = dgamma.values();
  results.dbeta = dbeta.values();
  EXPECT_TRUE(dgamma.guards_intact() && dbeta.guards_intact() && mean.guards_intact() && rstd.guards_intact());
  return results;
}

// Norms and shapes that reach every way through the kernels, small.
inline std::vector<Case> fusion_cases() {
  std::vector<Case> list = reference::few_cases();
  list.push_back({"short rows", layer_norm(), {50, 3}});
  list.push_back({"gamma by hand",
                  {.name = "by_hand", .statistics = Axes::of({0, 3, 5}), .affine = Axes::of({2, 4})},
                  {2, 3, 2, 3, 2, 3}});
  return list;
}

// Of several blocks, or taken slab by slab.
inline std::vector<Case> large_fusion_cases() {
  return {{"a long row", layer_norm(), {2, 5001}},
          {"many rows", batch_norm(), {300, 37}},
          {"slabs", batch_norm(), {40, 37, 7, 7}}};
}

}  // namespace norma::testing
