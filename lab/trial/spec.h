// A trial is one training run: everything that decides its outcome, and what came out. Both travel as JSON: between
// `norma study` and the norma-trial workers (one object a line), and into the store.
//
// A trial's key is a hash of its canonical JSON (sorted keys) and the code version (version.h), so the same trial is
// the same row whichever study asks for it. Names in reports and, where a checksum says what the files hold, paths
// are left out of it. An arm that does not share over the batch has normalization_batch 0, so that it is
// one trial and not one for every normalization batch.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace norma::lab {

// Where the samples come from and how they are split.
struct DataSpec {
  std::string name;    // as it appears in reports
  std::string source;  // one of data_sources() (lab/data/dataset.h)
  // The source's files or folder by what they are ("train_images", "path"); absolute paths.
  std::map<std::string, std::string> files;
  // How a sample of images or a table is looked at: "" (as it is), "rows", "pixels", "permuted_pixels": sequences.
  std::string view;
  std::string label;                // of "csv": the column of the labels, by name or by number from 1; empty: the last
  std::string header = "auto";      // of "csv": "auto", "yes", "no"
  std::vector<std::string> ignore;  // of "csv": columns that are no features
  std::int64_t length = 0;          // of "text": characters of a sample
  std::int64_t depth = 0, arguments = 0, min_length = 0, max_length = 0;  // of "listops"
  // Sizes of the three parts; all 0: shares of what there is (share_out). Validation comes out of the training files;
  // so does test where there are no test files.
  std::int64_t train = 0, validation = 0, test = 0;
  std::uint64_t split_seed = 0;
  std::string checksum;  // of the contents, so that changed files make new trials
};

struct ModelSpec {
  std::string name;  // as it appears in reports
  std::string kind;  // "mlp", "linear", "cnn", "resnet", "rnn", "gru", "lstm", "transformer", "decoder"
  // "mlp": `depth` hidden layers of `width` neurons. "cnn", "resnet": 3x3 convolutions with `channels` outputs each.
  // "transformer", "decoder": `depth` blocks of `width` features.
  std::int64_t depth = 0, width = 0;
  std::vector<std::int64_t> channels;
  std::string activation;         // "relu", "gelu", "tanh", "linear"
  double gain = 1;                // of the initial weights, times what their variance rule says
  std::string residual = "none";  // or "skip": x + f(x) around each layer of an MLP whose width stays
  std::int64_t hidden = 0;        // state of "rnn", "gru", "lstm"
  std::int64_t heads = 0;         // of attention
  std::string placement = "pre";  // of a Transformer's normalizations: "pre" or "post" (behind the sum)
};

struct TrainingSpec {
  std::int64_t sgd_batch = 0;
  std::int64_t epochs = 0;
  std::string optimizer;  // "sgd", "adam"
  double momentum = 0;    // of "sgd"
  std::string schedule;   // "constant", "cosine"
  double learning_rate = 0;
  std::int64_t warmup = 0;  // updates over which the rate rises in a line to where the schedule begins
  // How an epoch's samples become batches: "shuffled"; "sorted" by class, batches in random order; "random" sizes, from
  // 2 samples to twice the SGD batch.
  std::string batches = "shuffled";
  double clip = 0;  // the gradient's largest norm; 0: any
};

struct TrialSpec {
  DataSpec data;
  ModelSpec model;
  TrainingSpec training;
  std::string arm;                       // "none", "batch", "layer", "layer_chw", "group", "instance", "rms"
  std::int64_t normalization_batch = 0;  // 0: the arm does not share over the batch
  std::int64_t groups = 0;               // of "group"; 0 for the others
  std::uint64_t seed = 0;
  bool tuning = false;  // a tuning trial never sees the test part
  // Of final trials: how the test inputs are changed for further measures, and what is watched in training.
  std::vector<std::string> shifts, probes;
};

enum class TrialStatus : std::uint8_t { kOk, kDiverged, kCrashed };
// "ok", "diverged", "crashed".
const char* status_name(TrialStatus status);

struct CurvePoint {
  std::int64_t step = 0;        // updates done
  double train_loss = 0;        // mean over the updates since the last point, nats
  double validation_error = 0;  // fraction
};

struct TrialResult {
  TrialStatus status = TrialStatus::kOk;
  std::string reason;  // of a divergence or a crash
  // Fractions. A trial that diverged or crashed counts as the worst value, 1.
  double validation_error = 1, test_error = 1;
  // One character a test sample, '1' where the model was wrong, in the order of the split; empty when tuning.
  std::string test_wrong;
  std::vector<CurvePoint> curve;
  // What else was measured, by name: "train_error", "bits_per_character", "error@contrast=0.5", "gradient_shift".
  std::map<std::string, double> measures;
  std::int64_t steps = 0;
  double seconds = 0;  // of training and evaluation, without the start of the process
};

// Numbers that JSON cannot hold (NaN, infinity) are written as null and read back as NaN.
nlohmann::json to_json(const TrialSpec& spec);
nlohmann::json to_json(const TrialResult& result);
// Throw std::runtime_error naming the key that is missing or of a wrong type.
TrialSpec trial_spec_from_json(const nlohmann::json& json);
TrialResult trial_result_from_json(const nlohmann::json& json);

// What decides the samples: without the name and, where the checksum says what the files hold, without their paths.
nlohmann::json data_identity(const DataSpec& data);

// 32 hex digits: the trial's identity, from the trial or from its JSON.
std::string trial_key(const TrialSpec& spec, const std::string& code_version);
std::string trial_key(nlohmann::json spec, const std::string& code_version);

}  // namespace norma::lab
