// What the kernels run on, as far as it is no matter of instruction sets (src/cpu/dispatch.cpp).
#include "norma/machine.h"

#include "cpu/threads.h"

namespace norma {

int max_threads() {
  return cpu::most_threads();
}

std::string_view version() {
  return NORMA_VERSION;
}

}  // namespace norma
