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

template <class Numbers>
reference::Values widened(const Numbers& numbers) {
  return {numbers.begin(), numbers.end()};
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
  const auto elements = static_cast<std::uint64_t>(array.shape.elements());
  std::uint64_t given = 0;
  if (tensor.has_raw_data()) {
    given = tensor.raw_data().size() / size_of(dtype);
    if (tensor.raw_data().size() % size_of(dtype) != 0) given = elements + 1;
  } else {
    given = static_cast<std::uint64_t>(dtype == DType::kFloat64 ? tensor.double_data_size() : tensor.float_data_size());
  }
  if (given != elements) {
    throw std::runtime_error("a tensor of shape " + array.shape.to_string() + " with data of another length");
  }
  if (tensor.has_raw_data()) {
    const std::string& raw = tensor.raw_data();
    array.values = dtype == DType::kFloat64 ? numbers_of<double>(raw) : numbers_of<float>(raw);
  } else {
    array.values = dtype == DType::kFloat64 ? widened(tensor.double_data()) : widened(tensor.float_data());
  }
  return array;
}

}  // namespace norma::cli
