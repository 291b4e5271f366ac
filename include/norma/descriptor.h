// The one descriptor. Every normalization is
//
//     y = gamma * (x - mean_S) / sqrt(var_S + eps) + beta
//
// and they differ in S, the elements that share statistics, and in which axes own a gamma and a beta. The
// factories name the usual choices; any other is written by hand. Nothing downstream of the descriptor knows
// the name of a norm.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "norma/tensor.h"

namespace norma {

// A set of axes, either listed or "all but the listed". Axes count from 0; negative ones from the end.
class Axes {
 public:
  Axes() = default;
  static Axes of(std::initializer_list<int> axes);
  // From a list known at run time.
  static Axes of(std::span<const int> axes);
  static Axes all_but(std::initializer_list<int> axes);
  static Axes all_but(std::span<const int> axes);
  // The axes first, first+1, ..., to the last one.
  static Axes from(int first);
  // The last `count` axes.
  static Axes last(int count);
  // Which axes of a tensor of this rank are meant, as bits. Throws Error if one is out of range.
  std::uint32_t resolve(int rank, const char* operation) const;
  // Written alike: axis -1 is not axis 3, whatever the rank.
  bool operator==(const Axes& other) const = default;

 private:
  enum class Kind : std::uint8_t { kListed, kAllBut, kFrom };
  Kind kind_ = Kind::kListed;
  std::uint8_t count_ = 0;
  std::array<std::int8_t, kMaxRank> axes_{};
};

struct Descriptor {
  // For error messages only: no computation depends on it.
  const char* name = "normalize";
  // The axes that share statistics.
  Axes statistics{};
  // The axes that own gamma and beta; their sizes, in logical order, are the shape of gamma and beta.
  Axes affine{};
  // Axis 1 is split in this many parts, each with statistics of its own (GroupNorm). 1: not split. With
  // more than one, axis 1 must be in `statistics`.
  std::int64_t groups = 1;
  double eps = 1e-5;
  // False: no mean is subtracted and the second moment about zero stands for the variance (RMSNorm).
  bool centred = true;
};

// Axis 1 keeps its own statistics, all others share (Ioffe & Szegedy 2015). gamma, beta: (C).
Descriptor batch_norm(double eps = 1e-5);
// The last `axes` axes share; gamma and beta have their sizes (Ba et al. 2016).
Descriptor layer_norm(int axes = 1, double eps = 1e-5);
// Axis 1 in `groups` parts; each sample's part shares, with all space. gamma, beta: (C) (Wu & He 2018).
Descriptor group_norm(std::int64_t groups, double eps = 1e-5);
// Space shares, per sample and channel (Ulyanov et al. 2016). gamma, beta: (C).
Descriptor instance_norm(double eps = 1e-5);
// As layer_norm without a mean: x / sqrt(mean(x^2) + eps) (Zhang & Sennrich 2019).
Descriptor rms_norm(int axes = 1, double eps = 1e-5);

// Shapes of the other tensors that go with an x of this shape.
// Statistics (mean, rstd, variance, M2): the sizes of the axes that do not share, in logical order; a split
// axis 1 counts with `groups`. E.g. BatchNorm (C), LayerNorm of (N,T,C) (N,T), GroupNorm (N,G).
Shape statistics_shape(const Descriptor& descriptor, const Shape& x);
// gamma, beta, dgamma, dbeta.
Shape affine_shape(const Descriptor& descriptor, const Shape& x);
// How many elements of x share one mean.
std::int64_t normalized_size(const Descriptor& descriptor, const Shape& x);
// Which statistic the element at this logical index uses: a row-major offset into statistics_shape. For
// explaining and testing; the kernels never ask.
std::int64_t statistic_of(const Descriptor& descriptor, const Shape& x, std::span<const std::int64_t> index);

}  // namespace norma
