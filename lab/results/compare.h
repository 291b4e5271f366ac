// Two studies side by side, from their results documents: what changed in the settings, and what in the results.
#pragma once

#include <nlohmann/json.hpp>

namespace norma::lab {

// The comparison document (docs/results.md). Parts go together by name, cells by model, arm and normalization batch.
// A cell's difference is the test error in b less that in a: where both studies have the same samples, paired by seed,
// with a bootstrap interval over seeds and the exact sign-flip test, Holm-corrected over all such cells; elsewhere the
// difference of two independent means, with an interval out of both intervals (Zou and Donner 2008) and no p.
nlohmann::json comparison_of(const nlohmann::json& a, const nlohmann::json& b);

}  // namespace norma::lab
