#include "lab/statistics/distributions.h"

#include <cmath>
#include <initializer_list>
#include <limits>

namespace norma::lab {
namespace {

// The continued fraction of the incomplete beta function, by Lentz's method (Abramowitz & Stegun 26.5.8).
double fraction(double x, double a, double b) {
  constexpr double kTiny = 1e-300;
  constexpr int kMost = 10'000;
  const auto kept = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
  double c = 1, d = 1 / kept(1 - (a + b) * x / (a + 1)), product = d;
  for (int m = 1; m < kMost; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    for (const double term : {even, odd}) {
      d = 1 / kept(1 + term * d);
      c = kept(1 + term / c);
      product *= c * d;
    }
    if (std::abs(c * d - 1) < std::numeric_limits<double>::epsilon()) break;
  }
  return product;
}

// The regularized incomplete beta function: the probability that a Beta(a, b) variable is below x.
double beta_below(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const double scale =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  return x < (a + 1) / (a + b + 2) ? scale * fraction(x, a, b) / a : 1 - scale * fraction(1 - x, b, a) / b;
}

double beta_quantile(double p, double a, double b) {
  double low = 0, high = 1;
  for (int i = 0; i < 100 && high - low > 1e-15; ++i) {
    const double middle = (low + high) / 2;
    (beta_below(middle, a, b) < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

double proportion_lower(double seen, double count, double tail) {
  return seen <= 0 ? 0 : beta_quantile(tail, seen, count - seen + 1);
}

double proportion_upper(double seen, double count, double tail) {
  return seen >= count ? 1 : beta_quantile(1 - tail, seen + 1, count - seen);
}

double student_p(double t, double freedom) {
  return beta_below(freedom / (freedom + t * t), freedom / 2, 0.5);
}

}  // namespace norma::lab
