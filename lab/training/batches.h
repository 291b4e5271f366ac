// Samples of a data set as a network takes them, and in which order training sees them.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <span>
#include <vector>

#include "lab/data/dataset.h"
#include "lab/data/random.h"
#include "lab/models/network.h"
#include "lab/trial/spec.h"

namespace norma::lab {

// Not "Samples": that is what a file of data holds (lab/data/contents.h).
struct Labelled {
  Batch batch;
  at::Tensor labels;  // (N), or (N,T) with kNoLabel at padding
};

// Sequences are cut to the longest of the samples; a mask says which positions are valid, unless all are.
class Batcher {
 public:
  // Refers to the data, which must stay.
  explicit Batcher(const Dataset& data);

  // indices: of samples of the data.
  Labelled take(std::span<const std::int64_t> indices) const;
  const Dataset& data() const { return data_; }

 private:
  const Dataset& data_;
  at::Tensor inputs_, labels_, lengths_;
};

// One epoch's batches, from the trial's seed, the same for every arm; what does not fill the last SGD batch is left
// out.
//
//   "shuffled": samples in random order, in batches of the SGD batch.
//   "sorted":   samples in the order of their class, cut into batches; the batches in random order.
//   "random":   samples in random order, in batches of 2 samples to twice the SGD batch, all sizes equally likely; what
//               is left at the end is left out if it is a single sample.
std::vector<std::vector<std::int64_t>> epoch_batches(const Dataset& data, const TrainingSpec& training,
                                                     std::uint64_t seed);
// How many batches all epochs are together. shuffles: as `train` draws an epoch's seed from it.
std::int64_t total_updates(const Dataset& data, const TrainingSpec& training, Random shuffles);

}  // namespace norma::lab
