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

// Where a layer stands.
struct ArmContext {
  const TrialSpec& trial;
  std::int64_t features = 0;  // C
  std::int64_t rank = 2;      // 2: (N,C); 3: (N,T,C), features last; 4: (N,C,H,W)

  std::int64_t feature_axis() const { return rank == 3 ? 2 : 1; }
};

// Looks on at a forward pass: probes. It must leave the tensors as they are.
class Observer {
 public:
  virtual ~Observer() = default;
  // layer: of the network's, from the input. before, after: the normalization's input and output.
  virtual void saw(std::size_t layer, const at::Tensor& before, const at::Tensor& after) = 0;
};

// One forward pass through a network.
struct Pass {
  bool training = false;
  at::Tensor mask{};            // (N,T) of bool: the valid positions of a sequence; undefined: all are
  std::int64_t time_step = -1;  // in recurrent cells: statistics per step
  Random* noise = nullptr;      // for arms that inject noise in training
  Observer* observer = nullptr;
};

// Running statistics, (C), or (steps,C) where they are kept per time step.
struct RunningStatistics {
  at::Tensor mean, variance;
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
  // Null where there are none.
  virtual RunningStatistics* running() { return nullptr; }
};

// The layer of context.trial.arm. Throws InputError for an unknown arm, or one that does not go with the model, the
// batch or the groups.
std::unique_ptr<ArmLayer> make_arm(const ArmContext& context);

#define NORMA_ARM(id, ...) std::unique_ptr<ArmLayer> make_##id(const ArmContext& context);
#include "lab/models/arms.def"
#undef NORMA_ARM

}  // namespace norma::lab
