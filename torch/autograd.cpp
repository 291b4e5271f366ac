// The gradients of the operators, and the C++ functions that call them.
//
// Saved for the backward pass: x, gamma, mean and rstd; never the normalized tensor. Gradients that nobody needs are
// not computed. A gradient taken with create_graph is the kernels' like any other; what differentiates it again is
// second_order.cpp's.
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <array>
#include <string>

#include "norma/error.h"
#include "operators.h"
#include "second_order.h"

namespace norma {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What makes the descriptor, kept from the forward to the backward pass.
struct Kept : torch::CustomClassHolder {
  explicit Kept(const OperatorArguments& how)
      : statistics(how.statistics.begin(), how.statistics.end()),
        affine(how.affine.begin(), how.affine.end()),
        name(how.name.data(), how.name.size()),
        groups(how.groups),
        batch_groups(how.batch_groups),
        eps(how.eps),
        centred(how.centred) {}
  OperatorArguments arguments(const at::Tensor& mask) const {
    return {statistics, affine,  groups, batch_groups,
            eps,        centred, name,   mask.defined() ? OptionalTensor(mask) : c10::nullopt};
  }
  at::DimVector statistics, affine;
  std::string name;
  std::int64_t groups, batch_groups;
  double eps;
  bool centred;
};
constexpr const char* kKept = "how";

c10::intrusive_ptr<Kept> kept(AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<Kept>(context->saved_data[kKept].toCapsule());
}

at::Tensor or_undefined(const OptionalTensor& tensor) {
  return tensor.has_value() ? *tensor : at::Tensor();
}
OptionalTensor or_none(const at::Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : c10::nullopt;
}

// Which of dx, dgamma and dbeta are asked for: absent inputs have no edge in the graph.
std::array<bool, 3> wanted(const AutogradContext* context, bool has_gamma, bool has_beta) {
  const std::size_t beta_edge = has_gamma ? 2 : 1;
  return {context->needs_input_grad(0), has_gamma && context->needs_input_grad(1),
          has_beta && context->needs_input_grad(beta_edge)};
}

// How a first backward pass was made.
struct Pass {
  c10::intrusive_ptr<Kept> how;
  bool own_statistics;  // x's own: mean and rstd; otherwise given: mean and variance
  std::array<bool, 3> asked;
};

Three first_order(const Pass& pass, const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                  const OptionalTensor& mean, const at::Tensor& spread, const OptionalTensor& mask) {
  at::AutoDispatchBelowAutograd guard;
  const Kept& how = *pass.how;
  if (pass.own_statistics) {
    return normalize_backward_operator().call(dy, x, gamma, *mean, spread, how.statistics, how.affine, how.groups,
                                              how.batch_groups, how.eps, how.centred, how.name, mask, pass.asked);
  }
  return normalize_with_backward_operator().call(dy, x, gamma, mean, spread, how.statistics, how.affine, how.groups,
                                                 how.eps, how.centred, how.name, mask, pass.asked);
}

// A backward pass that can itself be differentiated. Its outputs are the gradients asked for.
class GradientFunction : public torch::autograd::Function<GradientFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& dy, const at::Tensor& x,
                               const OptionalTensor& gamma, const OptionalTensor& mean, const at::Tensor& spread,
                               const OptionalTensor& mask, const Pass& pass) {
    const Three gradients = first_order(pass, dy, x, gamma, mean, spread, mask);
    context->set_materialize_grads(false);
    context->save_for_backward({dy, x, or_undefined(gamma), pass.own_statistics ? at::Tensor() : or_undefined(mean),
                                pass.own_statistics ? at::Tensor() : spread, or_undefined(mask)});
    context->saved_data[kKept] = c10::IValue::make_capsule(pass.how);
    context->saved_data["asked"] = c10::List<bool>({pass.asked[0], pass.asked[1], pass.asked[2]});
    variable_list out;
    for (const at::Tensor& gradient : {std::get<0>(gradients), std::get<1>(gradients), std::get<2>(gradients)}) {
      if (gradient.defined()) out.push_back(gradient);
    }
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& cotangents) {
    const variable_list saved = context->get_saved_variables();
    const auto how = kept(context);
    const FirstOrder first{saved[0], saved[1], saved[2], saved[3], saved[4], saved[5]};
    const auto asked = context->saved_data["asked"].toBoolList();
    std::array<at::Tensor, 3> placed;
    for (std::size_t i = 0, next = 0; i < 3; ++i) {
      if (asked[i]) placed[i] = cotangents[next++];
    }
    const bool has_gamma = first.gamma.defined();
    auto [dy, x, gamma] = second_order(
        first, how->arguments(first.mask), placed,
        {context->needs_input_grad(0), context->needs_input_grad(1), has_gamma && context->needs_input_grad(2)});
    return {dy, x, gamma, {}, {}, {}, {}};
  }
};

// dx, dgamma and dbeta of one pass, as far as asked for.
variable_list gradients_of(const Pass& pass, const at::Tensor& dy, const at::Tensor& x, const at::Tensor& gamma,
                           const at::Tensor& mean, const at::Tensor& spread, const at::Tensor& mask) {
  if (!at::GradMode::is_enabled()) {
    Three out = first_order(pass, dy, x, or_none(gamma), or_none(mean), spread, or_none(mask));
    return {std::get<0>(out), std::get<1>(out), std::get<2>(out)};
  }
  const variable_list found =
      GradientFunction::apply(dy, x, or_none(gamma), or_none(mean), spread, or_none(mask), pass);
  variable_list out(3);
  for (std::size_t i = 0, next = 0; i < 3; ++i) {
    if (pass.asked[i]) out[i] = found[next++];
  }
  return out;
}

