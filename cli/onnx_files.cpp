#include "onnx_files.h"

#include <onnx/onnx_pb.h>

#include <cstring>
#include <fstream>
#include <sstream>

namespace norma::cli {
namespace {

constexpr std::uintmax_t kLargestFile = std::uintmax_t{1} << 30;

std::string bytes_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) throw std::runtime_error(path.filename().string() + ": not a file");
  if (std::filesystem::file_size(path) > kLargestFile) {
    throw std::runtime_error(path.filename().string() + ": larger than 1 GiB");
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (!file) throw std::runtime_error(path.filename().string() + ": cannot be read");
  return std::move(bytes).str();
}

template <class Message>
Message parsed(const std::filesystem::path& path) {
  Message message;
  if (!message.ParseFromString(bytes_of(path))) {
    throw std::runtime_error(path.filename().string() + ": not what ONNX writes");
  }
  return message;
}

DType dtype_of(const onnx::TensorProto& tensor) {
  switch (tensor.data_type()) {
    case onnx::TensorProto::FLOAT:
      return DType::kFloat32;
    case onnx::TensorProto::DOUBLE:
      return DType::kFloat64;
    case onnx::TensorProto::FLOAT16:
      return DType::kFloat16;
    case onnx::TensorProto::BFLOAT16:
      return DType::kBFloat16;
    default:
      break;
  }
  const std::string name =
      onnx::TensorProto::DataType_IsValid(tensor.data_type())
          ? onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(tensor.data_type()))
          : std::to_string(tensor.data_type());
  throw Unsupported("a tensor of type " + name);
}

// Little-endian numbers, as ONNX stores them and as every machine we build for does.
template <class T>
reference::Values numbers_of(const std::string& raw) {
  reference::Values values;
  for (std::size_t at = 0; at < raw.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, raw.data() + at, sizeof(T));
    values.push_back(static_cast<double>(value));
  }
  return values;
}

reference::Values numbers_of(const std::string& raw, DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return numbers_of<double>(raw);
    case DType::kFloat16:
      return numbers_of<float16>(raw);
    case DType::kBFloat16:
      return numbers_of<bfloat16>(raw);
    case DType::kFloat32:
      break;
  }
  return numbers_of<float>(raw);
}

// Numbers that are not in raw_data; a 16-bit one is the lower half of an int32.
reference::Values listed_numbers(const onnx::TensorProto& tensor, DType dtype) {
  if (dtype == DType::kFloat64) return {tensor.double_data().begin(), tensor.double_data().end()};
  if (dtype == DType::kFloat32) return {tensor.float_data().begin(), tensor.float_data().end()};
  std::string raw;
  for (const std::int32_t bits : tensor.int32_data()) {
    const auto half = static_cast<std::uint16_t>(bits);
    raw.append(reinterpret_cast<const char*>(&half), sizeof(half));
  }
  return numbers_of(raw, dtype);
}

}  // namespace

onnx::ModelProto read_onnx_model(const std::filesystem::path& path) {
  return parsed<onnx::ModelProto>(path);
}

OnnxArray read_onnx_tensor(const std::filesystem::path& path) {
  return array_of(parsed<onnx::TensorProto>(path));
}

OnnxArray array_of(const onnx::TensorProto& tensor) {
  if (tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.external_data_size() > 0) {
    throw std::runtime_error("a tensor whose data is in another file, which is refused");
  }
  const DType dtype = dtype_of(tensor);
  const std::vector<std::int64_t> sizes(tensor.dims().begin(), tensor.dims().end());
  OnnxArray array{dtype, Shape(sizes), {}};
  const std::string& raw = tensor.raw_data();
  const bool whole = raw.size() % size_of(dtype) == 0;
  array.values = tensor.has_raw_data() && whole ? numbers_of(raw, dtype) : listed_numbers(tensor, dtype);
  if (!whole || array.values.size() != static_cast<std::uint64_t>(array.shape.elements())) {
    throw std::runtime_error("a tensor of shape " + array.shape.to_string() + " with data of another length");
  }
  return array;
}

}  // namespace norma::cli
