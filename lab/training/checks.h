// A trial that trains nothing: exact checks of the operators themselves, on random data in f64. What a study claims of
// them is a limit on these measures ([[claim.exact]], docs/studies.md).
//
// Axes, over (N,C), (N,C,L), (N,C,H,W) and (N,T,C) as far as a norm has them, the largest deviation of what should be 0
// and 1 (eps 0):
//   "batch_mean", "batch_variance"         per feature, over the batch and all positions
//   "layer_mean", "layer_variance"         per sample (and position), over all features; or over C, H and W
//   "rms_square"                           likewise, the mean square
//   "group_mean", "group_variance"         per sample and group of channels, over these and all positions
//   "instance_mean", "instance_variance"   per sample and channel, over all positions
// The Jacobian across samples, the largest |dy_i / dx_j| for i != j:
//   "batch_train_coupling", "batch_eval_coupling", "layer_coupling"
// The invariances of z = W h under a normalization (Ba et al. 2016, table 1), the largest change of the output:
//   "batch_" or "layer_" and "weight_rescale" (W times a number), "weight_recentre" (one row added to all rows of W),
//   "unit_rescale" (each row of W times its own number), "data_rescale" (all h times a number), "data_recentre" (one
//   vector added to all h), "sample_rescale" (one h times a number)
// One sample's output in batches of 1 to 64 and other companions, the elements that differ in any bit:
//   "layer_changed_elements" (f32 and f64), and to tell that it could: "batch_changed_elements"
#pragma once

#include "lab/trial/spec.h"

namespace norma::lab {

// Of a trial whose model is of the kind "checks"; the seed decides the data.
TrialResult run_checks(const TrialSpec& spec, std::int64_t test_items);

}  // namespace norma::lab
