// Fused calls give the same bits in place, with gaps between rows, for any number of threads and any batch, on every
// instruction set; and nothing where nothing counts.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>

#include "fusion_support.h"

namespace norma {
namespace {

using reference::Case;
using reference::Values;
using testing::fusion_cases;
using testing::kActivations;
using testing::kLayouts;
using testing::large_fusion_cases;
using testing::name_of;
using testing::Parts;
using testing::Places;
using testing::Problem;
using testing::Results;
using testing::run;

std::string text_of(const Problem& p, const Parts& parts) {
  return p.norm.name + ", " + name_of(p.dtype) + ", " + name_of(parts.activation) + (parts.before ? ", before" : "") +
         (parts.after ? ", after" : "") + (p.given_statistics ? ", given statistics" : "") +
         (p.mask ? ", masked" : "") + (p.layout == Layout::kChannelsLast ? ", channels last" : "") + ": y over " +
         p.places.y + ", sum over " + p.places.sum + ", dx over " + p.places.dx + ", dafter over " + p.places.dafter;
}

// Every order that norma/fusion.h names.
const std::vector<Places>& places() {
  static const std::vector<Places> kPlaces{{"x", "before", "dy", ""},
                                           {"before", "", "dsum", ""},
                                           {"sum", "", "dsum", "dy"},
                                           {"after", "x", "", "dy"},
                                           {"x", "x", "dsum", ""}};
  return kPlaces;
}

const std::vector<Parts>& some_parts() {
  static const std::vector<Parts> kParts{{false, false, Activation::kSilu}, {false, true, Activation::kNone},
                                         {true, false, Activation::kNone},  {true, false, Activation::kGelu},
                                         {true, true, Activation::kNone},   {true, true, Activation::kRelu}};
  return kParts;
}

void expect_the_bits_of_apart(Problem p, const Parts& parts) {
  p.places = {};
  const Results apart = run(p, parts);
  for (const Places& place : places()) {
    p.places = place;
    Results want = apart;
    // y took the sum's place, or the sum's was where y went.
    if (parts.before && (place.y == "sum" || (place.y == place.sum && !place.y.empty()))) want.sum.clear();
    EXPECT_TRUE(run(p, parts) == want) << text_of(p, parts);
  }
}

TEST(FusionBits, AreTheSameInPlace) {
  for (const Case& c : fusion_cases()) {
    for (const DType dtype : kDTypes) {
      for (const bool masked : {false, true}) {
        for (const bool given : {false, true}) {
          for (const Layout layout : kLayouts) {
            if (layout == Layout::kChannelsLast && c.shape.rank() < 3) continue;
            Problem p{.norm = c, .dtype = dtype, .layout = layout, .given_statistics = given};
            if (masked) p.mask.emplace(c, reference::mask_axes(c).front(), 3);
            for (const Parts& parts : some_parts()) expect_the_bits_of_apart(p, parts);
          }
        }
      }
    }
  }
}

TEST(FusionBits, OfSeveralBlocksAreTheSameInPlace) {
  for (const Case& c : large_fusion_cases()) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      expect_the_bits_of_apart({.norm = c, .dtype = dtype}, {true, true, Activation::kRelu});
      expect_the_bits_of_apart({.norm = c, .dtype = dtype}, {true, false, Activation::kSilu});
    }
  }
}

// Every tensor with gaps of its own, in place too.
TEST(FusionBits, AreTheSameWithGapsBetweenRows) {
  std::vector<Case> cases = fusion_cases();
  for (const Case& c : large_fusion_cases()) cases.push_back(c);
  for (const Case& c : cases) {
    const bool large = c.shape.elements() > 5000;
    for (const DType dtype : {DType::kFloat32, DType::kFloat16}) {
      for (const Layout layout : kLayouts) {
        if (layout == Layout::kChannelsLast && c.shape.rank() < 3) continue;
        for (const bool given : {false, true}) {
          if (given && large) continue;
          Problem p{.norm = c, .dtype = dtype, .layout = layout, .given_statistics = given};
          for (const Parts& parts : some_parts()) {
            if (large && !(parts.before && parts.after)) continue;
            p.places = {};
            p.without_gaps = 0;
            const Results dense = run(p, parts);
            for (int inner = 1; inner < c.shape.rank(); ++inner) {
              p.without_gaps = inner;
              p.places = {};
              EXPECT_TRUE(run(p, parts) == dense) << text_of(p, parts) << ", a gap after " << inner << " axes";
              p.places = {"x", "before", "dsum", "dy"};
              EXPECT_TRUE(run(p, parts) == dense) << text_of(p, parts) << ", a gap after " << inner << " axes";
            }
          }
        }
      }
    }
  }
}

// Nothing but the stores of y's own rounding sets them apart: ReLU commutes with it.
TEST(FusionBits, OfReluAloneGivesTheBitsOfOneAfterTheOther) {
  for (const Case& c : fusion_cases()) {
    for (const DType dtype : kDTypes) {
      const Problem p{.norm = c, .dtype = dtype};
      const Results plain = run(p, {false, false, Activation::kNone});
      Values want = plain.y;
      for (double& value : want) value = value > 0 ? value : 0;
      EXPECT_EQ(run(p, {false, false, Activation::kRelu}).y, want) << c.name << ", " << name_of(dtype);
    }
  }
}

