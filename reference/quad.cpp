#include "reference/quad.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/cases.h"
#include "reference/compare.h"

namespace norma::reference {
namespace {

// GCC's and Clang's on x86-64; where there is none, long double has 113 bits itself (AArch64).
#if defined(__SIZEOF_FLOAT128__)
__extension__ typedef __float128 Quad;
#else
using Quad = long double;
#endif

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Quad magnitude(Quad v) {
  return v < 0 ? -v : v;
}

// Newton from a root that is right to 64 bits, or for numbers past long double's range not at all needed: x is at most
// a double.
Quad root(Quad v) {
  if (!(v > 0)) return 0;
  Quad r = std::sqrt(static_cast<long double>(v));
  for (int i = 0; i < 2; ++i) r = (r + v / r) / 2;
  return r;
}

// One set of elements that share: its statistics and normalized values.
struct Set {
  std::vector<std::size_t> elements;
  Quad mean = 0, rstd = 0;
  std::vector<Quad> normalized;
};

std::vector<Set> sets_of(const Descriptor& descriptor, const Sharing& shared, const Values& x) {
  std::vector<Set> sets(static_cast<std::size_t>(shared.statistics));
  for (std::size_t i = 0; i < x.size(); ++i) sets[static_cast<std::size_t>(shared.statistic[i])].elements.push_back(i);
  for (Set& set : sets) {
    if (set.elements.empty()) continue;
    const Quad count = static_cast<Quad>(set.elements.size());
    Quad mean = 0, m2 = 0;
    if (descriptor.centred) {
      for (const std::size_t i : set.elements) mean += static_cast<Quad>(x[i]);
      mean /= count;
    }
    for (const std::size_t i : set.elements) m2 += (x[i] - mean) * (x[i] - mean);
    const Quad deviation = root(m2 / count + static_cast<Quad>(descriptor.eps));
    set.mean = mean;
    set.rstd = deviation > 0 ? 1 / deviation : Quad{0};
    for (const std::size_t i : set.elements) set.normalized.push_back((x[i] - mean) * set.rstd);
  }
  return sets;
}

Quad parameter(const Values& values, const Sharing& shared, std::size_t i, double absent) {
  return values.empty() ? Quad{absent} : Quad{values[static_cast<std::size_t>(shared.parameter[i])]};
}

// |got - want| / scale, infinity where that says nothing.
double over(double got, Quad want, Quad scale) {
  if (!std::isfinite(got)) return kInfinity;
  const Quad difference = magnitude(got - want);
  if (difference == 0) return 0;
  return scale > 0 ? static_cast<double>(difference / scale) : kInfinity;
}

double worst(const Values& got, const std::vector<Quad>& want) {
  Quad largest = 0;
  for (const Quad v : want) largest = std::max(largest, magnitude(v));
  double found = 0;
  for (std::size_t i = 0; i < got.size(); ++i) found = std::max(found, over(got[i], want[i], largest));
  return found;
}

}  // namespace

ForwardUnits forward_units(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                           const Values& beta, const Values& y, DType dtype) {
  const Sharing shared = sharing(descriptor, shape);
  const double none = y.size() == x.size() ? 0 : kInfinity;
  ForwardUnits found{none, none};
  for (const Set& set : sets_of(descriptor, shared, x)) {
    for (std::size_t k = 0; k < set.elements.size() && found.strict < kInfinity; ++k) {
      const std::size_t i = set.elements[k];
      const Quad scale = parameter(gamma, shared, i, 1), shift = parameter(beta, shared, i, 0);
      const Quad size = magnitude(set.normalized[k]), unit = roundoff(dtype);
      const Quad want = scale * set.normalized[k] + shift;
      found.strict = std::max(found.strict, over(y[i], want, unit * (magnitude(scale) * size + magnitude(shift))));
      found.among_neighbours =
          std::max(found.among_neighbours, over(y[i], want, unit * (magnitude(scale) * (size + 1) + magnitude(shift))));
    }
  }
  return found;
}

Rounding forward_rounding(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                          const Values& beta, const Values& y, DType dtype) {
  const Sharing shared = sharing(descriptor, shape);
  // A double holds twice the bits of a short type and more, so rounding to it first changes next to nothing.
  Values exact(y.size());
  for (const Set& set : sets_of(descriptor, shared, x)) {
    for (std::size_t k = 0; k < set.elements.size(); ++k) {
      const std::size_t i = set.elements[k];
      exact[i] =
          static_cast<double>(parameter(gamma, shared, i, 1) * set.normalized[k] + parameter(beta, shared, i, 0));
    }
  }
  const Values nearest = Tensor(exact, dtype, shape).values();
  Rounding found{static_cast<std::int64_t>(y.size()), 0, 0};
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (y[i] == nearest[i]) continue;
    ++found.wrong;
    // Between neighbours there are at most two units of roundoff of the larger.
    const double larger = std::max(std::fabs(y[i]), std::fabs(nearest[i]));
    const double step = std::max(2 * roundoff(dtype) * larger, dtype == DType::kFloat16 ? 0x1p-24 : 0.0);
    if (!(std::fabs(y[i] - nearest[i]) <= step)) ++found.far;
  }
  return found;
}

GradientErrors gradient_errors(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                               const Values& gamma, const Gradients& got, DType dtype) {
  const Sharing shared = sharing(descriptor, shape);
  std::vector<Quad> dgamma(static_cast<std::size_t>(shared.parameters), 0), dbeta = dgamma;
  GradientErrors errors;
  for (const Set& set : sets_of(descriptor, shared, x)) {
    const Quad count = static_cast<Quad>(set.elements.size());
    const Quad of_mean = dtype == DType::kFloat64 ? magnitude(set.mean) * set.rstd : Quad{0};
    Quad g_sum = 0, gz_sum = 0, g_size = 0, gz_size = 0;
    for (std::size_t k = 0; k < set.elements.size(); ++k) {
      const std::size_t i = set.elements[k];
      const Quad g = parameter(gamma, shared, i, 1) * dy[i], z = set.normalized[k];
      g_sum += g;
      gz_sum += g * z;
      g_size += magnitude(g);
      gz_size += magnitude(g * z);
      dgamma[static_cast<std::size_t>(shared.parameter[i])] += dy[i] * z;
      dbeta[static_cast<std::size_t>(shared.parameter[i])] += dy[i];
    }
    if (!descriptor.centred) g_sum = 0;
    for (std::size_t k = 0; k < set.elements.size() && !got.dx.empty(); ++k) {
      const std::size_t i = set.elements[k];
      const Quad g = parameter(gamma, shared, i, 1) * dy[i], z = set.normalized[k];
      const Quad want = set.rstd * (g - g_sum / count - z * gz_sum / count);
      const Quad scale = set.rstd * (magnitude(g) + g_size / count + magnitude(z) * gz_size / count +
                                     of_mean * (gz_size + magnitude(z) * g_size) / count);
      errors.dx_units = std::max(errors.dx_units, over(got.dx[i], want, roundoff(dtype) * scale));
    }
  }
  errors.dgamma = worst(got.dgamma, dgamma);
  errors.dbeta = worst(got.dbeta, dbeta);
  return errors;
}

double exact_deviation(const Values& x) {
  const Quad count = static_cast<Quad>(x.size());
  Quad mean = 0, m2 = 0;
  for (const double v : x) mean += static_cast<Quad>(v);
  mean /= count;
  for (const double v : x) m2 += (v - mean) * (v - mean);
  return static_cast<double>(root(m2 / (count - 1)));
}

}  // namespace norma::reference
