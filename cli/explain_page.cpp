#include "explain_page.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "errors.h"
#include "norma/norma.h"

namespace norma::cli {
namespace {

using nlohmann::json;

constexpr int kRunningBatches = 50;
constexpr std::int64_t kGroups = 2;  // where nobody asked

// A drawing of the page. Sizes are logical: samples, neurons, positions.
struct Scene {
  std::string_view name;
  std::string_view layout;
  std::vector<std::int64_t> sizes;  // drawn where no shape is asked for
  std::vector<std::int64_t> most;   // that the page has room for
};
const std::array<Scene, 3> kScenes{{{"network", "nc", {8, 8}, {8, 10}},
                                    {"images", "nchw", {4, 4, 3, 3}, {5, 4, 4, 4}},
                                    {"sequences", "ntc", {4, 4, 6}, {6, 6, 8}}}};

// Numbers that look like activations: the same on every machine, so nothing of <random>'s distributions.
class Source {
 public:
  explicit Source(std::uint64_t seed) : state_(seed) {}

  double normal() {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(next() >> 11U) * 0x1p-53;
    return sum - 6;
  }

  // One decimal, so that a circle shows the whole value. Each neuron has a mean and a spread of its own.
  std::vector<double> values(const Shape& shape) {
    constexpr std::array<double, 5> kMeans{0.6, -1.2, 2.1, 0.2, -0.5};
    constexpr std::array<double, 3> kSpreads{1.0, 0.6, 1.6};
    const std::int64_t places = shape.elements() / shape[0] / shape[1];
    std::vector<double> values(static_cast<std::size_t>(shape.elements()));
    for (std::size_t at = 0; at < values.size(); ++at) {
      const std::size_t neuron = at / static_cast<std::size_t>(places) % static_cast<std::size_t>(shape[1]);
      values[at] = std::round(10 * (kMeans[neuron % 5] + kSpreads[neuron % 3] * normal())) / 10;
    }
    return values;
  }

 private:
  // Steele, Lea & Flood 2014 (SplitMix64).
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  std::uint64_t state_;
};

// A batch of a scene; of sequences with their lengths.
struct Batch {
  Shape shape;
  std::vector<double> x;              // zero where padded
  std::vector<std::uint8_t> valid{};  // (N, 1, T); empty where nothing is padded

  MaskView mask() const { return valid.empty() ? MaskView() : MaskView(valid.data(), Shape{shape[0], 1, shape[2]}); }
};

// Every other sequence is shorter.
std::vector<std::int64_t> lengths_of(const Shape& shape) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    lengths.push_back(n % 2 == 0 ? shape[2] : std::max<std::int64_t>(1, shape[2] - 1 - n));
  }
  return lengths;
}

void pad(Batch& batch, const std::vector<std::int64_t>& lengths) {
  const std::int64_t steps = batch.shape[2];
  const std::int64_t rows = batch.shape[1] * steps;
  for (std::int64_t n = 0; n < batch.shape[0]; ++n) {
    for (std::int64_t t = 0; t < steps; ++t) {
      batch.valid.push_back(t < lengths[static_cast<std::size_t>(n)] ? 1 : 0);
    }
  }
  for (std::size_t at = 0; at < batch.x.size(); ++at) {
    const auto n = static_cast<std::int64_t>(at) / rows;
    const auto t = static_cast<std::int64_t>(at) % steps;
    if (t >= lengths[static_cast<std::size_t>(n)]) batch.x[at] = 0;
  }
}

// The first samples alone.
Batch first(const Batch& batch, std::int64_t samples) {
  std::vector<std::int64_t> sizes(batch.shape.sizes().begin(), batch.shape.sizes().end());
  const auto part = [&](const auto& values) {
    const std::size_t each = values.size() / static_cast<std::size_t>(sizes[0]);
    return std::decay_t<decltype(values)>(
        values.begin(), values.begin() + static_cast<std::ptrdiff_t>(each * static_cast<std::size_t>(samples)));
  };
  Batch some{{}, part(batch.x), part(batch.valid)};
  sizes[0] = samples;
  some.shape = Shape(sizes);
  return some;
}

struct Setting {
  std::string norm;
  std::string over = "all";  // layer, rms: "c" or "all"
  std::int64_t groups = 1;

  bool masked() const { return norm == "masked"; }
  bool over_batch() const { return masked() || norm == "batch"; }
};

