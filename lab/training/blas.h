// Which BLAS libtorch computes with. Debian's takes whatever the system's libblas.so.3 is.
#pragma once

#include <string>

namespace norma::lab {

// "OpenBLAS 0.3.21 (OpenMP), Haswell" (the kernels that it runs), "MKL", "BLIS", "ATLAS", "reference" for the slow
// reference BLAS, or the path of a library that is none of these. "none" where no BLAS is loaded.
std::string blas_in_use();
// For a BLAS whose threads are not OpenMP's.
void use_one_blas_thread();

}  // namespace norma::lab
