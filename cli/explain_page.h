// What the explainer's page holds: small inputs, and what libnorma computes from them under every normalization that
// the page offers, at the time the page is written.
#pragma once

#include <nlohmann/json.hpp>

#include "question.h"

namespace norma::cli {

// The document of norma::report::render_explainer (docs/explain.md). `asked` says where the page opens: its norm, and
// with a shape its drawing and sizes, as far as they can be drawn. Throws UsageError for what the page cannot draw.
nlohmann::json explain_document(const ExplainOptions& asked);

}  // namespace norma::cli
