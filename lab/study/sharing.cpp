#include "lab/study/sharing.h"

#include <algorithm>
#include <limits>

#include "lab/models/arm_list.h"

namespace norma::lab {
namespace {

constexpr std::int64_t kEnough = std::numeric_limits<std::int32_t>::max();

// What one normalization sees of a sample.
struct Layer {
  std::int64_t width = 0, positions = 1;
};

// As lab/models/resnet.cpp makes them: the sides are halved where the channels change.
std::vector<Layer> resnet_layers(const ModelSpec& model, std::int64_t height, std::int64_t width) {
  std::vector<Layer> layers{{model.channels.front(), height * width}};
  std::int64_t in = model.channels.front();
  for (const std::int64_t out : model.channels) {
    if (out != in) {
      height = (height + 1) / 2;
      width = (width + 1) / 2;
    }
    layers.push_back({out, height * width});
    in = out;
  }
  return layers;
}

std::vector<Layer> layers_of(const ModelSpec& model, const std::array<std::int64_t, 3>* shape) {
  const unsigned family = family_of(model.kind);
  if (model.kind == "resnet" && shape != nullptr) return resnet_layers(model, (*shape)[1], (*shape)[2]);
  // A CNN's pooling leaves positions enough (lab/models/cnn.cpp); a sequence may be of one position.
  const bool sequence = family == kRecurrent || family == kEncoder || family == kDecoder;
  const std::int64_t positions = family == kPlain ? 1 : sequence && shape != nullptr ? (*shape)[2] : kEnough;
  std::vector<Layer> layers;
  for (const std::int64_t width : widths_of(model)) layers.push_back({width, positions});
  return layers;
}

// Products of sizes that may be taken as endless.
std::int64_t times(std::int64_t a, std::int64_t b) {
  return std::min(a, kEnough) * std::min(b, kEnough);
}

std::int64_t values(const Layer& layer, const Sharing& sharing, const Arm& arm) {
  // Each step of a cell has statistics of its own.
  if (arm.per_step) return sharing.normalization_batch;
  if (arm.uses_batch) return times(sharing.normalization_batch, layer.positions);
  if (arm.uses_groups) return times(layer.width / sharing.groups, layer.positions);
  if (arm.name == "layer" || arm.name == "rms") return layer.width;
  if (arm.name == "layer_chw") return times(layer.width, layer.positions);
  if (arm.name == "instance") return layer.positions;
  return kEnough;  // it shares nothing
}

}  // namespace

std::vector<std::int64_t> widths_of(const ModelSpec& model) {
  const unsigned family = family_of(model.kind);
  if (model.kind == "checks") return {};
  if (family == kConvolutional) return model.channels;
  // An LSTM's cell is normalized by itself; a GRU's three parts all at once.
  if (family == kRecurrent) return {model.kind == "gru" ? 3 * model.hidden : model.hidden};
  return {model.width};
}

std::int64_t fewest_values(const ModelSpec& model, const Sharing& sharing) {
  std::int64_t fewest = kEnough;
  const Arm& arm = *find_arm(sharing.arm);
  for (const Layer& layer : layers_of(model, sharing.shape)) fewest = std::min(fewest, values(layer, sharing, arm));
  return fewest;
}

}  // namespace norma::lab
