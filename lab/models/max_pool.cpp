#include "lab/models/max_pool.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

namespace norma::lab {
namespace {

// As one instruction: which of two is the larger cannot be predicted.
inline float larger(float a, float b) {
  return a > b ? a : b;
}

void pool_row(const float* upper, const float* lower, std::int64_t columns, float* y) {
  for (std::int64_t j = 0; j < columns; ++j) {
    y[j] = larger(larger(upper[2 * j], upper[2 * j + 1]), larger(lower[2 * j], lower[2 * j + 1]));
  }
}

// dy goes to the first of the four that is the maximum.
void unpool_row(const float* upper, const float* lower, const float* y, const float* dy, std::int64_t columns,
                float* upper_dx, float* lower_dx) {
  for (std::int64_t j = 0; j < columns; ++j) {
    const bool a = upper[2 * j] == y[j], b = !a & (upper[2 * j + 1] == y[j]), c = !a & !b & (lower[2 * j] == y[j]);
    const bool d = !a & !b & !c;
    upper_dx[2 * j] = a ? dy[j] : 0;
    upper_dx[2 * j + 1] = b ? dy[j] : 0;
    lower_dx[2 * j] = c ? dy[j] : 0;
    lower_dx[2 * j + 1] = d ? dy[j] : 0;
  }
}

// Where the rows of a pair and of its output begin.
template <class Row>
void for_each_pair(at::IntArrayRef x, Row row) {
  const std::int64_t height = x[2], width = x[3], rows = height / 2, columns = width / 2;
  for (std::int64_t image = 0; image < x[0] * x[1]; ++image) {
    for (std::int64_t i = 0; i < rows; ++i) {
      row((image * height + 2 * i) * width, (image * rows + i) * columns);
    }
  }
}

class MaxPool : public torch::autograd::Function<MaxPool> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& given) {
    const at::Tensor x = given.contiguous();
    const std::int64_t width = x.size(3), columns = width / 2;
    at::Tensor y = at::empty({x.size(0), x.size(1), x.size(2) / 2, columns}, x.options());
    const float* in = x.data_ptr<float>();
    float* out = y.data_ptr<float>();
    for_each_pair(x.sizes(), [&](std::int64_t pair, std::int64_t pooled) {
      pool_row(in + pair, in + pair + width, columns, out + pooled);
    });
    context->save_for_backward({x, y});
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &y = saved[1];
    const at::Tensor dy = gradients[0].contiguous();
    const std::int64_t width = x.size(3), columns = width / 2;
    const bool whole = x.size(2) % 2 == 0 && width % 2 == 0;
    at::Tensor dx = whole ? at::empty_like(x) : at::zeros_like(x);
    const float *in = x.data_ptr<float>(), *out = y.data_ptr<float>(), *above = dy.data_ptr<float>();
    float* below = dx.data_ptr<float>();
    for_each_pair(x.sizes(), [&](std::int64_t pair, std::int64_t pooled) {
      unpool_row(in + pair, in + pair + width, out + pooled, above + pooled, columns, below + pair,
                 below + pair + width);
    });
    return {dx};
  }
};

}  // namespace

at::Tensor max_pool(const at::Tensor& x) {
  return MaxPool::apply(x);
}

}  // namespace norma::lab
