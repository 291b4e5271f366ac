// The files of ONNX's node tests: a model and tensors, as libonnx's own parser reads them, checked before anything is
// made of them. Nothing outside the files is opened: external data is refused.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include "reference/tensor.h"

namespace onnx {
class ModelProto;
class TensorProto;
}  // namespace onnx

namespace norma::cli {

// Well formed, but nothing this library computes: a reason to leave it out, not a failure.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct OnnxArray {
  DType dtype;
  Shape shape;
  reference::Values values;
};

// Throws std::runtime_error for a file that is none, is larger than 1 GiB or does not parse.
onnx::ModelProto read_onnx_model(const std::filesystem::path& path);
OnnxArray read_onnx_tensor(const std::filesystem::path& path);

// Throws Unsupported for a type other than the library's; std::runtime_error or norma::Error for data elsewhere, for
// sizes that are negative or overflow, and for data that is not exactly as long as they say.
OnnxArray array_of(const onnx::TensorProto& tensor);

}  // namespace norma::cli
