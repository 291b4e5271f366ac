#include "check.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace norma::bench {
namespace {

// The largest error of an answer, of the answer's own size.
double error_of(const std::vector<float>& got, const std::vector<float>& expected) {
  if (got.size() != expected.size()) return 1.0;
  double largest = 0;
  double size = 1e-30;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    if (std::isnan(error)) return 1.0;
    largest = std::max(largest, error);
    size = std::max(size, std::abs(static_cast<double>(expected[i])));
  }
  return largest / size;
}

}  // namespace

void check(const Case& c, Contender& contender, const Answers& expected, double tolerance) {
  contender.run();
  const Answers got = contender.answers();
  const double error = std::max(
      {error_of(got.main, expected.main), error_of(got.dgamma, expected.dgamma), error_of(got.dbeta, expected.dbeta)});
  if (!(error <= tolerance)) {
    throw std::runtime_error(c.name() + ": " + contender.name() + " is wrong by " + std::to_string(error));
  }
}

}  // namespace norma::bench
