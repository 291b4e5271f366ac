// Masks: what is masked has no say, and what is left has the bits of the same call without a mask on the valid elements
// packed. The elements are packed here a second time, by plain loops over logical indexes.
#include <gmock/gmock.h>

#include <cmath>

#include "norma/norma.h"
#include "reference/cases.h"

namespace norma {
namespace {

using reference::Case;
using reference::normal;
using reference::PositionMask;
using reference::Tensor;
using reference::Values;
using ::testing::Each;
using ::testing::Gt;

// Everything that the operations give for one x, dy, gamma and beta.
struct Results {
  Values y, mean, rstd, m2, inferred, dx, dgamma, dbeta, inferred_dx, inferred_dgamma, inferred_dbeta;
  bool operator==(const Results&) const = default;
};

struct Inputs {
  Descriptor descriptor;
  Shape shape;
  Layout layout = Layout::kChannelsFirst;
  DType dtype = DType::kFloat32;
  Values x, dy, gamma, beta, running_mean, running_variance;
};

Inputs inputs_of(const Descriptor& descriptor, const Shape& shape, Layout layout, DType dtype) {
  const std::int64_t parameters = affine_shape(descriptor, shape).elements();
  const std::int64_t statistics_count = statistics_shape(descriptor, shape).elements();
  Inputs in{descriptor, shape, layout, dtype, {}, {}, {}, {}, {}, {}};
  in.x = normal(shape.elements(), 1, 0.5, 2);
  in.dy = normal(shape.elements(), 2);
  in.gamma = normal(parameters, 3, 1, 0.5);
  in.beta = normal(parameters, 4);
  in.running_mean = normal(statistics_count, 5);
  in.running_variance = normal(statistics_count, 6);
  for (double& value : in.running_variance) value = 0.5 + value * value;
  return in;
}

Results run(const Inputs& in, MaskView mask = {}) {
  const Descriptor& d = in.descriptor;
  const Shape affine = affine_shape(d, in.shape);
  const Shape size = statistics_shape(d, in.shape);
  const Tensor x(in.x, in.dtype, in.shape, in.layout), dy(in.dy, in.dtype, in.shape, in.layout);
  const Tensor gamma(in.gamma, in.dtype, affine), beta(in.beta, in.dtype, affine);
  const Tensor given_mean(in.running_mean, in.dtype, size), given_variance(in.running_variance, in.dtype, size);
  Tensor y(in.dtype, in.shape, in.layout), dx(in.dtype, in.shape, in.layout);
  Tensor mean(DType::kFloat64, size), rstd(DType::kFloat64, size), other(DType::kFloat64, size);
  Tensor dgamma(in.dtype, affine), dbeta(in.dtype, affine);
  Results out;
  forward(d, x.view(), gamma.view(), beta.view(), y.view(), mean.view(), rstd.view(), mask);
  out.y = y.values();
  out.mean = mean.values();
  out.rstd = rstd.values();
  backward(d, dy.view(), x.view(), gamma.view(), mean.view(), rstd.view(), dx.view(), dgamma.view(), dbeta.view(),
           mask);
  out.dx = dx.values();
  out.dgamma = dgamma.values();
  out.dbeta = dbeta.values();
  statistics(d, x.view(), other.view(), rstd.view(), mask);
  out.m2 = rstd.values();
  inference(d, x.view(), gamma.view(), beta.view(), given_mean.view(), given_variance.view(), y.view(), mask);
  out.inferred = y.values();
  inference_backward(d, dy.view(), x.view(), gamma.view(), given_mean.view(), given_variance.view(), dx.view(),
                     dgamma.view(), dbeta.view(), mask);
  out.inferred_dx = dx.values();
  out.inferred_dgamma = dgamma.values();
  out.inferred_dbeta = dbeta.values();
  return out;
}

// The values of `whole` at these positions.
Values at(const Values& whole, const std::vector<std::size_t>& positions) {
  Values values;
  for (const std::size_t i : positions) values.push_back(whole[i]);
  return values;
}

// Logical positions of the valid elements in the order of a packed tensor of the shape (1, C, valid positions), for x
// of (N,C,...) and a mask of samples and positions: channel by channel.
std::vector<std::size_t> by_channel(const Shape& x, const reference::Mask& mask) {
  std::vector<std::size_t> positions;
  for (std::int64_t c = 0; c < x[1]; ++c) {
    reference::for_each_index(x, [&](const auto& index, std::int64_t position) {
      const auto i = static_cast<std::size_t>(position);
      if (index[1] == c && mask[i] != 0) positions.push_back(i);
    });
  }
  return positions;
}

// In logical order.
std::vector<std::size_t> valid(const reference::Mask& mask) {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0) positions.push_back(i);
  }
  return positions;
}

