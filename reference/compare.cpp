#include "reference/compare.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace norma::reference {
namespace {

Values magnitudes(Values values) {
  for (double& value : values) value = std::fabs(value);
  return values;
}

bool counts(const Mask& mask, std::size_t i) {
  return mask.empty() || mask[i] != 0;
}

double at(const Values& values, std::int64_t i, double absent) {
  return values.empty() ? absent : values[static_cast<std::size_t>(i)];
}

}  // namespace

double roundoff(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return 0x1p-53;
    case DType::kBFloat16:
      return 0x1p-8;
    case DType::kFloat16:
      return 0x1p-11;
    case DType::kFloat32:
      break;
  }
  return 0x1p-24;
}

namespace {

// f16 ends where many results are: below 2^-14 half its steps are 2^-25. The other types are left to their scale.
double finest(DType dtype) {
  return dtype == DType::kFloat16 ? 0x1p-25 : 0;
}

}  // namespace

double largest_error(const Values& got, const Values& want, const Values& scale, DType dtype) {
  if (got.size() != want.size() || scale.size() != want.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))) continue;
    const double unit = roundoff(dtype) * scale[i];
    const double error = std::fabs(got[i] - want[i]) / (unit == 0 ? 0 : std::max(unit, finest(dtype)));
    if (std::isnan(error)) return std::numeric_limits<double>::infinity();
    largest = std::max(largest, error);
  }
  return largest;
}

Values forward_scale(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                     const Values& beta, const Mask& mask) {
  const Sharing shared = sharing(descriptor, shape);
  Values scale = magnitudes(forward(descriptor, shape, x, {}, {}, mask).y);
  for (std::size_t i = 0; i < scale.size(); ++i) {
    if (!counts(mask, i)) continue;
    scale[i] = std::fabs(at(gamma, shared.parameter[i], 1)) * std::max(scale[i], 1.0) +
               std::fabs(at(beta, shared.parameter[i], 0));
  }
  return scale;
}

Values inference_scale(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                       const Values& beta, const Values& mean, const Values& variance, const Mask& mask) {
  const Sharing shared = sharing(descriptor, shape);
  Values scale = magnitudes(inference(descriptor, shape, x, gamma, {}, mean, variance, mask));
  for (std::size_t i = 0; i < scale.size(); ++i) {
    if (counts(mask, i)) scale[i] += std::fabs(at(beta, shared.parameter[i], 0));
  }
  return scale;
}

Gradients backward_scale(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                         const Values& gamma, bool rounded_mean, const Mask& mask) {
  const Sharing shared = sharing(descriptor, shape);
  const Forward saved = forward(descriptor, shape, x, {}, {}, mask);
  const auto statistics = static_cast<std::size_t>(shared.statistics);
  Values size(statistics, 0);
  Values sum_g(statistics, 0);
  Values sum_g_normalized(statistics, 0);
  Values normalized = magnitudes(saved.y);
  Gradients scale{Values(x.size()), Values(static_cast<std::size_t>(shared.parameters), 0),
                  Values(static_cast<std::size_t>(shared.parameters), 0)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!counts(mask, i)) continue;
    const auto s = static_cast<std::size_t>(shared.statistic[i]);
    const auto p = static_cast<std::size_t>(shared.parameter[i]);
    if (rounded_mean) normalized[i] += std::fabs(saved.mean[s]) * saved.rstd[s];
    const double g = std::fabs(dy[i] * at(gamma, shared.parameter[i], 1));
    size[s] += 1;
    sum_g[s] += g;
    sum_g_normalized[s] += g * normalized[i];
    scale.dgamma[p] += std::fabs(dy[i]) * normalized[i];
    scale.dbeta[p] += std::fabs(dy[i]);
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!counts(mask, i)) continue;
    const auto s = static_cast<std::size_t>(shared.statistic[i]);
    const double g = std::fabs(dy[i] * at(gamma, shared.parameter[i], 1));
    scale.dx[i] = saved.rstd[s] * (g + sum_g[s] / size[s] + normalized[i] * sum_g_normalized[s] / size[s]);
  }
  return scale;
}

Gradients inference_backward_scale(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                                   const Values& gamma, const Values& mean, const Values& variance, const Mask& mask) {
  // dgamma = sum dy normalized; with dy and normalized replaced by their magnitudes nothing cancels.
  const Sharing shared = sharing(descriptor, shape);
  const Values normalized = inference(descriptor, shape, x, {}, {}, mean, variance, mask);
  Gradients scale = inference_backward(descriptor, shape, magnitudes(dy), x, magnitudes(gamma), mean, variance, mask);
  std::fill(scale.dgamma.begin(), scale.dgamma.end(), 0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!counts(mask, i)) continue;
    scale.dgamma[static_cast<std::size_t>(shared.parameter[i])] += std::fabs(dy[i] * normalized[i]);
  }
  return scale;
}

Values mean_scale(const Moments& moments) {
  Values scale;
  for (std::size_t s = 0; s < moments.mean.size(); ++s) {
    const double count = static_cast<double>(std::max<std::int64_t>(moments.count[s], 1));
    scale.push_back(std::fabs(moments.mean[s]) + std::sqrt(moments.m2[s] / count));
  }
  return scale;
}

}  // namespace norma::reference
