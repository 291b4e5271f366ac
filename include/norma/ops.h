// The operations. Every function checks its arguments once, here at the door, and throws norma::Error naming
// the operation, what was expected and what came. Sizes of zero give empty results. Views may not overlap
// except that y may be x and dx may be dy (in place), and what norma/fusion.h names.
//
// Data types: x, y, dy, dx of one type: f32, f64, bf16 or f16. gamma, beta, dgamma and dbeta each of that type, or f32
// where x is bf16 or f16. mean, rstd and the other statistics likewise, or f64 whatever x is. What is bf16 or f16 is
// computed with as f32 (and f64 where sums are concerned) and rounded once, to nearest, when it is stored: y is the
// correctly rounded one in 999 cases of 1000 and otherwise the number next to it.
// Layouts: x and y (and dy, dx) of one shape, all of a call in one of the two layouts, the innermost axis contiguous.
// Each may be dense, or its rows (samples, pixels) further apart than they are long, by a pitch of its own. Those are
// read and written as they lie, at the speed of dense ones, where all axes that share statistics and are neighbours in
// memory, and all that do not, step evenly: (N,C) and (N,T,C) slices, pixels of (N,H,W,C) slices, samples of (N,C,H,W)
// slices; otherwise (a crop of an image, or a mask that leaves neither whole rows nor pixels of (N,C,H,W)) through a
// dense copy.
//
// Numerics: statistics by centred methods only, accumulated in f64 (of bf16 and f16, four or eight terms are added up
// in f32 first); results are bit-identical for any number of threads, any batch size and any position in the batch, and
// on every instruction set with FMA.
//
// Fusion (norma/fusion.h): forward and inference can add a residual first and return the sum, add another one after
// gamma and beta, and end with ReLU, GELU or SiLU; backward takes the gradient of all that.
//
// Masks: a masked element enters no statistic, whatever its value (NaN included); y and dx are 0 there, and it adds
// nothing to dgamma and dbeta. A statistic of which every element is masked has mean, rstd and M2 of 0. What is left
// gives the bits of the same call without a mask on the valid elements packed: where masked positions share a statistic
// with valid ones, on those that do, side by side along the last masked axis ((N,C,T) becomes (1,C,valid positions) for
// BatchNorm, and (1,C,valid steps) sample by sample for InstanceNorm); otherwise on the valid rows. Inference takes
// every element by itself, and gives what is left the bits of the call without a mask. So does a mask that masks
// nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "norma/descriptor.h"
#include "norma/fusion.h"

namespace norma {

// Training forward: y from x's own statistics. gamma, beta, mean and rstd may each be absent.
//   x, y: the same shape. gamma, beta: affine_shape. mean, rstd: statistics_shape.
//   rstd = 1 / sqrt(var + eps), var biased; 0 where var + eps is 0. Not centred: mean is written as 0.
// A constant row gives exactly beta. One value per statistic is an error when `descriptor` shares over axis 0
// (a batch statistic of one value says nothing), as is one of a single valid value or of none under a mask, and a NaN
// or negative eps.
void forward(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta, TensorView y,
             TensorView mean, TensorView rstd, MaskView mask = {}, const Fusion& fusion = kNoFusion);

// Gradient of `forward`, from the saved mean and rstd. gamma absent means 1; mean absent if not centred.
// dx, dgamma, dbeta may each be absent. The mask is `forward`'s.
void backward(const Descriptor& descriptor, ConstTensorView dy, ConstTensorView x, ConstTensorView gamma,
              ConstTensorView mean, ConstTensorView rstd, TensorView dx, TensorView dgamma, TensorView dbeta,
              MaskView mask = {}, const FusionGradient& fusion = kNoFusionGradient);

// y from given statistics (running averages): mean and variance, both of statistics_shape. The mean is absent if
// not centred.
void inference(const Descriptor& descriptor, ConstTensorView x, ConstTensorView gamma, ConstTensorView beta,
               ConstTensorView mean, ConstTensorView variance, TensorView y, MaskView mask = {},
               const Fusion& fusion = kNoFusion);

// Gradient of `inference`: the statistics are constants. dx = dy * gamma * rstd.
void inference_backward(const Descriptor& descriptor, ConstTensorView dy, ConstTensorView x, ConstTensorView gamma,
                        ConstTensorView mean, ConstTensorView variance, TensorView dx, TensorView dgamma,
                        TensorView dbeta, MaskView mask = {}, const FusionGradient& fusion = kNoFusionGradient);

// Mergeable statistics: mean and M2 (the sum of squared differences from the mean), f64 or x's type, of
// statistics_shape. Not centred: mean 0, M2 the sum of squares.
// Returns the count behind each, or -1 where a mask leaves them different counts: `valid_counts` has those.
std::int64_t statistics(const Descriptor& descriptor, ConstTensorView x, TensorView mean, TensorView m2,
                        MaskView mask = {});

// How many elements of an x of this shape are behind each statistic, in row-major order of statistics_shape.
std::vector<std::int64_t> valid_counts(const Descriptor& descriptor, const Shape& x, MaskView mask);

// Merges two sets of statistics, element by element, into the first (Chan, Golub & LeVeque 1979). Counts are
// >= 0 and may differ. Returns the count of the union.
std::int64_t merge(std::int64_t count, TensorView mean, TensorView m2, std::int64_t other_count,
                   ConstTensorView other_mean, ConstTensorView other_m2);
// The same with a count for every statistic; `counts` becomes those of the union.
void merge(std::span<std::int64_t> counts, TensorView mean, TensorView m2, std::span<const std::int64_t> other_counts,
           ConstTensorView other_mean, ConstTensorView other_m2);

// How running statistics follow the batches. The frameworks differ in which way momentum points, in whether
// the running variance is unbiased, and in their defaults.
struct RunningConvention {
  const char* name;
  double momentum;           // the framework's default
  double eps;                // the framework's default for BatchNorm
  bool momentum_weighs_new;  // running = (1-m) * running + m * batch; else m * running + (1-m) * batch
  bool unbiased_variance;    // the running variance takes M2/(count-1); else M2/count
};
inline constexpr RunningConvention kTorch{"torch", 0.1, 1e-5, true, true};
inline constexpr RunningConvention kOnnx{"onnx", 0.9, 1e-5, false, false};
inline constexpr RunningConvention kKeras{"keras", 0.99, 1e-3, false, false};
// By name ("torch", "onnx", "keras"); throws Error for any other, naming the three.
const RunningConvention& running_convention(std::string_view name);

// Moves running_mean and running_var (both of mean's shape) towards one batch's mean and biased variance,
// of which each was taken over `count` values. Throws for an unbiased convention at count < 2 and leaves the
// running statistics as they were. An element whose batch mean or variance is not finite stays as it was too.
void update_running(const RunningConvention& convention, double momentum, std::int64_t count, ConstTensorView mean,
                    ConstTensorView variance, TensorView running_mean, TensorView running_var);
// The same for one batch in several groups with statistics of their own (ghost batches): mean and variance have the
// groups as an axis more, in front, and counts[g] values are behind each statistic of group g. The running statistics
// move once, towards the mean of all values and the variance within the groups, both weighed by counts: sum(count *
// mean) / sum(count), and sum(count * variance) / sum(count - 1) under an unbiased convention, / sum(count) otherwise.
void update_running(const RunningConvention& convention, double momentum, std::span<const std::int64_t> counts,
                    ConstTensorView mean, ConstTensorView variance, TensorView running_mean, TensorView running_var);

}  // namespace norma
