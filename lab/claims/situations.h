// Where a study can choose between BatchNorm and LayerNorm: a model of a part at one normalization batch that has both
// LayerNorm and a BatchNorm arm.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lab/study/plan.h"

namespace norma::lab {

struct Situation {
  const Cell *batch = nullptr, *layer = nullptr;  // of the plan; `batch`: the first of the BatchNorm arms that it has
  std::string part, model, data;
  unsigned family = 0;  // of lab/models/arm_list.h
  std::string batches;  // how an epoch's samples become batches
  std::int64_t normalization_batch = 0;
  std::vector<double> batch_errors, layer_errors;  // test errors, one a seed; empty while trials are missing

  double difference() const;  // mean error of BatchNorm less that of LayerNorm
};

// Those where each arm has its own learning rate: at another's, nobody chose. Parts that share all their trials count
// once.
std::vector<Situation> situations_of(const Plan& plan);

// The article's choice: LayerNorm in recurrent networks and Transformers.
bool layer_by_architecture(const Situation& situation);

}  // namespace norma::lab
