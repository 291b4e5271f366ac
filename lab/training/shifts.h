// The error of a trained network on test inputs that differ from those of training (claim 9), as measures of a trial:
//
//   error@NAME               on the shifted test part
//   error@NAME/reestimated   the same with running statistics taken anew from the training part under the same shift:
//                            what of the damage is the statistics' alone. Only of arms that have them.
#pragma once

#include <map>
#include <string>

#include "lab/training/batches.h"

namespace norma::lab {

// Names: lab/data/shift.h. The network is left as it was. Throws InputError for a shift that the data cannot take.
void measure_shifts(Network& network, const Dataset& data, const TrialSpec& spec,
                    std::map<std::string, double>& measures);

}  // namespace norma::lab
