#include "lab/models/arms/batch_norm.h"

#include <algorithm>
#include <utility>

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
  const bool by_step = context.site == Site::kHidden || context.site == Site::kCell;
  const std::vector<std::int64_t> sizes =
      by_step ? std::vector{context.steps, context.features} : std::vector{context.features};
  running_ = {at::zeros(sizes, at::kFloat), at::ones(sizes, at::kFloat)};
  moments_.resize(by_step ? static_cast<std::size_t>(context.steps) : 1);
}

void BatchNorm::append_parameters(std::vector<at::Tensor>& parameters) const {
  parameters.push_back(gamma_);
  if (beta_.defined()) parameters.push_back(beta_);
}

RunningStatistics BatchNorm::running_at(const Pass& pass) const {
  if (!per_step()) return running_;
  if (pass.time_step == kAllSteps) return {running_.mean.view({-1}), running_.variance.view({-1})};
  const std::int64_t step = std::min(pass.time_step, steps() - 1);
  return {running_.mean[step], running_.variance[step]};
}

// Once a pass, from its first step on: within one the steps behind are yet to come.
void BatchNorm::lend_steps(const Pass& pass) {
  const std::int64_t own = running_.steps;
  if (own == 0 || own == steps() || pass.time_step > 0) return;
  const at::NoGradGuard no_grad;
  for (const at::Tensor& rows : {running_.mean, running_.variance}) {
    rows.narrow(0, own, steps() - own).copy_(rows[own - 1]);
  }
}

at::Tensor BatchNorm::forward(const at::Tensor& x, const Pass& pass) {
  lend_steps(pass);
  // (N,T,C) is (N,C,T) in channels-last order.
  const at::Tensor first = rank_ == 3 ? x.transpose(1, 2) : x;
  at::Tensor y;
  if (!pass.training && !options_.batch_evaluation) {
    y = by_running(first, pass);
  } else {
    y = by_groups(first, valid_at(pass), pass);
  }
  return rank_ == 3 ? y.transpose(1, 2) : y;
}

// Every step has the same.
at::Tensor BatchNorm::at_steps(const at::Tensor& parameter, const Pass& pass) const {
  const bool all = parameter.defined() && per_step() && pass.time_step == kAllSteps;
  return all ? parameter.repeat({steps()}) : parameter;
}

at::Tensor BatchNorm::by_running(const at::Tensor& x, const Pass& pass) const {
  RunningStatistics running = running_at(pass);
  // In training the groups that have statistics move them before this one's gradient is taken.
  if (pass.training) running = {running.mean.clone(), running.variance.clone()};
  return normalize_with(x, at_steps(gamma_, pass), at_steps(beta_, pass), running.mean, running.variance,
                        batch_normalization(x.dim(), kArmEps));
}

// (N,1,T), or (N,1) of a step; undefined where all is valid.
at::Tensor BatchNorm::valid_at(const Pass& pass) const {
  if (!options_.masks || !pass.mask.defined()) return {};
  if (rank_ == 3) return pass.mask.unsqueeze(1);
  const bool one_step = per_step() && pass.time_step != kAllSteps;
  return one_step ? pass.mask.select(1, pass.time_step).unsqueeze(1).contiguous() : at::Tensor();
}

at::Tensor BatchNorm::normalize_groups(const at::Tensor& x, const at::Tensor& mask, std::int64_t groups,
                                       const Pass& pass, GroupStatistics& statistics) {
  auto [y, mean, rstd] =
      normalize(x, at_steps(gamma_, pass), at_steps(beta_, pass), batch_normalization(x.dim(), kArmEps, groups), mask);
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
    outputs.push_back(by_part(of_x, valid, part.groups, pass, statistics));
  }
  take(statistics, pass);
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs);
}

