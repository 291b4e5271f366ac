// BatchNorm (Ioffe & Szegedy 2015) over normalization batches of consecutive samples, and what its relatives share.
//
// N samples make N / k groups of the normalization batch k. What is left over (batches of random size, the end of a
// test part) is a group of its own, or, if that would be a group of one value per statistic, part of the group before
// it. The running statistics move once a step, by the mean over its groups.
//
// A mask leaves padding out. A group with fewer than two valid values has no statistics: it is normalized with the
// running ones, as constants, and does not move them; if no group has any, nothing moves.
//
// Kept per time step (T,C), running statistics are of the samples that reach a step. Where no group of two has reached
// a step so far (training's longest samples were few, or a test sample is longer than all), those of the last step that
// one has reached take their place, as Cooijmans et al. 2017 go beyond training's longest; should it be reached yet, it
// begins from them.
#pragma once

#include <vector>

#include "lab/models/arm.h"
#include "norma_torch/ops.h"

namespace norma::lab {

// What some groups were normalized with: f64, (groups,C).
struct GroupStatistics {
  at::Tensor mean, rstd;
  std::vector<std::int64_t> counts;  // values per statistic, group by group
};

class BatchNorm : public ArmLayer {
 public:
  struct Options {
    double gamma = 1;               // at the start
    bool shift = true;              // owns a beta
    bool masks = true;              // leaves padding out of the statistics
    bool batch_evaluation = false;  // normalizes with the batch's own statistics in evaluation too
    bool precise = false;
  };
  BatchNorm(const ArmContext& context, const Options& options);
  explicit BatchNorm(const ArmContext& context) : BatchNorm(context, Options()) {}

  at::Tensor forward(const at::Tensor& x, const Pass& pass) override;
  void append_parameters(std::vector<at::Tensor>& parameters) const override;
  RunningStatistics* running() override { return options_.batch_evaluation ? nullptr : &running_; }
  void begin_estimate() override;
  void end_estimate() override;
  bool precise() const override { return options_.precise; }

 protected:
  // x: (N,C,...), of N / groups samples a group; mask: (N,1,...), undefined where all positions are valid. Returns y,
  // and what it was normalized with, but for the counts.
  virtual at::Tensor normalize_groups(const at::Tensor& x, const at::Tensor& mask, std::int64_t groups,
                                      const Pass& pass, GroupStatistics& statistics);
  // The running statistics of a pass's time step, (C), or of all (T*C). Behind the last step there are its own.
  RunningStatistics running_at(const Pass& pass) const;
  // T, where they are kept per time step.
  std::int64_t steps() const { return running_.mean.size(0); }

  at::Tensor gamma_, beta_;

 private:
  // Merged moments of what passed while estimating: f64, (C).
  struct Moments {
    double count = 0;
    at::Tensor mean, m2;
  };

  bool per_step() const { return running_.mean.dim() == 2; }
  void lend_steps(const Pass& pass);
  void widen(std::int64_t wanted);
  at::Tensor at_steps(const at::Tensor& parameter, const Pass& pass) const;
  at::Tensor valid_at(const Pass& pass) const;
  at::Tensor by_groups(const at::Tensor& x, const at::Tensor& mask, const Pass& pass);
  // What a group's running statistics make of it, or of what is left of a part.
  at::Tensor by_running(const at::Tensor& x, const Pass& pass) const;
  at::Tensor by_part(const at::Tensor& x, const at::Tensor& mask, std::int64_t groups, const Pass& pass,
                     std::vector<GroupStatistics>& statistics);
  void take(const std::vector<GroupStatistics>& parts, const Pass& pass);
  void move_running(const std::vector<GroupStatistics>& parts, const Pass& pass);
  // From the first of its features on, those of one step.
  void gather(const std::vector<GroupStatistics>& parts, std::int64_t first, Moments& moments) const;

  Options options_;
  std::int64_t normalization_batch_, rank_;
  RunningStatistics running_;
  bool estimating_ = false;
  std::vector<Moments> moments_;  // one a time step
};

}  // namespace norma::lab
