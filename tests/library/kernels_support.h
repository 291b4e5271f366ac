// A naive oracle for the kernel tests: long double loops over logical indices, from the descriptor's own definition.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "norma/norma.h"

namespace norma::testing {

// Visits every logical index of a shape with its offset in memory.
template <class Visit>
void for_each_index(const Shape& shape, const Strides& strides, Visit visit) {
  std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()), 0);
  for (std::int64_t n = 0; n < shape.elements(); ++n) {
    std::int64_t rest = n;
    std::int64_t offset = 0;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      const auto at = static_cast<std::size_t>(axis);
      index[at] = rest % shape[axis];
      rest /= shape[axis];
      offset += index[at] * strides[at];
    }
    visit(index, offset);
  }
}

inline std::int64_t affine_of(const Descriptor& descriptor, const Shape& x, const std::vector<std::int64_t>& index) {
  const std::uint32_t bits = descriptor.affine.resolve(x.rank(), descriptor.name);
  std::int64_t offset = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if ((bits >> axis & 1U) != 0) offset = offset * x[axis] + index[static_cast<std::size_t>(axis)];
  }
  return offset;
}

using Wide = std::vector<long double>;

// One problem: inputs in T, and the oracle's answers in long double. Tensors are in memory order.
template <class T>
struct Problem {
  Descriptor descriptor;
  Shape shape;
  Layout layout;
  Strides strides;
  std::vector<T> x, dy, gamma, beta;
  // The oracle works on x - origin, and `mean` is that of x - origin: with an origin near a far mean, the differences
  // are exact and long double has digits to spare.
  long double origin = 0;
  std::vector<std::int64_t> statistic, affine;  // by memory offset
  Wide mean, variance, rstd, y, dx, dgamma, dbeta;
  Wide gradient_scale;  // the size of the terms that dx is the difference of

  Problem(const Descriptor& d, const Shape& s, Layout l, std::uint64_t seed, double centre = 0.3, double sigma = 1.0)
      : descriptor(d), shape(s), layout(l), strides(dense_strides(s, l)) {
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    const auto elements = static_cast<std::size_t>(s.elements());
    const auto parameters = static_cast<std::size_t>(affine_shape(d, s).elements());
    const auto draw = [&](std::size_t count, double at, double width) {
      std::vector<T> values(count);
      for (T& value : values) value = static_cast<T>(at + width * normal(random));
      return values;
    };
    x = draw(elements, centre, sigma);
    dy = draw(elements, 0.0, 1.0);
    gamma = draw(parameters, 1.0, 0.5);
    beta = draw(parameters, 0.0, 1.0);
    statistic.resize(elements);
    affine.resize(elements);
    for_each_index(s, strides, [&](const std::vector<std::int64_t>& index, std::int64_t at) {
      statistic[static_cast<std::size_t>(at)] = statistic_of(d, s, index);
      affine[static_cast<std::size_t>(at)] = affine_of(d, s, index);
    });
  }

  std::size_t elements() const { return x.size(); }
  std::size_t statistics() const { return static_cast<std::size_t>(statistics_shape(descriptor, shape).elements()); }
  long double count() const { return static_cast<long double>(normalized_size(descriptor, shape)); }

  void solve() {
    mean.assign(statistics(), 0);
    variance.assign(statistics(), 0);
    const auto at = [](const std::vector<std::int64_t>& map, std::size_t i) {
      return static_cast<std::size_t>(map[i]);
    };
    if (descriptor.centred) {
      for (std::size_t i = 0; i < elements(); ++i) mean[at(statistic, i)] += x[i] - origin;
      for (long double& m : mean) m /= count();
      // Once more, for the mean's last digits.
      Wide rest(statistics(), 0);
      for (std::size_t i = 0; i < elements(); ++i) rest[at(statistic, i)] += (x[i] - origin) - mean[at(statistic, i)];
      for (std::size_t s = 0; s < statistics(); ++s) mean[s] += rest[s] / count();
    }
    for (std::size_t i = 0; i < elements(); ++i) {
      const long double d = (x[i] - origin) - mean[at(statistic, i)];
      variance[at(statistic, i)] += d * d;
    }
    for (long double& v : variance) v /= count();
    apply();
  }

  // y and the gradients from mean and variance.
  void apply() {
    rstd.assign(statistics(), 0);
    for (std::size_t s = 0; s < statistics(); ++s) rstd[s] = 1 / std::sqrt(variance[s] + descriptor.eps);
    y.assign(elements(), 0);
    for (std::size_t i = 0; i < elements(); ++i) {
      y[i] = gamma_at(i) * xhat(i) + static_cast<long double>(beta[static_cast<std::size_t>(affine[i])]);
    }
  }

  void differentiate(bool constant_statistics) {
    Wide sum_g(statistics(), 0), sum_gx(statistics(), 0), size_g(statistics(), 0), size_gx(statistics(), 0);
    dgamma.assign(gamma.size(), 0);
    dbeta.assign(gamma.size(), 0);
    dx.assign(elements(), 0);
    gradient_scale.assign(elements(), 0);
    for (std::size_t i = 0; i < elements(); ++i) {
      const auto s = static_cast<std::size_t>(statistic[i]);
      const long double g = gamma_at(i) * dy[i];
      sum_g[s] += descriptor.centred ? g : 0;
      sum_gx[s] += g * xhat(i);
      size_g[s] += std::abs(g);
      size_gx[s] += std::abs(g * xhat(i));
      dgamma[static_cast<std::size_t>(affine[i])] += dy[i] * xhat(i);
      dbeta[static_cast<std::size_t>(affine[i])] += dy[i];
    }
    const long double keep = constant_statistics ? 0 : 1;
    for (std::size_t i = 0; i < elements(); ++i) {
      const auto s = static_cast<std::size_t>(statistic[i]);
      const long double g = gamma_at(i) * dy[i];
      dx[i] = rstd[s] * (g - keep * (sum_g[s] + xhat(i) * sum_gx[s]) / count());
      gradient_scale[i] = rstd[s] * (std::abs(g) + (size_g[s] + std::abs(xhat(i)) * size_gx[s]) / count());
    }
  }

  long double gamma_at(std::size_t i) const { return gamma[static_cast<std::size_t>(affine[i])]; }
  long double xhat(std::size_t i) const {
    const auto s = static_cast<std::size_t>(statistic[i]);
    return ((x[i] - origin) - mean[s]) * rstd[s];
  }

  ConstTensorView view(const std::vector<T>& values) const { return {values.data(), shape, layout}; }
  TensorView view(std::vector<T>& values) const { return {values.data(), shape, layout}; }
  ConstTensorView affine_view(const std::vector<T>& values) const {
    return {values.data(), affine_shape(descriptor, shape)};
  }
  TensorView affine_view(std::vector<T>& values) const { return {values.data(), affine_shape(descriptor, shape)}; }
  template <class S>
  TensorView statistic_view(std::vector<S>& values) const {
    return {values.data(), statistics_shape(descriptor, shape)};
  }
  template <class S>
  ConstTensorView statistic_view(const std::vector<S>& values) const {
    return {values.data(), statistics_shape(descriptor, shape)};
  }
};

// The unit roundoff, 2^-24 or 2^-53.
template <class T>
constexpr double unit() {
  return std::numeric_limits<T>::epsilon() / 2;
}

// Every instruction set in turn; the best one again at the end.
template <class Body>
void for_each_isa(Body body) {
  for (const std::string& isa : available_isas()) {
    force_isa(isa);
    body(isa);
  }
  force_isa("");
}

}  // namespace norma::testing