Inputs spoiled(Inputs in, const reference::Mask& mask) {
  reference::spoil(in.x, mask);
  reference::spoil(in.dy, mask);
  return in;
}

void expect_masked_zero(const Results& got, const reference::Mask& mask) {
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0) continue;
    for (const Values* values : {&got.y, &got.inferred, &got.dx, &got.inferred_dx}) {
      ASSERT_EQ((*values)[i], 0) << i;
      ASSERT_FALSE(std::signbit((*values)[i]));
    }
  }
}

// One dense call stands for the masked one: all bits are its.
void expect_dense(const Inputs& in, const PositionMask& mask, const Shape& packed,
                  const std::vector<std::size_t>& positions) {
  const Results got = run(spoiled(in, mask.elements()), mask.view());
  Inputs dense = in;
  dense.shape = packed;
  dense.x = at(in.x, positions);
  dense.dy = at(in.dy, positions);
  const Results want = run(dense);
  EXPECT_EQ(at(got.y, positions), want.y);
  EXPECT_EQ(at(got.dx, positions), want.dx);
  EXPECT_EQ(at(got.inferred, positions), want.inferred);
  EXPECT_EQ(at(got.inferred_dx, positions), want.inferred_dx);
  EXPECT_EQ(got.dgamma, want.dgamma);
  EXPECT_EQ(got.dbeta, want.dbeta);
  EXPECT_EQ(got.inferred_dgamma, want.inferred_dgamma);
  EXPECT_EQ(got.inferred_dbeta, want.inferred_dbeta);
  EXPECT_EQ(got.mean, want.mean);
  EXPECT_EQ(got.rstd, want.rstd);
  EXPECT_EQ(got.m2, want.m2);
  expect_masked_zero(got, mask.elements());
}

constexpr std::array kLayouts{Layout::kChannelsFirst, Layout::kChannelsLast};

TEST(Mask, OfSamplesAndPositionsGivesBatchNormTheBitsOfTheValidOnesPacked) {
  for (const Shape& shape : {Shape{5, 7, 11}, Shape{4, 17, 3, 5}, Shape{40, 33, 20}}) {
    for (const Layout layout : kLayouts) {
      for (const DType dtype : kDTypes) {
        SCOPED_TRACE(shape.to_string());
        const Inputs in = inputs_of(batch_norm(), shape, layout, dtype);
        const PositionMask mask({"", batch_norm(), shape}, ~2U, 3);
        const std::vector<std::size_t> positions = by_channel(shape, mask.elements());
        const std::int64_t count = static_cast<std::int64_t>(positions.size()) / shape[1];
        std::vector<std::int64_t> packed(static_cast<std::size_t>(shape.rank()), 1);
        packed[1] = shape[1];
        packed.back() = count;
        expect_dense(in, mask, Shape(packed), positions);
      }
    }
  }
}

// Every sample has the same: they stay apart.
TEST(Mask, OfPositionsAloneGivesTheBitsOfTheValidOnesPackedSampleBySample) {
  const Shape shape{3, 4, 9, 11};
  for (const Descriptor& d : {batch_norm(), instance_norm(), group_norm(2)}) {
    for (const std::uint32_t axes : {4U | 8U, 8U}) {
      SCOPED_TRACE(d.name);
      const PositionMask mask({"", d, shape}, axes, 3);
      const std::vector<std::size_t> positions = valid(mask.elements());
      const std::int64_t rows = axes == 8U ? shape[2] : 1;
      const std::int64_t count = static_cast<std::int64_t>(positions.size()) / (std::int64_t{12} * rows);
      expect_dense(inputs_of(d, shape, Layout::kChannelsFirst, DType::kFloat32), mask, Shape{3, 4, rows, count},
                   positions);
    }
  }
}

