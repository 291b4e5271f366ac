// The plan against brute force: every element's statistic and gamma, found by walking the four runs, are those that
// the descriptor defines.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "kernels_support.h"
#include "plan/resolved.h"

namespace norma {
namespace {

// Checks all elements of one plan.
void check(const Descriptor& descriptor, const Shape& shape, Layout layout) {
  const testing::Problem<float> p(descriptor, shape, layout, 0);
  const plan::Plan plan = plan::make_plan(descriptor, shape, p.strides);
  ASSERT_EQ(plan.elements(), shape.elements());
  ASSERT_EQ(plan.normalized(), normalized_size(descriptor, shape));
  ASSERT_EQ(plan.statistics(), static_cast<std::int64_t>(p.statistics()));
  ASSERT_EQ(plan.affine_size, static_cast<std::int64_t>(p.gamma.size()));
  const auto expect = [&](std::int64_t at, std::int64_t statistic, std::int64_t gamma) {
    const auto i = static_cast<std::size_t>(at);
    ASSERT_EQ(plan.statistics_order.offset(statistic), p.statistic[i]) << at;
    ASSERT_EQ(plan.affine_order.offset(gamma), p.affine[i]) << at;
  };
  if (!plan.direct) {
    for (std::int64_t b = 0; b < plan.B; ++b) {
      for (std::int64_t i = 0; i < plan.I; ++i) {
        expect(plan.kept_axes.offset(b) + plan.reduced_axes.offset(i), b,
               plan.kept_affine.offset(b) + plan.reduced_affine.offset(i));
      }
    }
    return;
  }
  std::int64_t at = 0;
  for (std::int64_t b = 0; b < plan.B; ++b) {
    for (std::int64_t o = 0; o < plan.O; ++o) {
      for (std::int64_t k = 0; k < plan.K; ++k) {
        for (std::int64_t i = 0; i < plan.I; ++i, ++at) {
          expect(at, b * plan.K + k, plan.affine_b(b) + plan.affine_o(o) + plan.affine_k(k) + plan.affine_i(i));
        }
      }
    }
  }
  if (plan.statistics_order.identity) {
    for (std::int64_t s = 0; s < plan.statistics(); ++s) ASSERT_EQ(plan.statistics_order.offset(s), s);
  }
}

// What a call before left serves one that is alike in everything, and no other.
TEST(Plan, IsKeptForCallsThatAreAlikeInEverything) {
  const Descriptor descriptor{.name = "this", .statistics = Axes::from(1), .affine = Axes::of({1}), .groups = 2};
  const Shape shape{2, 4, 6};
  const plan::Resolved kept(descriptor, shape);
  Descriptor other = descriptor;
  other.name = "that";
  EXPECT_TRUE(kept.is_of(descriptor, shape));
  EXPECT_TRUE(kept.is_of(other, shape)) << "the name is for errors alone";
  EXPECT_FALSE(kept.is_of(descriptor, {2, 6, 4}));
  EXPECT_FALSE(kept.is_of(descriptor, {2, 4, 6, 1}));
  EXPECT_FALSE(kept.is_of(descriptor, {2, 4}));
  const auto refused = [&](auto change) {
    Descriptor changed = descriptor;
    change(changed);
    return !kept.is_of(changed, shape);
  };
  EXPECT_TRUE(refused([](Descriptor& d) { d.statistics = Axes::of({1, 2}); }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.affine = Axes::of({1, 2}); }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.groups = 4; }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.eps = 1e-6; }));
  EXPECT_TRUE(refused([](Descriptor& d) { d.centred = false; }));
}

TEST(Plan, FindsEveryStatisticAndGammaOfRandomShapes) {
  std::mt19937_64 random(1);
  const auto below = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
  for (int round = 0; round < 3000; ++round) {
    const auto rank = static_cast<int>(1 + below(6));
    std::vector<std::int64_t> sizes;
    for (int axis = 0; axis < rank; ++axis) sizes.push_back(1 + below(4));
    std::vector<int> shared, affine;
    for (int axis = 0; axis < rank; ++axis) {
      if (below(2) == 0) shared.push_back(axis);
      if (below(2) == 0) affine.push_back(axis);
    }
    Descriptor descriptor{.statistics = Axes::of(shared), .affine = Axes::of(affine)};
    if (std::ranges::count(shared, 1) > 0 && below(2) == 0) {
      sizes[1] = 4;
      descriptor.groups = std::int64_t{1} << below(3);
    }
    const Layout layout = below(2) == 0 ? Layout::kChannelsFirst : Layout::kChannelsLast;
    check(descriptor, Shape{std::span<const std::int64_t>(sizes)}, layout);
    if (HasFatalFailure()) return;
  }
}

TEST(Plan, LaysTheNormsOnTheRunsOfTheDesign) {
  struct Expected {
    Descriptor descriptor;
    Shape shape;
    Layout layout;
    std::int64_t B, O, K, I;
  };
  constexpr Layout kFirst = Layout::kChannelsFirst;
  constexpr Layout kLast = Layout::kChannelsLast;
  const Descriptor channels{.statistics = Axes::of({1}), .affine = Axes::of({1})};
  const Descriptor ghost{.statistics = Axes::of({1, 3, 4}), .affine = Axes::of({2})};
  const Expected cases[] = {
      {layer_norm(), {2, 3, 10}, kFirst, 6, 1, 1, 10},        {group_norm(4), {2, 12, 5, 7}, kFirst, 8, 1, 1, 105},
      {instance_norm(), {2, 12, 5, 7}, kFirst, 24, 1, 1, 35}, {batch_norm(), {9, 12}, kFirst, 1, 9, 12, 1},
      {batch_norm(), {2, 12, 5, 7}, kLast, 1, 70, 12, 1},     {batch_norm(), {2, 12, 5, 7}, kFirst, 1, 2, 12, 35},
      {instance_norm(), {2, 12, 5, 7}, kLast, 2, 35, 12, 1},  {channels, {2, 12, 5, 7}, kFirst, 2, 12, 35, 1},
      {group_norm(4), {2, 12, 5, 7}, kLast, 2, 35, 4, 3},     {ghost, {6, 2, 12, 5, 7}, kFirst, 6, 2, 12, 35}};
  for (const Expected& c : cases) {
    const plan::Plan plan = plan::make_plan(c.descriptor, c.shape, dense_strides(c.shape, c.layout));
    EXPECT_TRUE(plan.direct) << c.shape.to_string();
    EXPECT_EQ((std::vector{plan.B, plan.O, plan.K, plan.I}), (std::vector{c.B, c.O, c.K, c.I})) << c.shape.to_string();
  }
}

}  // namespace
}  // namespace norma
