// Every kernel against the naive oracle: the norms by name at many lengths, and axes by hand at random.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels_support.h"

namespace norma {
namespace {

using testing::for_each_isa;
using testing::Problem;
using testing::unit;

std::string describe(const Shape& shape, Layout layout, const char* name) {
  return std::string(name) + " of " + shape.to_string() + (layout == Layout::kChannelsLast ? " channels last" : "");
}

template <class T>
void expect_near(const std::vector<T>& got, const testing::Wide& expected, const testing::Wide& scale, double units,
                 const char* what) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    // One denormal on top: a scale may be zero.
    const long double allowed = units * unit<T>() * scale[i] + std::numeric_limits<T>::denorm_min();
    ASSERT_LE(std::abs(got[i] - expected[i]), allowed)
        << what << "[" << i << "]: got " << got[i] << ", expected " << static_cast<double>(expected[i]);
  }
}

template <class T>
testing::Wide output_scale(const Problem<T>& p) {
  testing::Wide scale(p.elements());
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const auto s = static_cast<std::size_t>(p.statistic[i]);
    // The mean is known to a unit of sigma in f64; only xhat itself, not sigma, carries f32's.
    const long double of_mean = sizeof(T) == 8 ? std::sqrt(p.variance[s]) * p.rstd[s] : 0;
    scale[i] = std::abs(p.gamma_at(i)) * (std::abs(p.xhat(i)) + of_mean) +
               std::abs(static_cast<long double>(p.beta[static_cast<std::size_t>(p.affine[i])]));
  }
  return scale;
}

// Units of roundoff that y may be off, of |gamma xhat| + |beta|. Without FMA each of the two multiply-adds rounds once
// more.
double output_units() {
  return current_isa() == "sse4" || current_isa() == "scalar" ? 6 : 4;
}

template <class T>
void check_forward(const Problem<T>& p, const testing::Wide& scale) {
  std::vector<T> y(p.elements(), T{-77});
  std::vector<double> mean(p.statistics(), -77), rstd(p.statistics(), -77);
  forward(p.descriptor, p.view(p.x), p.affine_view(p.gamma), p.affine_view(p.beta), p.view(y), p.statistic_view(mean),
          p.statistic_view(rstd));
  expect_near(y, p.y, scale, output_units(), "y");
  for (std::size_t s = 0; s < p.statistics(); ++s) {
    const long double sigma = std::sqrt(p.variance[s]);
    ASSERT_NEAR(mean[s], p.mean[s], 1e-13 * (std::abs(p.mean[s]) + sigma)) << "mean";
    ASSERT_NEAR(rstd[s], p.rstd[s], 1e-9 * p.rstd[s]) << "rstd";
  }
  // In place, and with statistics in x's type, the same bits.
  std::vector<T> again = p.x;
  std::vector<T> narrow(p.statistics(), T{-77});
  forward(p.descriptor, p.view(again), p.affine_view(p.gamma), p.affine_view(p.beta), p.view(again),
          p.statistic_view(narrow), {});
  ASSERT_EQ(again, y) << "in place";
  for (std::size_t s = 0; s < p.statistics(); ++s) ASSERT_EQ(narrow[s], static_cast<T>(mean[s]));
}

// The oracle of a gradient, which goes by the statistics that the kernel is given, as rounded: for every instruction
// set.
template <class T>
class GradientCheck {
 public:
  GradientCheck(const Problem<T>& solved, bool constant_statistics)
      : p_(solved),
        constant_statistics_(constant_statistics),
        mean_(p_.statistics()),
        second_(p_.statistics()),
        scale_gamma_(p_.gamma.size(), 0),
        scale_beta_(p_.gamma.size(), 0) {
    for (std::size_t s = 0; s < p_.statistics(); ++s) {
      p_.mean[s] = mean_[s] = static_cast<double>(p_.mean[s]);
      second_[s] = static_cast<double>(constant_statistics ? p_.variance[s] : p_.rstd[s]);
      p_.rstd[s] =
          constant_statistics ? 1 / std::sqrt(second_[s] + static_cast<long double>(p_.descriptor.eps)) : second_[s];
    }
    p_.differentiate(constant_statistics);
    for (std::size_t i = 0; i < p_.elements(); ++i) {
      scale_gamma_[static_cast<std::size_t>(p_.affine[i])] += std::abs(p_.dy[i] * p_.xhat(i));
      scale_beta_[static_cast<std::size_t>(p_.affine[i])] += std::abs(p_.dy[i]);
    }
  }

