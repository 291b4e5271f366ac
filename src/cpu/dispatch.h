// Which instruction set runs. One table of kernels per set, filled by the code compiled for it; the choice is an
// index of ours, Highway's own state is left alone.
#pragma once

#include "cpu/kernels.h"

namespace norma::cpu {

struct KernelTables {
  RowKernels<float> rows_f32;
  RowKernels<double> rows_f64;
  ColumnKernels<float> columns_f32;
  ColumnKernels<double> columns_f64;
};

// Of the instruction set in use. Throws Error if NORMA_FORCE_ISA names one that is unknown or missing here.
const KernelTables& kernel_tables();

}  // namespace norma::cpu
