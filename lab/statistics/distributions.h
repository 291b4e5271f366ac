// How large a proportion may be, from how often it was seen, and Student's t.
#pragma once

namespace norma::lab {

// The ends that Clopper and Pearson (1934) give a proportion of which `seen` out of `count` were seen: the probability
// that it is above `upper` (below `lower`) is at most `tail`. `seen` may be a sum of shares: of all values in [0,1]
// with a given mean, those that are 0 or 1 spread the most.
double proportion_lower(double seen, double count, double tail);
double proportion_upper(double seen, double count, double tail);

// The probability that Student's t with so many degrees of freedom (any positive number) is as far from 0 as this.
double student_p(double t, double freedom);

}  // namespace norma::lab