// Rows stay apart too where only columns of pixels are masked: (1,C,H,valid columns of all samples).
TEST(Mask, OfColumnsGivesBatchNormTheBitsOfTheValidOnesPackedRowByRow) {
  const Shape shape{3, 4, 9, 11};
  const PositionMask mask({"", batch_norm(), shape}, 1U | 8U, 3);
  std::vector<std::size_t> positions;
  for (std::size_t c = 0; c < 4; ++c) {
    for (std::size_t h = 0; h < 9; ++h) {
      for (std::size_t n = 0; n < 3; ++n) {
        for (std::size_t w = 0; w < 11; ++w) {
          const std::size_t i = ((n * 4 + c) * 9 + h) * 11 + w;
          if (mask.elements()[i] != 0) positions.push_back(i);
        }
      }
    }
  }
  expect_dense(inputs_of(batch_norm(), shape, Layout::kChannelsFirst, DType::kFloat32), mask,
               Shape{1, 4, 9, static_cast<std::int64_t>(positions.size()) / 36}, positions);
}

// Images past the caches are swept in the order of memory, by all threads together.
TEST(Mask, OfPixelsOfLargeImagesGivesTheBitsOfTheValidOnesPackedOnAnyThreads) {
  const Shape shape{3, 2, 601, 603};  // 2 x 8.3 MiB
  const Inputs in = inputs_of(batch_norm(), shape, Layout::kChannelsFirst, DType::kFloat32);
  const PositionMask mask({"", batch_norm(), shape}, ~2U, 3);
  const std::vector<std::size_t> positions = by_channel(shape, mask.elements());
  const Shape packed{1, 2, 1, static_cast<std::int64_t>(positions.size()) / 2};
  for (const int threads : {1, 3}) {
    const ThreadsScope scope({.count = threads});
    expect_dense(in, mask, packed, positions);
  }
}

// Squares that leave f64's range are taken again, without what is masked.
TEST(Mask, OfPixelsOfExtremeDataGivesTheBitsOfTheValidOnesPacked) {
  const Shape shape{3, 2, 5, 7};
  for (const double size : {1e-170, 1e200}) {
    Inputs in = inputs_of(batch_norm(0.0), shape, Layout::kChannelsFirst, DType::kFloat64);
    for (double& value : in.x) value *= size;
    const PositionMask mask({"", batch_norm(), shape}, ~2U, 3);
    const std::vector<std::size_t> positions = by_channel(shape, mask.elements());
    const std::int64_t count = static_cast<std::int64_t>(positions.size()) / 2;
    const Results got = run(spoiled(in, mask.elements()), mask.view());
    Inputs dense = in;
    dense.shape = Shape{1, 2, 1, count};
    dense.x = at(in.x, positions);
    dense.dy = at(in.dy, positions);
    const Results want = run(dense);
    EXPECT_EQ(at(got.y, positions), want.y);
    EXPECT_EQ(got.rstd, want.rstd);
    EXPECT_THAT(got.rstd, Each(Gt(0)));
  }
}

// (N,T,C) and (N,H,W,C): the features are the last axis.
TEST(Mask, OfPositionsBeforeTheFeaturesGivesBatchNormTheBitsOfTheRowsLeft) {
  for (const Shape& shape : {Shape{5, 11, 7}, Shape{4, 3, 5, 17}, Shape{40, 20, 33}}) {
    for (const DType dtype : kDTypes) {
      SCOPED_TRACE(shape.to_string());
      Descriptor d = batch_norm();
      d.statistics = Axes::all_but({-1});
      d.affine = Axes::of({-1});
      const PositionMask mask({"", d, shape}, ~(1U << (shape.rank() - 1)), 4);
      const std::vector<std::size_t> positions = valid(mask.elements());
      std::vector<std::int64_t> packed(static_cast<std::size_t>(shape.rank()), 1);
      packed.back() = shape[shape.rank() - 1];
      packed[packed.size() - 2] = static_cast<std::int64_t>(positions.size()) / packed.back();
      expect_dense(inputs_of(d, shape, Layout::kChannelsFirst, dtype), mask, Shape(packed), positions);
    }
  }
}

