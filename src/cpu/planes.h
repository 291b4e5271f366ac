// Images whose pixels count or do not, the same in all channels of a sample: planes of neighbouring pixels, reduced by
// the row kernels. What counts is packed block by block in L1 for the sums, and y and dx are written where they lie,
// with zeros for the rest; memory sees no more than it does without a mask.
#pragma once

#include <cstdint>

#include "cpu/operations.h"

namespace norma::cpu {

struct Planes {
  std::int64_t samples = 1, channels = 1, pixels = 1;
  // Statistics are those of so many groups of channels of every sample; 0: of every channel, over all samples.
  std::int64_t groups = 0;
  // Of sample n's pixels from n * pitch on, a bit each (ValidBits), and how many count; pitch is 0 where all samples
  // have the same.
  const std::uint64_t* words = nullptr;
  std::int64_t pitch = 0;
  const std::int64_t* counts = nullptr;
  double eps = 0;
  bool centred = true;

  std::int64_t statistics() const { return groups == 0 ? channels : samples * groups; }
  std::int64_t elements() const { return samples * channels * pixels; }
  // Pixels of sample n that count; of all samples.
  std::int64_t count(std::int64_t n) const { return counts[pitch == 0 ? 0 : n]; }
  std::int64_t total() const {
    std::int64_t sum = 0;
    for (std::int64_t n = 0; n < samples; ++n) sum += count(n);
    return sum;
  }
};

// As the operations of those names; gamma and beta are one for each channel, and so are a gradient's statistics
// (groups is 0, or as many as channels). Pitches: o from sample to sample, k from channel to channel. What does not
// count may be anything. Of `call`, nothing fused and no rows.
template <class T>
void planes_forward(const Planes& planes, const ForwardCall<T>& call);
template <class T>
void planes_inference(const Planes& planes, const ForwardCall<T>& call);
template <class T>
void planes_statistics(const Planes& planes, const T* x, const plan::Pitch& x_at, double* mean, double* m2);
template <class T>
void planes_backward(const Planes& planes, const BackwardCall<T>& call);

}  // namespace norma::cpu
