#include "cases.h"

#include <cmath>
#include <random>

namespace norma::bench {
namespace {

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

}  // namespace

std::string Case::name() const {
  std::string text = batch_norm ? "BN " : "LN ";
  text += name_of(operation);
  text += shape.rank() == 2 ? " (N,C) " : layout == Layout::kChannelsLast ? " NHWC " : " NCHW ";
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis > 0) text += "x";
    text += std::to_string(shape[axis]);
  }
  return text;
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
  inputs.dy = draw(c.shape.elements(), 0.0F, 1.0F);
  inputs.gamma = draw(c.channels(), 1.0F, 0.2F);
  inputs.beta = draw(c.channels(), 0.0F, 0.2F);
  inputs.mean = draw(c.statistics(), 0.5F, 0.01F);
  inputs.variance = draw(c.statistics(), 1.0F, 0.01F);
  inputs.rstd = inputs.variance;
  for (float& value : inputs.rstd) value = 1.0F / std::sqrt(value + kEps);
  return inputs;
}

std::vector<Case> all_cases(bool quick) {
  constexpr std::int64_t kQuickElements = 8 << 20;
  std::vector<Case> cases;
  const auto add = [&](bool batch_norm, Operation operation, const Shape& shape, Layout layout) {
    if (!quick || shape.elements() <= kQuickElements) cases.push_back({batch_norm, operation, shape, layout});
  };
  for (const Operation operation : {Operation::kForward, Operation::kBackward}) {
    for (const Shape& shape :
         {Shape{16, 64}, Shape{64, 256}, Shape{1024, 768}, Shape{8192, 1024}, Shape{32768, 1024}}) {
      add(false, operation, shape, Layout::kChannelsFirst);
    }
  }
  for (const Operation operation : {Operation::kForward, Operation::kInference, Operation::kBackward}) {
    for (const Shape& shape : {Shape{64, 128}, Shape{256, 512}, Shape{4096, 1024}, Shape{32768, 1024}}) {
      add(true, operation, shape, Layout::kChannelsFirst);
    }
    for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
      for (const Shape& shape : {Shape{8, 16, 8, 8}, Shape{32, 64, 14, 14}, Shape{64, 512, 7, 7}, Shape{32, 64, 56, 56},
                                 Shape{32, 256, 56, 56}}) {
        add(true, operation, shape, layout);
      }
    }
  }
  return cases;
}

}  // namespace norma::bench