TEST(FusionBits, AreTheSameForAnyNumberOfThreads) {
  const std::vector<Case> large{{"layer_norm", layer_norm(), {400, 301}},
                                {"batch_norm", batch_norm(), {2000, 70}},
                                {"images", batch_norm(), {10, 33, 16, 16}},
                                {"group_norm", group_norm(4), {10, 32, 16, 16}}};
  const int before = omp_get_max_threads();
  for (const Case& c : large) {
    for (const Layout layout : kLayouts) {
      if (layout == Layout::kChannelsLast && c.shape.rank() < 3) continue;
      for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
        const Problem p{.norm = c, .dtype = dtype, .layout = layout};
        const Parts parts{true, true, Activation::kSilu};
        omp_set_num_threads(1);
        const Results alone = run(p, parts);
        for (const int threads : {2, 7}) {
          omp_set_num_threads(threads);
          EXPECT_TRUE(run(p, parts) == alone) << c.name << ", " << threads << " threads";
        }
      }
    }
  }
  omp_set_num_threads(before);
}

// What the samples from `first` on give in a batch of their own.
void expect_the_bits_of_the_batch(const Problem& batch, const Parts& parts, const Results& all, std::int64_t first,
                                  std::int64_t count) {
  const Shape& shape = batch.norm.shape;
  std::vector<std::int64_t> sizes(shape.sizes().begin(), shape.sizes().end());
  sizes[0] = count;
  Problem p = batch;
  p.norm.shape = Shape(sizes);
  p.first_sample = first;
  const Results part = run(p, parts);
  const std::int64_t sample = shape.elements() / shape[0];
  const auto expect = [&](const char* what, const Values& got, const Values& whole) {
    if (whole.empty()) return;
    const auto from = whole.begin() + static_cast<std::ptrdiff_t>(first * sample);
    EXPECT_TRUE(std::equal(got.begin(), got.end(), from, from + static_cast<std::ptrdiff_t>(count * sample)))
        << what << " of " << count << " samples from " << first << ": " << text_of(batch, parts);
  };
  expect("y", part.y, all.y);
  expect("sum", part.sum, all.sum);
  expect("dx", part.dx, all.dx);
  expect("dafter", part.dafter, all.dafter);
}

TEST(FusionBits, AreTheSameInAnyBatchAndAtAnyPlaceOfIt) {
  Descriptor over_features = layer_norm();
  over_features.statistics = over_features.affine = Axes::of({1});
  const std::vector<Case> cases{{"rows", layer_norm(), {19, 67}},
                                {"short rows", layer_norm(), {50, 3}},
                                {"rms_norm", rms_norm(), {19, 33}},
                                {"over features", over_features, {7, 17, 3, 5}},
                                {"group_norm", group_norm(2), {7, 6, 5, 3}},
                                {"instance_norm", instance_norm(), {7, 5, 4, 4}},
                                {"batch_norm", batch_norm(), {19, 33}},
                                {"batch_norm of images", batch_norm(), {7, 17, 5, 3}}};
  for (const Case& c : cases) {
    for (const DType dtype : kDTypes) {
      for (const Layout layout : kLayouts) {
        if (layout == Layout::kChannelsLast && c.shape.rank() < 3) continue;
        // A batch statistic is one of the batch unless it is given.
        const bool given = (c.descriptor.statistics.resolve(c.shape.rank(), c.descriptor.name) & 1U) != 0;
        const Problem p{.norm = c, .dtype = dtype, .layout = layout, .given_statistics = given};
        for (const Parts& parts : some_parts()) {
          const Results all = run(p, parts);
          expect_the_bits_of_the_batch(p, parts, all, 0, 1);
          expect_the_bits_of_the_batch(p, parts, all, 3, 4);
          expect_the_bits_of_the_batch(p, parts, all, c.shape[0] - 1, 1);
        }
      }
    }
  }
}

// All tensors are full of NaN and infinities then.
TEST(FusionBits, AreZeroWhereNothingCounts) {
  for (const Case& c : reference::few_cases()) {
    for (const std::uint32_t axes : reference::mask_axes(c)) {
      for (const bool given : {false, true}) {
        std::vector<std::int64_t> sizes(c.shape.sizes().begin(), c.shape.sizes().end());
        for (int axis = 0; axis < c.shape.rank(); ++axis) {
          if ((axes >> axis & 1U) == 0) sizes[static_cast<std::size_t>(axis)] = 1;
        }
        const Problem p{.norm = c, .dtype = DType::kFloat32, .nothing_counts = Shape(sizes), .given_statistics = given};
        const bool shared = (c.descriptor.statistics.resolve(c.shape.rank(), c.descriptor.name) & 1U) != 0;
        for (const Parts& parts : some_parts()) {
          if (shared && !given) {
            EXPECT_THROW(run(p, parts), Error) << text_of(p, parts);
            continue;
          }
          const Results got = run(p, parts);
          for (const Values* values : {&got.y, &got.sum, &got.dx, &got.dafter, &got.dgamma, &got.dbeta}) {
            for (const double value : *values) EXPECT_EQ(value, 0) << text_of(p, parts);
          }
        }
      }
    }
  }
}

TEST(FusionBits, AreTheSameOnEveryInstructionSetWithFma) {
  for (const Case& c : fusion_cases()) {
    for (const DType dtype : kDTypes) {
      const Problem p{.norm = c, .dtype = dtype};
      for (const Activation activation : kActivations) {
        std::optional<Results> first;
        for (const std::string& isa : available_isas()) {
          if (isa == "sse4" || isa == "scalar") continue;
          force_isa(isa);
          const Results results = run(p, {true, true, activation});
          if (first) {
            EXPECT_TRUE(results == *first) << c.name << ", " << isa << ", " << name_of(activation);
          }
          first = results;
        }
        force_isa("");
      }
    }
  }
}

}  // namespace
}  // namespace norma
