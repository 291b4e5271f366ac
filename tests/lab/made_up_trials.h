// Trials made up by a function of their specification, in place of training.
#pragma once

#include <functional>
#include <string>

#include "lab/study/plan.h"

namespace norma::lab {

inline constexpr std::size_t kItems = 200;

// Of a study file, for kItems test items.
inline const std::string kDataAndTraining = R"([data]
source = "optdigits"
train = 64
validation = 50
test = 200
[training]
sgd_batch = 16
epochs = 2
optimizer = "sgd"
schedule = "cosine"
)";

inline Plan trained(const Study& study, const std::function<void(const TrialSpec&, TrialResult&)>& outcome) {
  Plan plan(study, "1");
  while (const auto trial = plan.next()) {
    TrialResult result;
    result.validation_error = 0.1;
    result.test_error = 0;
    result.test_wrong = std::string(kItems, '0');
    result.steps = 100;
    result.seconds = 0.6;
    outcome(trial->spec, result);
    plan.finished(trial->key, result);
  }
  return plan;
}

// So many tenths of the test items wrong.
inline void set_wrong(TrialResult& result, int tenths) {
  result.test_wrong = std::string(static_cast<std::size_t>(tenths) * kItems / 10, '1');
  result.test_wrong.resize(kItems, '0');
  result.test_error = tenths / 10.0;
}

}  // namespace norma::lab