TEST(Mask, OfSamplesGivesTheBitsOfTheSamplesLeft) {
  const Shape shape{9, 6, 5, 3};
  for (const Layout layout : kLayouts) {
    const PositionMask mask({"", batch_norm(), shape}, 1U, 5);
    const std::vector<std::size_t> positions = valid(mask.elements());
    const std::int64_t samples = static_cast<std::int64_t>(positions.size()) / (std::int64_t{6} * 5 * 3);
    ASSERT_LT(samples, 9);
    expect_dense(inputs_of(batch_norm(), shape, layout, DType::kFloat32), mask, {samples, 6, 5, 3}, positions);
  }
}

// Statistics of a sample, or of a position: those of what is left, whatever else is in the batch, and so the same bits
// as without the others. (The sums behind dgamma and dbeta run over other elements.)
TEST(Mask, LeavesTheBitsOfEveryOtherSampleAndRow) {
  struct Law {
    Descriptor descriptor;
    Shape shape;
    std::uint32_t axes;
  };
  const Shape shape{6, 4, 5, 3};
  for (const Law& law :
       {Law{layer_norm(), shape, 7U}, Law{rms_norm(), shape, 7U}, Law{layer_norm(3), shape, 1U},
        Law{group_norm(2), shape, 1U}, Law{instance_norm(), shape, 1U}, Law{layer_norm(2), shape, 3U}}) {
    for (const Layout layout : kLayouts) {
      // A mask that varies by feature takes rows of one feature out of channels-last memory, where they lie otherwise.
      if ((law.axes & 2U) != 0 && layout == Layout::kChannelsLast) continue;
      SCOPED_TRACE(law.descriptor.name);
      const Inputs in = inputs_of(law.descriptor, law.shape, layout, DType::kFloat32);
      const PositionMask mask({"", law.descriptor, law.shape}, law.axes, 6);
      const std::vector<std::size_t> positions = valid(mask.elements());
      const Results all = run(in);
      const Results got = run(spoiled(in, mask.elements()), mask.view());
      EXPECT_EQ(at(got.y, positions), at(all.y, positions));
      EXPECT_EQ(at(got.dx, positions), at(all.dx, positions));
      EXPECT_EQ(at(got.inferred, positions), at(all.inferred, positions));
      EXPECT_EQ(at(got.inferred_dx, positions), at(all.inferred_dx, positions));
      expect_masked_zero(got, mask.elements());
    }
  }
}

// InstanceNorm, GroupNorm and LayerNorm over time: sample by sample, the steps that are valid.
TEST(Mask, OfStepsGivesEverySampleTheBitsOfItsOwnStepsPacked) {
  const Shape shape{5, 6, 13};
  const std::array<std::int64_t, 5> lengths{13, 1, 7, 12, 2};
  std::vector<std::uint8_t> bytes;
  for (const std::int64_t length : lengths) {
    for (std::int64_t t = 0; t < shape[2]; ++t) bytes.push_back(t < length ? 1 : 0);
  }
  const MaskView mask(bytes.data(), {5, 1, 13});
  for (const Descriptor& d : {instance_norm(), group_norm(3)}) {
    for (const Layout layout : kLayouts) {
      SCOPED_TRACE(d.name);
      Inputs in = inputs_of(d, shape, layout, DType::kFloat32);
      const Results got = run(in, mask);
      const Results unmasked = run(in);
      const std::size_t statistics_of_sample = got.mean.size() / 5;
      for (std::int64_t n = 0; n < 5; ++n) {
        const std::int64_t length = lengths[static_cast<std::size_t>(n)];
        std::vector<std::size_t> positions;
        for (std::int64_t c = 0; c < 6; ++c) {
          for (std::int64_t t = 0; t < length; ++t) positions.push_back(static_cast<std::size_t>((n * 6 + c) * 13 + t));
        }
        const auto first = static_cast<std::ptrdiff_t>(n) * static_cast<std::ptrdiff_t>(statistics_of_sample);
        const auto of_sample = [&](const Values& all) {
          return Values(all.begin() + first, all.begin() + first + static_cast<std::ptrdiff_t>(statistics_of_sample));
        };
        Inputs alone{d,
                     {1, 6, length},
                     layout,
                     DType::kFloat32,
                     at(in.x, positions),
                     at(in.dy, positions),
                     in.gamma,
                     in.beta,
                     of_sample(in.running_mean),
                     of_sample(in.running_variance)};
        const Results want = run(alone);
        EXPECT_EQ(at(got.y, positions), want.y);
        EXPECT_EQ(at(got.dx, positions), want.dx);
        EXPECT_EQ(at(got.inferred_dx, positions), want.inferred_dx);
        // Of a step alone gamma is not folded into the coefficients: inference has the bits of all steps.
        EXPECT_EQ(at(got.inferred, positions), at(unmasked.inferred, positions));
        EXPECT_EQ(of_sample(got.mean), want.mean);
        EXPECT_EQ(of_sample(got.m2), want.m2);
      }
    }
  }
}

