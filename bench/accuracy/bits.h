// Results of one system that must agree in every bit, however they were computed.
#pragma once

#include "system.h"

namespace norma::accuracy {

struct Count {
  int compared = 0, differing = 0;
  void add(const Values& got, const Values& want) {
    ++compared;
    differing += got == want ? 0 : 1;
  }
  void add(const Answer& got, const Answer& want) {
    add(got.y, want.y);
    add(got.gradients.dx, want.gradients.dx);
    add(got.gradients.dgamma, want.gradients.dgamma);
    add(got.gradients.dbeta, want.gradients.dbeta);
  }
  std::string cell() const {
    return compared == 0 ? "–" : std::to_string(differing) + " of " + std::to_string(compared);
  }
};

// With 1 to 16 threads.
Count across_threads(System& system);
// On every instruction set with FMA: ours alone.
Count across_isas(System& system);
// Samples in a batch of their own, and elsewhere in another.
Count across_batches(System& system);
// Channels-first and channels-last.
Count across_layouts(System& system);

}  // namespace norma::accuracy
