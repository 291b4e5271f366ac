#include "lab/data/view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

#include "lab/data/random.h"
#include "lab/error.h"

namespace norma::lab {

std::vector<std::string> view_names() {
  return {"rows", "pixels", "permuted_pixels"};
}

View view_of(const std::string& name, const std::array<std::int64_t, 3>& shape) {
  constexpr std::uint64_t kPermutation = 1;
  const auto [channels, height, width] = shape;
  const auto pixels = height * width;
  View view;
  view.order.resize(static_cast<std::size_t>(channels * pixels));
  if (name.empty()) {
    view.shape = shape;
    std::iota(view.order.begin(), view.order.end(), std::size_t{0});
    return view;
  }
  view.kind = SampleKind::kSequences;
  std::size_t next = 0;
  const auto put = [&](std::int64_t channel, std::int64_t pixel) {
    view.order[next++] = static_cast<std::size_t>(channel * pixels + pixel);
  };
  if (name == "rows") {
    view.shape = {channels * width, 1, height};
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        for (std::int64_t x = 0; x < width; ++x) put(channel, y * width + x);
      }
    }
  } else if (name == "pixels" || name == "permuted_pixels") {
    view.shape = {channels, 1, pixels};
    std::vector<std::int64_t> places(static_cast<std::size_t>(pixels));
    std::iota(places.begin(), places.end(), std::int64_t{0});
    if (name == "permuted_pixels") places = permutation(pixels, kPermutation);
    for (const std::int64_t place : places) {
      for (std::int64_t channel = 0; channel < channels; ++channel) put(channel, place);
    }
  } else {
    throw InputError(fmt::format("unknown view '{}', expected one of: {}", name, fmt::join(view_names(), ", ")));
  }
  return view;
}

}  // namespace norma::lab