std::vector<Setting> settings_of(const Scene& scene, const Shape& shape) {
  std::vector<Setting> settings{{"batch"}, {"layer"}, {"instance"}, {"rms"}};
  if (scene.name == "sequences") settings.push_back({"masked"});
  if (shape.rank() > 2) settings.insert(settings.end(), {{"layer", "c"}, {"rms", "c"}});
  for (std::int64_t groups = 1; groups <= shape[1]; ++groups) {
    if (shape[1] % groups == 0) settings.push_back({"group", "all", groups});
  }
  return settings;
}

Descriptor descriptor_of(const Setting& setting, int rank) {
  if (setting.over_batch()) return batch_norm();
  if (setting.norm == "instance") return instance_norm();
  if (setting.norm == "group") return group_norm(setting.groups);
  Descriptor descriptor = setting.norm == "rms" ? rms_norm() : layer_norm();
  descriptor.statistics = descriptor.affine = setting.over == "c" ? Axes::of({1}) : Axes::last(rank - 1);
  return descriptor;
}

// Statistics as the library has them: f64, and the variance from M2 and the counts.
struct Statistics {
  Shape shape;
  std::vector<double> mean, variance;
  std::vector<std::int64_t> counts;
};

Statistics statistics_of(const Descriptor& descriptor, const Batch& batch, MaskView mask) {
  Statistics found{statistics_shape(descriptor, batch.shape), {}, {}, valid_counts(descriptor, batch.shape, mask)};
  found.mean.resize(found.counts.size());
  found.variance.resize(found.counts.size());
  statistics(descriptor, {batch.x.data(), batch.shape}, {found.mean.data(), found.shape},
             {found.variance.data(), found.shape}, mask);
  for (std::size_t s = 0; s < found.counts.size(); ++s) {
    if (found.counts[s] > 0) found.variance[s] /= static_cast<double>(found.counts[s]);
  }
  return found;
}

// Running averages after batches of the same source, by torch's convention. Every batch has the lengths of the first.
Statistics running(const Setting& setting, const Shape& shape, const std::vector<std::int64_t>& lengths) {
  const Descriptor descriptor = batch_norm();
  const auto features = static_cast<std::size_t>(shape[1]);
  Statistics averages{Shape{shape[1]}, std::vector<double>(features, 0.0), std::vector<double>(features, 1.0), {}};
  Source source(2);
  for (int step = 0; step < kRunningBatches; ++step) {
    Batch batch{shape, source.values(shape)};
    if (!lengths.empty()) pad(batch, lengths);
    const Statistics found = statistics_of(descriptor, batch, setting.masked() ? batch.mask() : MaskView());
    if (found.counts.front() < 2) continue;  // torch's convention has no variance of one value
    update_running(kTorch, kTorch.momentum, found.counts.front(), {found.mean.data(), found.shape},
                   {found.variance.data(), found.shape}, {averages.mean.data(), averages.shape},
                   {averages.variance.data(), averages.shape});
  }
  return averages;
}

json answer(const Setting& setting, const Batch& batch, const Statistics* averages) {
  const Descriptor descriptor = descriptor_of(setting, batch.shape.rank());
  const MaskView mask = setting.masked() ? batch.mask() : MaskView();
  const ConstTensorView x(batch.x.data(), batch.shape);
  std::vector<double> y(batch.x.size());
  try {
    if (averages != nullptr) {
      inference(descriptor, x, {}, {}, {averages->mean.data(), averages->shape},
                {averages->variance.data(), averages->shape}, {y.data(), batch.shape}, mask);
      return {{"mean", averages->mean}, {"variance", averages->variance}, {"y", y}};
    }
    forward(descriptor, x, {}, {}, {y.data(), batch.shape}, {}, {}, mask);
    const Statistics found = statistics_of(descriptor, batch, mask);
    return {{"mean", found.mean}, {"variance", found.variance}, {"y", y}};
  } catch (const Error& refusal) {
    return {{"error", refusal.what()}};
  }
}

