// The arms of a study: the normalizations under test, by the names that study files, results and reports use. This is
// the one list of them, and it knows no torch: `norma study` checks study files against it and the report takes its
// labels from it. How an arm becomes a layer is in lab/models/network.h.
#pragma once

#include <span>
#include <string_view>

namespace norma::lab {

struct Arm {
  std::string_view name;     // in study files and results: "layer_chw"
  std::string_view label;    // in tables and charts: "LayerNorm (C,H,W)"
  std::string_view over;     // which elements share statistics, in words
  bool uses_batch;           // shares over the normalization batch
  bool uses_groups;          // needs the number of groups
  bool in_mlp, in_cnn;       // which kinds of model take it
  std::string_view refusal;  // why one of them does not; empty if both do
};

// In the order in which reports show them.
std::span<const Arm> arms();
// Null for an unknown name.
const Arm* find_arm(std::string_view name);
// Whether a model of this kind ("mlp", "cnn") takes the arm.
bool takes(std::string_view model_kind, const Arm& arm);

}  // namespace norma::lab
