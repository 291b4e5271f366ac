// Batch Renormalization (Ioffe 2017): in training,
//
//   y = gamma * ((x - mean_B) / sigma_B * r + d) + beta
//   r = clip(sigma_B / sigma, 1 / r_max, r_max),   d = clip((mean_B - mean) / sigma, -d_max, d_max)
//
// with the running mean and sigma; r and d are constants to the gradient. r_max and d_max rise from 1 and 0 (plain
// BatchNorm) to 3 and 5. The paper's schedule, in steps of its 130 thousand, as shares of training here: plain until
// 4%, d_max at 5 from 19%, r_max at 3 from 31%.
#include <algorithm>

#include "lab/models/arms/batch_norm.h"

namespace norma::lab {
namespace {

double ramp(double progress, double from, double to) {
  return std::clamp((progress - from) / (to - from), 0.0, 1.0);
}

class BatchRenorm final : public BatchNorm {
 public:
  using BatchNorm::BatchNorm;

 protected:
  at::Tensor normalize_groups(const at::Tensor& x, const at::Tensor& mask, std::int64_t groups, const Pass& pass,
                              GroupStatistics& statistics) override {
    auto [plain, mean, rstd] = normalize(x, {}, {}, batch_normalization(x.dim(), kArmEps, groups), mask);
    statistics = {mean.view({groups, -1}), rstd.view({groups, -1}), {}};
    const double r_max = 1 + 2 * ramp(pass.progress, 0.04, 0.31), d_max = 5 * ramp(pass.progress, 0.04, 0.19);
    at::Tensor r, d;
    {
      const at::NoGradGuard no_grad;
      const RunningStatistics running = running_at(pass);
      const at::Tensor scale = (running.variance.to(at::kDouble) + kArmEps).rsqrt();  // 1 / sigma
      r = (scale / statistics.rstd).clamp(1 / r_max, r_max).to(at::kFloat);
      d = ((statistics.mean - running.mean) * scale).clamp(-d_max, d_max).to(at::kFloat);
    }
    // (groups,C) against (groups, N/groups, C, ...).
    std::vector<std::int64_t> grouped{groups, x.size(0) / groups, x.size(1)}, over{groups, 1, x.size(1)};
    std::vector<std::int64_t> feature{1, x.size(1)};
    for (std::int64_t axis = 2; axis < x.dim(); ++axis) {
      grouped.push_back(x.size(axis));
      over.push_back(1);
      feature.push_back(1);
    }
    const at::Tensor corrected = (plain.reshape(grouped) * r.view(over) + d.view(over)).reshape(x.sizes());
    return corrected * gamma_.view(feature) + beta_.view(feature);
  }
};

}  // namespace

std::unique_ptr<ArmLayer> make_batch_renorm(const ArmContext& context) {
  return std::make_unique<BatchRenorm>(context);
}

}  // namespace norma::lab
