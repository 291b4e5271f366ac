// Who is scored for exactness: ours, libtorch and oneDNN, each given the same inputs.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "reference/reference.h"
#include "reference/traps.h"

namespace norma::accuracy {

using reference::Trap;
using reference::Values;

struct Answer {
  Values y;
  reference::Gradients gradients;  // empty without a dy
  Values inferred;                 // of BatchNorm with a dy: y from given statistics, of channel c 0.1 c and 1 + 0.1 c
};

// Traps that are calls, by what is asked.
enum class Call : std::uint8_t {
  kEmptyInference,              // 17
  kEmptyTraining,               // 17
  kEmptyBackward,               // 17
  kOneValueBatch,               // 18
  kOneValueInstance,            // 18
  kWrongGamma,                  // 21
  kZeroGroups,                  // 21
  kRankOne,                     // 22
  kInferenceWithoutStatistics,  // 22
  kLayoutOfGradient,            // 23
  kLargeEpsInInference,         // 26
  kUnbiasedRunning,             // 28
  kInfiniteBatch,               // 28
};
struct CallText {
  Call call;
  int number;
  const char* what;
  const char* right;
};
inline constexpr std::array<CallText, 13> kCalls{{
    {Call::kEmptyInference, 17, "BatchNorm inference of (0, 64, 112, 112)", "an empty result"},
    {Call::kEmptyTraining, 17, "BatchNorm training of (0, 5, 9)", "running statistics stay finite"},
    {Call::kEmptyBackward, 17, "BatchNorm backward of (4, 2, 0, 3)", "dgamma and dbeta are 0"},
    {Call::kOneValueBatch, 18, "BatchNorm training of one value a channel", "an error, and nothing moves"},
    {Call::kOneValueInstance, 18, "InstanceNorm of (1, 3, 1, 1) and (2, 3, 1, 1)", "the same for both"},
    {Call::kWrongGamma, 21, "gamma of 4 for 5 channels", "an error"},
    {Call::kZeroGroups, 21, "GroupNorm of 0 groups", "an error"},
    {Call::kRankOne, 22, "BatchNorm of rank 1", "an error"},
    {Call::kInferenceWithoutStatistics, 22, "BatchNorm inference without statistics", "an error"},
    {Call::kLayoutOfGradient, 23, "the layout of dx of a channels-last x", "channels last"},
    {Call::kLargeEpsInInference, 26, "BatchNorm inference with eps 10", "eps is added"},
    {Call::kUnbiasedRunning, 28, "the running variance of {1, 3}, momentum 1", "2, the unbiased"},
    {Call::kInfiniteBatch, 28, "one infinite batch", "running statistics stay finite"},
}};

struct Said {
  bool right;
  std::string what;
};

class System {
 public:
  virtual ~System() = default;
  virtual std::string name() const = 0;
  virtual void set_threads(int threads) = 0;
  // The forward pass, and with a dy the backward pass. None: it has no such normalization or type. What it throws is
  // its answer too.
  virtual std::optional<Answer> run(const Trap& trap) = 0;
  // The standard deviation (n - 1) of these values as its training pass of BatchNorm finds it.
  virtual std::optional<double> deviation(const Values& x, DType dtype) = 0;
  // A Call by what came of it; what it throws counts as an error.
  virtual std::optional<Said> call(Call which) = 0;
};

std::unique_ptr<System> make_norma();
std::unique_ptr<System> make_libtorch();
std::unique_ptr<System> make_onednn();

}  // namespace norma::accuracy
