// Which instruction set runs. One table of kernels per set, filled by the code compiled for it; the choice is an
// index of ours, Highway's own state is left alone.
#pragma once

#include <tuple>

#include "cpu/kernels.h"

namespace norma::cpu {

template <class T>
struct TypedTables {
  RowKernels<T> rows;
  ColumnKernels<T> columns;
};
using KernelTables = std::tuple<TypedTables<float>, TypedTables<double>, TypedTables<bfloat16>, TypedTables<float16>>;

// Of the instruction set in use. Throws Error if NORMA_FORCE_ISA names one that is unknown or missing here.
const KernelTables& kernel_tables();

}  // namespace norma::cpu
