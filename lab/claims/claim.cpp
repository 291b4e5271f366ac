#include "lab/claims/claim.h"

namespace norma::lab {
namespace {

using nlohmann::json;

json side_json(const ClaimSide& side) {
  return {{"arms", side.arms},
          {"parts", side.parts},
          {"models", side.models},
          {"normalization_batches", side.normalization_batches}};
}

json contrast_json(const ClaimContrast& contrast) {
  return {{"measure", contrast.measure},
          {"reduce", reduce_name(contrast.reduce)},
          {"direction", direction_name(contrast.direction)},
          {"margin", contrast.margin},
          {"threshold", contrast.threshold},
          {"target", contrast.target},
          {"a", side_json(contrast.a)},
          {"b", side_json(contrast.b)}};
}

}  // namespace

json claim_identity(const ClaimSpec& claim) {
  json exact = json::array(), qualifiers = json::array();
  for (const ExactCheck& check : claim.exact) {
    exact.push_back({{"measure", check.measure},
                     {"at_most", check.at_most ? json(*check.at_most) : json(nullptr)},
                     {"at_least", check.at_least ? json(*check.at_least) : json(nullptr)}});
  }
  for (const ClaimContrast& qualifier : claim.qualifiers) qualifiers.push_back(contrast_json(qualifier));
  return {{"number", claim.number},
          {"exact", std::move(exact)},
          {"primary", claim.primary ? contrast_json(*claim.primary) : json(nullptr)},
          {"qualifiers", std::move(qualifiers)},
          {"recommender_margin", claim.recommender_margin}};
}

const char* reduce_name(Reduce reduce) {
  switch (reduce) {
    case Reduce::kMean:
      return "mean";
    case Reduce::kSlope:
      return "slope_log2";
    case Reduce::kWorst:
      return "worst";
    case Reduce::kEach:
      return "each";
  }
  return "";
}

const char* direction_name(Direction direction) {
  switch (direction) {
    case Direction::kALower:
      return "a lower";
    case Direction::kAHigher:
      return "a higher";
    case Direction::kSame:
      return "same";
  }
  return "";
}

}  // namespace norma::lab
