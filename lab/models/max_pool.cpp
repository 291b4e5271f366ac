#include "lab/models/max_pool.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

namespace norma::lab {
namespace {

// Which of the four a maximum came from: 0 1 in the upper row, 2 3 in the lower.
void pool_row(const float* upper, const float* lower, std::int64_t width, float* y, std::uint8_t* from) {
  for (std::int64_t j = 0; j < width; ++j) {
    const float candidates[] = {upper[2 * j], upper[2 * j + 1], lower[2 * j], lower[2 * j + 1]};
    float largest = candidates[0];
    std::uint8_t where = 0;
    for (std::uint8_t k = 1; k < 4; ++k) {
      const bool larger = candidates[k] > largest || candidates[k] != candidates[k];
      largest = larger ? candidates[k] : largest;
      where = larger ? k : where;
    }
    y[j] = largest;
    from[j] = where;
  }
}

class MaxPool : public torch::autograd::Function<MaxPool> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& given) {
    const at::Tensor x = given.contiguous();
    const std::int64_t height = x.size(2), width = x.size(3), rows = height / 2, columns = width / 2;
    at::Tensor y = at::empty({x.size(0), x.size(1), rows, columns}, x.options());
    at::Tensor from = at::empty(y.sizes(), x.options().dtype(at::kByte));
    const float* in = x.data_ptr<float>();
    float* out = y.data_ptr<float>();
    std::uint8_t* where = from.data_ptr<std::uint8_t>();
    const std::int64_t images = x.size(0) * x.size(1);
    for (std::int64_t image = 0; image < images; ++image, in += height * width) {
      for (std::int64_t row = 0; row < rows; ++row, out += columns, where += columns) {
        pool_row(in + 2 * row * width, in + (2 * row + 1) * width, columns, out, where);
      }
    }
    context->save_for_backward({from});
    context->saved_data["sizes"] = x.sizes();
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const at::Tensor from = context->get_saved_variables()[0];
    const std::vector<std::int64_t> sizes = context->saved_data["sizes"].toIntVector();
    const at::Tensor dy = gradients[0].contiguous();
    at::Tensor dx = at::zeros(sizes, dy.options());
    const std::int64_t width = sizes[3], rows = dy.size(2), columns = dy.size(3);
    const float* in = dy.data_ptr<float>();
    const std::uint8_t* where = from.data_ptr<std::uint8_t>();
    float* out = dx.data_ptr<float>();
    const std::int64_t images = sizes[0] * sizes[1];
    for (std::int64_t image = 0; image < images; ++image, out += sizes[2] * width) {
      for (std::int64_t row = 0; row < rows; ++row, in += columns, where += columns) {
        for (std::int64_t j = 0; j < columns; ++j) {
          out[(2 * row + (where[j] >> 1)) * width + 2 * j + (where[j] & 1)] = in[j];
        }
      }
    }
    return {dx};
  }
};

}  // namespace

at::Tensor max_pool(const at::Tensor& x) {
  return MaxPool::apply(x);
}

}  // namespace norma::lab
