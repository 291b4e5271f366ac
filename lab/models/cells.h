// The pointwise parts of recurrent cells as one operator each. A cell of torch's operators takes about twenty of them a
// step, forward and backward, and at these sizes dispatch is most of their time.
#pragma once

#include <ATen/ATen.h>

namespace norma::lab {

// LSTM: gates (N,4H) in the order input, forget, cell, output; c (N,H), all f32.
// c' = sigmoid(forget) * c + sigmoid(input) * tanh(cell). The output gate is not touched. Differentiable in both.
at::Tensor lstm_state(const at::Tensor& gates, const at::Tensor& c);
// h = sigmoid(output) * tanh(c), c being the (normalized) cell. Differentiable in both.
at::Tensor lstm_output(const at::Tensor& gates, const at::Tensor& c);

// GRU: x, h (N,3H): the two paths in the order reset, update, new; state (N,H), all f32.
// n = tanh(x_n + sigmoid(x_r + h_r) * h_n), z = sigmoid(x_z + h_z); (1 - z) * n + z * state. Differentiable in all.
at::Tensor gru_state(const at::Tensor& x, const at::Tensor& h, const at::Tensor& state);

}  // namespace norma::lab
