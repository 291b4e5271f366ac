// How the work of the column kernels is cut, shared by forward and backward.
#pragma once

#include <cstdint>

#include "cpu/kernels.h"

namespace norma::cpu {

// Rows of one block. Fixed: it decides the order of the reduction, so the bits.
inline constexpr std::int64_t kColumnBlock = 256;

struct ColumnCut {
  ColumnCut(const plan::Plan& plan, std::int64_t element_bytes);
  std::int64_t tasks() const { return whole ? blocks : batches * slabs; }

  std::int64_t blocks;   // of rows, a statistic
  bool whole;            // all threads on all of x, stage by stage; otherwise slab by slab
  std::int64_t width;    // columns a slab
  std::int64_t slabs;    // a batch
  std::int64_t batches;  // B
};

// Moments of all rows of a slab, block after block.
template <class T>
void column_moments(const ColumnKernels<T>& kernels, const T* x, std::int64_t rows, std::int64_t pitch,
                    std::int64_t width, bool centred, double* mean, double* low, double* m2);

}  // namespace norma::cpu