  void operator()() const {
    std::vector<T> dx(p_.elements(), T{-77}), dgamma(p_.gamma.size(), T{-77}), dbeta(p_.gamma.size(), T{-77});
    run(p_.dy, &dx, &dgamma, &dbeta);
    expect_near(dx, p_.dx, p_.gradient_scale, 8, "dx");
    expect_near(dgamma, p_.dgamma, scale_gamma_, 8, "dgamma");
    expect_near(dbeta, p_.dbeta, scale_beta_, 8, "dbeta");
    // Each alone, and in place: the same bits.
    std::vector<T> dx_alone = p_.dy, dgamma_alone(p_.gamma.size()), dbeta_alone(p_.gamma.size());
    run(dx_alone, &dx_alone, nullptr, nullptr);
    ASSERT_EQ(dx_alone, dx) << "dx alone, in place";
    run(p_.dy, nullptr, &dgamma_alone, nullptr);
    ASSERT_EQ(dgamma_alone, dgamma) << "dgamma alone";
    run(p_.dy, nullptr, nullptr, &dbeta_alone);
    ASSERT_EQ(dbeta_alone, dbeta) << "dbeta alone";
  }

 private:
  void run(const std::vector<T>& dy, std::vector<T>* dx, std::vector<T>* dgamma, std::vector<T>* dbeta) const {
    const auto operation = constant_statistics_ ? inference_backward : backward;
    operation(p_.descriptor, p_.view(dy), p_.view(p_.x), p_.affine_view(p_.gamma), p_.statistic_view(mean_),
              p_.statistic_view(second_), dx == nullptr ? TensorView() : p_.view(*dx),
              dgamma == nullptr ? TensorView() : p_.affine_view(*dgamma),
              dbeta == nullptr ? TensorView() : p_.affine_view(*dbeta), {}, {});
  }

  Problem<T> p_;
  bool constant_statistics_;
  std::vector<double> mean_, second_;
  testing::Wide scale_gamma_, scale_beta_;
};

template <class T>
void check_statistics(const Problem<T>& p) {
  std::vector<double> mean(p.statistics()), m2(p.statistics());
  const std::int64_t count = statistics(p.descriptor, p.view(p.x), p.statistic_view(mean), p.statistic_view(m2));
  ASSERT_EQ(count, normalized_size(p.descriptor, p.shape));
  for (std::size_t s = 0; s < p.statistics(); ++s) {
    const long double sigma = std::sqrt(p.variance[s]);
    ASSERT_NEAR(mean[s], p.mean[s], 1e-13 * (std::abs(p.mean[s]) + sigma));
    ASSERT_NEAR(m2[s], p.variance[s] * p.count(), 1e-9 * p.variance[s] * p.count());
  }
}

// The problem with given statistics, which differ from those of x.
template <class T>
Problem<T> with_given_statistics(Problem<T> p) {
  for (std::size_t s = 0; s < p.statistics(); ++s) {
    p.mean[s] = 0.1 * static_cast<double>(s % 7) * p.descriptor.centred;
    p.variance[s] = 0.5 + 0.1 * static_cast<double>(s % 5);
  }
  p.apply();
  return p;
}

