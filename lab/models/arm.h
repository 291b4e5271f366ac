// An arm as a layer of a network. Each arm is one file in arms/ and one line in arms.def.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "lab/data/random.h"
#include "lab/trial/spec.h"

namespace norma::lab {

// eps of every arm, and how far the running statistics move at a step (torch's convention).
inline constexpr double kArmEps = 1e-5;
inline constexpr double kArmMomentum = 0.1;

// Which place in a network a layer takes; arms may treat them differently.
enum class Site : std::uint8_t {
  kFeatures,      // of a feed-forward network
  kInput,         // a recurrent cell's W_x x, all steps at once: (N,T,C)
  kHidden,        // a recurrent cell's W_h h, step by step: (N,C)
  kCell,          // a recurrent cell's state on its way to the output, step by step: (N,C)
  kBetweenLinear  // between the two Linears of a Transformer's feed-forward part
};

// Where a layer stands.
struct ArmContext {
  const TrialSpec& trial;
  std::int64_t features = 0;  // C
  std::int64_t rank = 2;      // 2: (N,C); 3: (N,T,C), features last; 4: (N,C,H,W)
  Site site = Site::kFeatures;
  std::int64_t steps = 0;  // T of the data's longest sample, of recurrent sites
};

// Looks on at a forward pass: probes. It must leave the tensors as they are.
class Observer {
 public:
  virtual ~Observer() = default;
  // layer: of the network's, from the input. before, after: the normalization's input and output. A recurrent network
  // is one layer: of all steps at once (N,T,C), or of the valid ones (positions,C).
  virtual void saw(std::size_t layer, const at::Tensor& before, const at::Tensor& after) = 0;
  // What a network's embedding makes of tokens, (N,T,C), before positions are added; part of the graph.
  virtual void embedded(const at::Tensor& x) { static_cast<void>(x); }
};

// One forward pass through a network.
struct Pass {
  bool training = false;
  at::Tensor mask{};           // (N,T) of bool: the valid positions of a sequence; undefined: all are
  std::int64_t time_step = 0;  // at recurrent sites
  double progress = 0;         // of training: the share of the updates that are done
  Random* noise = nullptr;     // for arms that inject noise in training
  bool watching = false;       // a probe's pass: running statistics stay as they are
  Observer* observer = nullptr;
};

// As Pass::time_step: the steps all at once, side by side as features (N,T*C).
inline constexpr std::int64_t kAllSteps = -1;

// Running statistics, f32: (C), or (T,C) where they are kept per time step.
struct RunningStatistics {
  at::Tensor mean, variance;
  // Of (T,C): so many steps, from the first on, have had statistics of their own. The rest go by the last of these.
  std::int64_t steps = 0;
};

class ArmLayer {
 public:
  ArmLayer() = default;
  ArmLayer(const ArmLayer&) = delete;
  ArmLayer& operator=(const ArmLayer&) = delete;
  virtual ~ArmLayer() = default;

  // x of the context's rank; keeps its shape. In training, arms that share over the batch use the batch's statistics
  // and move the running ones; otherwise they use the running ones. Other arms do the same in both.
  virtual at::Tensor forward(const at::Tensor& x, const Pass& pass) = 0;
  // What it trains, in a fixed order.
  virtual void append_parameters(std::vector<at::Tensor>& parameters) const { static_cast<void>(parameters); }
  // Whether a bias in front of it would be lost (subtracted, or doubled by beta).
  virtual bool absorbs_bias() const { return true; }
  // What evaluation normalizes with; null where there are none, or it uses none.
  virtual RunningStatistics* running() { return nullptr; }

  // Between the two, forward passes in training leave the running statistics alone and gather the statistics of all
  // that passes; the end makes those the running ones. Arms without running statistics ignore both.
  virtual void begin_estimate() {}
  virtual void end_estimate() {}
  // Whether its running statistics are to be estimated anew before an evaluation (PreciseBN).
  virtual bool precise() const { return false; }

  // Whether the network shall add each layer's input to its output where the sizes allow (SkipInit), and what becomes
  // of a residual branch's output in front of the sum.
  virtual bool adds_residual() const { return false; }
  virtual at::Tensor branch(const at::Tensor& x) { return x; }
};

// The layer of context.trial.arm. Throws InputError for an unknown arm, or one that does not go with the model, the
// batch or the groups.
std::unique_ptr<ArmLayer> make_arm(const ArmContext& context);

#define NORMA_ARM(id, ...) std::unique_ptr<ArmLayer> make_##id(const ArmContext& context);
#include "lab/models/arms.def"
#undef NORMA_ARM

}  // namespace norma::lab
