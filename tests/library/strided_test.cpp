// Tensors whose rows are further apart than they are long: the bits of dense ones, and nothing written in between.
#include <gtest/gtest.h>

#include <array>

#include "norma/norma.h"
#include "reference/cases.h"
#include "strided.h"

namespace norma {
namespace {

using reference::Case;
using reference::PositionMask;
using reference::Tensor;
using reference::Values;
using testing::remembered_normal;
using testing::Strided;
using testing::strides_with;

constexpr std::array kLayouts{Layout::kChannelsFirst, Layout::kChannelsLast};

struct Results {
  Values y, inferred, dx, inferred_dx, mean, m2, dgamma;
  bool operator==(const Results&) const = default;
};

// Every operation, x, y, dy and dx lying as `strides` says for each of them.
Results run(const Case& c, DType dtype, const std::array<Strides, 4>& strides, MaskView mask) {
  const Values ones(static_cast<std::size_t>(c.shape.elements()), 1);
  Strided x(remembered_normal(c.shape.elements(), 1, 0.5, 2), dtype, c.shape, strides[0]);
  Strided y(ones, dtype, c.shape, strides[1]);
  Strided dy(remembered_normal(c.shape.elements(), 2), dtype, c.shape, strides[2]);
  Strided dx(ones, dtype, c.shape, strides[3]);
  const Shape parameters = affine_shape(c.descriptor, c.shape);
  const Shape size = statistics_shape(c.descriptor, c.shape);
  const Tensor gamma(remembered_normal(parameters.elements(), 3, 1, 0.5), dtype, parameters);
  const Tensor beta(remembered_normal(parameters.elements(), 4), dtype, parameters);
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

TEST(Strided, TensorsOfSeveralBlocksGiveTheBitsOfDenseOnes) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    expect_the_bits_of_dense({"columns", batch_norm(), {700, 35}}, dtype, Layout::kChannelsFirst);
    expect_the_bits_of_dense({"few columns", batch_norm(), {700, 3}}, dtype, Layout::kChannelsFirst);
    expect_the_bits_of_dense({"long rows", layer_norm(), {3, 9001}}, dtype, Layout::kChannelsFirst);
    for (const Layout layout : kLayouts) {
      expect_the_bits_of_dense({"slabs", batch_norm(), {40, 37, 7, 7}}, dtype, layout);
    }
  }
}

TEST(Strided, TensorsUnderAMaskGiveTheBitsOfDenseOnes) {
  for (const Case& c : reference::few_cases()) {
    const PositionMask mask(c, reference::mask_axes(c).front(), 1);
    for (const Layout layout : kLayouts) expect_the_bits_of_dense(c, DType::kFloat32, layout, mask.view());
  }
}

// Beyond the caches, where rows are streamed: to multiples of a cache line, which the gaps keep.
TEST(Strided, TensorsBeyondTheCachesGiveTheBitsOfDenseOnes) {
  const auto expect = [](const Case& c, DType dtype) {
    const Strides dense = dense_strides(c.shape, Layout::kChannelsFirst);
    const Strides even = strides_with(c.shape, Layout::kChannelsFirst, 1, 64);
    const Results want = run(c, dtype, {dense, dense, dense, dense}, {});
    EXPECT_TRUE(run(c, dtype, {dense, even, even, even}, {}) == want) << c.name;
  };
  expect({"layer_norm", layer_norm(), {8200, 512}}, DType::kBFloat16);
  expect({"batch_norm", batch_norm(), {8200, 256}}, DType::kFloat32);
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
