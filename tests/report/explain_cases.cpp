// Random questions with libnorma's answers, as JSON: explain_cases COUNT SEED. The explainer's own arithmetic is held
// against them (report/page/test/arithmetic.test.mjs). Norms by name and statistics over any axes, of any rank, with
// groups, masks, and given statistics.
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "norma/norma.h"

namespace norma {
namespace {

using nlohmann::json;

class Questions {
 public:
  explicit Questions(std::uint64_t seed) : random_(seed) {}

  json next() {
    const Shape shape = any_shape();
    const Descriptor descriptor = any_descriptor(shape);
    const double offset = 10 * normal();
    const std::vector<double> x = values(shape.elements(), offset);
    const Shape affine = affine_shape(descriptor, shape);
    const Shape statistic = statistics_shape(descriptor, shape);
    const std::vector<double> gamma = one_in(3) ? std::vector<double>() : values(affine.elements(), 1);
    const std::vector<double> beta = one_in(3) ? std::vector<double>() : values(affine.elements(), 0);
    const std::vector<std::uint8_t> mask = one_in(3) ? any_mask(shape, descriptor) : std::vector<std::uint8_t>();
    json question{{"shape", shape.sizes()},
                  {"statistics", bits(descriptor.statistics.resolve(shape.rank(), "cases"))},
                  {"affine", bits(descriptor.affine.resolve(shape.rank(), "cases"))},
                  {"groups", descriptor.groups},
                  {"eps", descriptor.eps},
                  {"centred", descriptor.centred},
                  {"x", x},
                  {"gamma", gamma},
                  {"beta", beta},
                  {"mask", mask}};
    const ConstTensorView gamma_view = gamma.empty() ? ConstTensorView() : ConstTensorView(gamma.data(), affine);
    const ConstTensorView beta_view = beta.empty() ? ConstTensorView() : ConstTensorView(beta.data(), affine);
    const MaskView mask_view = masked(mask, shape, descriptor);
    std::vector<double> y(x.size());
    std::vector<double> mean(static_cast<std::size_t>(statistic.elements()));
    std::vector<double> spread(mean.size());
    try {
      if (one_in(4)) {
        const std::vector<double> given_mean = values(statistic.elements(), offset);
        std::vector<double> given_variance = values(statistic.elements(), 0);
        for (double& value : given_variance) value *= value;
        question["given"] = {{"mean", given_mean}, {"variance", given_variance}};
        inference(descriptor, {x.data(), shape}, gamma_view, beta_view,
                  descriptor.centred ? ConstTensorView(given_mean.data(), statistic) : ConstTensorView(),
                  {given_variance.data(), statistic}, {y.data(), shape}, mask_view);
      } else {
        forward(descriptor, {x.data(), shape}, gamma_view, beta_view, {y.data(), shape}, {}, {}, mask_view);
        statistics(descriptor, {x.data(), shape}, {mean.data(), statistic}, {spread.data(), statistic}, mask_view);
        question["mean"] = mean;
        question["m2"] = spread;
        question["counts"] = valid_counts(descriptor, shape, mask_view);
      }
      question["y"] = y;
    } catch (const Error& refusal) {
      question["error"] = refusal.what();
    }
    return question;
  }

 private:
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  bool one_in(std::int64_t n) { return between(1, n) == 1; }
  double normal() { return std::normal_distribution<double>()(random_); }

  std::vector<double> values(std::int64_t count, double centre) {
    std::vector<double> list(static_cast<std::size_t>(count));
    for (double& value : list) value = centre + normal();
    return list;
  }

  // One byte for every element; the library takes no mask that differs within an axis which falls into groups.
  std::vector<std::uint8_t> any_mask(const Shape& shape, const Descriptor& descriptor) {
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(shape.elements()));
    for (std::uint8_t& counts : mask) counts = one_in(4) ? 0 : 1;
    if (descriptor.groups == 1) return mask;
    const std::size_t each = mask.size() / static_cast<std::size_t>(shape[0]);
    const std::size_t places = each / static_cast<std::size_t>(shape[1]);
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = mask[i / each * each + i % places];
    return mask;
  }

  Shape any_shape() {
    std::vector<std::int64_t> sizes;
    for (std::int64_t axis = between(2, 5); axis > 0; --axis) sizes.push_back(between(1, 6));
    return Shape(sizes);
  }

  static MaskView masked(const std::vector<std::uint8_t>& mask, const Shape& shape, const Descriptor& descriptor) {
    if (mask.empty()) return {};
    if (descriptor.groups == 1) return {mask.data(), shape};
    std::vector<std::int64_t> sizes(shape.sizes().begin(), shape.sizes().end());
    sizes[1] = 1;
    return {mask.data(), Shape(sizes), dense_strides(shape, Layout::kChannelsFirst)};
  }

  static std::vector<int> bits(std::uint32_t set) {
    std::vector<int> axes;
    for (int axis = 0; axis < kMaxRank; ++axis) {
      if ((set >> axis & 1U) != 0) axes.push_back(axis);
    }
    return axes;
  }

  Descriptor any_descriptor(const Shape& shape) {
    const int rank = shape.rank();
    switch (between(0, 5)) {
      case 0:
        return batch_norm();
      case 1:
        return layer_norm(static_cast<int>(between(1, rank)), 1e-3);
      case 2:
        return instance_norm();
      case 3:
        return rms_norm(static_cast<int>(between(1, rank)));
      case 4: {
        std::int64_t groups = between(1, shape[1]);
        while (shape[1] % groups != 0) --groups;
        return group_norm(groups);
      }
      default: {
        Descriptor descriptor;
        descriptor.statistics = Axes::of(bits(static_cast<std::uint32_t>(between(1, (1 << rank) - 1))));
        descriptor.affine = Axes::of({1});
        descriptor.centred = one_in(2);
        return descriptor;
      }
    }
  }

  std::mt19937_64 random_;
};

}  // namespace
}  // namespace norma

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: explain_cases COUNT SEED\n");
    return 2;
  }
  norma::Questions questions(std::strtoull(argv[2], nullptr, 10));
  nlohmann::json all = nlohmann::json::array();
  for (long left = std::strtol(argv[1], nullptr, 10); left > 0; --left) all.push_back(questions.next());
  std::printf("%s\n", all.dump().c_str());
}