// Adds the scene, and the library's answers for it.
void add_scene(json& document, const Scene& scene, const Shape& shape, const Shape* asked) {
  Batch batch{shape, Source(1).values(shape)};
  json entry{{"name", scene.name}, {"shape", shape.sizes()}, {"x", batch.x}, {"running", json::object()}};
  entry["asked"] = asked != nullptr && !(*asked == shape) ? json(asked->sizes()) : json();
  std::vector<std::int64_t> lengths;
  if (scene.name == "sequences") {
    lengths = lengths_of(shape);
    pad(batch, lengths);
  }
  entry["lengths"] = lengths.empty() ? json() : json(lengths);
  for (const Setting& setting : settings_of(scene, shape)) {
    const auto add = [&](std::int64_t samples, const Statistics* averages) {
      json found = answer(setting, first(batch, samples), averages);
      found.update({{"scene", scene.name},
                    {"norm", setting.norm},
                    {"over", setting.over},
                    {"groups", setting.groups},
                    {"batch", samples},
                    {"training", averages == nullptr}});
      document["cases"].push_back(std::move(found));
    };
    // What never looks past a sample has one answer, whatever the batch and whether training or not.
    if (!setting.over_batch()) {
      add(shape[0], nullptr);
      continue;
    }
    const Statistics averages = running(setting, shape, lengths);
    entry["running"][setting.norm] = {{"mean", averages.mean}, {"variance", averages.variance}};
    for (std::int64_t samples = 1; samples <= shape[0]; ++samples) {
      add(samples, nullptr);
      add(samples, &averages);
    }
  }
  document["scenes"].push_back(std::move(entry));
}

Shape drawable(const Scene& scene, const Shape& asked) {
  std::vector<std::int64_t> sizes;
  for (int axis = 0; axis < asked.rank(); ++axis) {
    sizes.push_back(std::min(asked[axis], scene.most[static_cast<std::size_t>(axis)]));
  }
  return Shape(sizes);
}

const Scene& scene_of(const Question& question) {
  for (const Scene& scene : kScenes) {
    if (static_cast<int>(scene.sizes.size()) == question.shape.rank()) return scene;
  }
  throw UsageError("--shape: the page draws two to four axes, got " + std::to_string(question.shape.rank()));
}

// The question as the page understands it; with a shape of its own only where one was asked for.
Question question_of(const ExplainOptions& asked) {
  if (!asked.axes.empty()) throw UsageError("--axes: the page knows the norms by name only; use --norm");
  ExplainOptions filled = asked;
  if (filled.norm.empty()) filled.norm = "batch";
  if (filled.shape.empty()) {
    if (!filled.layout.empty()) throw UsageError("--layout goes with --shape");
    filled.shape = filled.over.empty() ? "8,8" : "4,4,3,3";
  }
  return understand(filled);
}

// Layer and rms, as the page offers them: over the neurons of one position or over all of a sample.
std::string over_of(const Question& question) {
  const int rank = question.shape.rank();
  const std::uint32_t shares = question.descriptor.statistics.resolve(rank, "explain");
  const std::uint32_t all = (1U << rank) - 2U;
  const bool has_choice = question.title == "LayerNorm" || question.title == "RMSNorm";
  if (!has_choice || shares == all) return "all";
  if (shares == 0b10U) return "c";
  throw UsageError("--over: the page draws c, or all of a sample");
}

// Of fewer neurons than were asked for, some groups of some.
std::int64_t groups_of(const Question& question, const Shape& drawn) {
  if (question.title != "GroupNorm") return kGroups;
  const std::int64_t asked = question.descriptor.groups;
  const std::int64_t neurons = drawn[1];
  if (neurons == question.shape[1] || asked == 1) return asked;
  if (asked == question.shape[1]) return neurons;
  std::int64_t groups = 1;
  for (std::int64_t g = 1; g < neurons && g <= asked; ++g) {
    if (neurons % g == 0) groups = g;
  }
  return groups;
}

}  // namespace

json explain_document(const ExplainOptions& asked) {
  const Question question = question_of(asked);
  const Scene& opened = scene_of(question);
  const Shape drawn = drawable(opened, question.shape);
  json document{{"format", "norma-explain/1"},
                {"norma", {{"version", version()}, {"isa", current_isa()}}},
                {"running_batches", kRunningBatches},
                {"scenes", json::array()},
                {"cases", json::array()}};
  for (const Scene& scene : kScenes) {
    const bool own = &scene == &opened && !asked.shape.empty();
    add_scene(document, scene, own ? drawn : Shape(scene.sizes), own ? &question.shape : nullptr);
  }
  document["start"] = {{"scene", opened.name},
                       {"norm", asked.norm.empty() ? "batch" : asked.norm},
                       {"over", over_of(question)},
                       {"groups", groups_of(question, drawn)}};
  return document;
}

}  // namespace norma::cli
