// ONNX's normalizations through the library: each operator, in each of its versions, as calls of norma/ops.h.
#pragma once

#include <string>
#include <vector>

#include "onnx_files.h"

namespace onnx {
class NodeProto;
}

namespace norma::cli {

// One of ONNX's normalizations that are the library's: BatchNormalization, LayerNormalization, ...
bool is_normalization(const onnx::NodeProto& node);

// The node's outputs, in its order; `inputs` in its order, null where absent. `opset` is the model's, which says which
// version of the operator is meant. Throws Unsupported for what the library does not compute, and norma::Error or
// std::runtime_error for inputs that do not fit.
std::vector<OnnxArray> run_normalization(const onnx::NodeProto& node, std::int64_t opset,
                                         const std::vector<const OnnxArray*>& inputs);

}  // namespace norma::cli
