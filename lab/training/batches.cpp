#include "lab/training/batches.h"

#include <algorithm>
#include <numeric>

#include "lab/error.h"

namespace norma::lab {
namespace {

template <typename T>
at::Tensor view_of(const std::vector<T>& values, at::IntArrayRef sizes, at::ScalarType type) {
  return at::from_blob(const_cast<T*>(values.data()), sizes, type);
}

std::vector<std::int64_t> in_class_order(const Dataset& data, std::vector<std::int64_t> order) {
  if (data.per_position)
    throw InputError("batches = \"sorted\" sorts by class: the data has a label at every position");
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return data.labels[static_cast<std::size_t>(a)] < data.labels[static_cast<std::size_t>(b)];
  });
  return order;
}

}  // namespace

Batcher::Batcher(const Dataset& data) : data_(data) {
  const std::int64_t n = data.samples();
  switch (data.kind) {
    case SampleKind::kImages:
      inputs_ = view_of(data.values, {n, data.shape[0], data.shape[1], data.shape[2]}, at::kFloat);
      break;
    case SampleKind::kSequences:
      inputs_ = view_of(data.values, {n, data.positions(), data.shape[0]}, at::kFloat);
      break;
    case SampleKind::kTokens:
      inputs_ = view_of(data.tokens, {n, data.positions()}, at::kLong);
      break;
  }
  const std::vector<std::int64_t> label_sizes = data.per_position ? std::vector{n, data.positions()} : std::vector{n};
  labels_ = view_of(data.labels, label_sizes, at::kLong);
  if (!data.lengths.empty()) lengths_ = view_of(data.lengths, {n}, at::kLong);
}

Labelled Batcher::take(std::span<const std::int64_t> indices) const {
  const at::Tensor which =
      at::from_blob(const_cast<std::int64_t*>(indices.data()), {static_cast<std::int64_t>(indices.size())}, at::kLong);
  Labelled samples{.batch = {.x = inputs_.index_select(0, which)}, .labels = labels_.index_select(0, which)};
  if (!lengths_.defined()) return samples;
  const at::Tensor lengths = lengths_.index_select(0, which);
  const auto longest = data_.keeps_padding ? data_.positions() : lengths.max().item<std::int64_t>();
  samples.batch.x = samples.batch.x.narrow(1, 0, longest).contiguous();
  if (data_.per_position) samples.labels = samples.labels.narrow(1, 0, longest).contiguous();
  if (lengths.min().item<std::int64_t>() < longest) {
    samples.batch.mask = at::arange(longest).unsqueeze(0) < lengths.unsqueeze(1);
  }
  return samples;
}

std::vector<std::vector<std::int64_t>> epoch_batches(const Dataset& data, const TrainingSpec& training,
                                                     std::uint64_t seed) {
  std::vector<std::int64_t> order = permutation(static_cast<std::int64_t>(data.train.size()), seed);
  for (std::int64_t& index : order) index = data.train[static_cast<std::size_t>(index)];
  if (training.batches == "sorted") order = in_class_order(data, std::move(order));
  Random random(seed + 1);
  std::vector<std::vector<std::int64_t>> batches;
  const auto size = static_cast<std::size_t>(training.sgd_batch);
  for (std::size_t first = 0; first < order.size();) {
    const std::size_t wanted = training.batches == "random" ? 2 + random.below(2 * size - 1) : size;
    const std::size_t taken = std::min(wanted, order.size() - first);
    const bool enough = training.batches == "random" ? taken > 1 : taken == size;
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(first);
    if (enough) batches.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(taken));
    first += taken;
  }
  if (training.batches == "sorted") {
    for (std::size_t i = batches.size(); i > 1; --i) std::swap(batches[i - 1], batches[random.below(i)]);
  }
  return batches;
}

std::int64_t total_updates(const Dataset& data, const TrainingSpec& training, Random shuffles) {
  if (training.batches != "random") {
    return training.epochs * (static_cast<std::int64_t>(data.train.size()) / training.sgd_batch);
  }
  std::int64_t total = 0;
  for (std::int64_t epoch = 0; epoch < training.epochs; ++epoch) {
    total += static_cast<std::int64_t>(epoch_batches(data, training, shuffles.next()).size());
  }
  return total;
}

}  // namespace norma::lab
