// Every sum runs over one set S of elements that share a statistic, in logical order, in long double.
//
// Cancellation: x is taken relative to the first element of its set. Differences of doubles of similar size are exact
// in long double, so a mean 1e15 standard deviations away costs nothing.
#include "reference/reference.h"

#include <cmath>
#include <numbers>

namespace norma::reference {
namespace {

using Wide = long double;

bool counts(const Mask& mask, std::size_t i) {
  return mask.empty() || mask[i] != 0;
}

// The elements of every set, by position.
std::vector<std::vector<std::size_t>> sets_of(const Sharing& shared, const Mask& mask) {
  std::vector<std::vector<std::size_t>> sets(static_cast<std::size_t>(shared.statistics));
  for (std::size_t i = 0; i < shared.statistic.size(); ++i) {
    if (!counts(mask, i)) continue;
    sets[static_cast<std::size_t>(shared.statistic[i])].push_back(i);
  }
  return sets;
}

// One set's moments and its elements' distances from the mean.
struct Set {
  Wide mean = 0;
  Wide m2 = 0;
  std::vector<Wide> distance;  // x - mean
};

Set moments_of(const std::vector<std::size_t>& elements, const Values& x, bool centred) {
  Set set;
  if (elements.empty()) return set;
  const Wide origin = centred ? Wide{x[elements.front()]} : Wide{0};
  Wide shift = 0;
  if (centred) {
    for (const std::size_t i : elements) shift += x[i] - origin;
    shift /= static_cast<Wide>(elements.size());
  }
  for (const std::size_t i : elements) {
    const Wide distance = (x[i] - origin) - shift;
    set.distance.push_back(distance);
    set.m2 += distance * distance;
  }
  set.mean = origin + shift;
  return set;
}

Wide rstd_of(Wide m2, std::size_t count, double eps) {
  if (count == 0) return 0;
  const Wide variance = m2 / static_cast<Wide>(count);
  return 1 / std::sqrt(variance + Wide{eps});
}

Wide gamma_at(const Values& gamma, const Sharing& shared, std::size_t i) {
  return gamma.empty() ? Wide{1} : Wide{gamma[static_cast<std::size_t>(shared.parameter[i])]};
}

Wide beta_at(const Values& beta, const Sharing& shared, std::size_t i) {
  return beta.empty() ? Wide{0} : Wide{beta[static_cast<std::size_t>(shared.parameter[i])]};
}

Values narrow(const std::vector<Wide>& wide) {
  return {wide.begin(), wide.end()};
}

}  // namespace

Sharing sharing(const Descriptor& descriptor, const Shape& x) {
  const std::uint32_t shares = descriptor.statistics.resolve(x.rank(), descriptor.name);
  const std::uint32_t owns = descriptor.affine.resolve(x.rank(), descriptor.name);
  const auto has = [](std::uint32_t axes, int axis) { return (axes >> axis & 1U) != 0; };
  // The coordinates that tell sets apart, counted like the digits of a number: row-major order.
  Sharing result;
  result.statistics = 1;
  result.parameters = 1;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (!has(shares, axis)) result.statistics *= x[axis];
    if (axis == 1 && descriptor.groups > 1) result.statistics *= descriptor.groups;
    if (has(owns, axis)) result.parameters *= x[axis];
  }
  for_each_index(x, [&](const auto& index, std::int64_t) {
    std::int64_t statistic = 0;
    std::int64_t parameter = 0;
    for (int axis = 0; axis < x.rank(); ++axis) {
      const std::int64_t coordinate = index[static_cast<std::size_t>(axis)];
      if (!has(shares, axis)) statistic = statistic * x[axis] + coordinate;
      if (axis == 1 && descriptor.groups > 1) {
        statistic = statistic * descriptor.groups + coordinate / (x[1] / descriptor.groups);
      }
      if (has(owns, axis)) parameter = parameter * x[axis] + coordinate;
    }
    result.statistic.push_back(statistic);
    result.parameter.push_back(parameter);
  });
  return result;
}

Moments statistics(const Descriptor& descriptor, const Shape& shape, const Values& x, const Mask& mask) {
  Moments moments;
  for (const auto& elements : sets_of(sharing(descriptor, shape), mask)) {
    const Set set = moments_of(elements, x, descriptor.centred);
    moments.count.push_back(static_cast<std::int64_t>(elements.size()));
    moments.mean.push_back(static_cast<double>(set.mean));
    moments.m2.push_back(static_cast<double>(set.m2));
  }
  return moments;
}

Forward forward(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                const Values& beta, const Mask& mask) {
  const Sharing shared = sharing(descriptor, shape);
  Forward result;
  result.y.resize(x.size());
  for (const auto& elements : sets_of(shared, mask)) {
    const Set set = moments_of(elements, x, descriptor.centred);
    const Wide rstd = rstd_of(set.m2, elements.size(), descriptor.eps);
    for (std::size_t k = 0; k < elements.size(); ++k) {
      const std::size_t i = elements[k];
      // A zero distance is zero whatever rstd is: with eps 0 a constant set still gives beta.
      const Wide normalized = set.distance[k] == 0 ? Wide{0} : set.distance[k] * rstd;
      result.y[i] = static_cast<double>(gamma_at(gamma, shared, i) * normalized + beta_at(beta, shared, i));
    }
    result.mean.push_back(static_cast<double>(set.mean));
    result.rstd.push_back(static_cast<double>(rstd));
  }
  return result;
}