template <class T>
void check_inference(const Problem<T>& p, const testing::Wide& scale) {
  std::vector<double> mean(p.statistics()), variance(p.statistics());
  for (std::size_t s = 0; s < p.statistics(); ++s) {
    mean[s] = static_cast<double>(p.mean[s]);
    variance[s] = static_cast<double>(p.variance[s]);
  }
  std::vector<T> y(p.elements(), T{-77});
  inference(p.descriptor, p.view(p.x), p.affine_view(p.gamma), p.affine_view(p.beta), p.statistic_view(mean),
            p.statistic_view(variance), p.view(y));
  expect_near(y, p.y, scale, output_units(), "y");
}

template <class T>
void check_all(const Descriptor& descriptor, const Shape& shape, Layout layout, std::uint64_t seed) {
  Problem<T> p(descriptor, shape, layout, seed);
  p.solve();
  const Problem<T> given = with_given_statistics(p);
  const testing::Wide scale = output_scale(p), given_scale = output_scale(given);
  const GradientCheck<T> backward(p, false), inference_backward(given, true);
  for_each_isa([&](const std::string& isa) {
    SCOPED_TRACE(describe(shape, layout, descriptor.name) + ", " + isa + (sizeof(T) == 8 ? ", f64" : ", f32"));
    check_forward(p, scale);
    backward();
    check_statistics(p);
    check_inference(given, given_scale);
    inference_backward();
  });
}

void check_both(const Descriptor& descriptor, const Shape& shape, std::uint64_t seed) {
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    if (layout == Layout::kChannelsLast && shape.rank() < 3) continue;
    check_all<float>(descriptor, shape, layout, seed);
    check_all<double>(descriptor, shape, layout, seed);
    if (::testing::Test::HasFatalFailure()) return;
  }
}

// Around the vectors of every instruction set: V-1, V, V+1, 4V+3 for V = 1, 4, 8, 16, and the block of 4096.
constexpr std::int64_t kLengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 19, 31, 33, 35, 64, 67, 100, 4095, 4097, 9001};

TEST(Kernels, NormalizeRowsOfEveryLengthAsTheOracleDoes) {
  for (const std::int64_t length : kLengths) {
    check_both(layer_norm(), {3, length}, 1);
    check_both(rms_norm(), {3, length}, 2);
    if (HasFatalFailure()) return;
  }
}

TEST(Kernels, NormalizeColumnsOfEveryNumberAsTheOracleDoes) {
  for (const std::int64_t length : kLengths) {
    check_both(batch_norm(), {5, length}, 3);
    check_both(batch_norm(), {std::max<std::int64_t>(2, length), 3}, 4);
    if (HasFatalFailure()) return;
  }
}

