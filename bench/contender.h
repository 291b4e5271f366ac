// What is measured: a case (an operation on one shape and layout) and who computes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "norma/tensor.h"

namespace norma::bench {

enum class Operation : std::uint8_t { kForward, kInference, kBackward };

// f32 throughout: what training uses on a CPU, and what all three have fast paths for.
struct Case {
  bool batch_norm;  // BatchNorm over axis 1's channels; otherwise LayerNorm over the last axis
  Operation operation;
  Shape shape;
  Layout layout;

  std::string name() const;
  std::int64_t channels() const { return batch_norm ? shape[1] : shape[shape.rank() - 1]; }
  // How many means there are.
  std::int64_t statistics() const { return batch_norm ? shape[1] : shape.elements() / channels(); }
  // The least that must move: every input once, the output once.
  std::int64_t bytes() const { return shape.elements() * 4 * (operation == Operation::kBackward ? 3 : 2); }
};

inline constexpr float kEps = 1e-5F;

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
  virtual const char* name() const = 0;
  virtual void run() = 0;
  virtual Answers answers() = 0;
};

// Fresh: outputs are allocated in each run, as a user of the framework gets them.
std::unique_ptr<Contender> make_norma(const Case& c, const Inputs& inputs, bool fresh);
std::unique_ptr<Contender> make_torch(const Case& c, const Inputs& inputs);
std::unique_ptr<Contender> make_onednn(const Case& c, const Inputs& inputs);

// The same in f64 by libtorch: what all are checked against.
Answers reference_answers(const Case& c, const Inputs& inputs);

}  // namespace norma::bench
