// One trial: a network trained from its seed, and what came out. The same trial gives the same bits in any process of
// one machine, whatever ran before; only `seconds` differs.
//
// Samples are shuffled anew each epoch, from the trial's seed, in the same order for every arm (batches.h).
// Normalization batches are consecutive samples of the SGD batch.
//
// The curve has up to kCurvePoints points, evenly spaced over the updates, the last after the last update: the same
// steps in every trial of a length. Validation and test errors are taken in evaluation mode (running statistics); an
// arm that estimates these anew (PreciseBN) does so after the last update.
//
// A trial has diverged as soon as a training loss is not finite or above kDivergedLoss, or a logit in evaluation is not
// finite; it ends there, with the worst errors.
#pragma once

#include "lab/data/dataset.h"
#include "lab/trial/spec.h"

namespace norma::lab {

inline constexpr std::int64_t kCurvePoints = 24;
// Nats. Guessing at random costs log(classes), 2.3 for ten; a loss of thousands does not come back.
inline constexpr double kDivergedLoss = 1e4;

// data: what spec.data says, loaded. Throws InputError for a trial that makes no sense.
TrialResult train(const TrialSpec& spec, const Dataset& data);

}  // namespace norma::lab
