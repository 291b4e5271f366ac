// An exam: one case with data, and what the oracle makes of it. The library's operations, or any others with their
// signatures, are run on it and get their largest error in units of roundoff.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "norma/ops.h"
#include "reference/cases.h"
#include "reference/reference.h"

namespace norma::reference {

enum class Operation : std::uint8_t { kForward, kBackward, kInference, kInferenceBackward, kStatistics };
inline constexpr std::array<Operation, 5> kOperations{Operation::kForward, Operation::kBackward, Operation::kInference,
                                                      Operation::kInferenceBackward, Operation::kStatistics};
const char* name_of(Operation operation);
// The error allowed, in units of roundoff of x's data type: 4 forward and 8 backward in f32, 8 in f64. What is computed
// in f32 and stored in bf16 or f16 is off by that one rounding and next to nothing; but 8 backward where mean and rstd
// were saved in such a type too.
double allowed_error(Operation operation, DType dtype, DType saved = DType::kFloat64);

// What is examined. The default is the library; a test of the exam itself puts something broken in its place.
struct Subject {
  decltype(&norma::forward) forward = &norma::forward;
  decltype(&norma::backward) backward = &norma::backward;
  decltype(&norma::inference) inference = &norma::inference;
  decltype(&norma::inference_backward) inference_backward = &norma::inference_backward;
  decltype(&norma::statistics) statistics = &norma::statistics;
};

struct Data {
  DType dtype = DType::kFloat32;
  bool gamma = true, beta = true;  // present or absent
  // bf16 and f16 alone: gamma, beta and their gradients in f32.
  bool wide_parameters = false;
  double mean = 0.5, sigma = 2;  // of x
  std::uint64_t seed = 1;
  // Axes along which a mask varies, as bits; 0: no mask. What is masked is garbage.
  std::uint32_t mask_axes = 0;
};

// How the tensors lie, and in which type mean and rstd are saved.
struct Placement {
  Layout layout = Layout::kChannelsFirst;
  DType saved = DType::kFloat64;
  int misalign = 0;
};

struct Outcome {
  // Infinity if a guard was overwritten or the count was wrong.
  double error = 0;
  // All results as they lie in memory.
  std::vector<std::byte> bits;
};

class Exam {
 public:
  Exam(const Case& problem, const Data& data);

  Outcome run(Operation operation, const Placement& placement = {}, const Subject& subject = {}) const;

 private:
  struct Answer {
    Values want, scale;
  };
  Outcome run_forward(const Placement& placement, const Subject& subject) const;
  Outcome run_gradient(Operation operation, const Placement& placement, const Subject& subject) const;
  Outcome run_inference(const Placement& placement, const Subject& subject) const;
  Outcome run_statistics(const Placement& placement, const Subject& subject) const;

  // The type of gamma, beta and their gradients.
  DType affine_type() const { return data_.wide_parameters ? DType::kFloat32 : data_.dtype; }
  // Absent without a mask.
  MaskView mask() const { return mask_ ? mask_->view() : MaskView(); }

  Case case_;
  Data data_;
  std::optional<PositionMask> mask_;
  Values x_, dy_, gamma_, beta_, running_mean_, running_variance_;
  Answer y_, mean_, rstd_, m2_, inferred_;
  std::int64_t count_ = 0;  // behind every statistic, or -1
  Gradients backward_, backward_scale_, backward_scale_rounded_;
  Gradients inference_backward_, inference_backward_scale_;
};

}  // namespace norma::reference
