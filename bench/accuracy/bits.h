// Results of one system that must agree in every bit, however they were computed.
#pragma once

#include "system.h"

namespace norma::accuracy {

struct Count {
  int compared = 0, differing = 0;  // tensors
  void add(const Values& got, const Values& want) {
    if (want.empty()) return;
    ++compared;
    differing += got == want ? 0 : 1;
  }
  void add(const Answer& got, const Answer& want) {
    add(got.y, want.y);
    add(got.gradients.dx, want.gradients.dx);
    add(got.gradients.dgamma, want.gradients.dgamma);
    add(got.gradients.dbeta, want.gradients.dbeta);
    add(got.inferred, want.inferred);
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
// Channels-first and channels-last: y from given statistics, and what is summed over the elements first.
Count inference_across_layouts(System& system);
Count sums_across_layouts(System& system);

}  // namespace norma::accuracy
