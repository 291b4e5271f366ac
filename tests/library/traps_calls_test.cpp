// What broke other systems by its size, its layout, its state or its threads. Those that are a matter of wrong calls
// are in hostile_calls_test.cpp (17, 18, 21, 22), those of merged and running statistics in moments_test.cpp (22, 28,
// 30), those that are numbers in traps_numbers_test.cpp.
#include <gmock/gmock.h>
#include <omp.h>

#include <cmath>

#include "norma/norma.h"
#include "reference/cases.h"

namespace norma {
namespace {

using reference::normal;
using reference::Tensor;
using reference::Values;
using ::testing::DoubleEq;
using ::testing::ElementsAre;

// 19: dgamma of [6, 129] with over 65,536 rows read out of bounds (pytorch#192016). xhat is +-1 and dy whole, so every
// sum is exact in any order.
TEST(Trap, DgammaOf65600RowsOf6By129SumsEveryRow) {
  const std::int64_t rows = 65600, features = 6 * 129;
  const Shape shape{rows, 6, 129}, parameters{6, 129};
  std::vector<float> x(static_cast<std::size_t>(rows * features)), dy(x.size());
  const std::vector<double> mean(static_cast<std::size_t>(rows), 2), rstd(static_cast<std::size_t>(rows), 0.5);
  std::vector<float> dgamma(static_cast<std::size_t>(features), -1.0F), dbeta = dgamma;
  std::vector<double> want_dgamma(dgamma.size(), 0), want_dbeta(dgamma.size(), 0);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t f = 0; f < features; ++f) {
      const auto i = static_cast<std::size_t>(row * features + f);
      const bool up = (row + f) % 3 == 0;
      x[i] = up ? 4.0F : 0.0F;
      dy[i] = static_cast<float>((row * 5 + f) % 7 - 2);
      want_dgamma[static_cast<std::size_t>(f)] += (up ? 1 : -1) * static_cast<double>(dy[i]);
      want_dbeta[static_cast<std::size_t>(f)] += static_cast<double>(dy[i]);
    }
  }
  backward(layer_norm(2), {dy.data(), shape}, {x.data(), shape}, {}, {mean.data(), Shape{rows}},
           {rstd.data(), Shape{rows}}, {}, {dgamma.data(), parameters}, {dbeta.data(), parameters});
  EXPECT_EQ(Values(dgamma.begin(), dgamma.end()), want_dgamma);
  EXPECT_EQ(Values(dbeta.begin(), dbeta.end()), want_dbeta);
}

// 29: a momentum of None is the cumulative mean over the batches (pytorch#18525, #40074): torch weighs the k-th by 1/k.
TEST(Trap, AMomentumOfOneOverKIsTheMeanOfKBatches) {
  std::vector<double> running_mean{100}, running_var{100};  // forgotten at the first
  const std::vector<double> means{2, 4, 9}, variances{1, 3, 8};
  for (std::size_t k = 0; k < means.size(); ++k) {
    update_running(kTorch, 1 / static_cast<double>(k + 1), 5, ConstTensorView(&means[k], Shape{1}),
                   ConstTensorView(&variances[k], Shape{1}), TensorView(running_mean.data(), Shape{1}),
                   TensorView(running_var.data(), Shape{1}));
  }
  EXPECT_THAT(running_mean, ElementsAre(DoubleEq(5)));
  EXPECT_THAT(running_var, ElementsAre(DoubleEq(4 * 1.25)));  // unbiased: 5/4 of 4
}

struct Results {
  std::vector<std::byte> y, dx, dgamma, dbeta;
  bool operator==(const Results&) const = default;
};

Results run(const Descriptor& descriptor, const Shape& shape, Layout layout) {
  const Shape parameters = affine_shape(descriptor, shape), statistics_size = statistics_shape(descriptor, shape);
  const Tensor x(normal(shape.elements(), 1, 3, 2), DType::kFloat32, shape, layout);
  const Tensor dy(normal(shape.elements(), 2), DType::kFloat32, shape, layout);
  const Tensor gamma(normal(parameters.elements(), 3), DType::kFloat32, parameters);
  Tensor y(DType::kFloat32, shape, layout), dx(DType::kFloat32, shape, layout);
  Tensor mean(DType::kFloat64, statistics_size), rstd(DType::kFloat64, statistics_size);
  Tensor dgamma(DType::kFloat32, parameters), dbeta(DType::kFloat32, parameters);
  forward(descriptor, x.view(), gamma.view(), {}, y.view(), mean.view(), rstd.view());
  backward(descriptor, dy.view(), x.view(), gamma.view(), mean.view(), rstd.view(), dx.view(), dgamma.view(),
           dbeta.view());
  return {y.bytes(), dx.bytes(), dgamma.bytes(), dbeta.bytes()};
}

// 31: nondeterminism across threads and runs (Paddle#56100, pytorch#2201).
TEST(Trap, RunsOnAnyNumberOfThreadsGiveTheSameBitsAgainAndAgain) {
  const int before = omp_get_max_threads();
  const std::vector<std::pair<Descriptor, Shape>> cases{{layer_norm(), {700, 96}},
                                                        {batch_norm(), {3000, 24}},
                                                        {batch_norm(), {24, 17, 14, 14}},
                                                        {group_norm(4), {24, 16, 14, 14}}};
  for (const auto& [descriptor, shape] : cases) {
    for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
      omp_set_num_threads(1);
      const Results alone = run(descriptor, shape, layout);
      for (int threads = 2; threads <= 16; ++threads) {
        omp_set_num_threads(threads);
        for (int again = 0; again < 3; ++again) {
          ASSERT_TRUE(run(descriptor, shape, layout) == alone) << descriptor.name << " on " << threads << " threads";
        }
      }
    }
  }
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace norma
