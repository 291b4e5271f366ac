#include "lab/training/shifts.h"

#include "lab/data/shift.h"
#include "lab/training/evaluate.h"

namespace norma::lab {

void measure_shifts(Network& network, const Dataset& data, const TrialSpec& spec,
                    std::map<std::string, double>& measures) {
  for (const std::string& name : spec.shifts) {
    const Shift shift = parse_shift(name);
    if (shift.kind == Shift::Kind::kBatch) {
      const auto at_a_time = static_cast<std::size_t>(shift.amount);
      measures["error@" + name] = evaluate(network, Batcher(data), data.test, at_a_time).error;
      continue;  // no input is changed: statistics would come out as they are
    }
    const Dataset test = shifted(data, spec.data, shift, Part::kTest);
    const Batcher batcher(test);
    measures["error@" + name] = evaluate(network, batcher, test.test).error;

    const RunningStatisticsKept kept(network);
    if (kept.empty()) continue;
    const Dataset training = shifted(data, spec.data, shift, Part::kTrain);
    estimate_statistics(network, Batcher(training), training.test, spec.training.sgd_batch);
    measures["error@" + name + "/reestimated"] = evaluate(network, batcher, test.test).error;
  }
}

}  // namespace norma::lab
