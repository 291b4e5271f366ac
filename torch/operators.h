// The registered operators, typed. Between the files of this folder only.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <array>

#include "norma_torch/ops.h"

namespace norma {

// The arguments that make a Descriptor, as an operator gets them.
struct OperatorArguments {
  at::IntArrayRef statistics, affine;
  std::int64_t groups, batch_groups;
  double eps;
  bool centred;
  c10::string_view name;
  OptionalTensor mask;
};

using Three = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

// clang-format off
using NormalizeSignature = Three(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                                 at::IntArrayRef statistics, at::IntArrayRef affine, std::int64_t groups,
                                 std::int64_t batch_groups, double eps, bool centred, c10::string_view name,
                                 const OptionalTensor& mask);
using NormalizeBackwardSignature = Three(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                         const at::Tensor& mean, const at::Tensor& rstd, at::IntArrayRef statistics,
                                         at::IntArrayRef affine, std::int64_t groups, std::int64_t batch_groups,
                                         double eps, bool centred, c10::string_view name, const OptionalTensor& mask,
                                         std::array<bool, 3> wanted);
using NormalizeWithSignature = at::Tensor(const at::Tensor& x, const OptionalTensor& gamma, const OptionalTensor& beta,
                                          const OptionalTensor& mean, const at::Tensor& variance,
                                          at::IntArrayRef statistics, at::IntArrayRef affine, std::int64_t groups,
                                          double eps, bool centred, c10::string_view name, const OptionalTensor& mask);
using NormalizeWithBackwardSignature = Three(const at::Tensor& dy, const at::Tensor& x, const OptionalTensor& gamma,
                                             const OptionalTensor& mean, const at::Tensor& variance,
                                             at::IntArrayRef statistics, at::IntArrayRef affine, std::int64_t groups,
                                             double eps, bool centred, c10::string_view name, const OptionalTensor& mask,
                                             std::array<bool, 3> wanted);
using UpdateRunningSignature = void(at::Tensor& running_mean, at::Tensor& running_var, const at::Tensor& mean,
                                    const at::Tensor& rstd, double eps, at::IntArrayRef counts, double momentum);
// clang-format on

const c10::TypedOperatorHandle<NormalizeSignature>& normalize_operator();
const c10::TypedOperatorHandle<NormalizeBackwardSignature>& normalize_backward_operator();
const c10::TypedOperatorHandle<NormalizeWithSignature>& normalize_with_operator();
const c10::TypedOperatorHandle<NormalizeWithBackwardSignature>& normalize_with_backward_operator();
const c10::TypedOperatorHandle<UpdateRunningSignature>& update_running_operator();

}  // namespace norma
