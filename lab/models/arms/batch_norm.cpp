#include "lab/models/arms/batch_norm.h"

namespace norma::lab {
namespace {

// Consecutive samples that are normalized in one call, in groups of one size.
struct Part {
  std::int64_t first = 0, samples = 0, groups = 0;
};

// values: per statistic and sample.
std::vector<Part> parts_of(std::int64_t samples, std::int64_t normalization_batch, std::int64_t values) {
  std::int64_t whole = samples / normalization_batch;
  std::int64_t rest = samples - whole * normalization_batch;
  if (rest * values == 1 && whole > 0) {
    --whole;
    rest += normalization_batch;
  }
  std::vector<Part> parts;
  if (whole > 0) parts.push_back({0, whole * normalization_batch, whole});
  if (rest > 0) parts.push_back({whole * normalization_batch, rest, 1});
  return parts;
}

}  // namespace

BatchNorm::BatchNorm(const ArmContext& context, const Options& options)
    : options_(options), normalization_batch_(context.trial.normalization_batch), rank_(context.rank) {
  gamma_ = at::full({context.features}, options.gamma, at::kFloat).requires_grad_();
  if (options.shift) beta_ = at::zeros({context.features}, at::kFloat).requires_grad_();
  const bool per_step = context.site == Site::kHidden || context.site == Site::kCell;
  const std::vector<std::int64_t> sizes =
      per_step ? std::vector{context.steps, context.features} : std::vector{context.features};
  running_ = {at::zeros(sizes, at::kFloat), at::ones(sizes, at::kFloat)};
  moments_.resize(per_step ? static_cast<std::size_t>(context.steps) : 1);
}

void BatchNorm::append_parameters(std::vector<at::Tensor>& parameters) const {
  parameters.push_back(gamma_);
  if (beta_.defined()) parameters.push_back(beta_);
}

RunningStatistics BatchNorm::running_at(const Pass& pass) const {
  if (running_.mean.dim() == 1) return running_;
  return {running_.mean[pass.time_step], running_.variance[pass.time_step]};
}

at::Tensor BatchNorm::forward(const at::Tensor& x, const Pass& pass) {
  // (N,T,C) is (N,C,T) in channels-last order.
  const at::Tensor first = rank_ == 3 ? x.transpose(1, 2) : x;
  at::Tensor y;
  if (!pass.training && !options_.batch_evaluation) {
    const RunningStatistics running = running_at(pass);
    y = normalize_with(first, gamma_, beta_, running.mean, running.variance, batch_normalization(first.dim(), kArmEps));
  } else {
    const bool masked = rank_ == 3 && options_.masks && pass.mask.defined();
    y = by_groups(first, masked ? pass.mask.unsqueeze(1) : at::Tensor(), pass);
  }
  return rank_ == 3 ? y.transpose(1, 2) : y;
}

at::Tensor BatchNorm::normalize_groups(const at::Tensor& x, const at::Tensor& mask, std::int64_t groups,
                                       const Pass& pass, GroupStatistics& statistics) {
  static_cast<void>(pass);
  auto [y, mean, rstd] = normalize(x, gamma_, beta_, batch_normalization(x.dim(), kArmEps, groups), mask);
  statistics = {mean.view({groups, -1}), rstd.view({groups, -1}), {}};
  return y;
}

at::Tensor BatchNorm::by_groups(const at::Tensor& x, const at::Tensor& mask, const Pass& pass) {
  const std::int64_t values = x.numel() / (x.size(0) * x.size(1));
  std::vector<at::Tensor> outputs;
  std::vector<GroupStatistics> statistics;
  for (const Part& part : parts_of(x.size(0), normalization_batch_, values)) {
    // The gradient of a narrow is a copy into zeros: none is made of the whole.
    const bool whole = part.samples == x.size(0);
    const at::Tensor of_x = whole ? x : x.narrow(0, part.first, part.samples);
    const at::Tensor valid = whole || !mask.defined() ? mask : mask.narrow(0, part.first, part.samples);
    GroupStatistics& of_part = statistics.emplace_back();
    outputs.push_back(normalize_groups(of_x, valid, part.groups, pass, of_part));
    if (valid.defined()) {
      const at::Tensor counts = valid.reshape({part.groups, -1}).sum(1);
      of_part.counts.assign(counts.data_ptr<std::int64_t>(), counts.data_ptr<std::int64_t>() + part.groups);
    } else {
      of_part.counts.assign(static_cast<std::size_t>(part.groups), part.samples / part.groups * values);
    }
  }
  take(statistics, pass);
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs);
}

void BatchNorm::take(const std::vector<GroupStatistics>& parts, const Pass& pass) {
  if (!pass.training || pass.watching) return;
  const at::NoGradGuard no_grad;
  if (estimating_) {
    gather(parts, moments_[moments_.size() == 1 ? 0 : static_cast<std::size_t>(pass.time_step)]);
  } else {
    move_running(parts, pass);
  }
}

void BatchNorm::move_running(const std::vector<GroupStatistics>& parts, const Pass& pass) {
  RunningStatistics running = running_at(pass);
  const auto move = [&](const at::Tensor& mean, const at::Tensor& rstd, const std::vector<std::int64_t>& counts) {
    update_running_(running.mean, running.variance, mean, rstd, kArmEps, counts, kArmMomentum);
  };
  if (parts.size() == 1) return move(parts.front().mean, parts.front().rstd, parts.front().counts);
  std::vector<at::Tensor> means, rstds;
  std::vector<std::int64_t> counts;
  for (const GroupStatistics& part : parts) {
    means.push_back(part.mean);
    rstds.push_back(part.rstd);
    counts.insert(counts.end(), part.counts.begin(), part.counts.end());
  }
  move(at::cat(means), at::cat(rstds), counts);
}

// Chan, Golub & LeVeque 1979, group by group.
void BatchNorm::gather(const std::vector<GroupStatistics>& parts, Moments& moments) const {
  for (const GroupStatistics& part : parts) {
    for (std::int64_t group = 0; group < part.mean.size(0); ++group) {
      const auto count = static_cast<double>(part.counts[static_cast<std::size_t>(group)]);
      const at::Tensor mean = part.mean[group], m2 = (part.rstd[group].pow(-2) - kArmEps).clamp_min(0) * count;
      if (moments.count == 0) {
        moments = {count, mean.clone(), m2};
        continue;
      }
      const double total = moments.count + count;
      const at::Tensor delta = mean - moments.mean;
      moments.m2 = moments.m2 + m2 + delta * delta * (moments.count * count / total);
      moments.mean = moments.mean + delta * (count / total);
      moments.count = total;
    }
  }
}

void BatchNorm::begin_estimate() {
  estimating_ = true;
  moments_.assign(moments_.size(), {});
}

void BatchNorm::end_estimate() {
  estimating_ = false;
  for (std::size_t step = 0; step < moments_.size(); ++step) {
    const Moments& moments = moments_[step];
    if (moments.count < 2) continue;  // a step that no sample reaches
    RunningStatistics running = running_at({.time_step = static_cast<std::int64_t>(step)});
    running.mean.copy_(moments.mean);
    running.variance.copy_(moments.m2 / (moments.count - 1));
  }
}

}  // namespace norma::lab
