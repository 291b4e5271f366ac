// Calls that a careless or hostile program makes: empty tensors, wrong shapes, missing and null arguments, impossible
// groups and axes. Each gives a clear error or a right answer, never a crash.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <optional>

#include "norma/norma.h"
#include "reference/cases.h"

namespace norma {
namespace {

using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

// A tensor of random numbers.
Tensor some(const Shape& shape, DType dtype = DType::kFloat32, Layout layout = Layout::kChannelsFirst) {
  return {normal(shape.elements(), 77), dtype, shape, layout};
}

void forward_only(const Descriptor& descriptor, const Shape& shape) {
  const Tensor x = some(shape);
  Tensor y(DType::kFloat32, shape);
  forward(descriptor, x.view(), {}, {}, y.view(), {}, {});
}

// Trap 17: eval of (0,64,112,112) crashed; training of (0,5,9) made running_mean NaN; backward of (4,2,0,3) gave null.
TEST(EmptyTensors, GiveEmptyResults) {
  const std::vector<std::pair<Descriptor, Shape>> empties{{batch_norm(), {0, 64, 112, 112}},
                                                          {batch_norm(), {0, 5, 9}},
                                                          {batch_norm(), {4, 2, 0, 3}},
                                                          {layer_norm(), {0, 10}},
                                                          {layer_norm(), {10, 0}},
                                                          {layer_norm(2), {3, 0, 0}},
                                                          {group_norm(2), {0, 4, 3}},
                                                          {group_norm(2), {3, 4, 0}},
                                                          {instance_norm(), {3, 0, 5, 5}},
                                                          {instance_norm(), {3, 4, 0, 5}},
                                                          {rms_norm(), {0, 0}},
                                                          {batch_norm(), {0, 0}},
                                                          {batch_norm(), {5, 0}}};
  for (const auto& [descriptor, shape] : empties) {
    SCOPED_TRACE(descriptor.name + shape.to_string());
    const Shape statistics_size = statistics_shape(descriptor, shape);
    const Shape parameters = affine_shape(descriptor, shape);
    const Tensor x = some(shape);
    const Tensor gamma(Values(static_cast<std::size_t>(parameters.elements()), 2), DType::kFloat32, parameters);
    Tensor y(DType::kFloat32, shape);
    Tensor mean(DType::kFloat32, statistics_size);
    Tensor rstd(DType::kFloat32, statistics_size);
    forward(descriptor, x.view(), gamma.view(), gamma.view(), y.view(), mean.view(), rstd.view());
    for (const double value : mean.values()) EXPECT_FALSE(std::isnan(value));
    for (const double value : rstd.values()) EXPECT_FALSE(std::isnan(value));

    const Tensor variance(Values(static_cast<std::size_t>(statistics_size.elements()), 1), DType::kFloat32,
                          statistics_size);
    Tensor dx(DType::kFloat32, shape);
    Tensor dgamma(DType::kFloat32, parameters);
    Tensor dbeta(DType::kFloat32, parameters);
    inference(descriptor, x.view(), gamma.view(), gamma.view(), variance.view(), variance.view(), y.view());
    backward(descriptor, x.view(), x.view(), gamma.view(), variance.view(), variance.view(), dx.view(), dgamma.view(),
             dbeta.view());
    // A sum over nothing is zero.
    EXPECT_THAT(dgamma.values(), Each(0.0));
    EXPECT_THAT(dbeta.values(), Each(0.0));
    inference_backward(descriptor, x.view(), x.view(), gamma.view(), variance.view(), variance.view(), dx.view(),
                       dgamma.view(), dbeta.view());
    EXPECT_THAT(dgamma.values(), Each(0.0));
    const std::int64_t count = statistics(descriptor, x.view(), mean.view(), rstd.view());
    EXPECT_EQ(count, normalized_size(descriptor, shape));
    EXPECT_TRUE(mean.guards_intact() && rstd.guards_intact() && dgamma.guards_intact() && y.guards_intact());
  }
}

TEST(EmptyTensors, NeedNoMemory) {
  const Shape shape{0, 7};
  float* nothing = nullptr;
  EXPECT_NO_THROW(forward(layer_norm(), {nothing, shape}, {}, {}, {nothing, shape}, {}, {}));
}

TEST(EmptyTensors, OfHugeOtherSizesGiveAnErrorOrNothing) {
  const Shape shape{0, std::int64_t{1} << 62, 4};
  float* nothing = nullptr;
  for (const Descriptor& descriptor : {layer_norm(), layer_norm(2), group_norm(2), instance_norm(), batch_norm()}) {
    // gamma of layer_norm(2) would have 2^64 elements: that is an error, and not an overflow.
    try {
      forward(descriptor, {nothing, shape}, {}, {}, {nothing, shape}, {}, {});
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("2^63"));
    }
  }
}

TEST(HugeTensors, AreCalledThatAndNotMisshapen) {
  float nothing = 0;
  const Shape shape{std::int64_t{1} << 60, 2};
  EXPECT_THAT(
      [&] {
        forward(layer_norm(), {&nothing, shape}, {}, {}, {&nothing, shape}, {}, {});
      },
      ThrowsMessage<Error>(HasSubstr("fewer than 2^60 elements, got 2305843009213693952")));
  EXPECT_THAT([&] { valid_counts(layer_norm(), shape, {}); },
              ThrowsMessage<Error>(HasSubstr("fewer than 2^60 statistics")));
}

// Trap 18: InstanceNorm of (1,3,1,1) threw and of (2,3,1,1) did not.
TEST(OneValuePerStatistic, IsAnErrorWhereTheBatchSharesAndBetaWhereItDoesNot) {
  EXPECT_THAT([] { forward_only(batch_norm(), {1, 3}); }, ThrowsMessage<Error>(HasSubstr("[batch_norm]")));
  EXPECT_THROW(forward_only(batch_norm(), {1, 3, 1, 1}), Error);
  for (const std::int64_t samples : {1, 2}) {
    const Shape shape{samples, 3, 1, 1};
    const Tensor x = some(shape);
    const Tensor beta({1, 2, 3}, DType::kFloat32, {3});
    Tensor y(DType::kFloat32, shape);
    forward(instance_norm(), x.view(), {}, beta.view(), y.view(), {}, {});
    for (std::size_t i = 0; i < y.values().size(); ++i) EXPECT_EQ(y.values()[i], static_cast<double>(i % 3 + 1));
  }
  EXPECT_NO_THROW(forward_only(layer_norm(), {4, 1}));
}

// Trap 21: a parameter whose length is not C overflowed the heap.
TEST(WrongShapes, OfAnyArgumentAreErrorsThatSayWhatWasExpected) {
  const Shape shape{6, 5, 4};
  const Tensor x = some(shape);
  const Tensor right(Values(5, 1), DType::kFloat32, {5});
  Tensor out(DType::kFloat32, {5});
  Tensor y(DType::kFloat32, shape);
  const Descriptor d = batch_norm();
  for (const Shape& wrong : {Shape{4}, Shape{6}, Shape{0}, Shape{1, 5}, Shape{5, 1}, Shape{}, Shape{6, 5, 4}}) {
    const Tensor bad = some(wrong);
    Tensor bad_out(DType::kFloat32, wrong);
    const auto says = [&](const char* argument) {
      return ThrowsMessage<Error>(AllOf(HasSubstr("[batch_norm]"), HasSubstr(argument), HasSubstr(wrong.to_string())));
    };
    EXPECT_THAT([&] { forward(d, x.view(), bad.view(), {}, y.view(), {}, {}); }, says("gamma"));
    EXPECT_THAT([&] { forward(d, x.view(), {}, bad.view(), y.view(), {}, {}); }, says("beta"));
    EXPECT_THAT([&] { forward(d, x.view(), {}, {}, y.view(), bad_out.view(), {}); }, says("mean"));
    EXPECT_THAT([&] { forward(d, x.view(), {}, {}, y.view(), {}, bad_out.view()); }, says("rstd"));
    EXPECT_THAT([&] { inference(d, x.view(), {}, {}, bad.view(), right.view(), y.view()); }, says("mean"));
    EXPECT_THAT([&] { inference(d, x.view(), {}, {}, right.view(), bad.view(), y.view()); }, says("variance"));
    EXPECT_THAT([&] { backward(d, x.view(), x.view(), {}, right.view(), bad.view(), y.view(), {}, {}); }, says("rstd"));
    EXPECT_THAT([&] { backward(d, x.view(), x.view(), {}, right.view(), right.view(), {}, bad_out.view(), {}); },
                says("dgamma"));
    EXPECT_THAT([&] { backward(d, x.view(), x.view(), {}, right.view(), right.view(), {}, {}, bad_out.view()); },
                says("dbeta"));
    EXPECT_THAT([&] { statistics(d, x.view(), bad_out.view(), out.view()); }, says("mean"));
    EXPECT_THAT([&] { statistics(d, x.view(), out.view(), bad_out.view()); }, says("m2"));
    if (wrong == shape) continue;
    EXPECT_THAT([&] { forward(d, x.view(), {}, {}, bad_out.view(), {}, {}); }, says("y"));
    EXPECT_THAT([&] { backward(d, bad.view(), x.view(), {}, right.view(), right.view(), y.view(), {}, {}); },
                says("dy"));
    EXPECT_THAT([&] { backward(d, x.view(), x.view(), {}, right.view(), right.view(), bad_out.view(), {}, {}); },
                says("dx"));
  }
}

TEST(WrongShapes, AreRefusedWhenTheyAreMade) {
  EXPECT_THROW(Shape({2, -1}), Error);
  EXPECT_THROW(Shape({kHuge, 2}), Error);
  EXPECT_THROW(Shape({std::int64_t{1} << 32, std::int64_t{1} << 31}), Error);
  EXPECT_THROW(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
  EXPECT_NO_THROW(Shape({kHuge, 1}));
  EXPECT_NO_THROW(Shape({kHuge, 2, 0}));
}

// Trap 22: input of rank 1; eval without statistics.
TEST(WrongRank, IsAnErrorWhereAnAxisIsMissing) {
  EXPECT_THROW(forward_only(batch_norm(), {5}), Error);
  EXPECT_THROW(forward_only(group_norm(1), {5}), Error);
  EXPECT_THROW(forward_only(instance_norm(), {5}), Error);
  EXPECT_THROW(forward_only(layer_norm(2), {5}), Error);
  EXPECT_THROW(forward_only(layer_norm(), {}), Error);
  EXPECT_NO_THROW(forward_only(layer_norm(), {5}));
}

TEST(MissingArguments, AreErrorsWhereTheyAreNeeded) {
  const Shape shape{6, 5};
  const Tensor x = some(shape);
  const Tensor right(Values(5, 1), DType::kFloat32, {5});
  Tensor y(DType::kFloat32, shape);
  const Descriptor d = batch_norm();
  EXPECT_THROW(forward(d, {}, {}, {}, y.view(), {}, {}), Error);
  EXPECT_THROW(forward(d, x.view(), {}, {}, {}, {}, {}), Error);
  EXPECT_THAT([&] { inference(d, x.view(), {}, {}, {}, right.view(), y.view()); },
              ThrowsMessage<Error>(HasSubstr("mean")));
  EXPECT_THAT([&] { inference(d, x.view(), {}, {}, right.view(), {}, y.view()); },
              ThrowsMessage<Error>(HasSubstr("variance")));
  EXPECT_THROW(backward(d, {}, x.view(), {}, right.view(), right.view(), y.view(), {}, {}), Error);
  EXPECT_THROW(backward(d, x.view(), {}, {}, right.view(), right.view(), y.view(), {}, {}), Error);
  EXPECT_THROW(backward(d, x.view(), x.view(), {}, {}, right.view(), y.view(), {}, {}), Error);
  EXPECT_THROW(backward(d, x.view(), x.view(), {}, right.view(), {}, y.view(), {}, {}), Error);
  EXPECT_THROW(statistics(d, {}, y.view(), y.view()), Error);
}

TEST(NullMemory, IsAnErrorInATensorThatHasElements) {
  const Shape shape{6, 5};
  const Tensor x = some(shape);
  Tensor y(DType::kFloat32, shape);
  float* null = nullptr;
  EXPECT_THROW(forward(layer_norm(), {null, shape}, {}, {}, y.view(), {}, {}), Error);
  EXPECT_THROW(forward(layer_norm(), x.view(), {}, {}, {null, shape}, {}, {}), Error);
  EXPECT_THROW(forward(layer_norm(), x.view(), {null, Shape{5}}, {}, y.view(), {}, {}), Error);
  EXPECT_THROW(forward(layer_norm(), x.view(), {}, {}, y.view(), {null, Shape{6}}, {}), Error);
}

TEST(WrongTypesAndStrides, AreErrors) {
  const Shape shape{4, 6, 5};
  const Tensor x = some(shape);
  const Tensor last = some(shape, DType::kFloat32, Layout::kChannelsLast);
  const Tensor wide = some(shape, DType::kFloat64);
  const Tensor gamma64(Values(6, 1), DType::kFloat64, {6});
  Tensor y(DType::kFloat32, shape);
  Tensor y64(DType::kFloat64, shape);
  Tensor mean32(DType::kFloat32, {6});
  EXPECT_THROW(forward(batch_norm(), x.view(), {}, {}, y64.view(), {}, {}), Error);
  EXPECT_THROW(forward(batch_norm(), wide.view(), {}, {}, y.view(), {}, {}), Error);
  EXPECT_THROW(forward(batch_norm(), x.view(), gamma64.view(), {}, y.view(), {}, {}), Error);
  EXPECT_THROW(forward(batch_norm(), wide.view(), {}, {}, y64.view(), mean32.view(), {}), Error);
  EXPECT_THROW(forward(batch_norm(), last.view(), {}, {}, y.view(), {}, {}), Error);
  Strides strides = dense_strides(shape, Layout::kChannelsFirst);
  for (const std::int64_t bad : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{2}, kHuge}) {
    Strides broken = strides;
    broken[2] = bad;
    EXPECT_THROW(forward(batch_norm(), {x.view().data(), DType::kFloat32, shape, broken}, {}, {}, y.view(), {}, {}),
                 Error)
        << bad;
  }
}

// Nothing steps over an axis of size 1. The rows are too uneven for the kernels: x is copied.
TEST(AnyStride, OfAnAxisOfSizeOneIsIgnored) {
  const Shape shape{2, 1, 3, 5};
  const Tensor x = some(shape);
  Tensor want(DType::kFloat32, shape), y(DType::kFloat32, shape);
  forward(layer_norm(), x.view(), {}, {}, want.view(), {}, {});
  std::vector<float> memory(100);
  for (const std::int64_t any : {kHuge, -kHuge - 1, std::int64_t{0}, std::int64_t{-7}}) {
    const TensorView uneven(memory.data(), DType::kFloat32, shape, {40, any, 6, 1});
    reference::write(x.values(), {memory.data(), DType::kFloat32, shape, {40, 0, 6, 1}});
    forward(layer_norm(), uneven, {}, {}, y.view(), {}, {});
    EXPECT_EQ(y.bytes(), want.bytes()) << any;
    forward(layer_norm(), uneven, {}, {}, uneven, {}, {});
    EXPECT_EQ(reference::read({memory.data(), DType::kFloat32, shape, {40, 0, 6, 1}}), want.values()) << any;
  }
}

TEST(WrongDescriptors, AreErrors) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(forward_only(layer_norm(1, nan), {6, 5}), Error);
  EXPECT_THROW(forward_only(layer_norm(1, -1e-5), {6, 5}), Error);
  for (const std::int64_t groups :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{4}, std::int64_t{12}, kHuge, -kHuge}) {
    EXPECT_THROW(forward_only(group_norm(groups), {2, 6, 3}), Error) << groups;
  }
  Descriptor split_but_kept = batch_norm();
  split_but_kept.groups = 2;
  EXPECT_THROW(forward_only(split_but_kept, {4, 6}), Error);
  Descriptor descriptor = layer_norm();
  for (const int axis : {2, -3, 7}) {
    descriptor.statistics = Axes::of({axis});
    EXPECT_THROW(forward_only(descriptor, {6, 5}), Error) << axis;
  }
  EXPECT_THROW(Axes::of({0, 1, 2, 3, 4, 5, 6, 7, 0}), Error);
  EXPECT_THROW(Axes::of({1000}), Error);
}

}  // namespace
}  // namespace norma
