// Data that breaks other people's kernels: means far from zero, constants, huge values.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "kernels_support.h"

namespace norma {
namespace {

using testing::for_each_isa;
using testing::Problem;
using testing::unit;

// y within `units` of roundoff of |gamma xhat| + |beta|, at this ratio of mean to sigma.
template <class T>
double worst_units(const Descriptor& descriptor, const Shape& shape, Layout layout, double ratio) {
  Problem<T> p(descriptor, shape, layout, 1, ratio, 1.0);
  p.origin = static_cast<T>(ratio);
  p.solve();
  std::vector<T> y(p.elements());
  forward(p.descriptor, p.view(p.x), p.affine_view(p.gamma), p.affine_view(p.beta), p.view(y), {}, {});
  long double worst = 0;
  for (std::size_t i = 0; i < p.elements(); ++i) {
    const long double beta = p.beta[static_cast<std::size_t>(p.affine[i])];
    const long double scale = std::abs(p.gamma_at(i) * p.xhat(i)) + std::abs(beta);
    // In f64 the mean itself is only known to a unit of sigma.
    const long double of_mean = sizeof(T) == 8 ? std::abs(p.gamma_at(i)) : 0;
    worst = std::max(worst, std::abs(y[i] - p.y[i]) / (unit<T>() * (scale + of_mean)));
  }
  return static_cast<double>(worst);
}

TEST(Numerics, AreExactHoweverFarTheMeanIs) {
  struct Setting {
    Descriptor descriptor;
    Shape shape;
    Layout layout;
  };
  const Setting settings[] = {{layer_norm(), {20, 768}, Layout::kChannelsFirst},
                              {batch_norm(), {600, 20}, Layout::kChannelsFirst},
                              {batch_norm(), {8, 6, 20, 20}, Layout::kChannelsFirst},
                              {batch_norm(), {8, 6, 20, 20}, Layout::kChannelsLast},
                              {group_norm(2), {8, 6, 20, 20}, Layout::kChannelsFirst}};
  for_each_isa([&](const std::string& isa) {
    const double allowed = isa == "sse4" || isa == "scalar" ? 6 : 4;  // without FMA two more roundings
    for (const Setting& s : settings) {
      for (const double ratio : {0.0, 1.0, 1e3, 1e5, 1e7}) {
        EXPECT_LE(worst_units<float>(s.descriptor, s.shape, s.layout, ratio), allowed)
            << isa << " " << s.descriptor.name << " f32, mean/sigma " << ratio;
      }
      for (const double ratio : {0.0, 1e3, 1e7, 1e12, 1e15}) {
        EXPECT_LE(worst_units<double>(s.descriptor, s.shape, s.layout, ratio), allowed)
            << isa << " " << s.descriptor.name << " f64, mean/sigma " << ratio;
      }
    }
  });
}

template <class T>
void expect_beta_for_a_constant(const Descriptor& descriptor, const Shape& shape, Layout layout, T value) {
  Problem<T> p(descriptor, shape, layout, 2);
  std::ranges::fill(p.x, value);
  std::vector<T> y(p.elements());
  std::vector<double> mean(p.statistics()), rstd(p.statistics());
  forward(p.descriptor, p.view(p.x), p.affine_view(p.gamma), p.affine_view(p.beta), p.view(y), p.statistic_view(mean),
          p.statistic_view(rstd));
  for (std::size_t i = 0; i < p.elements(); ++i) ASSERT_EQ(y[i], p.beta[static_cast<std::size_t>(p.affine[i])]);
  for (std::size_t s = 0; s < p.statistics(); ++s) {
    ASSERT_EQ(mean[s], static_cast<double>(value));
    ASSERT_EQ(rstd[s], 1.0 / std::sqrt(descriptor.eps));
  }
  // xhat is 0, so dgamma is; a constant dy has no gradient either where gamma is one for the statistic.
  std::vector<T> dx(p.elements()), dgamma(p.gamma.size(), T{1}), dbeta(p.gamma.size());
  std::ranges::fill(p.dy, T{0.7});
  std::ranges::fill(p.gamma, T{1.3});
  backward(p.descriptor, p.view(p.dy), p.view(p.x), p.affine_view(p.gamma), p.statistic_view(std::as_const(mean)),
           p.statistic_view(std::as_const(rstd)), p.view(dx), p.affine_view(dgamma), p.affine_view(dbeta));
  for (const T value_of : dgamma) ASSERT_EQ(value_of, T{0});
  for (const T value_of : dx) ASSERT_NEAR(value_of, T{0}, 8 * unit<T>() * rstd[0]);
}

TEST(Numerics, GiveExactlyBetaForAConstantRow) {
  for_each_isa([&](const std::string& isa) {
    SCOPED_TRACE(isa);
    for (const double value : {0.0, 1234.0, -0.1, 1e7, 3e30}) {
      for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
        const Shape shape{4, 6, 9, 7};
        expect_beta_for_a_constant<float>(batch_norm(), shape, layout, static_cast<float>(value));
        expect_beta_for_a_constant<double>(batch_norm(), shape, layout, value);
        expect_beta_for_a_constant<float>(layer_norm(2), shape, layout, static_cast<float>(value));
        expect_beta_for_a_constant<double>(group_norm(3), shape, layout, value);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  });
}

TEST(Numerics, DoNotOverflowWhereASquareWould) {
  for_each_isa([&](const std::string& isa) {
    for (const double size : {1e-18, 1e19, 1e30}) {
      Descriptor descriptor = layer_norm();
      descriptor.eps = 0;
      Problem<float> p(descriptor, {3, 100}, Layout::kChannelsFirst, 3, 0.0, size);
      p.solve();
      std::vector<float> y(p.elements());
      forward(p.descriptor, p.view(p.x), {}, {}, p.view(y), {}, {});
      for (std::size_t i = 0; i < p.elements(); ++i) {
        ASSERT_NEAR(y[i], p.xhat(i), 1e-6 * std::abs(p.xhat(i)) + 1e-30) << isa << " at " << size;
      }
    }
  });
}

// Forward and backward of doubles of this size, without an eps.
void expect_right_at(double size, const Descriptor& of, const Shape& shape, Layout layout) {
  Descriptor descriptor = of;
  descriptor.eps = 0;
  Problem<double> p(descriptor, shape, layout, 5, 0.0, size);
  p.solve();
  std::vector<double> given_mean(p.statistics()), given_rstd(p.statistics());
  for (std::size_t s = 0; s < p.statistics(); ++s) {
    p.mean[s] = given_mean[s] = static_cast<double>(p.mean[s]);
    p.rstd[s] = given_rstd[s] = static_cast<double>(p.rstd[s]);
  }
  p.differentiate(false);
  for_each_isa([&](const std::string& isa) {
    std::vector<double> y(p.elements()), dx(p.elements());
    forward(p.descriptor, p.view(p.x), p.affine_view(p.gamma), p.affine_view(p.beta), p.view(y), {}, {});
    backward(p.descriptor, p.view(p.dy), p.view(p.x), p.affine_view(p.gamma), p.statistic_view(given_mean),
             p.statistic_view(given_rstd), p.view(dx), {}, {});
    for (std::size_t i = 0; i < p.elements(); ++i) {
      ASSERT_NEAR(y[i], p.y[i], 1e-12) << p.descriptor.name << " at " << size << ", " << isa;
      ASSERT_LE(std::abs(dx[i] - p.dx[i]), 8 * unit<double>() * p.gradient_scale[i])
          << p.descriptor.name << " at " << size << ", " << isa << ": " << dx[i];
    }
  });
}

TEST(Numerics, NormalizeDoublesWhoseSquaresLeaveTheirRange) {
  const std::pair<Descriptor, Shape> settings[] = {
      {layer_norm(), {3, 100}},        {layer_norm(), {3, 9000}},     {rms_norm(), {3, 100}},
      {batch_norm(), {70, 20}},        {batch_norm(), {5, 6, 7, 7}},  {batch_norm(), {5, 3, 7, 7}},
      {instance_norm(), {5, 6, 7, 7}}, {group_norm(3), {5, 6, 7, 7}},
  };
  for (const auto& [descriptor, shape] : settings) {
    for (const double size : {1e300, 1e170, 1e-150, 1e-160, 1e-200}) {
      for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
        expect_right_at(size, descriptor, shape, layout);
        if (HasFatalFailure()) return;
      }
    }
  }
}

// What such a statistic is finished with reads x once more: before another thread has written y there.
TEST(Numerics, NormalizeSuchDoublesInPlaceOnAnyNumberOfThreads) {
  const int before = omp_get_max_threads();
  for (const Shape& shape : {Shape{64, 3, 60, 70}, Shape{17, 15, 64, 66}, Shape{70, 90}, Shape{300, 6, 7, 7}}) {
    for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
      Problem<double> p(batch_norm(), shape, layout, 6);
      for (double& x : p.x) x *= 1e170;
      std::vector<double> y(p.elements());
      omp_set_num_threads(1);
      forward(p.descriptor, p.view(p.x), {}, {}, p.view(y), {}, {});
      omp_set_num_threads(4);
      for (int round = 0; round < 5; ++round) {
        std::vector<double> again = p.x;
        forward(p.descriptor, p.view(again), {}, {}, p.view(again), {}, {});
        ASSERT_EQ(again, y) << shape.to_string();
      }
    }
  }
  omp_set_num_threads(before);
}

TEST(Numerics, PropagateNaNToItsOwnStatisticAlone) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for_each_isa([&](const std::string& isa) {
      Problem<float> p(layer_norm(), {4, 50}, Layout::kChannelsFirst, 4);
      p.x[60] = bad;
      std::vector<float> y(p.elements());
      forward(p.descriptor, p.view(p.x), {}, {}, p.view(y), {}, {});
      for (std::size_t i = 0; i < p.elements(); ++i) EXPECT_EQ(std::isnan(y[i]), i / 50 == 1) << i << ", " << isa;

      Problem<float> columns(batch_norm(), {50, 20}, Layout::kChannelsFirst, 4);
      columns.x[47] = bad;
      std::vector<float> z(columns.elements());
      forward(columns.descriptor, columns.view(columns.x), {}, {}, columns.view(z), {}, {});
      for (std::size_t i = 0; i < z.size(); ++i) EXPECT_EQ(std::isnan(z[i]), i % 20 == 7) << i << ", " << isa;
    });
  }
}

}  // namespace
}  // namespace norma
