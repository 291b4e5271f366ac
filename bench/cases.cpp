#include "cases.h"

#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace norma::bench {
namespace {

const char* name_of(Norm norm) {
  switch (norm) {
    case Norm::kLayer:
      return "LN";
    case Norm::kRms:
      return "RMS";
    case Norm::kBatch:
      return "BN";
    case Norm::kGroup:
      return "GN";
    case Norm::kInstance:
      return "IN";
  }
  return "";
}

const char* name_of(Operation operation) {
  switch (operation) {
    case Operation::kForward:
      return "forward";
    case Operation::kInference:
      return "inference";
    case Operation::kBackward:
      return "backward";
  }
  return "";
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  constexpr Operation kTraining[] = {Operation::kForward, Operation::kBackward};
  constexpr Operation kAll[] = {Operation::kForward, Operation::kInference, Operation::kBackward};
  constexpr Layout kFirst = Layout::kChannelsFirst;
  constexpr Layout kLayouts[] = {kFirst, Layout::kChannelsLast};
  for (const Norm norm : {Norm::kLayer, Norm::kRms}) {
    for (const Operation operation : kTraining) {
      for (const Shape& shape : {Shape{128, 768}, Shape{1024, 256}, Shape{4096, 64}, Shape{4096, 768},
                                 Shape{8192, 1024}, Shape{20000, 127}, Shape{4096, 3584}, Shape{16384, 4096}}) {
        cases.push_back({norm, operation, shape, kFirst});
      }
    }
  }
  const Shape images[] = {{128, 16, 8, 8},  {8, 512, 7, 7},    {32, 256, 14, 14},
                          {32, 64, 56, 56}, {64, 3, 224, 224}, {32, 256, 56, 56}};
  for (const Norm norm : {Norm::kBatch, Norm::kGroup, Norm::kInstance}) {
    for (const Operation operation : kAll) {
      if (norm != Norm::kBatch && operation == Operation::kInference) continue;
      if (norm == Norm::kBatch) {
        for (const Shape& shape : {Shape{256, 1024}, Shape{100000, 32}}) {
          cases.push_back({norm, operation, shape, kFirst});
        }
      }
      for (const Layout layout : kLayouts) {
        for (const Shape& shape : images) {
          if (norm == Norm::kGroup && shape[1] % kGroups != 0) continue;
          cases.push_back({norm, operation, shape, layout});
        }
      }
    }
  }
  return cases;
}

}  // namespace

std::string Case::name() const {
  std::string text = std::string(name_of(norm)) + " " + name_of(operation);
  text += shape.rank() == 2 ? " (N,C) " : layout == Layout::kChannelsLast ? " NHWC " : " NCHW ";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += "x";
    text += std::to_string(shape[axis]);
  }
  return text;
}

Descriptor Case::descriptor() const {
  switch (norm) {
    case Norm::kLayer:
      return layer_norm(1, kEps);
    case Norm::kRms:
      return rms_norm(1, kEps);
    case Norm::kBatch:
      return batch_norm(kEps);
    case Norm::kGroup:
      return group_norm(kGroups, kEps);
    case Norm::kInstance:
      return instance_norm(kEps);
  }
  return {};
}

Inputs make_inputs(const Case& c) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  const auto draw = [&](std::int64_t count, float centre, float sigma) {
    // A prime number of normal values over and over: drawing all would take longer than the bench.
    std::vector<float> pool(65521);
    for (float& value : pool) value = centre + sigma * normal(random);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = pool[i % pool.size()];
    return values;
  };
  Inputs inputs;
  inputs.x = draw(c.shape.elements(), 0.5F, 1.0F);
  if (c.operation == Operation::kBackward) inputs.dy = draw(c.shape.elements(), 0.0F, 1.0F);
  inputs.gamma = draw(c.channels(), 1.0F, 0.2F);
  inputs.beta = draw(c.channels(), 0.0F, 0.2F);
  inputs.mean = draw(c.statistics(), 0.5F, 0.01F);
  if (c.norm == Norm::kRms) std::fill(inputs.mean.begin(), inputs.mean.end(), 0.0F);
  inputs.variance = draw(c.statistics(), 1.0F, 0.01F);
  inputs.rstd = inputs.variance;
  for (float& value : inputs.rstd) value = 1.0F / std::sqrt(value + kEps);
  return inputs;
}

bool matches(const std::string& name, const std::vector<std::string>& patterns) {
  return patterns.empty() || std::ranges::any_of(patterns, [&](const std::string& pattern) {
           return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
         });
}

std::vector<Case> cases_like(const std::vector<std::string>& patterns, bool quick) {
  constexpr std::int64_t kQuickElements = 8 << 20;
  std::vector<Case> cases;
  for (const Case& c : all_cases()) {
    if ((!quick || c.shape.elements() <= kQuickElements) && matches(c.name(), patterns)) cases.push_back(c);
  }
  return cases;
}

}  // namespace norma::bench