Gradients backward(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                   const Values& gamma, const Mask& mask) {
  const Sharing shared = sharing(descriptor, shape);
  std::vector<Wide> dgamma(static_cast<std::size_t>(shared.parameters), 0);
  std::vector<Wide> dbeta(static_cast<std::size_t>(shared.parameters), 0);
  Gradients result;
  result.dx.resize(x.size());
  for (const auto& elements : sets_of(shared, mask)) {
    const Set set = moments_of(elements, x, descriptor.centred);
    const Wide count = static_cast<Wide>(elements.size());
    const Wide rstd = rstd_of(set.m2, elements.size(), descriptor.eps);
    // y depends on x directly, through the variance and through the mean.
    Wide dvariance = 0;
    Wide sum_dnormalized = 0;
    Wide sum_distance = 0;
    for (std::size_t k = 0; k < elements.size(); ++k) {
      const std::size_t i = elements[k];
      const Wide dnormalized = dy[i] * gamma_at(gamma, shared, i);
      dvariance += dnormalized * set.distance[k] * (-rstd * rstd * rstd / 2);
      sum_dnormalized += dnormalized;
      sum_distance += set.distance[k];
      dgamma[static_cast<std::size_t>(shared.parameter[i])] += dy[i] * (set.distance[k] * rstd);
      dbeta[static_cast<std::size_t>(shared.parameter[i])] += dy[i];
    }
    const Wide dmean = descriptor.centred ? -rstd * sum_dnormalized - 2 * dvariance * sum_distance / count : Wide{0};
    for (std::size_t k = 0; k < elements.size(); ++k) {
      const std::size_t i = elements[k];
      const Wide dnormalized = dy[i] * gamma_at(gamma, shared, i);
      result.dx[i] = static_cast<double>(dnormalized * rstd + dvariance * 2 * set.distance[k] / count + dmean / count);
    }
  }
  result.dgamma = narrow(dgamma);
  result.dbeta = narrow(dbeta);
  return result;
}

namespace {

constexpr Wide kTanhScale = 1.5957691216057307117597842L;  // 2 sqrt(2/pi)
constexpr Wide kTanhCube = 0.044715L;

// 1 - sigmoid(v) is sigmoid(-v).
Wide sigmoid(Wide v) {
  return 1 / (1 + std::exp(-v));
}

Wide normal_distribution(Wide v) {
  return std::erfc(-v / std::numbers::sqrt2_v<Wide>) / 2;
}

// (1 + tanh(u)) / 2 is sigmoid(2u): twice the u of GELU's approximation.
Wide tanh_argument(Wide v) {
  return kTanhScale * (v + kTanhCube * v * v * v);
}

Wide activated(Wide v, Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return v <= 0 ? 0 : v;  // NaN stays NaN
    case Activation::kGelu:
      return v * normal_distribution(v);
    case Activation::kGeluTanh:
      return v * sigmoid(tanh_argument(v));
    case Activation::kSilu:
      return v * sigmoid(v);
    case Activation::kNone:
      break;
  }
  return v;
}

Wide slope(Wide v, Activation activation) {
  switch (activation) {
    case Activation::kRelu:
      return v <= 0 ? 0 : 1;
    case Activation::kGelu:
      return normal_distribution(v) + v * std::exp(-v * v / 2) / std::sqrt(2 * std::numbers::pi_v<Wide>);
    case Activation::kGeluTanh: {
      const Wide u = tanh_argument(v);
      return sigmoid(u) + v * (sigmoid(u) * sigmoid(-u)) * (kTanhScale * (1 + 3 * kTanhCube * v * v));
    }
    case Activation::kSilu:
      return sigmoid(v) + v * (sigmoid(v) * sigmoid(-v));
    case Activation::kNone:
      break;
  }
  return 1;
}

}  // namespace

Values activate(const Values& v, Activation activation) {
  Values result;
  for (const double value : v) result.push_back(static_cast<double>(activated(value, activation)));
  return result;
}

Values activation_slope(const Values& v, Activation activation) {
  Values result;
  for (const double value : v) result.push_back(static_cast<double>(slope(value, activation)));
  return result;
}

Values inference(const Descriptor& descriptor, const Shape& shape, const Values& x, const Values& gamma,
                 const Values& beta, const Values& mean, const Values& variance, const Mask& mask) {
  const Sharing shared = sharing(descriptor, shape);
  Values y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!counts(mask, i)) continue;
    const auto s = static_cast<std::size_t>(shared.statistic[i]);
    const Wide distance = Wide{x[i]} - (mean.empty() ? Wide{0} : Wide{mean[s]});
    const Wide normalized = distance / std::sqrt(Wide{variance[s]} + Wide{descriptor.eps});
    y[i] = static_cast<double>(gamma_at(gamma, shared, i) * normalized + beta_at(beta, shared, i));
  }
  return y;
}

Gradients inference_backward(const Descriptor& descriptor, const Shape& shape, const Values& dy, const Values& x,
                             const Values& gamma, const Values& mean, const Values& variance, const Mask& mask) {
  const Sharing shared = sharing(descriptor, shape);
  std::vector<Wide> dgamma(static_cast<std::size_t>(shared.parameters), 0);
  std::vector<Wide> dbeta(static_cast<std::size_t>(shared.parameters), 0);
  Gradients result;
  result.dx.resize(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!counts(mask, i)) continue;
    const auto s = static_cast<std::size_t>(shared.statistic[i]);
    const auto p = static_cast<std::size_t>(shared.parameter[i]);
    const Wide distance = Wide{x[i]} - (mean.empty() ? Wide{0} : Wide{mean[s]});
    const Wide rstd = 1 / std::sqrt(Wide{variance[s]} + Wide{descriptor.eps});
    result.dx[i] = static_cast<double>(dy[i] * gamma_at(gamma, shared, i) * rstd);
    dgamma[p] += dy[i] * (distance * rstd);
    dbeta[p] += dy[i];
  }
  result.dgamma = narrow(dgamma);
  result.dbeta = narrow(dbeta);
  return result;
}

}  // namespace norma::reference