class NormalizeFunction : public torch::autograd::Function<NormalizeFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& x, const OptionalTensor& gamma,
                               const OptionalTensor& beta, const OperatorArguments& how) {
    at::AutoDispatchBelowADInplaceOrView guard;
    auto [y, mean, rstd] = normalize_operator().call(x, gamma, beta, how.statistics, how.affine, how.groups,
                                                     how.batch_groups, how.eps, how.centred, how.name, how.mask);
    context->set_materialize_grads(false);
    context->save_for_backward({x, or_undefined(gamma), mean, rstd, or_undefined(how.mask)});
    context->saved_data[kKept] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(how));
    context->saved_data["has_beta"] = beta.has_value() && beta->defined();
    context->mark_non_differentiable({mean, rstd});
    return {y, mean, rstd};
  }

  static variable_list backward(AutogradContext* context, const variable_list& dy) {
    if (!dy[0].defined()) return variable_list(4);
    const variable_list saved = context->get_saved_variables();
    const auto how = kept(context);
    const auto asked = wanted(context, saved[1].defined(), context->saved_data["has_beta"].toBool());
    variable_list out = gradients_of({how, true, asked}, dy[0], saved[0], saved[1], saved[2], saved[3], saved[4]);
    out.resize(4);  // `how` has none
    return out;
  }
};

class NormalizeWithFunction : public torch::autograd::Function<NormalizeWithFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const OptionalTensor& gamma,
                            const OptionalTensor& beta, const OptionalTensor& mean, const at::Tensor& variance,
                            const OperatorArguments& how) {
    at::AutoDispatchBelowADInplaceOrView guard;
    at::Tensor y = normalize_with_operator().call(x, gamma, beta, mean, variance, how.statistics, how.affine,
                                                  how.groups, how.eps, how.centred, how.name, how.mask);
    context->save_for_backward({x, or_undefined(gamma), or_undefined(mean), variance, or_undefined(how.mask)});
    context->saved_data[kKept] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(how));
    context->saved_data["has_beta"] = beta.has_value() && beta->defined();
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& dy) {
    const variable_list saved = context->get_saved_variables();
    const auto how = kept(context);
    const auto asked = wanted(context, saved[1].defined(), context->saved_data["has_beta"].toBool());
    variable_list out = gradients_of({how, false, asked}, dy[0], saved[0], saved[1], saved[2], saved[3], saved[4]);
    out.resize(6);  // mean, variance and `how` have none
    return out;
  }
};

bool needs_graph(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta) {
  const auto requires_grad = [](const OptionalTensor& t) {
    return t.has_value() && t->defined() && t->requires_grad();
  };
  return at::GradMode::is_enabled() && (x.requires_grad() || requires_grad(gamma) || requires_grad(beta));
}

Three normalize_autograd(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                         at::IntArrayRef statistics, at::IntArrayRef affine, std::int64_t groups,
                         std::int64_t batch_groups, double eps, bool centred, c10::string_view name,
                         const OptionalTensor& mask) {
  if (!needs_graph(x, gamma, beta)) {
    at::AutoDispatchBelowADInplaceOrView guard;
    return normalize_operator().call(x, gamma, beta, statistics, affine, groups, batch_groups, eps, centred, name,
                                     mask);
  }
  variable_list out = NormalizeFunction::apply(
      x, gamma, beta, OperatorArguments{statistics, affine, groups, batch_groups, eps, centred, name, mask});
  return {out[0], out[1], out[2]};
}

at::Tensor normalize_with_autograd(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                                   const OptionalTensor& mean, const at::Tensor& variance, at::IntArrayRef statistics,
                                   at::IntArrayRef affine, std::int64_t groups, double eps, bool centred,
                                   c10::string_view name, const OptionalTensor& mask) {
  if (!needs_graph(x, gamma, beta)) {
    at::AutoDispatchBelowADInplaceOrView guard;
    return normalize_with_operator().call(x, gamma, beta, mean, variance, statistics, affine, groups, eps, centred,
                                          name, mask);
  }
  return NormalizeWithFunction::apply(x, gamma, beta, mean, variance,
                                      OperatorArguments{statistics, affine, groups, 1, eps, centred, name, mask});
}

}  // namespace

TORCH_LIBRARY_IMPL(norma, Autograd, m) {
  m.impl("normalize", normalize_autograd);
  m.impl("normalize_with", normalize_with_autograd);
}

Three normalize(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta, const Normalization& how,
                const OptionalTensor& mask) {
  return normalize_operator().call(x, gamma, beta, how.statistics, how.affine, how.groups, how.batch_groups, how.eps,
                                   how.centred, how.name, mask);
}

at::Tensor normalize_with(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                          const OptionalTensor& mean, const at::Tensor& variance, const Normalization& how,
                          const OptionalTensor& mask) {
  return normalize_with_operator().call(x, gamma, beta, mean, variance, how.statistics, how.affine, how.groups, how.eps,
                                        how.centred, how.name, mask);
}

void update_running_(at::Tensor& running_mean, at::Tensor& running_var, const at::Tensor& mean, const at::Tensor& rstd,
                     double eps, at::IntArrayRef counts, double momentum) {
  update_running_operator().call(running_mean, running_var, mean, rstd, eps, counts, momentum);
}

}  // namespace norma
