// `norma verify --onnx`: a folder of ONNX node tests through the library.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace norma::cli {

enum class Verdict { kPass, kFail, kSkip };

// One model with a normalization.
struct OnnxRow {
  std::string test;   // its folder
  std::string nodes;  // "BatchNormalization 15": the operator and the model's opset
  Verdict verdict = Verdict::kSkip;
  std::string reason;     // why it failed or was left out
  double difference = 0;  // the largest from what the files expect, over max(1, |expected|)
  int sets = 0;           // of inputs and outputs that were run
};

struct OnnxVerification {
  std::vector<OnnxRow> rows;  // by name
  int others = 0;             // models without a normalization
  double seconds = 0;
  int count(Verdict verdict) const;
};

// Every model.onnx at any depth of the folder that holds a normalization is run on the inputs of each test_data_set_*
// beside it and compared with the outputs there. Throws UsageError if there is no model with a normalization.
OnnxVerification verify_onnx(const std::filesystem::path& folder);

// Prints it, as a table or as JSON, and throws ExitCode 1 if a test failed.
void report_onnx(const OnnxVerification& found, bool json);

}  // namespace norma::cli