at::Tensor BatchNorm::by_part(const at::Tensor& x, const at::Tensor& mask, std::int64_t groups, const Pass& pass,
                              std::vector<GroupStatistics>& statistics) {
  const std::int64_t samples = x.size(0) / groups, values = x.numel() / (samples * groups * x.size(1));
  std::vector<std::int64_t> counts(static_cast<std::size_t>(groups), samples * values);
  if (mask.defined()) {
    const at::Tensor valid = mask.reshape({groups, -1}).sum(1);
    counts.assign(valid.data_ptr<std::int64_t>(), valid.data_ptr<std::int64_t>() + groups);
  }
  if (!mask.defined() || *std::min_element(counts.begin(), counts.end()) >= 2) {
    GroupStatistics of_part;
    at::Tensor y = normalize_groups(x, mask, groups, pass, of_part);
    of_part.counts = std::move(counts);
    statistics.push_back(std::move(of_part));
    return y;
  }
  if (groups == 1) return by_running(x, pass);
  std::vector<at::Tensor> outputs;
  for (std::int64_t group = 0; group < groups; ++group) {
    outputs.push_back(
        by_part(x.narrow(0, group * samples, samples), mask.narrow(0, group * samples, samples), 1, pass, statistics));
  }
  return at::cat(outputs);
}

void BatchNorm::take(const std::vector<GroupStatistics>& parts, const Pass& pass) {
  if (!pass.training || pass.watching || parts.empty()) return;
  const at::NoGradGuard no_grad;
  if (!estimating_) return move_running(parts, pass);
  if (!per_step()) return gather(parts, 0, moments_.front());
  if (pass.time_step == kAllSteps) {
    for (std::int64_t step = 0; step < steps(); ++step) {
      gather(parts, step * running_.mean.size(1), moments_[static_cast<std::size_t>(step)]);
    }
    return;
  }
  const auto step = static_cast<std::size_t>(pass.time_step);
  if (step >= moments_.size()) moments_.resize(step + 1);
  gather(parts, 0, moments_[step]);
}

void BatchNorm::move_running(const std::vector<GroupStatistics>& parts, const Pass& pass) {
  RunningStatistics running = running_at(pass);
  if (per_step()) {
    running_.steps = pass.time_step == kAllSteps ? steps() : std::clamp(pass.time_step + 1, running_.steps, steps());
  }
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
void BatchNorm::gather(const std::vector<GroupStatistics>& parts, std::int64_t first, Moments& moments) const {
  const std::int64_t features = running_.mean.size(-1);
  for (const GroupStatistics& part : parts) {
    for (std::int64_t group = 0; group < part.mean.size(0); ++group) {
      const auto count = static_cast<double>(part.counts[static_cast<std::size_t>(group)]);
      const at::Tensor mean = part.mean[group].narrow(0, first, features);
      const at::Tensor rstd = part.rstd[group].narrow(0, first, features);
      const at::Tensor m2 = (rstd.pow(-2) - kArmEps).clamp_min(0) * count;
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
  moments_.assign(per_step() ? static_cast<std::size_t>(steps()) : 1, {});
}

// To so many steps, the new ones like the last.
void BatchNorm::widen(std::int64_t wanted) {
  const std::int64_t more = wanted - steps();
  for (at::Tensor* rows : {&running_.mean, &running_.variance}) {
    *rows = at::cat({*rows, rows->select(0, -1).expand({more, -1})});
  }
}

void BatchNorm::end_estimate() {
  estimating_ = false;
  const auto estimated = static_cast<std::int64_t>(moments_.size());
  if (per_step() && estimated > steps()) widen(estimated);  // of samples longer than training's
  for (std::size_t step = 0; step < moments_.size(); ++step) {
    const Moments& moments = moments_[step];
    if (moments.count < 2) continue;  // a step that no sample reaches
    const auto at = static_cast<std::int64_t>(step);
    RunningStatistics running = running_at({.time_step = at});
    running.mean.copy_(moments.mean);
    running.variance.copy_(moments.m2 / (moments.count - 1));
    if (per_step()) running_.steps = std::max(running_.steps, at + 1);
  }
}

}  // namespace norma::lab
