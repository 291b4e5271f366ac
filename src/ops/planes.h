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
  // their gradients. Absent ones do not matter.
  ValidPixels(const Descriptor& descriptor, const MaskView& mask, std::initializer_list<const ConstTensorView*> views,
              std::initializer_list<const ConstTensorView*> affine);
  // Are it and they such? Nothing below holds otherwise.
  bool apply() const { return apply_; }
  // Has every channel a statistic of its own? So backward and inference_backward want it.
  bool by_channel() const { return over_samples() || planes_.groups == planes_.channels; }
  bool all() const { return planes_.total() == planes_.samples * planes_.pixels; }
  const cpu::Planes& planes() const { return planes_; }
  // Is a statistic shared over the samples? Then so many elements are behind each.
  bool over_samples() const { return planes_.groups == 0; }
  std::int64_t count() const { return planes_.total(); }

 private:
  void set_bits(const Shape& x, const MaskView& mask);

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
