// The same bits whatever runs the kernels: threads, batch size, position in the batch, instruction set, alignment.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels_support.h"

namespace norma {
namespace {

using testing::Problem;

template <class T>
struct Results {
  std::vector<T> y, dx, dgamma, dbeta;
  std::vector<double> mean, rstd;
  bool operator==(const Results&) const = default;
};

template <class T>
Results<T> compute(const Problem<T>& p) {
  Results<T> r{std::vector<T>(p.elements()),        std::vector<T>(p.elements()),
               std::vector<T>(p.gamma.size()),      std::vector<T>(p.gamma.size()),
               std::vector<double>(p.statistics()), std::vector<double>(p.statistics())};
  forward(p.descriptor, p.view(p.x), p.affine_view(p.gamma), p.affine_view(p.beta), p.view(r.y),
          p.statistic_view(r.mean), p.statistic_view(r.rstd));
  backward(p.descriptor, p.view(p.dy), p.view(p.x), p.affine_view(p.gamma), p.statistic_view(std::as_const(r.mean)),
           p.statistic_view(std::as_const(r.rstd)), p.view(r.dx), p.affine_view(r.dgamma), p.affine_view(r.dbeta));
  return r;
}

struct Setting {
  Descriptor descriptor;
  Shape shape;
  Layout layout;
};

// Large enough that several threads take part.
std::vector<Setting> settings() {
  constexpr Layout kFirst = Layout::kChannelsFirst;
  constexpr Layout kLast = Layout::kChannelsLast;
  return {
      {layer_norm(), {300, 515}, kFirst},
      {rms_norm(), {70, 5001}, kFirst},
      {batch_norm(), {1111, 131}, kFirst},
      {batch_norm(), {16, 13, 29, 31}, kFirst},
      {batch_norm(), {64, 40, 7, 7}, kFirst},
      // So few statistics that all threads share each: several segments to a block, and several blocks to a segment.
      {batch_norm(), {65, 3, 50, 51}, kFirst},
      {batch_norm(), {17, 2, 100, 101}, kFirst},
      // Swept in the order of memory, beyond the caches.
      {batch_norm(), {34, 24, 52, 50}, kFirst},
      {batch_norm(), {16, 13, 29, 31}, kLast},
      {group_norm(4), {16, 24, 17, 19}, kFirst},
      // Channels of few pixels, which are taken as rows.
      {group_norm(4), {230, 24, 5, 5}, kFirst},
      {group_norm(4), {16, 24, 17, 19}, kLast},
      // Groups of 8 channels, which are taken as columns.
      {group_norm(12), {16, 96, 17, 19}, kLast},
      {instance_norm(), {16, 13, 29, 31}, kFirst},
      {instance_norm(), {16, 13, 29, 31}, kLast},
      {{.name = "channels", .statistics = Axes::of({1}), .affine = Axes::of({1})}, {16, 40, 17, 19}, kFirst},
      {{.name = "by_hand", .statistics = Axes::of({0, 2}), .affine = Axes::of({1, 3})}, {16, 13, 29, 31}, kFirst}};
}

std::string describe(const Setting& setting) {
  return std::string(setting.descriptor.name) + " of " + setting.shape.to_string() +
         (setting.layout == Layout::kChannelsLast ? " channels last" : "");
}

template <class T>
void expect_same_for_any_number_of_threads() {
  const int before = omp_get_max_threads();
  for (const Setting& setting : settings()) {
    SCOPED_TRACE(describe(setting));
    const Problem<T> p(setting.descriptor, setting.shape, setting.layout, 1);
    omp_set_num_threads(1);
    const Results<T> one = compute(p);
    for (const int threads : {2, 3, 4, 7, 16}) {
      omp_set_num_threads(threads);
      EXPECT_TRUE(compute(p) == one) << threads << " threads";
    }
  }
  omp_set_num_threads(before);
}

TEST(Bits, AreTheSameForAnyNumberOfThreads) {
  expect_same_for_any_number_of_threads<float>();
  expect_same_for_any_number_of_threads<double>();
}

template <class T>
void expect_same_on(const std::string& isa, const std::string& other) {
  for (const Setting& setting : settings()) {
    SCOPED_TRACE(describe(setting));
    const Problem<T> p(setting.descriptor, setting.shape, setting.layout, 2);
    force_isa(isa);
    const Results<T> results = compute(p);
    force_isa(other);
    EXPECT_TRUE(compute(p) == results);
    force_isa("");
  }
}

TEST(Bits, AreTheSameOnEveryInstructionSetWithFma) {
  const std::vector<std::string> isas = available_isas();
  if (std::ranges::count(isas, "avx512") == 0) GTEST_SKIP() << "this machine has no AVX-512 to compare with AVX2";
  expect_same_on<float>("avx512", "avx2");
  expect_same_on<double>("avx512", "avx2");
}

TEST(Bits, AreTheSameOnEveryInstructionSetWithoutFma) {
  const std::vector<std::string> isas = available_isas();
  if (std::ranges::count(isas, "sse4") == 0) GTEST_SKIP() << "this machine has no SSE4 to compare with scalar code";
  expect_same_on<float>("sse4", "scalar");
  expect_same_on<double>("sse4", "scalar");
}

// Samples `first` to `last` of a problem, alone.
template <class T>
Problem<T> part_of(const Problem<T>& whole, std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> sizes(whole.shape.sizes().begin(), whole.shape.sizes().end());
  const std::int64_t sample = whole.shape.elements() / sizes[0];
  sizes[0] = last - first;
  Problem<T> part(whole.descriptor, Shape{std::span<const std::int64_t>(sizes)}, whole.layout, 0);
  part.x.assign(whole.x.begin() + first * sample, whole.x.begin() + last * sample);
  part.dy.assign(whole.dy.begin() + first * sample, whole.dy.begin() + last * sample);
  part.gamma = whole.gamma;
  part.beta = whole.beta;
  return part;
}

TEST(Bits, OfASampleDoNotDependOnTheBatchAroundIt) {
  for (const Setting& setting : settings()) {
    if ((setting.descriptor.statistics.resolve(setting.shape.rank(), "") & 1U) != 0) continue;
    SCOPED_TRACE(describe(setting));
    const Problem<float> whole(setting.descriptor, setting.shape, setting.layout, 3);
    const Results<float> all = compute(whole);
    const auto sample = static_cast<std::ptrdiff_t>(whole.elements()) / setting.shape[0];
    for (const auto& [first, last] : {std::pair{0, 1}, {3, 4}, {5, 14}, {15, 16}}) {
      const Results<float> alone = compute(part_of(whole, first, last));
      EXPECT_TRUE(std::equal(alone.y.begin(), alone.y.end(), all.y.begin() + first * sample)) << first;
      EXPECT_TRUE(std::equal(alone.dx.begin(), alone.dx.end(), all.dx.begin() + first * sample)) << first;
    }
  }
}

TEST(Bits, OfParametersGradientsAreTheSameBesideWhatIsFused) {
  const std::pair<Descriptor, Shape> cases[] = {{group_norm(2), {64, 8, 4, 4}}, {group_norm(4), {40, 24, 5, 5}},
                                                {group_norm(2), {30, 8, 9, 9}}, {group_norm(4), {40, 32}},
                                                {layer_norm(), {70, 33}},       {batch_norm(), {9, 5, 6, 7}}};
  for (const auto& [descriptor, shape] : cases) {
    SCOPED_TRACE(std::string(descriptor.name) + " of " + shape.to_string());
    const Problem<double> p(descriptor, shape, Layout::kChannelsFirst, 5);
    const Results<double> plain = compute(p);
    Results<double> fused = plain;
    const std::vector<double> zeros(p.elements());
    std::vector<double> dafter(p.elements());
    for (const bool gates : {false, true}) {
      const FusionGradient fusion{
          .beta = p.affine_view(p.beta), .dsum = p.view(zeros), .dafter = gates ? p.view(dafter) : TensorView()};
      backward(p.descriptor, p.view(p.dy), p.view(p.x), p.affine_view(p.gamma),
               p.statistic_view(std::as_const(plain.mean)), p.statistic_view(std::as_const(plain.rstd)),
               p.view(fused.dx), p.affine_view(fused.dgamma), p.affine_view(fused.dbeta), {}, fusion);
      EXPECT_TRUE(fused == plain) << (gates ? "with dafter" : "with dsum");
    }
  }
}

TEST(Bits, DoNotDependOnTheAlignment) {
  const Shape shape{9, 131};
  const Problem<float> p(layer_norm(), shape, Layout::kChannelsFirst, 4);
  const Results<float> aligned = compute(p);
  for (std::size_t shift = 1; shift < 16; ++shift) {
    std::vector<float> x(p.elements() + 16), y(p.elements() + 16);
    std::ranges::copy(p.x, x.begin() + static_cast<std::ptrdiff_t>(shift));
    const std::size_t other = 16 - shift;
    forward(p.descriptor, ConstTensorView(x.data() + shift, shape), p.affine_view(p.gamma), p.affine_view(p.beta),
            TensorView(y.data() + other, shape), {}, {});
    EXPECT_TRUE(std::equal(aligned.y.begin(), aligned.y.end(), y.begin() + static_cast<std::ptrdiff_t>(other)));
    // Nothing around y was touched.
    EXPECT_EQ(std::count(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(other), 0.0F), static_cast<long>(other));
    EXPECT_EQ(std::count(y.begin() + static_cast<std::ptrdiff_t>(other + p.elements()), y.end(), 0.0F),
              static_cast<long>(shift));
  }
}

// Outputs beyond the caches' share are streamed: the same bits, at any alignment.
TEST(Bits, OfLargeOutputsAreThoseOfTheirParts) {
  const Shape shape{2200, 1024};
  const Problem<float> whole(layer_norm(), shape, Layout::kChannelsFirst, 5);
  const Results<float> all = compute(whole);
  const Results<float> alone = compute(part_of(whole, 2199, 2200));
  EXPECT_TRUE(std::equal(alone.y.begin(), alone.y.end(), all.y.end() - 1024));
  EXPECT_TRUE(std::equal(alone.dx.begin(), alone.dx.end(), all.dx.end() - 1024));
  std::vector<float> y(whole.elements() + 3);
  forward(whole.descriptor, whole.view(whole.x), whole.affine_view(whole.gamma), whole.affine_view(whole.beta),
          TensorView(y.data() + 3, shape), {}, {});
  EXPECT_TRUE(std::equal(all.y.begin(), all.y.end(), y.begin() + 3));
}

// Tensors beyond the caches are swept another way; a column's bits do not tell.
TEST(Bits, OfAColumnDoNotDependOnTheOthers) {
  constexpr std::int64_t kRows = 5001;
  constexpr std::int64_t kColumns = 450;
  constexpr std::int64_t kFew = 40;
  const Problem<float> whole(batch_norm(), {kRows, kColumns}, Layout::kChannelsFirst, 6);
  Problem<float> part(batch_norm(), {kRows, kFew}, Layout::kChannelsFirst, 0);
  const auto pick = [](const std::vector<float>& from, std::int64_t rows) {
    std::vector<float> some(static_cast<std::size_t>(rows * kFew));
    for (std::int64_t row = 0; row < rows; ++row) {
      std::copy_n(from.begin() + row * kColumns, kFew, some.begin() + row * kFew);
    }
    return some;
  };
  part.x = pick(whole.x, kRows);
  part.dy = pick(whole.dy, kRows);
  part.gamma = pick(whole.gamma, 1);
  part.beta = pick(whole.beta, 1);
  const Results<float> all = compute(whole);
  const Results<float> some = compute(part);
  EXPECT_EQ(pick(all.y, kRows), some.y);
  EXPECT_EQ(pick(all.dx, kRows), some.dx);
  EXPECT_EQ(pick(all.dgamma, 1), some.dgamma);
  EXPECT_EQ(pick(all.dbeta, 1), some.dbeta);
}

// dx in place is stored as ever, elsewhere past the caches, and row by row.
TEST(Bits, OfRowsWrittenPastTheCachesAreThoseOfRowsInPlace) {
  const Shape shape{1536, 1024};  // three tensors of 6 MiB
  const auto count = static_cast<std::size_t>(shape.elements());
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(count), dy(count), dx(count + 16), gamma(1024), dgamma(1024), dgamma_in_place(1024);
  for (std::vector<float>* values : {&x, &dy, &gamma}) {
    for (float& value : *values) value = normal(random);
  }
  std::vector<double> mean(1536), rstd(1536);
  const TensorView m(mean.data(), {1536}), r(rstd.data(), {1536});
  const auto past_a_line = reinterpret_cast<std::uintptr_t>(dx.data()) / sizeof(float) % 16;
  float* const aligned = dx.data() + (16 - past_a_line) % 16;  // others are not streamed
  const TensorView apart(aligned, shape), in_place(dy.data(), shape);
  forward(layer_norm(), ConstTensorView(x.data(), shape), {}, {}, apart, m, r);
  backward(layer_norm(), in_place, ConstTensorView(x.data(), shape), ConstTensorView(gamma.data(), {1024}), m, r, apart,
           {dgamma.data(), {1024}}, {});
  backward(layer_norm(), in_place, ConstTensorView(x.data(), shape), ConstTensorView(gamma.data(), {1024}), m, r,
           in_place, {dgamma_in_place.data(), {1024}}, {});
  EXPECT_TRUE(std::equal(dy.begin(), dy.end(), aligned));
  EXPECT_EQ(dgamma, dgamma_in_place);
}

}  // namespace
}  // namespace norma
