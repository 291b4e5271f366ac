#include "lab/models/max_pool.h"

#include <torch/csrc/autograd/custom_function.h>

#include <cstdint>

#include "lab/models/pool_loops.h"

namespace norma::lab {
namespace {

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
