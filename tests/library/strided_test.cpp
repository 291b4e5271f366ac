// Tensors whose rows are further apart than they are long: the bits of dense ones, and nothing written in between.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "norma/norma.h"
#include "reference/cases.h"

namespace norma {
namespace {

using reference::Case;
using reference::normal;
using reference::PositionMask;
using reference::Tensor;
using reference::Values;

constexpr std::array kLayouts{Layout::kChannelsFirst, Layout::kChannelsLast};

// Strides of this layout with `gap` elements left out after every full run of the `inner` innermost axes.
Strides strides_with(const Shape& shape, Layout layout, int inner, std::int64_t gap) {
  std::vector<int> order;  // innermost first
  for (int axis = shape.rank() - 1; axis >= 0; --axis) order.push_back(axis);
  if (layout == Layout::kChannelsLast && shape.rank() > 2) {
    order.erase(std::find(order.begin(), order.end(), 1));
    order.insert(order.begin(), 1);
  }
  Strides strides{};
  std::int64_t stride = 1;
  for (std::size_t n = 0; n < order.size(); ++n) {
    if (static_cast<int>(n) == inner) stride += gap;
    strides[static_cast<std::size_t>(order[n])] = stride;
    stride *= shape[order[n]];
  }
  return strides;
}

// A tensor with such strides, whose gaps must stay as they are.
class Strided {
 public:
  Strided(const Values& values, DType dtype, const Shape& shape, const Strides& strides)
      : dtype_(dtype), shape_(shape), strides_(strides) {
    std::int64_t reach = 1;
    for (int axis = 0; axis < shape.rank(); ++axis)
      reach += (shape[axis] - 1) * strides[static_cast<std::size_t>(axis)];
    memory_.assign(static_cast<std::size_t>(reach) * size_of(dtype), std::byte{0xA5});
    reference::write(values, view());
    before_ = memory_;
  }
  TensorView view() { return {memory_.data(), dtype_, shape_, strides_}; }
  Values values() { return reference::read(view()); }
  bool gaps_intact() {
    // With the elements put back as they were, nothing may be left that differs.
    std::vector<std::byte> now = memory_;
    reference::for_each_index(shape_, [&](const auto& index, std::int64_t) {
      std::int64_t at = 0;
      for (std::size_t axis = 0; axis < index.size(); ++axis) at += index[axis] * strides_[axis];
      std::memcpy(now.data() + static_cast<std::size_t>(at) * size_of(dtype_),
                  before_.data() + static_cast<std::size_t>(at) * size_of(dtype_), size_of(dtype_));
    });
    return now == before_;
  }

