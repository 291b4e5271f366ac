// The arms of a study: the normalizations under test, by the names that study files, results and reports use. arms.def
// is the one list of them, and this side of it knows no torch: `norma study` checks study files against it and the
// report takes its labels from it. How an arm becomes a layer is in lab/models/arm.h.
#pragma once

#include <span>
#include <string_view>

namespace norma::lab {

// Kinds of model that an arm meets alike, as bits.
enum Family : unsigned {
  kPlain = 1,          // "mlp", "linear": (N,C)
  kConvolutional = 2,  // "cnn", "resnet": (N,C,H,W)
  kRecurrent = 4,      // "rnn", "gru", "lstm": (N,C), step by step
  kEncoder = 8,        // "transformer": (N,T,C), with padding
  kDecoder = 16,       // "decoder": (N,T,C), causal
  kAnyFamily = 31
};

struct Arm {
  std::string_view name;       // in study files and results: "layer_chw"
  std::string_view label;      // in tables and charts: "LayerNorm (C,H,W)"
  std::string_view over;       // which elements share statistics, in words
  unsigned families = 0;       // which kinds of model take it
  bool uses_batch = false;     // shares over the normalization batch
  bool per_step = false;       // with statistics of its own at every time step
  bool uses_groups = false;    // needs the number of groups
  std::string_view refusal{};  // why the other kinds do not take it, as in "model 'x' cannot take it: ..."
};

// In the order in which reports show them.
std::span<const Arm> arms();
// Null for an unknown name.
const Arm* find_arm(std::string_view name);
// Of a kind of model ("mlp"); 0 for an unknown one.
unsigned family_of(std::string_view model_kind);
// Whether a model of this kind takes the arm.
bool takes(std::string_view model_kind, const Arm& arm);
// Whether in training a model of this kind sees with it what it has to predict: statistics over the batch and all
// positions hold a causal model's future tokens. next_token: that is what the data's labels are (predicts_next); a
// recurrent network, causal either way, has a future to see then alone.
bool leaks(std::string_view model_kind, const Arm& arm, bool next_token);

}  // namespace norma::lab
