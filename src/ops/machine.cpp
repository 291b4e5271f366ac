// What the kernels run on, as far as it is no matter of instruction sets (src/cpu/dispatch.cpp).
#include "norma/machine.h"

#include <omp.h>

namespace norma {

int max_threads() {
  return omp_get_max_threads();
}

std::string_view version() {
  return NORMA_VERSION;
}

}  // namespace norma
