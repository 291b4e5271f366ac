// The contract's measures, against the definition in quadruple precision (113 bits): errors that are not blurred by the
// reference's own rounding, also in f64 and at a mean 1e15 standard deviations away. Slow; for tests of accuracy and
// for script/accuracy.
#pragma once

#include "norma/descriptor.h"
#include "reference/reference.h"

namespace norma::reference {

struct ForwardUnits {
  // max |y - exact| / (roundoff * (|gamma xhat| + |beta|)), over all elements; xhat is the normalized value. Where that
  // scale is 0 so is the exact value, and any other y counts as infinity. NaN counts as infinity.
  double strict = 0;
  // The same with |xhat| + 1 for |xhat|: an element that lies next to the mean, and whose beta is next to 0, is not
  // held to its own small size but to that of its neighbours, which have unit variance.
  double among_neighbours = 0;
};
ForwardUnits forward_units(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                           const Values& beta, const Values& y, DType dtype);

// How y was rounded to its type, over all elements.
struct Rounding {
  std::int64_t elements = 0;
  std::int64_t wrong = 0;  // not the number nearest to the exact value
  std::int64_t far = 0;    // nor its neighbour
};
Rounding forward_rounding(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                          const Values& beta, const Values& y, DType dtype);

struct GradientErrors {
  // max |dx - exact| over roundoff times the sizes that add up to it: rstd (|g| + M|g| + |xhat| M|g xhat|), with g =
  // gamma dy and M the mean over the elements that share. In f64 a saved mean is rounded in x's own type, which moves
  // every xhat by up to |mean| rstd units: what that does to dx is added to the sizes.
  double dx_units = 0;
  // max |got - exact| / max |exact|, of dgamma and dbeta.
  double dgamma = 0, dbeta = 0;
};
// Empty dx, dgamma or dbeta are not looked at.
GradientErrors gradient_errors(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                               const Values& gamma, const Gradients& got, DType dtype);

// The standard deviation (n - 1) of one set, correct to the last bit of a double.
double exact_deviation(const Values& x);

}  // namespace norma::reference