TEST(Kernels, NormalizeImagesOfBothLayoutsAsTheOracleDoes) {
  for (const std::int64_t side : {1, 2, 3, 5, 7}) {
    for (const std::int64_t channels : {1, 2, 4, 6, 12, 34}) {
      const Shape shape{4, channels, side, side + 1};
      check_both(batch_norm(), shape, 5);
      check_both(instance_norm(), shape, 6);
      check_both(layer_norm(3), shape, 7);
      check_both(group_norm(1), shape, 8);
      check_both(group_norm(channels), shape, 9);
      if (channels % 2 == 0) check_both(group_norm(2), shape, 10);
      // LayerNorm over C alone (ConvNeXt).
      check_both({.name = "channels", .statistics = Axes::of({1}), .affine = Axes::of({1})}, shape, 11);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Kernels, NormalizeBatchesInSeveralBlocksAsTheOracleDoes) {
  check_both(batch_norm(), {700, 17}, 12);
  check_both(batch_norm(), {6, 3, 30, 41}, 13);
  check_both(batch_norm(), {70, 3, 9, 9}, 14);
  check_both(layer_norm(), {700, 40}, 15);
  check_both(group_norm(2), {40, 8, 11, 13}, 16);
  check_both(instance_norm(), {2, 3, 60, 70}, 17);
  check_both(batch_norm(), {2900, 18}, 18);
  // Segments so short that their elements are taken as columns.
  check_both(batch_norm(), {70, 5, 4, 4}, 24);
  check_both(batch_norm(), {600, 3, 5, 3}, 25);
  check_all<float>(batch_norm(), {1100, 40, 7}, Layout::kChannelsFirst, 26);
  check_all<double>(batch_norm(), {1100, 10, 7}, Layout::kChannelsFirst, 26);
  check_all<float>(batch_norm(), {1500, 16, 7, 7}, Layout::kChannelsFirst, 29);
  check_both(group_norm(2), {3, 12, 20, 21}, 27);
  // Groups of channels so short that they are taken as rows.
  check_both(group_norm(2), {19, 12, 5, 3}, 30);
  check_both(group_norm(3), {1, 12, 2, 2}, 31);
  check_both(group_norm(4), {70, 24, 4, 8}, 32);
}

// Beyond the caches, in the order of memory: segments of several blocks, and two to a block.
TEST(Kernels, NormalizeBatchesBeyondTheCachesAsTheOracleDoes) {
  for (const Shape& shape : {Shape{17, 15, 64, 66}, Shape{33, 16, 32, 64}}) {
    Problem<double> p(batch_norm(), shape, Layout::kChannelsFirst, 33);
    p.solve();
    const testing::Wide scale = output_scale(p);
    for_each_isa([&](const std::string& isa) {
      SCOPED_TRACE(describe(shape, Layout::kChannelsFirst, "batch_norm") + ", " + isa);
      check_forward(p, scale);
    });
  }
}

TEST(Kernels, NormalizeGhostBatchesAsTheOracleDoes) {
  // (groups, k, C, ...): statistics over k and space, gamma per C.
  const Descriptor images{.name = "ghost", .statistics = Axes::of({1, 3, 4}), .affine = Axes::of({2})};
  check_both(images, {8, 4, 6, 5, 5}, 19);
  check_both(images, {40, 2, 3, 4, 4}, 20);
  check_both(images, {3, 70, 3, 4, 4}, 28);
  const Descriptor vectors{.name = "ghost", .statistics = Axes::of({1}), .affine = Axes::of({2})};
  check_both(vectors, {8, 4, 37}, 21);
  check_both(vectors, {33, 2, 130}, 22);
}

TEST(Kernels, TakeAnyAxesByHand) {
  std::mt19937_64 random(23);
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  for (int round = 0; round < 400; ++round) {
    const int rank = static_cast<int>(1 + below(5));
    std::vector<std::int64_t> sizes;
    for (int axis = 0; axis < rank; ++axis) sizes.push_back(1 + below(rank > 3 ? 5 : 9));
    std::vector<int> shared, affine;
    for (int axis = 0; axis < rank; ++axis) {
      if (below(2) == 0) shared.push_back(axis);
      if (below(2) == 0) affine.push_back(axis);
    }
    Descriptor descriptor{.name = "by_hand", .statistics = Axes::of(shared), .affine = Axes::of(affine)};
    descriptor.eps = 0.1;  // keeps a statistic of one value well conditioned
    descriptor.centred = below(4) != 0;
    if (std::ranges::count(shared, 1) > 0 && below(2) == 0) {
      sizes[1] = 6;
      descriptor.groups = 1 + below(3);
    }
    const Shape shape{std::span<const std::int64_t>(sizes)};
    if ((descriptor.statistics.resolve(rank, "") & 1U) != 0 && normalized_size(descriptor, shape) == 1) continue;
    std::string text;
    for (const int axis : shared) text += " " + std::to_string(axis);
    text += " | affine";
    for (const int axis : affine) text += " " + std::to_string(axis);
    SCOPED_TRACE("shared" + text + " groups " + std::to_string(descriptor.groups));
    check_both(descriptor, shape, random());
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace norma
