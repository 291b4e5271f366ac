#include "lab/training/checks.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lab/data/random.h"
#include "norma/norma.h"

namespace norma::lab {
namespace {

using Values = std::vector<double>;

constexpr double kExact = 0;  // eps: the laws hold without one

Values random_values(Random& random, std::int64_t count) {
  Values values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(2 * random.uniform() - 1 + (i % 7) * 0.3);
  return values;
}

template <typename T>
std::vector<T> normalized(const Descriptor& how, const std::vector<T>& x, const Shape& shape) {
  std::vector<T> y(x.size());
  forward(how, {x.data(), shape}, {}, {}, {y.data(), shape}, {}, {});
  return y;
}

double largest_change(const Values& a, const Values& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

void keep_largest(TrialResult& result, const std::string& name, double value) {
  const auto [entry, fresh] = result.measures.emplace(name, value);
  if (!fresh) entry->second = std::max(entry->second, value);
}

// A shape, and how many neighbouring indices of each axis share statistics: 1, all of them, or a group's channels.
struct Sharing {
  Shape shape;
  std::vector<std::int64_t> together;
};

// Mean and variance of the elements that share a statistic, as plain sums over the output; of a norm that does not
// centre, their mean square.
void check_axes(const std::string& name, const Descriptor& how, const std::vector<Sharing>& cases, Random& random,
                TrialResult& result) {
  for (const auto& [shape, together] : cases) {
    const Values y = normalized(how, random_values(random, shape.elements()), shape);
    std::map<std::vector<std::int64_t>, Values> groups;
    std::vector<std::int64_t> index(static_cast<std::size_t>(shape.rank()), 0);
    for (const double value : y) {
      std::vector<std::int64_t> own;
      for (std::size_t axis = 0; axis < index.size(); ++axis) own.push_back(index[axis] / together[axis]);
      groups[own].push_back(value);
      for (std::size_t axis = index.size(); axis-- > 0;) {
        if (++index[axis] < shape[static_cast<int>(axis)]) break;
        index[axis] = 0;
      }
    }
    for (const auto& [own, values] : groups) {
      double sum = 0, squares = 0;
      for (const double value : values) sum += value;
      const double mean = how.centred ? sum / static_cast<double>(values.size()) : 0;
      for (const double value : values) squares += (value - mean) * (value - mean);
      if (how.centred) keep_largest(result, name + "_mean", std::abs(mean));
      keep_largest(result, name + (how.centred ? "_variance" : "_square"),
                   std::abs(squares / static_cast<double>(values.size()) - 1));
    }
  }
}

void check_all_axes(Random& random, TrialResult& result) {
  check_axes("batch", batch_norm(kExact), {{{6, 5}, {6, 1}}, {{4, 3, 2, 3}, {4, 1, 2, 3}}}, random, result);
  // A sequence's features lie on its last axis.
  Descriptor sequences = batch_norm(kExact);
  sequences.statistics = Axes::all_but({2});
  sequences.affine = Axes::of({2});
  check_axes("batch", sequences, {{{4, 5, 3}, {4, 5, 1}}}, random, result);
  const std::vector<Sharing> features{{{6, 5}, {1, 5}}, {{4, 5, 3}, {1, 1, 3}}};
  const std::vector<Sharing> volumes{{{4, 3, 2, 3}, {1, 3, 2, 3}}};
  check_axes("layer", layer_norm(1, kExact), features, random, result);
  check_axes("layer", layer_norm(3, kExact), volumes, random, result);
  check_axes("rms", rms_norm(1, kExact), features, random, result);
  check_axes("rms", rms_norm(3, kExact), volumes, random, result);
  check_axes("group", group_norm(2, kExact), {{{5, 6}, {1, 3}}, {{4, 6, 5}, {1, 3, 5}}, {{4, 6, 2, 3}, {1, 3, 2, 3}}},
             random, result);
  check_axes("instance", instance_norm(kExact), {{{4, 3, 5}, {1, 1, 5}}, {{4, 3, 2, 3}, {1, 1, 2, 3}}}, random, result);
}

// dx of all samples for a dy of one sample alone: what of the others reaches it.
double coupling(std::int64_t samples, const std::function<Values(const Values& dy)>& gradient, std::int64_t features) {
  double largest = 0;
  for (std::int64_t i = 0; i < samples; ++i) {
    for (std::int64_t f = 0; f < features; ++f) {
      Values dy(static_cast<std::size_t>(samples * features), 0);
      dy[static_cast<std::size_t>(i * features + f)] = 1;
      const Values dx = gradient(dy);
      for (std::int64_t j = 0; j < samples * features; ++j) {
        if (j / features != i) largest = std::max(largest, std::abs(dx[static_cast<std::size_t>(j)]));
      }
    }
  }
  return largest;
}

void check_coupling(Random& random, TrialResult& result) {
  constexpr std::int64_t kSamples = 6, kFeatures = 5;
  const Shape shape{kSamples, kFeatures};
  const Values x = random_values(random, shape.elements());
  const auto trained = [&](const Descriptor& how) {
    return [&, how](const Values& dy) {
      const Shape statistics = statistics_shape(how, shape);
      Values y(x.size()), dx(x.size()), mean(static_cast<std::size_t>(statistics.elements())), rstd(mean);
      forward(how, {x.data(), shape}, {}, {}, {y.data(), shape}, {mean.data(), statistics}, {rstd.data(), statistics});
      backward(how, {dy.data(), shape}, {x.data(), shape}, {}, {mean.data(), statistics}, {rstd.data(), statistics},
               {dx.data(), shape}, {}, {});
      return dx;
    };
  };
  const auto evaluated = [&](const Values& dy) {
    const Values mean(kFeatures, 0.1), variance(kFeatures, 2.0);
    const Shape statistics{kFeatures};
    Values dx(x.size());
    inference_backward(batch_norm(), {dy.data(), shape}, {x.data(), shape}, {}, {mean.data(), statistics},
                       {variance.data(), statistics}, {dx.data(), shape}, {}, {});
    return dx;
  };
  result.measures["batch_train_coupling"] = coupling(kSamples, trained(batch_norm()), kFeatures);
  result.measures["layer_coupling"] = coupling(kSamples, trained(layer_norm()), kFeatures);
  result.measures["batch_eval_coupling"] = coupling(kSamples, evaluated, kFeatures);
}

// z = W h for every sample: W (units, inputs), h (samples, inputs).
struct Linear {
  static constexpr std::size_t kSamples = 8, kInputs = 6, kUnits = 5;
  Values w, h;

  Values output(const Descriptor& how) const {
    Values z(kSamples * kUnits, 0);
    for (std::size_t n = 0; n < kSamples; ++n) {
      for (std::size_t u = 0; u < kUnits; ++u) {
        for (std::size_t i = 0; i < kInputs; ++i) z[n * kUnits + u] += w[u * kInputs + i] * h[n * kInputs + i];
      }
    }
    return normalized(how, z, {static_cast<std::int64_t>(kSamples), static_cast<std::int64_t>(kUnits)});
  }
};

void check_invariances(Random& random, TrialResult& result) {
  constexpr double kScale = 3.7;
  const Linear plain{random_values(random, Linear::kUnits * Linear::kInputs),
                     random_values(random, Linear::kSamples * Linear::kInputs)};
  const Values row = random_values(random, Linear::kInputs);
  const std::map<std::string, std::function<void(Linear&)>> changes{
      {"weight_rescale",
       [](Linear& l) {
         for (double& w : l.w) w *= kScale;
       }},
      {"weight_recentre",
       [&](Linear& l) {
         for (std::size_t i = 0; i < l.w.size(); ++i) l.w[i] += row[i % Linear::kInputs];
       }},
      {"unit_rescale",
       [](Linear& l) {
         for (std::size_t i = 0; i < l.w.size(); ++i) l.w[i] *= 0.5 + static_cast<double>(i / Linear::kInputs);
       }},
      {"data_rescale",
       [](Linear& l) {
         for (double& h : l.h) h *= kScale;
       }},
      {"data_recentre",
       [&](Linear& l) {
         for (std::size_t i = 0; i < l.h.size(); ++i) l.h[i] += row[i % Linear::kInputs];
       }},
      {"sample_rescale", [](Linear& l) {
         for (std::size_t i = 0; i < Linear::kInputs; ++i) l.h[i] *= kScale;
       }}};
  for (const auto& [name, change] : changes) {
    Linear changed = plain;
    change(changed);
    for (const auto& [norm, how] :
         {std::pair{"batch_", batch_norm(kExact)}, std::pair{"layer_", layer_norm(1, kExact)}}) {
      result.measures[norm + name] = largest_change(plain.output(how), changed.output(how));
    }
  }
}

template <typename T>
std::int64_t changed_elements(const Descriptor& how, Random& random) {
  constexpr std::size_t kFeatures = 37;
  std::vector<T> sample, reference;
  for (const double value : random_values(random, kFeatures)) sample.push_back(static_cast<T>(value));
  std::int64_t changed = 0;
  for (const std::size_t size : {2U, 1U, 3U, 7U, 16U, 64U}) {
    if (size == 1 && how.statistics.resolve(2, "checks") == 1U) continue;  // one value a statistic
    std::vector<T> x;
    for (const double value : random_values(random, static_cast<std::int64_t>(size * kFeatures))) {
      x.push_back(static_cast<T>(value));
    }
    const std::size_t place = random.below(size) * kFeatures;
    std::copy(sample.begin(), sample.end(), x.begin() + static_cast<std::ptrdiff_t>(place));
    const std::vector<T> y = normalized(how, x, {static_cast<std::int64_t>(size), kFeatures});
    const auto first = y.begin() + static_cast<std::ptrdiff_t>(place);
    const std::vector<T> own(first, first + kFeatures);
    if (reference.empty()) reference = own;
    for (std::size_t i = 0; i < kFeatures; ++i) changed += std::memcmp(&own[i], &reference[i], sizeof(T)) != 0 ? 1 : 0;
  }
  return changed;
}

void check_companions(Random& random, TrialResult& result) {
  const auto count = [&](const Descriptor& how) {
    return static_cast<double>(changed_elements<float>(how, random) + changed_elements<double>(how, random));
  };
  result.measures["layer_changed_elements"] = count(layer_norm());
  result.measures["batch_changed_elements"] = count(batch_norm());
}

}  // namespace

TrialResult run_checks(const TrialSpec& spec, std::int64_t test_items) {
  const auto start = std::chrono::steady_clock::now();
  TrialResult result;
  Random random(spec.seed);
  check_all_axes(random, result);
  check_coupling(random, result);
  check_invariances(random, result);
  check_companions(random, result);
  // Nothing was trained, so nothing was wrong.
  result.validation_error = result.test_error = 0;
  if (!spec.tuning) result.test_wrong.assign(static_cast<std::size_t>(test_items), '0');
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace norma::lab
