// How far a result is from the oracle's, in units of roundoff of its data type (f32: 2^-24, f64: 2^-53,
// bf16: 2^-8, f16: 2^-11, and not under 2^-25).
//
// An error is measured against the size of what was added up to get the number, not against the number, which may
// cancel to nothing. The scales below are those sizes, one for every element; a normalized value has unit variance,
// so it counts as at least 1.
#pragma once

#include "reference/reference.h"

namespace norma::reference {

// Half the distance from 1 to the next number.
double roundoff(DType dtype);

// max |got - want| / (roundoff * scale), over all elements; infinity where only one is NaN, or a scale of zero goes
// with a difference. Equal values, infinities included, differ by nothing.
double largest_error(const Values& got, const Values& want, const Values& scale, DType dtype);

// The scales of masked elements are 0: what stands there is exactly 0.

// |gamma| max(|normalized|, 1) + |beta|.
Values forward_scale(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                     const Values& beta, const Mask& mask = {});
// |gamma normalized| + |beta|: the statistics are given, so the difference from the mean is all there is.
Values inference_scale(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                       const Values& beta, const Values& mean, const Values& variance, const Mask& mask = {});

// dx: rstd (|g| + mean|g| + |normalized| mean|g normalized|) with g = gamma dy. dgamma: sum |dy normalized|. dbeta:
// sum |dy|. A mean saved in x's own type was rounded, which moves every normalized value by up to roundoff |mean| rstd:
// with `rounded_mean` the normalized values count as |normalized| + |mean| rstd.
Gradients backward_scale(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                         const Values& gamma, bool rounded_mean, const Mask& mask = {});
Gradients inference_backward_scale(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                                   const Values& gamma, const Values& mean, const Values& variance,
                                   const Mask& mask = {});

// mean: |mean| + sigma. rstd and M2 are sums of squares and count as themselves.
Values mean_scale(const Moments& moments);

}  // namespace norma::reference
