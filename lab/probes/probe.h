// Probes look on while a network trains and measure what claims 1 and 2 are about. A probe never changes training: it
// works on copies, puts every weight back, and its passes leave running statistics and the noise of training alone; the
// same seed gives the same bits with probes and without.
//
// They look at the updates at which the learning curve has a point.
#pragma once

#include <ATen/ATen.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lab/data/random.h"
#include "lab/models/network.h"
#include "lab/training/batches.h"
#include "lab/trial/spec.h"

namespace norma::lab {

// One update, as it was.
struct Update {
  Network& network;  // with the weights after the update
  const Labelled& samples;
  double progress = 0;  // of training
  double rate = 0;      // learning rate
  Random noise;         // as it was when the update began
  // In the order of network.parameters(); gradients may be undefined where a parameter has none.
  std::vector<at::Tensor> before, gradients;
};

class Probe {
 public:
  Probe() = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  virtual ~Probe() = default;

  // After an update that is looked at.
  virtual void updated(const Update& update) { static_cast<void>(update); }
  // After the last update, with the statistics that evaluation will use and in front of any; and what came out, by the
  // names of docs/studies.md.
  virtual void finished(Network& network, const Batcher& batcher, std::map<std::string, double>& measures) = 0;
};

// name: one of names.h. Throws InputError for another.
std::unique_ptr<Probe> make_probe(const std::string& name, const TrialSpec& trial);

// What a probe's own passes need.

// The network's logits in training mode under the weights as they are, of the update's samples or of those samples
// changed: with the same noise, and without a trace in running statistics. (N,classes) or (N,T,classes).
at::Tensor logits_of(const Update& update, const Batch& batch, Observer* observer = nullptr);
// The training loss of the samples under the weights as they are, as that update saw it: same samples, same noise.
at::Tensor loss_of(const Update& update, Observer* observer = nullptr);
// Gradients of a loss, zeros where a parameter has none.
std::vector<at::Tensor> gradients_of(const at::Tensor& loss, const std::vector<at::Tensor>& parameters);

// Puts the network's weights back as they were when this was made, at the latest when it goes.
class WeightsKept {
 public:
  explicit WeightsKept(Network& network);
  ~WeightsKept();
  WeightsKept(const WeightsKept&) = delete;
  WeightsKept& operator=(const WeightsKept&) = delete;

  // Sets a parameter by its index.
  void set(std::size_t index, const at::Tensor& value);

 private:
  Network& network_;
  std::vector<at::Tensor> kept_;
};

// Infinity for what is not finite: NaN would be lost among minima and maxima, and infinity is the worst.
double finite_or_worst(double value);

// Mean of what was added.
class Mean {
 public:
  void add(double value) {
    sum_ += value;
    ++count_;
  }
  // NaN of nothing.
  double value() const;

 private:
  double sum_ = 0;
  std::int64_t count_ = 0;
};

}  // namespace norma::lab
