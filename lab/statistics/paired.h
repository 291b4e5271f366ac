// Paired comparison of two arms: what the seeds say. Differences are arm a minus arm b, one for each seed. Counts of
// wrong test items are whole numbers, so that ties are ties; for other measures there are functions of doubles, which
// may be infinite (a target that was never reached).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lab/statistics/bootstrap.h"

namespace norma::lab {

// Mean over standard deviation of the differences (Cohen's d_z) times the small-sample correction
// J = 1 - 3 / (4 (n - 1) - 1) (Hedges 1981). NaN for fewer than three seeds (the correction is 0 at two) and where all
// differences are the same but not 0; 0 where all are 0.
double effect_size(std::span<const std::int64_t> differences);

// The fraction of seeds on which a is better (a negative difference); a tie counts half. NaN without seeds.
double probability_a_better(std::span<const std::int64_t> differences);

// Two-sided p of the hypothesis that each difference was as likely to have the other sign: the fraction of all 2^n
// choices of signs whose |sum| is at least the observed one. Exact up to 40 seeds (each half's 2^(n/2) sums, sorted,
// meet in the middle); above that a seeded million of random choices. The smallest possible is 2 / 2^n.
double sign_flip_p(std::span<const std::int64_t> differences);

// For real differences. The one-sided p that their location is above `least`: the fraction of all choices of signs of
// d - least whose sum is at least the observed one; the smallest possible is 1 / 2^n. Infinite differences count as
// further out than every finite one. A NaN makes it 1.
double sign_flip_above_p(std::span<const double> differences, double least);
// The 95% interval that goes with it: all values that neither of the two one-sided tests refuses at 2.5%. The middle is
// the mean; NaN ends with fewer than six finite differences.
Interval sign_flip_interval(std::span<const double> differences);
double effect_size(std::span<const double> differences);
double probability_a_better(std::span<const double> differences);

// p of "the location is within (-margin, margin)" (two one-sided tests, Schuirmann 1987), and of "it is outside".
struct Equivalence {
  double p_same = 1, p_outside = 1;
};
Equivalence equivalence(std::span<const double> differences, double margin);

// Holm's step-down correction (1979), in the order given; monotone and at most 1.
std::vector<double> holm(std::span<const double> p);

}  // namespace norma::lab
