#include "lab/models/arms/batch_norm.h"

#include <string>

#include "lab/error.h"

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
  } else if (pass.mask.defined() && options_.masks && rank_ == 3) {
    return by_masked_groups(x, pass);
  } else {
    y = by_groups(first, pass);
  }
  return rank_ == 3 ? y.transpose(1, 2) : y;
}

at::Tensor BatchNorm::normalize_groups(const at::Tensor& x, std::int64_t groups, const Pass& pass,
                                       GroupStatistics& statistics) {
  static_cast<void>(pass);
  auto [y, mean, rstd] = normalize(x, gamma_, beta_, batch_normalization(x.dim(), kArmEps, groups));
  statistics = {mean.view({groups, -1}), rstd.view({groups, -1})};
  return y;
}

at::Tensor BatchNorm::by_groups(const at::Tensor& x, const Pass& pass) {
  const std::int64_t values = x.numel() / (x.size(0) * x.size(1));
  std::vector<at::Tensor> outputs;
  std::vector<GroupStatistics> statistics;
  for (const Part& part : parts_of(x.size(0), normalization_batch_, values)) {
    statistics.emplace_back();
    outputs.push_back(normalize_groups(x.narrow(0, part.first, part.samples), part.groups, pass, statistics.back()));
    statistics.back().count = part.samples / part.groups * values;
  }
  take(statistics, pass);
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs);
}

// Each group's valid positions, packed; padding becomes 0.
at::Tensor BatchNorm::by_masked_groups(const at::Tensor& x, const Pass& pass) {
  std::vector<GroupStatistics> statistics;
  std::vector<at::Tensor> rows, outputs;
  const at::Tensor where = pass.mask.reshape({-1});
  const std::int64_t length = x.size(1);
  for (const Part& part : parts_of(x.size(0), normalization_batch_, length)) {
    const std::int64_t samples = part.samples / part.groups;
    for (std::int64_t group = 0; group < part.groups; ++group) {
      const std::int64_t first = (part.first + group * samples) * length;
      const at::Tensor valid = where.narrow(0, first, samples * length).nonzero().squeeze(1).add_(first);
      if (valid.numel() < 2) {
        throw InputError("arm with statistics over the batch: a normalization batch has " +
                         std::to_string(valid.numel()) + " valid positions, expected at least 2");
      }
      statistics.emplace_back();
      rows.push_back(valid);
      outputs.push_back(
          normalize_groups(x.reshape({-1, x.size(2)}).index_select(0, valid), 1, pass, statistics.back()));
      statistics.back().count = valid.numel();
    }
  }
  take(statistics, pass);
  return at::zeros({x.size(0) * length, x.size(2)}, x.options())
      .index_copy(0, at::cat(rows), at::cat(outputs))
      .view(x.sizes());
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
  if (parts.size() == 1) {
    const GroupStatistics& part = parts.front();
    update_running_(running.mean, running.variance, part.mean, part.rstd, kArmEps, part.count, kArmMomentum);
    return;
  }
  // Groups of several sizes: the mean over all of them, as the operator takes it.
  std::vector<at::Tensor> means, variances;
  for (const GroupStatistics& part : parts) {
    const auto count = static_cast<double>(part.count);
    means.push_back(part.mean);
    variances.push_back((part.rstd.pow(-2) - kArmEps).clamp_min(0) * (count / (count - 1)));
  }
  running.mean.mul_(1 - kArmMomentum).add_(at::cat(means).mean(0), kArmMomentum);
  running.variance.mul_(1 - kArmMomentum).add_(at::cat(variances).mean(0), kArmMomentum);
}

// Chan, Golub & LeVeque 1979, group by group.
void BatchNorm::gather(const std::vector<GroupStatistics>& parts, Moments& moments) const {
  for (const GroupStatistics& part : parts) {
    const auto count = static_cast<double>(part.count);
    for (std::int64_t group = 0; group < part.mean.size(0); ++group) {
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
