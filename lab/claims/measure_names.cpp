#include "lab/claims/measure_names.h"

#include <algorithm>

#include "lab/probes/names.h"

namespace norma::lab {
namespace {

void add(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

}  // namespace

std::vector<std::string> contrast_measures(const std::vector<StudySpec>& parts) {
  std::vector<std::string> names{"test_error", "validation_error",     "train_error",           "spread",
                                 "trains",     "log2_steps_to_target", "log2_seconds_to_target"};
  for (const StudySpec& part : parts) {
    for (const auto& [probe, measure] : kProbeMeasures) {
      if (std::find(part.probes.begin(), part.probes.end(), probe) != part.probes.end())
        add(names, std::string(measure));
    }
    for (const std::string& shift : part.shifts) {
      for (const char* measure : {"error@", "drop@"}) {
        add(names, measure + shift);
        add(names, measure + shift + "/reestimated");
      }
      add(names, "drop@*");
      add(names, "drop@*/reestimated");
    }
    if (part.data.source == "text") {
      add(names, "bits_per_character");
      add(names, "error_per_character");
    }
  }
  return names;
}

std::vector<std::string> check_measures() {
  std::vector<std::string> names{"batch_train_coupling",   "batch_eval_coupling",    "layer_coupling",
                                 "batch_changed_elements", "layer_changed_elements", "rms_square"};
  for (const std::string norm : {"group", "instance"}) {
    for (const char* what : {"mean", "variance"}) names.push_back(norm + "_" + what);
  }
  for (const std::string norm : {"batch", "layer"}) {
    for (const char* what : {"mean", "variance", "weight_rescale", "weight_recentre", "unit_rescale", "data_rescale",
                             "data_recentre", "sample_rescale"}) {
      names.push_back(norm + "_" + what);
    }
  }
  return names;
}

}  // namespace norma::lab