 private:
  DType dtype_;
  Shape shape_;
  Strides strides_;
  std::vector<std::byte> memory_, before_;
};

struct Results {
  Values y, inferred, dx, inferred_dx, mean, m2, dgamma;
  bool operator==(const Results&) const = default;
};

// Every operation, x, y, dy and dx lying as `strides` says for each of them.
Results run(const Case& c, DType dtype, const std::array<Strides, 4>& strides, MaskView mask) {
  const Values ones(static_cast<std::size_t>(c.shape.elements()), 1);
  Strided x(normal(c.shape.elements(), 1, 0.5, 2), dtype, c.shape, strides[0]);
  Strided y(ones, dtype, c.shape, strides[1]);
  Strided dy(normal(c.shape.elements(), 2), dtype, c.shape, strides[2]);
  Strided dx(ones, dtype, c.shape, strides[3]);
  const Shape parameters = affine_shape(c.descriptor, c.shape);
  const Shape size = statistics_shape(c.descriptor, c.shape);
  const Tensor gamma(normal(parameters.elements(), 3, 1, 0.5), dtype, parameters);
  const Tensor beta(normal(parameters.elements(), 4), dtype, parameters);
  const Tensor ones_variance(Values(static_cast<std::size_t>(size.elements()), 1), DType::kFloat64, size);
  Tensor mean(DType::kFloat64, size), rstd(DType::kFloat64, size), m2(DType::kFloat64, size), dgamma(dtype, parameters);
  Results results;
  forward(c.descriptor, x.view(), gamma.view(), beta.view(), y.view(), mean.view(), rstd.view(), mask);
  results.y = y.values();
  backward(c.descriptor, dy.view(), x.view(), gamma.view(), mean.view(), rstd.view(), dx.view(), dgamma.view(), {},
           mask);
  results.dx = dx.values();
  results.dgamma = dgamma.values();
  inference(c.descriptor, x.view(), gamma.view(), beta.view(), mean.view(), ones_variance.view(), y.view(), mask);
  results.inferred = y.values();
  inference_backward(c.descriptor, dy.view(), x.view(), gamma.view(), mean.view(), ones_variance.view(), dx.view(), {},
                     {}, mask);
  results.inferred_dx = dx.values();
  statistics(c.descriptor, x.view(), mean.view(), m2.view(), mask);
  results.mean = mean.values();
  results.m2 = m2.values();
  EXPECT_TRUE(x.gaps_intact() && y.gaps_intact() && dy.gaps_intact() && dx.gaps_intact()) << c.name;
  return results;
}

void expect_the_bits_of_dense(const Case& c, DType dtype, Layout layout, MaskView mask = {}) {
  const Strides dense = dense_strides(c.shape, layout);
  const Results want = run(c, dtype, {dense, dense, dense, dense}, mask);
  for (int inner = 1; inner < c.shape.rank(); ++inner) {
    const Strides odd = strides_with(c.shape, layout, inner, 5);
    const Strides even = strides_with(c.shape, layout, inner, 64);
    for (const auto& strides :
         {std::array{odd, odd, odd, odd}, std::array{odd, dense, even, odd}, std::array{dense, even, dense, dense}}) {
      EXPECT_TRUE(run(c, dtype, strides, mask) == want)
          << c.name << ", " << name_of(dtype) << ", a gap after " << inner << " axes"
          << (layout == Layout::kChannelsLast ? ", channels last" : "");
    }
  }
}

TEST(Strided, TensorsGiveTheBitsOfDenseOnes) {
  std::vector<Case> cases = reference::few_cases();
  cases.push_back({"short rows", layer_norm(), {5, 4, 1}});
  cases.push_back({"large", batch_norm(), {700, 70}});
  cases.push_back({"long rows", layer_norm(), {5, 9001}});
  cases.push_back({"slabs", batch_norm(), {70, 40, 7, 7}});
  for (const Case& c : cases) {
    for (const DType dtype : kDTypes) {
      for (const std::string& isa : available_isas()) {
        force_isa(isa);
        for (const Layout layout : kLayouts) expect_the_bits_of_dense(c, dtype, layout);
      }
      force_isa("");
    }
  }
}

TEST(Strided, TensorsUnderAMaskGiveTheBitsOfDenseOnes) {
  for (const Case& c : reference::few_cases()) {
    const PositionMask mask(c, reference::mask_axes(c).front(), 1);
    for (const Layout layout : kLayouts) expect_the_bits_of_dense(c, DType::kFloat32, layout, mask.view());
  }
}

// Beyond the caches, where rows are streamed.
TEST(Strided, TensorsBeyondTheCachesGiveTheBitsOfDenseOnes) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    expect_the_bits_of_dense({"layer_norm", layer_norm(), {4000, 1024}}, dtype, Layout::kChannelsFirst);
    expect_the_bits_of_dense({"batch_norm", batch_norm(), {20000, 256}}, dtype, Layout::kChannelsFirst);
  }
}

TEST(Strided, TensorsThatOverlapOrAreNoRowsAreErrors) {
  std::vector<float> memory(1000);
  const Shape shape{3, 4, 5};
  const TensorView dense(memory.data(), shape);
  for (const Strides& strides : {Strides{20, 4, 1}, Strides{19, 5, 1}, Strides{40, 10, 2}, Strides{20, 5, -1},
                                 Strides{0, 5, 1}, Strides{std::int64_t{1} << 60, 5, 1}, Strides{5, 15, 1}}) {
    const ConstTensorView x(memory.data(), DType::kFloat32, shape, strides);
    EXPECT_THROW(forward(layer_norm(), x, {}, {}, dense, {}, {}), Error) << strides[0] << " " << strides[1];
  }
  const Strides first = strides_with(shape, Layout::kChannelsFirst, 1, 3);
  const Strides last = strides_with(shape, Layout::kChannelsLast, 1, 3);
  EXPECT_THROW(forward(layer_norm(), {memory.data(), DType::kFloat32, shape, first}, {}, {},
                       {memory.data() + 500, DType::kFloat32, shape, last}, {}, {}),
               Error);
}

}  // namespace
}  // namespace norma