// Normalization batches: an axis in front whose index parts the batch. Each has the statistics of its own valid values.
TEST(Mask, GivesEveryGroupOfTheBatchItsOwnValidValues) {
  Descriptor d = batch_norm();
  d.statistics = Axes::of({1, 3});
  d.affine = Axes::of({2});
  const Shape shape{3, 4, 5, 6};  // 3 groups of 4 samples of 5 features and 6 steps
  const PositionMask mask({"", d, shape}, 0b1011U, 8);
  const Inputs in = inputs_of(d, shape, Layout::kChannelsFirst, DType::kFloat32);
  const Results got = run(spoiled(in, mask.elements()), mask.view());
  for (std::size_t g = 0; g < 3; ++g) {
    std::vector<std::size_t> positions;
    for (const std::size_t i : by_channel({12, 5, 6}, mask.elements())) {
      if (i / (std::size_t{4} * 5 * 6) == g) positions.push_back(i);
    }
    Inputs alone = inputs_of(batch_norm(), {1, 5, static_cast<std::int64_t>(positions.size()) / 5},
                             Layout::kChannelsFirst, DType::kFloat32);
    alone.x = at(in.x, positions);
    alone.dy = at(in.dy, positions);
    const Results want = run(alone);
    EXPECT_EQ(at(got.y, positions), want.y);
    EXPECT_EQ(at(got.dx, positions), want.dx);
  }
}

TEST(Mask, ThatMasksNothingGivesTheBitsOfNoMask) {
  for (const Case& c : reference::few_cases()) {
    const Inputs in = inputs_of(c.descriptor, c.shape, Layout::kChannelsLast, DType::kFloat32);
    const Results want = run(in);
    for (const std::uint32_t axes : reference::mask_axes(c)) {
      std::vector<std::int64_t> sizes;
      for (int axis = 0; axis < c.shape.rank(); ++axis) sizes.push_back((axes >> axis & 1U) != 0 ? c.shape[axis] : 1);
      const Shape shape(sizes);
      const std::vector<std::uint8_t> ones(static_cast<std::size_t>(shape.elements()), 1);
      EXPECT_EQ(run(in, {ones.data(), shape}), want) << c.name;
    }
  }
}

TEST(Mask, GivesTheSameWhateverStandsWhereItMasks) {
  for (const Case& c : reference::few_cases()) {
    for (const Layout layout : kLayouts) {
      for (const std::uint32_t axes : reference::mask_axes(c)) {
        const Inputs in = inputs_of(c.descriptor, c.shape, layout, DType::kFloat32);
        const PositionMask mask(c, axes, 9);
        EXPECT_EQ(run(spoiled(in, mask.elements()), mask.view()), run(in, mask.view())) << c.name;
      }
    }
  }
}

// Which position a valid row stands at does not matter: another mask with the same rows left, in the same order.
TEST(Mask, LeavesNothingOfWhereTheValidSamplesStood) {
  const Shape shape{8, 5};
  const Inputs in = inputs_of(batch_norm(), shape, Layout::kChannelsFirst, DType::kFloat32);
  Inputs moved = in;
  const std::vector<std::uint8_t> first{1, 1, 0, 1, 1, 0, 0, 0}, second{0, 1, 0, 0, 1, 1, 0, 1};
  const std::array<std::size_t, 4> from{0, 1, 3, 4}, to{1, 4, 5, 7};
  for (std::size_t k = 0; k < 4; ++k) {
    for (std::size_t c = 0; c < 5; ++c) {
      moved.x[to[k] * 5 + c] = in.x[from[k] * 5 + c];
      moved.dy[to[k] * 5 + c] = in.dy[from[k] * 5 + c];
    }
  }
  const Results a = run(in, {first.data(), {8, 1}});
  const Results b = run(moved, {second.data(), {8, 1}});
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.dgamma, b.dgamma);
  for (std::size_t k = 0; k < 4; ++k) {
    for (std::size_t c = 0; c < 5; ++c) {
      EXPECT_EQ(a.y[from[k] * 5 + c], b.y[to[k] * 5 + c]);
      EXPECT_EQ(a.dx[from[k] * 5 + c], b.dx[to[k] * 5 + c]);
    }
  }
}

