// A mask of pixels over images with the channels first, where all pixels of a channel share statistics: the kernels
// take what counts from where it lies (cpu/planes.h).
#pragma once

#include <cstdint>
#include <initializer_list>

#include "cpu/planes.h"
#include "cpu/scratch.h"
#include "norma/ops.h"

namespace norma::ops {

class ValidPixels {
 public:
  // No mask.
  ValidPixels() = default;
  // The mask fits x, which has elements, and is present. `views`: x and what lies like it; `affine`: gamma, beta and
  // their gradients. Absent ones do not matter. `by_channel`: every channel must have a statistic of its own.
  ValidPixels(const Descriptor& descriptor, const MaskView& mask, std::initializer_list<const ConstTensorView*> views,
              std::initializer_list<const ConstTensorView*> affine, bool by_channel);
  // Is this such a call? Nothing below holds otherwise.
  bool apply() const { return apply_; }
  bool all() const { return planes_.total() == planes_.samples * planes_.pixels; }
  const cpu::Planes& planes() const { return planes_; }
  // Is a statistic shared over the samples?
  bool over_samples() const { return planes_.groups == 0; }
  // Then so many elements are behind each.
  std::int64_t count() const { return planes_.total(); }

 private:
  void set_bits(const Shape& x, const MaskView& mask);

  bool has_single_pixels() const;

  bool apply_ = false;
  cpu::Planes planes_;
  cpu::Scratch<std::uint64_t> words_;
  cpu::Scratch<std::int64_t> counts_;
};

// The operations under such a mask; statistics returns how many elements are behind each, or -1 where they differ.
namespace planes {

void forward(const ValidPixels& valid, const ConstTensorView& x, const ConstTensorView& gamma,
             const ConstTensorView& beta, const TensorView& y, const TensorView& mean, const TensorView& rstd);
void inference(const ValidPixels& valid, const ConstTensorView& x, const ConstTensorView& gamma,
               const ConstTensorView& beta, const ConstTensorView& mean, const ConstTensorView& variance,
               const TensorView& y);
std::int64_t statistics(const ValidPixels& valid, const ConstTensorView& x, const TensorView& mean,
                        const TensorView& m2);
void backward(const ValidPixels& valid, const ConstTensorView& dy, const ConstTensorView& x,
              const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& rstd,
              const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta);
void inference_backward(const ValidPixels& valid, const ConstTensorView& dy, const ConstTensorView& x,
                        const ConstTensorView& gamma, const ConstTensorView& mean, const ConstTensorView& variance,
                        const TensorView& dx, const TensorView& dgamma, const TensorView& dbeta);

}  // namespace planes
}  // namespace norma::ops
