// BatchNorm with injected noise (Santurkar et al. 2018, appendix A): behind BatchNorm, in training, each feature is
// scaled and shifted at random, anew at every step, by another distribution for every feature. It brings back a
// covariate shift on purpose.
//
//   for each feature j:   m_j ~ U(-0.5, 0.5),  s_j ~ U(1, 1.25)
//   for each sample i:    m_ij ~ U(m_j - 0.1, m_j + 0.1),  s_ij ~ N(s_j, 0.1)
//   y_ij <- s_ij y_ij + m_ij
#include <cmath>
#include <numbers>

#include "lab/models/arms/batch_norm.h"

namespace norma::lab {
namespace {

class NoisyBatchNorm final : public BatchNorm {
 public:
  using BatchNorm::BatchNorm;

  at::Tensor forward(const at::Tensor& x, const Pass& pass) override {
    const at::Tensor y = BatchNorm::forward(x, pass);
    if (!pass.training || pass.noise == nullptr) return y;
    Random& random = *pass.noise;
    const std::int64_t samples = y.size(0), features = y.size(1);
    at::Tensor shift = at::empty({samples, features}), scale = at::empty({samples, features});
    auto* m = shift.data_ptr<float>();
    auto* s = scale.data_ptr<float>();
    for (std::int64_t j = 0; j < features; ++j) {
      const double centre = random.uniform() - 0.5, spread = 1 + 0.25 * random.uniform();
      for (std::int64_t i = 0; i < samples; ++i) {
        const double normal =
            std::sqrt(-2 * std::log1p(-random.uniform())) * std::cos(2 * std::numbers::pi * random.uniform());
        m[i * features + j] = static_cast<float>(centre + 0.1 * (2 * random.uniform() - 1));
        s[i * features + j] = static_cast<float>(spread + 0.1 * normal);
      }
    }
    std::vector<std::int64_t> sizes{samples, features};
    sizes.resize(static_cast<std::size_t>(y.dim()), 1);
    return y * scale.view(sizes) + shift.view(sizes);
  }
};

}  // namespace

std::unique_ptr<ArmLayer> make_batch_noise(const ArmContext& context) {
  return std::make_unique<NoisyBatchNorm>(context);
}

}  // namespace norma::lab
