#include "lab/models/cells.h"

#include <torch/csrc/autograd/custom_function.h>

#include "lab/models/cell_loops.h"

namespace norma::lab {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

struct LstmState : Function<LstmState> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gates_in, const at::Tensor& c_in) {
    const at::Tensor gates = gates_in.contiguous(), c = c_in.contiguous();
    const std::int64_t rows = c.size(0), width = c.size(1);
    at::Tensor next = at::empty_like(c), open = at::empty({rows, 3 * width}, c.options());
    open_gates(gates.data_ptr<float>(), c.data_ptr<float>(), open.data_ptr<float>(), next.data_ptr<float>(), rows,
               width);
    context->save_for_backward({open, c});
    return next;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &open = saved[0], &c = saved[1], dnext = gradients[0].contiguous();
    const std::int64_t rows = c.size(0), width = c.size(1);
    at::Tensor dgates = at::zeros({rows, 4 * width}, c.options()), dc = at::empty_like(c);
    const auto *o = open.data_ptr<float>(), *old = c.data_ptr<float>(), *d = dnext.data_ptr<float>();
    auto *dg = dgates.data_ptr<float>(), *to = dc.data_ptr<float>();
    for (std::int64_t row = 0; row < rows;
         ++row, o += 3 * width, dg += 4 * width, old += width, d += width, to += width) {
      for (std::int64_t i = 0; i < width; ++i) {
        const float in = o[i], forget = o[width + i], cell = o[2 * width + i];
        dg[i] = d[i] * cell * in * (1 - in);
        dg[width + i] = d[i] * old[i] * forget * (1 - forget);
        dg[2 * width + i] = d[i] * in * (1 - cell * cell);
        to[i] = d[i] * forget;
      }
    }
    return {dgates, dc};
  }
};

struct LstmOutput : Function<LstmOutput> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gates_in, const at::Tensor& c_in) {
    const at::Tensor gates = gates_in.contiguous(), c = c_in.contiguous();
    const std::int64_t rows = c.size(0), width = c.size(1);
    at::Tensor h = at::empty_like(c), open = at::empty_like(c), squashed = at::empty_like(c);
    show_cell(gates.data_ptr<float>() + 3 * width, c.data_ptr<float>(), open.data_ptr<float>(),
              squashed.data_ptr<float>(), h.data_ptr<float>(), rows, width);
    context->save_for_backward({open, squashed});
    return h;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &open = saved[0], &squashed = saved[1], dh = gradients[0].contiguous();
    const std::int64_t rows = open.size(0), width = open.size(1);
    at::Tensor dgates = at::zeros({rows, 4 * width}, open.options()), dc = at::empty_like(open);
    const auto *o = open.data_ptr<float>(), *t = squashed.data_ptr<float>(), *d = dh.data_ptr<float>();
    auto *dg = dgates.data_ptr<float>() + 3 * width, *to = dc.data_ptr<float>();
    for (std::int64_t row = 0; row < rows; ++row, dg += 4 * width, o += width, t += width, d += width, to += width) {
      for (std::int64_t i = 0; i < width; ++i) {
        dg[i] = d[i] * t[i] * o[i] * (1 - o[i]);
        to[i] = d[i] * o[i] * (1 - t[i] * t[i]);
      }
    }
    return {dgates, dc};
  }
};

struct GruState : Function<GruState> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x_in, const at::Tensor& h_in,
                            const at::Tensor& state_in) {
    const at::Tensor x = x_in.contiguous(), h = h_in.contiguous(), state = state_in.contiguous();
    const std::int64_t rows = state.size(0), width = state.size(1);
    at::Tensor next = at::empty_like(state), open = at::empty({rows, 4 * width}, state.options());
    mix_state(x.data_ptr<float>(), h.data_ptr<float>(), state.data_ptr<float>(), open.data_ptr<float>(),
              next.data_ptr<float>(), rows, width);
    context->save_for_backward({open, state});
    return next;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor &open = saved[0], &state = saved[1], dnext = gradients[0].contiguous();
    const std::int64_t rows = state.size(0), width = state.size(1);
    at::Tensor dx = at::empty({rows, 3 * width}, state.options()), dh = at::empty_like(dx);
    at::Tensor dstate = at::empty_like(state);
    const auto *o = open.data_ptr<float>(), *old = state.data_ptr<float>(), *d = dnext.data_ptr<float>();
    auto *px = dx.data_ptr<float>(), *ph = dh.data_ptr<float>(), *to = dstate.data_ptr<float>();
    for (std::int64_t row = 0; row < rows;
         ++row, px += 3 * width, ph += 3 * width, o += 4 * width, old += width, d += width, to += width) {
      for (std::int64_t i = 0; i < width; ++i) {
        const float reset = o[i], update = o[width + i], fresh = o[2 * width + i], hidden = o[3 * width + i];
        const float dfresh = d[i] * (1 - update) * (1 - fresh * fresh);
        const float dupdate = d[i] * (old[i] - fresh) * update * (1 - update);
        const float dreset = dfresh * hidden * reset * (1 - reset);
        px[i] = ph[i] = dreset;
        px[width + i] = ph[width + i] = dupdate;
        px[2 * width + i] = dfresh;
        ph[2 * width + i] = dfresh * reset;
        to[i] = d[i] * update;
      }
    }
    return {dx, dh, dstate};
  }
};

}  // namespace

at::Tensor lstm_state(const at::Tensor& gates, const at::Tensor& c) {
  return LstmState::apply(gates, c);
}

at::Tensor lstm_output(const at::Tensor& gates, const at::Tensor& c) {
  return LstmOutput::apply(gates, c);
}

at::Tensor gru_state(const at::Tensor& x, const at::Tensor& h, const at::Tensor& state) {
  return GruState::apply(x, h, state);
}

}  // namespace norma::lab
