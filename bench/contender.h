// What is measured: a case (a norm's operation on one shape and layout) and who computes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "norma/descriptor.h"
#include "norma/tensor.h"

namespace norma::bench {

enum class Norm : std::uint8_t { kLayer, kRms, kBatch, kGroup, kInstance };
enum class Operation : std::uint8_t { kForward, kInference, kBackward };

inline constexpr float kEps = 1e-5F;
inline constexpr std::int64_t kGroups = 32;

// f32: what all contenders have fast paths for.
struct Case {
  Norm norm;
  Operation operation;
  Shape shape;  // (N,C), or (N,C,H,W) whatever the layout
  Layout layout;

  // "BN backward NHWC 32x64x56x56".
  std::string name() const;
  Descriptor descriptor() const;
  bool rows() const { return norm == Norm::kLayer || norm == Norm::kRms; }
  // gammas
  std::int64_t channels() const { return rows() ? shape[shape.rank() - 1] : shape[1]; }
  // Of each sample: 1, or the pixels.
  std::int64_t positions() const { return shape.rank() == 2 ? 1 : shape[2] * shape[3]; }
  std::int64_t statistics() const { return statistics_shape(descriptor(), shape).elements(); }
  // How many tensors of x's size must move at the least: every input once, the output once.
  std::int64_t streams() const { return operation == Operation::kBackward ? 3 : 2; }
  std::int64_t bytes() const { return shape.elements() * 4 * streams(); }
};

// Everything a case reads, in memory order, and the saved or running statistics.
struct Inputs {
  std::vector<float> x, dy, gamma, beta, mean, rstd, variance;
};
Inputs make_inputs(const Case& c);

// The answers of one run, as far as the operation gives them.
struct Answers {
  std::vector<float> main;  // y or dx
  std::vector<float> dgamma, dbeta;
};

class Contender {
 public:
  virtual ~Contender() = default;
  virtual std::string name() const = 0;
  virtual void run() = 0;
  virtual Answers answers() = 0;
  // Frees the outputs until the next run, so that ours and libtorch's lie in the same memory: how fast a page is
  // depends on where it lies. oneDNN's are kept.
  virtual void release() {}
};

// Fresh: outputs are allocated in each run, as a user of the framework gets them.
std::unique_ptr<Contender> make_norma(const Case& c, const Inputs& inputs, bool fresh);
// x, y, dy and dx of another type (gamma, beta and the statistics stay f32), or a quarter of the positions masked: ours
// beside ours. Named "f32", "bf16", "f16", "masked".
enum class Variant : std::uint8_t { kFloat32, kBFloat16, kFloat16, kMasked };
std::unique_ptr<Contender> make_norma_variant(const Case& c, const Inputs& inputs, Variant variant);
// Of kMasked: one byte for every sample and position, 0 where it is padding. It comes in runs, as that of sequences.
std::vector<std::uint8_t> padding(const Case& c);
// Null where the peer has no such operation, or not in that layout.
std::unique_ptr<Contender> make_torch(const Case& c, const Inputs& inputs);
// In the case's own layout ("oneDNN"), or in the layout it likes best ("oneDNN blocked").
std::unique_ptr<Contender> make_onednn(const Case& c, const Inputs& inputs, bool blocked);

// The same in f64 by libtorch: what all are checked against.
Answers reference_answers(const Case& c, const Inputs& inputs);

}  // namespace norma::bench
