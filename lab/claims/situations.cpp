#include "lab/claims/situations.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "lab/models/arm_list.h"

namespace norma::lab {
namespace {

// The first of these that a model has is its BatchNorm.
constexpr std::array<const char*, 5> kBatchArms{"batch", "batch_masked", "batch_recurrent", "batch_input",
                                                "batch_naive"};

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Empty while trials are missing.
std::vector<double> errors_of(const Cell& cell) {
  std::vector<double> errors;
  for (const auto& result : cell.final) {
    if (!result) return {};
    errors.push_back(result->status == TrialStatus::kOk ? result->test_error : 1);
  }
  return errors;
}

}  // namespace

double Situation::difference() const {
  return mean(batch_errors) - mean(layer_errors);
}

std::vector<Situation> situations_of(const Plan& plan) {
  std::vector<Situation> found;
  for (const Cell& batch : plan.cells()) {
    const StudySpec& part = plan.study().parts[batch.part];
    const StudyModel& model = part.models[batch.model];
    const auto has = [&](const std::string& arm) {
      return std::find(model.arms.begin(), model.arms.end(), arm) != model.arms.end();
    };
    const auto own = std::find_if(kBatchArms.begin(), kBatchArms.end(), has);
    if (own == kBatchArms.end() || batch.arm != *own || !part.rate_of.empty()) continue;
    for (const Cell& layer : plan.cells()) {
      if (layer.part != batch.part || layer.model != batch.model || layer.arm != "layer") continue;
      const bool known = std::any_of(found.begin(), found.end(), [&](const Situation& other) {
        return plan.same_trials(*other.batch, batch) && plan.same_trials(*other.layer, layer);
      });
      if (known) continue;
      found.push_back({&batch, &layer, part.name, model.spec.name, part.data.name, family_of(model.spec.kind),
                       part.training.batches, batch.normalization_batch, errors_of(batch), errors_of(layer)});
    }
  }
  return found;
}

bool layer_by_architecture(const Situation& situation) {
  return (situation.family & (kRecurrent | kEncoder | kDecoder)) != 0;
}

}  // namespace norma::lab
