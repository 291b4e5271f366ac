// A claim of the article as an experiment: what it says, the contrast that decides it, written down before the run, and
// the secondary contrasts that may qualify it. Study files have them as [claim] (docs/studies.md).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace norma::lab {

// One side of a contrast: cells of the study. Empty lists mean all that there are.
struct ClaimSide {
  std::vector<std::string> arms;  // at least one; of several, at each model the best on validation data
  std::vector<std::string> parts, models;
  std::vector<std::int64_t> normalization_batches;
};

// How the values of a side's cells become one value a seed.
enum class Reduce : std::uint8_t {
  kMean,   // over all its cells
  kSlope,  // least squares on log2(normalization batch) at each model, then the mean over models
  kWorst,  // the largest
  kEach    // not at all: every part of side a on its own against side b, and all must hold
};

enum class Direction : std::uint8_t { kALower, kAHigher, kSame };

// a minus b, of one value a seed on each side.
struct ClaimContrast {
  std::string says;   // of a qualifier: the words if it holds
  std::string where;  // "file:line", for messages
  std::string measure = "test_error";
  Reduce reduce = Reduce::kMean;
  Direction direction = Direction::kALower;
  double margin = 0;     // of kSame: how far apart is still the same
  double threshold = 0;  // of "trains": the largest validation error that counts as trained
  std::string target;    // of "log2_steps_to_target" and "log2_seconds_to_target": the arm that sets the target
  ClaimSide a, b;
};

// A measure with a limit that it must keep at every seed: no statistics.
struct ExactCheck {
  std::string measure;
  std::optional<double> at_most, at_least;
};

// What is expected where the literature has no one answer: nothing that a verdict could differ from.
inline constexpr const char* kDisputed = "disputed";

struct ClaimSpec {
  std::int64_t number = 0;
  std::string says;              // the article's words
  std::string expects;           // the literature's, in words; no rule reads them
  std::string limits;            // what the experiment cannot say, in words, written down with it
  std::string expected_verdict;  // the same as one of the verdicts, or kDisputed; empty if it gives none
  std::vector<ExactCheck> exact;
  std::optional<ClaimContrast> primary;
  std::vector<ClaimContrast> qualifiers;
  double recommender_margin = 0;   // of [claim.recommender] (lab/claims/recommend.h), as a fraction; 0: it is none
  std::vector<std::string> parts;  // that it rests on
};

// For the study's identity: everything that decides the answer.
nlohmann::json claim_identity(const ClaimSpec& claim);

// Words for messages and results: "mean", "a lower".
const char* reduce_name(Reduce reduce);
const char* direction_name(Direction direction);

}  // namespace norma::lab
