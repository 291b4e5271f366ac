// Every operation, on every case, in both data types and layouts, with and without affine parameters, against the
// oracle. Every instruction set, data that is not aligned, several numbers of threads, and any place in a batch: the
// same bits.
#include <gmock/gmock.h>
#include <omp.h>

#include <cstring>

#include "norma/norma.h"
#include "reference/compare.h"
#include "reference/exam.h"

namespace norma {
namespace {

using reference::allowed_error;
using reference::Case;
using reference::Data;
using reference::Exam;
using reference::Operation;
using reference::Placement;
using reference::Tensor;
using reference::Values;

constexpr std::array kLayouts{Layout::kChannelsFirst, Layout::kChannelsLast};

// Back to the best instruction set, whatever happened in between.
class InstructionSet {
 public:
  explicit InstructionSet(const std::string& name) { force_isa(name); }
  ~InstructionSet() { force_isa(""); }
  InstructionSet(const InstructionSet&) = delete;
  InstructionSet& operator=(const InstructionSet&) = delete;
};

bool has_fma(const std::string& isa) {
  return isa != "sse4" && isa != "scalar";
}

void examine_all(const Data& data, const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const Exam exam(c, data);
    for (const Layout layout : kLayouts) {
      for (const DType saved : {data.dtype, DType::kFloat64}) {
        for (const Operation operation : reference::kOperations) {
          // In units of roundoff of the sizes that reference/compare.h names.
          EXPECT_LE(exam.run(operation, {layout, saved, 0}).error, allowed_error(operation, data.dtype, saved))
              << name_of(operation) << " of " << c.name << ", " << name_of(data.dtype) << ", saved as "
              << name_of(saved) << (layout == Layout::kChannelsLast ? ", channels last" : ", channels first");
        }
      }
    }
  }
}

TEST(Agreement, OfF32WithTheOracleHoldsInEveryCase) {
  examine_all({DType::kFloat32}, reference::all_cases());
}
TEST(Agreement, OfF64WithTheOracleHoldsInEveryCase) {
  examine_all({DType::kFloat64}, reference::all_cases());
}
TEST(Agreement, OfBf16WithTheOracleHoldsInEveryCase) {
  examine_all({DType::kBFloat16}, reference::all_cases());
}
TEST(Agreement, OfF16WithTheOracleHoldsInEveryCase) {
  examine_all({DType::kFloat16}, reference::all_cases());
}
TEST(Agreement, HoldsForF32ParametersOfShortTypes) {
  for (const DType dtype : {DType::kBFloat16, DType::kFloat16}) {
    examine_all({.dtype = dtype, .wide_parameters = true}, reference::few_cases());
  }
}
TEST(Agreement, HoldsWithoutGammaAndBeta) {
  for (const DType dtype : kDTypes) examine_all({dtype, false, false}, reference::all_cases());
}
TEST(Agreement, HoldsWithGammaAlone) {
  for (const DType dtype : kDTypes) examine_all({dtype, true, false}, reference::few_cases());
}
TEST(Agreement, HoldsWithBetaAlone) {
  for (const DType dtype : kDTypes) examine_all({dtype, false, true}, reference::few_cases());
}

// Under masks of samples, of samples and positions, and of single elements, on garbage.
TEST(Agreement, HoldsUnderMasks) {
  for (const Case& c : reference::all_cases()) {
    for (const std::uint32_t axes : reference::mask_axes(c)) {
      for (const DType dtype : kDTypes) examine_all({.dtype = dtype, .mask_axes = axes}, {c});
    }
  }
}

// Statistics in f64 of data in f32 are sums in f64: what is merged or runs over many batches loses nothing.
TEST(Agreement, OfStatisticsSavedInF64IsThatOfF64) {
  for (const Case& c : reference::all_cases()) {
    const Tensor x(reference::normal(c.shape.elements(), 9, 0.5, 2), DType::kFloat32, c.shape);
    const Shape size = statistics_shape(c.descriptor, c.shape);
    Tensor mean(DType::kFloat64, size);
    Tensor m2(DType::kFloat64, size);
    statistics(c.descriptor, x.view(), mean.view(), m2.view());
    const reference::Moments want = reference::statistics(c.descriptor, c.shape, x.values());
    // A sum of n squares one by one is off by up to n units, in practice by the root of that; the longest has 5003.
    EXPECT_LE(reference::largest_error(mean.values(), want.mean, mean_scale(want), DType::kFloat64), 4) << c.name;
    EXPECT_LE(reference::largest_error(m2.values(), want.m2, want.m2, DType::kFloat64), 64) << c.name;
  }
}

TEST(Agreement, HoldsOnEveryInstructionSetAndAtOddAlignments) {
  for (const Case& c : reference::few_cases()) {
    for (const DType dtype : kDTypes) {
      const Exam exam(c, {.dtype = dtype, .mean = 3, .sigma = 0.5, .seed = 7});
      for (const std::string& isa : available_isas()) {
        const InstructionSet forced(isa);
        for (const Layout layout : kLayouts) {
          for (const int misalign : {0, 1, 3}) {
            for (const Operation operation : reference::kOperations) {
              EXPECT_LE(exam.run(operation, {layout, DType::kFloat64, misalign}).error, allowed_error(operation, dtype))
                  << isa << ", " << name_of(operation) << " of " << c.name << ", " << name_of(dtype);
            }
          }
        }
      }
    }
  }
}

TEST(Bits, AreTheSameOnEveryInstructionSetWithFma) {
  for (const Case& c : reference::all_cases()) {
    for (const DType dtype : kDTypes) {
      const Exam exam(c, {dtype});
      for (const Layout layout : kLayouts) {
        for (const Operation operation : reference::kOperations) {
          const Placement placement{layout, DType::kFloat64, 0};
          const auto best = exam.run(operation, placement).bits;
          for (const std::string& isa : available_isas()) {
            if (!has_fma(isa) || !has_fma(current_isa())) continue;
            const InstructionSet forced(isa);
            EXPECT_EQ(exam.run(operation, placement).bits, best)
                << isa << ", " << name_of(operation) << " of " << c.name << ", " << name_of(dtype);
          }
        }
      }
    }
  }
}

// Large enough to be shared out among threads.
std::vector<Case> large_cases() {
  return {{"layer_norm", layer_norm(), {700, 301}},        {"batch_norm", batch_norm(), {3000, 70}},
          {"batch_norm", batch_norm(), {16, 33, 20, 20}},  {"one long row", layer_norm(), {1, 300000}},
          {"one long column", batch_norm(), {300000, 1}},  {"group_norm", group_norm(4), {16, 32, 20, 20}},
          {"instance_norm", instance_norm(), {8, 40, 600}}};
}

// Trap 31: nondeterminism across threads and runs.
TEST(Bits, AreTheSameForAnyNumberOfThreads) {
  const int before = omp_get_max_threads();
  for (const Case& c : large_cases()) {
    for (const DType dtype : kDTypes) {
      const Exam exam(c, {dtype});
      for (const Layout layout : kLayouts) {
        for (const Operation operation : reference::kOperations) {
          const Placement placement{layout, dtype, 0};
          omp_set_num_threads(1);
          const reference::Outcome alone = exam.run(operation, placement);
          EXPECT_LE(alone.error, allowed_error(operation, dtype, dtype)) << name_of(operation) << " of " << c.name;
          for (const int threads : {2, 3, 7, 16}) {
            omp_set_num_threads(threads);
            EXPECT_EQ(exam.run(operation, placement).bits, alone.bits)
                << threads << " threads, " << name_of(operation) << " of " << c.name << ", " << name_of(dtype);
          }
        }
      }
    }
  }
  omp_set_num_threads(before);
}

// y of `shape`, from values in logical order.
Values forward_of(const Descriptor& descriptor, const Shape& shape, const Values& x) {
  const Tensor in(x, DType::kFloat32, shape);
  Tensor out(DType::kFloat32, shape);
  forward(descriptor, in.view(), {}, {}, out.view(), {}, {});
  return out.values();
}

TEST(Bits, OfASampleDependNeitherOnItsPlaceNorOnItsCompanions) {
  for (const std::int64_t features : {3, 16, 67, 1000}) {
    const Values x = reference::normal(37 * features, 5);
    for (const Descriptor& descriptor : {layer_norm(), rms_norm()}) {
      const Values together = forward_of(descriptor, {37, features}, x);
      for (const std::int64_t sample : {0, 1, 17, 36}) {
        const auto first = static_cast<std::ptrdiff_t>(sample * features);
        const Values alone = forward_of(descriptor, {1, features},
                                        {x.begin() + first, x.begin() + first + static_cast<std::ptrdiff_t>(features)});
        EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + first)) << features << ", " << sample;
      }
    }
  }
}

TEST(Bits, OfAFeatureDoNotDependOnItsNeighbours) {
  for (const std::int64_t samples : {3, 16, 67, 1000}) {
    const std::int64_t features = 37;
    const Values x = reference::normal(samples * features, 6);
    const Values together = forward_of(batch_norm(), {samples, features}, x);
    for (const std::int64_t feature : {0, 1, 17, 36}) {
      Values column;
      Values expected;
      for (std::int64_t n = 0; n < samples; ++n) {
        column.push_back(x[static_cast<std::size_t>(n * features + feature)]);
        expected.push_back(together[static_cast<std::size_t>(n * features + feature)]);
      }
      EXPECT_EQ(forward_of(batch_norm(), {samples, 1}, column), expected) << samples << ", " << feature;
    }
  }
}

}  // namespace
}  // namespace norma