// A permutation of the valid samples permutes y and dx; the sums run in another order.
TEST(Mask, KnowsNoOrderAmongTheValidSamples) {
  const Shape shape{8, 5};
  const Inputs in = inputs_of(batch_norm(), shape, Layout::kChannelsFirst, DType::kFloat64);
  Inputs turned = in;
  const std::vector<std::uint8_t> mask{1, 1, 0, 1, 1, 0, 0, 1};
  const std::array<std::size_t, 5> from{0, 1, 3, 4, 7}, to{4, 0, 7, 1, 3};
  for (std::size_t k = 0; k < 5; ++k) {
    for (std::size_t c = 0; c < 5; ++c) {
      turned.x[to[k] * 5 + c] = in.x[from[k] * 5 + c];
      turned.dy[to[k] * 5 + c] = in.dy[from[k] * 5 + c];
    }
  }
  const Results a = run(in, {mask.data(), {8, 1}});
  const Results b = run(turned, {mask.data(), {8, 1}});
  // Twice 8 units of roundoff of values below 8.
  constexpr double kBound = 2 * 8 * 0x1p-53 * 8;
  for (std::size_t k = 0; k < 5; ++k) {
    for (std::size_t c = 0; c < 5; ++c) {
      EXPECT_NEAR(a.y[from[k] * 5 + c], b.y[to[k] * 5 + c], kBound);
      EXPECT_NEAR(a.dx[from[k] * 5 + c], b.dx[to[k] * 5 + c], kBound);
    }
  }
}

TEST(Mask, LiesAsItLikes) {
  const Shape shape{4, 3, 5};
  const Inputs in = inputs_of(batch_norm(), shape, Layout::kChannelsFirst, DType::kFloat32);
  std::vector<std::uint8_t> dense(20), backwards(20), apart(100, 1);
  for (std::size_t n = 0; n < 4; ++n) {
    for (std::size_t t = 0; t < 5; ++t) {
      const std::uint8_t byte = (n * 5 + t) % 3 == 0 ? 0 : 1;
      dense[n * 5 + t] = backwards[(3 - n) * 5 + (4 - t)] = apart[t * 20 + n * 3] = byte;
    }
  }
  const Results want = run(in, {dense.data(), {4, 1, 5}});
  EXPECT_EQ(run(in, {backwards.data() + 19, {4, 1, 5}, {-5, 0, -1}}), want);
  EXPECT_EQ(run(in, {apart.data(), {4, 1, 5}, {3, 0, 20}}), want);
  // One byte for all: the whole axis by a stride of 0.
  const std::uint8_t one = 1;
  EXPECT_EQ(run(in, {&one, shape, {}}), run(in));
}

TEST(Mask, WorksInPlace) {
  const Shape shape{4, 3, 5};
  const Inputs in = inputs_of(batch_norm(), shape, Layout::kChannelsFirst, DType::kFloat32);
  const PositionMask mask({"", batch_norm(), shape}, 0b101U, 3);
  const Results want = run(in, mask.view());
  Tensor x(in.x, DType::kFloat32, shape);
  const Tensor gamma(in.gamma, DType::kFloat32, {3}), beta(in.beta, DType::kFloat32, {3});
  forward(batch_norm(), x.view(), gamma.view(), beta.view(), x.view(), {}, {}, mask.view());
  EXPECT_EQ(x.values(), want.y);
  const Tensor again(in.x, DType::kFloat32, shape);
  const Tensor mean(want.mean, DType::kFloat64, {3}), rstd(want.rstd, DType::kFloat64, {3});
  Tensor dy(in.dy, DType::kFloat32, shape);
  backward(batch_norm(), dy.view(), again.view(), gamma.view(), mean.view(), rstd.view(), dy.view(), {}, {},
           mask.view());
  EXPECT_EQ(dy.values(), want.dx);
}

// ------------------------------------------------------------------------------------------------- counts and errors

}  // namespace
}  // namespace norma
