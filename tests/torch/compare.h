// What the tests of norma_torch share: seeded tensors and comparisons.
//
// Ours, in whichever type, is held against torch's own layers in f64 on the same (rounded) numbers, so that torch's f32
// errors do not count as ours.
#pragma once

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>
#include <vector>

#include "norma/error.h"

namespace norma::test {

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another type: ") + error.what();
  }
  return "no error";
}

inline at::Generator seeded(std::uint64_t seed) {
  return at::make_generator<at::CPUGeneratorImpl>(seed);
}

// Values with a mean and a spread of their own, so that a statistic that is left out shows.
inline at::Tensor random_input(at::IntArrayRef sizes, at::ScalarType type, at::MemoryFormat format,
                               std::uint64_t seed) {
  const at::Tensor x = torch::randn(sizes, seeded(seed), torch::kDouble) * 2 + 3;
  return x.to(type).contiguous(format);
}

// A cotangent of no special direction: a plain sum would make every dx vanish.
inline at::Tensor random_like(const at::Tensor& y, std::uint64_t seed) {
  return torch::randn(y.sizes(), seeded(seed), torch::kDouble).to(y.scalar_type());
}

// Largest difference, over the largest entry of what is expected.
inline double difference(const at::Tensor& got, const at::Tensor& expected) {
  if (expected.numel() == 0) return 0;
  const double scale = std::max(expected.abs().max().item<double>(), 1e-30);
  return (got.to(torch::kDouble) - expected).abs().max().item<double>() / scale;
}

// Units of roundoff: an output or a gradient is rounded a handful of times on the way out of f64 accumulators. In f64
// torch's own sums add theirs. What is bf16 or f16 is rounded once.
inline double tolerance(at::ScalarType type) {
  if (type == torch::kBFloat16) return 1.01 * 0x1p-8;
  if (type == torch::kHalf) return 1.01 * 0x1p-11;
  return type == torch::kFloat ? 8 * 0x1p-24 : 256 * 0x1p-53;
}

inline void expect_close(const at::Tensor& got, const at::Tensor& expected, double bound, const std::string& what) {
  ASSERT_EQ(got.defined(), expected.defined()) << what;
  if (!expected.defined()) return;
  ASSERT_EQ(got.sizes(), expected.sizes()) << what;
  EXPECT_LE(difference(got, expected), bound) << what;
}

}  // namespace norma::test
