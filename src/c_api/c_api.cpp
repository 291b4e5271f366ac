// The C ABI: plain structs become views, what is thrown becomes a status and a message. Nothing is computed here.
#include "norma/c_api.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "norma/norma.h"

namespace norma {
namespace {

// No allocation: it must hold the news that there is no memory.
thread_local std::array<char, 512> last_error{};

norma_status failed(norma_status status, const char* message) noexcept {
  std::snprintf(last_error.data(), last_error.size(), "%s", message);
  return status;
}

template <class Body>
norma_status guarded(const Body& body) noexcept {
  try {
    body();
    return NORMA_OK;
  } catch (const Error& error) {
    return failed(NORMA_INVALID_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return failed(NORMA_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return failed(NORMA_FAILED, error.what());
  } catch (...) {
    return failed(NORMA_FAILED, "an exception of no known type");
  }
}

[[noreturn]] void refuse(const char* argument, const std::string& expected, const std::string& got) {
  throw Error("[c_api] " + std::string(argument) + ": expected " + expected + ", got " + got);
}

template <class T>
const T& required(const char* argument, const T* pointer) {
  if (pointer == nullptr) refuse(argument, "a pointer", "null");
  return *pointer;
}

void check_reserved(const char* argument, std::int32_t reserved) {
  if (reserved != 0) refuse(argument, "reserved 0", std::to_string(reserved));
}

Shape shape_of(const char* argument, std::int32_t rank, const std::int64_t* sizes) {
  if (rank < 0 || rank > NORMA_MAX_RANK) {
    refuse(argument, "a rank from 0 to " + std::to_string(NORMA_MAX_RANK), std::to_string(rank));
  }
  try {
    return Shape(std::span(sizes, static_cast<std::size_t>(rank)));
  } catch (const Error& error) {
    throw Error("[c_api] " + std::string(argument) + ": " + error.what());
  }
}

// Which strides a layout means.
Strides strides_of(const char* argument, norma_layout layout, const Shape& shape, const std::int64_t* strides) {
  Strides given{};
  switch (layout) {
    case NORMA_CHANNELS_FIRST:
      return dense_strides(shape, Layout::kChannelsFirst);
    case NORMA_CHANNELS_LAST:
      return dense_strides(shape, Layout::kChannelsLast);
    case NORMA_STRIDED:
      std::copy_n(strides, shape.rank(), given.begin());
      return given;
    default:
      refuse(argument, "a layout of norma_layout", std::to_string(layout));
  }
}

DType dtype_of(const char* argument, norma_dtype dtype) {
  switch (dtype) {
    case NORMA_F32:
      return DType::kFloat32;
    case NORMA_F64:
      return DType::kFloat64;
    case NORMA_BF16:
      return DType::kBFloat16;
    case NORMA_F16:
      return DType::kFloat16;
    default:
      refuse(argument, "a type of norma_dtype", std::to_string(dtype));
  }
}

TensorView view(const char* argument, const norma_tensor* tensor) {
  if (tensor == nullptr) return {};
  check_reserved(argument, tensor->reserved);
  const Shape shape = shape_of(argument, tensor->rank, tensor->sizes);
  return {tensor->data, dtype_of(argument, tensor->dtype), shape,
          strides_of(argument, tensor->layout, shape, tensor->strides)};
}

MaskView view(const norma_mask* mask) {
  if (mask == nullptr) return {};
  const Shape shape = shape_of("mask", mask->rank, mask->sizes);
  return {mask->data, shape, strides_of("mask", mask->layout, shape, mask->strides)};
}

Activation activation_of(norma_activation activation) {
  switch (activation) {
    case NORMA_NO_ACTIVATION:
      return Activation::kNone;
    case NORMA_RELU:
      return Activation::kRelu;
    case NORMA_GELU:
      return Activation::kGelu;
    case NORMA_GELU_TANH:
      return Activation::kGeluTanh;
    case NORMA_SILU:
      return Activation::kSilu;
    default:
      refuse("activation", "one of norma_activation", std::to_string(activation));
  }
}

Fusion fusion_of(const norma_fusion* given) {
  if (given == nullptr) return {};
  check_reserved("fusion", given->reserved);
  return {.before = view("before", given->before),
          .sum = view("sum", given->sum),
          .after = view("after", given->after),
          .activation = activation_of(given->activation)};
}

FusionGradient fusion_of(const norma_fusion_gradient* given) {
  if (given == nullptr) return {};
  check_reserved("fusion", given->reserved);
  return {.beta = view("beta", given->beta),
          .after = view("after", given->after),
          .activation = activation_of(given->activation),
          .dsum = view("dsum", given->dsum),
          .dafter = view("dafter", given->dafter)};
}

Axes axes_of(const char* argument, const norma_axes& axes) {
  if (axes.count < 0 || axes.count > NORMA_MAX_RANK) {
    refuse(argument, "0 to " + std::to_string(NORMA_MAX_RANK) + " axes", std::to_string(axes.count));
  }
  const std::span<const int> listed(axes.axes, static_cast<std::size_t>(axes.count));
  switch (axes.kind) {
    case NORMA_AXES_LISTED:
      return Axes::of(listed);
    case NORMA_AXES_ALL_BUT:
      return Axes::all_but(listed);
    case NORMA_AXES_FROM:
      if (axes.count != 1) refuse(argument, "one axis to begin from", std::to_string(axes.count));
      return Axes::from(axes.axes[0]);
    default:
      refuse(argument, "a kind of norma_axes", std::to_string(axes.kind));
  }
}

Descriptor descriptor_of(const norma_descriptor* given) {
  const norma_descriptor& d = required("descriptor", given);
  check_reserved("descriptor", d.reserved);
  return {.name = d.name == nullptr ? "normalize" : d.name,
          .statistics = axes_of("statistics", d.statistics),
          .affine = axes_of("affine", d.affine),
          .groups = d.groups,
          .eps = d.eps,
          .centred = d.centred != 0};
}

// Shapes alone: no memory is asked for.
Shape shape_of_x(const norma_tensor* x) {
  return shape_of("x", required("x", x).rank, x->sizes);
}

void put(const Shape& shape, norma_tensor* to) {
  required("shape", to);
  to->rank = shape.rank();
  std::copy(shape.sizes().begin(), shape.sizes().end(), to->sizes);
}

norma_axes axes(std::int32_t kind, std::int32_t axis) {
  return {kind, 1, {axis}};
}

// The last `count` axes. A count of 0 or of nonsense is an error where the descriptor is used.
norma_axes last(std::int32_t count) {
  if (count == 0) return {NORMA_AXES_LISTED, 0, {}};
  const bool fits = count > 0 && count <= NORMA_MAX_RANK;
  return axes(NORMA_AXES_FROM, fits ? -count : INT32_MIN);
}

norma_descriptor describe(const char* name, const norma_axes& statistics, const norma_axes& affine, double eps) {
  return {name, statistics, affine, 1, eps, 1, 0};
}

const RunningConvention& convention_of(const char* name) {
  required("convention", name);
  return running_convention(name);
}

template <class T>
std::span<T> counts_of(const char* argument, T* counts, std::size_t size) {
  if (size > 0) required(argument, counts);
  return {counts, size};
}

const std::vector<std::string>& isas() {
  static const std::vector<std::string> names = available_isas();
  return names;
}

// What this thread's calls through C take their memory from.
thread_local std::optional<WorkspaceScope> workspace;

void check_idle() {
  if (workspace && workspace->busy()) throw Error("[workspace] expected no call of this thread to be running, got one");
}

Threads threads_of(const norma_threads* given) {
  if (given == nullptr) return {};
  check_reserved("threads", given->reserved);
  return {.count = given->count, .parallel_for = given->parallel_for, .context = given->context};
}

}  // namespace
}  // namespace norma

using namespace norma;

int32_t norma_abi_version() {
  return NORMA_ABI_VERSION;
}

const char* norma_version() {
  return version().data();
}

const char* norma_last_error() {
  return last_error.data();
}

norma_descriptor norma_batch_norm(double eps) {
  return describe("batch_norm", axes(NORMA_AXES_ALL_BUT, 1), axes(NORMA_AXES_LISTED, 1), eps);
}

norma_descriptor norma_layer_norm(int32_t count, double eps) {
  return describe("layer_norm", last(count), last(count), eps);
}

norma_descriptor norma_group_norm(int64_t groups, double eps) {
  norma_descriptor d = describe("group_norm", axes(NORMA_AXES_FROM, 1), axes(NORMA_AXES_LISTED, 1), eps);
  d.groups = groups;
  return d;
}

norma_descriptor norma_instance_norm(double eps) {
  return describe("instance_norm", axes(NORMA_AXES_FROM, 2), axes(NORMA_AXES_LISTED, 1), eps);
}

norma_descriptor norma_rms_norm(int32_t count, double eps) {
  norma_descriptor d = describe("rms_norm", last(count), last(count), eps);
  d.centred = 0;
  return d;
}

norma_status norma_statistics_shape(const norma_descriptor* descriptor, const norma_tensor* x, norma_tensor* shape) {
  return guarded([&] { put(statistics_shape(descriptor_of(descriptor), shape_of_x(x)), shape); });
}

norma_status norma_affine_shape(const norma_descriptor* descriptor, const norma_tensor* x, norma_tensor* shape) {
  return guarded([&] { put(affine_shape(descriptor_of(descriptor), shape_of_x(x)), shape); });
}

norma_status norma_forward_fused(const norma_descriptor* descriptor, const norma_tensor* x, const norma_tensor* gamma,
                                 const norma_tensor* beta, const norma_tensor* y, const norma_tensor* mean,
                                 const norma_tensor* rstd, const norma_mask* mask, const norma_fusion* fusion) {
  return guarded([&] {
    forward(descriptor_of(descriptor), view("x", x), view("gamma", gamma), view("beta", beta), view("y", y),
            view("mean", mean), view("rstd", rstd), view(mask), fusion_of(fusion));
  });
}

norma_status norma_forward(const norma_descriptor* descriptor, const norma_tensor* x, const norma_tensor* gamma,
                           const norma_tensor* beta, const norma_tensor* y, const norma_tensor* mean,
                           const norma_tensor* rstd, const norma_mask* mask) {
  return norma_forward_fused(descriptor, x, gamma, beta, y, mean, rstd, mask, nullptr);
}

norma_status norma_backward_fused(const norma_descriptor* descriptor, const norma_tensor* dy, const norma_tensor* x,
                                  const norma_tensor* gamma, const norma_tensor* mean, const norma_tensor* rstd,
                                  const norma_tensor* dx, const norma_tensor* dgamma, const norma_tensor* dbeta,
                                  const norma_mask* mask, const norma_fusion_gradient* fusion) {
  return guarded([&] {
    backward(descriptor_of(descriptor), view("dy", dy), view("x", x), view("gamma", gamma), view("mean", mean),
             view("rstd", rstd), view("dx", dx), view("dgamma", dgamma), view("dbeta", dbeta), view(mask),
             fusion_of(fusion));
  });
}

norma_status norma_backward(const norma_descriptor* descriptor, const norma_tensor* dy, const norma_tensor* x,
                            const norma_tensor* gamma, const norma_tensor* mean, const norma_tensor* rstd,
                            const norma_tensor* dx, const norma_tensor* dgamma, const norma_tensor* dbeta,
                            const norma_mask* mask) {
  return norma_backward_fused(descriptor, dy, x, gamma, mean, rstd, dx, dgamma, dbeta, mask, nullptr);
}

norma_status norma_inference_fused(const norma_descriptor* descriptor, const norma_tensor* x, const norma_tensor* gamma,
                                   const norma_tensor* beta, const norma_tensor* mean, const norma_tensor* variance,
                                   const norma_tensor* y, const norma_mask* mask, const norma_fusion* fusion) {
  return guarded([&] {
    inference(descriptor_of(descriptor), view("x", x), view("gamma", gamma), view("beta", beta), view("mean", mean),
              view("variance", variance), view("y", y), view(mask), fusion_of(fusion));
  });
}

norma_status norma_inference(const norma_descriptor* descriptor, const norma_tensor* x, const norma_tensor* gamma,
                             const norma_tensor* beta, const norma_tensor* mean, const norma_tensor* variance,
                             const norma_tensor* y, const norma_mask* mask) {
  return norma_inference_fused(descriptor, x, gamma, beta, mean, variance, y, mask, nullptr);
}

norma_status norma_inference_backward_fused(const norma_descriptor* descriptor, const norma_tensor* dy,
                                            const norma_tensor* x, const norma_tensor* gamma, const norma_tensor* mean,
                                            const norma_tensor* variance, const norma_tensor* dx,
                                            const norma_tensor* dgamma, const norma_tensor* dbeta,
                                            const norma_mask* mask, const norma_fusion_gradient* fusion) {
  return guarded([&] {
    inference_backward(descriptor_of(descriptor), view("dy", dy), view("x", x), view("gamma", gamma),
                       view("mean", mean), view("variance", variance), view("dx", dx), view("dgamma", dgamma),
                       view("dbeta", dbeta), view(mask), fusion_of(fusion));
  });
}

norma_status norma_inference_backward(const norma_descriptor* descriptor, const norma_tensor* dy, const norma_tensor* x,
                                      const norma_tensor* gamma, const norma_tensor* mean, const norma_tensor* variance,
                                      const norma_tensor* dx, const norma_tensor* dgamma, const norma_tensor* dbeta,
                                      const norma_mask* mask) {
  return norma_inference_backward_fused(descriptor, dy, x, gamma, mean, variance, dx, dgamma, dbeta, mask, nullptr);
}

norma_status norma_statistics(const norma_descriptor* descriptor, const norma_tensor* x, const norma_tensor* mean,
                              const norma_tensor* m2, const norma_mask* mask, int64_t* count) {
  return guarded([&] {
    const std::int64_t behind =
        statistics(descriptor_of(descriptor), view("x", x), view("mean", mean), view("m2", m2), view(mask));
    if (count != nullptr) *count = behind;
  });
}

norma_status norma_valid_counts(const norma_descriptor* descriptor, const norma_tensor* x, const norma_mask* mask,
                                int64_t* counts, size_t capacity) {
  return guarded([&] {
    const Descriptor d = descriptor_of(descriptor);
    const Shape shape = shape_of_x(x);
    const auto wanted = static_cast<std::size_t>(statistics_shape(d, shape).elements());
    if (wanted > capacity) refuse("capacity", std::to_string(wanted) + " or more", std::to_string(capacity));
    std::ranges::copy(valid_counts(d, shape, view(mask)), counts_of("counts", counts, wanted).begin());
  });
}

norma_status norma_merge(int64_t* count, const norma_tensor* mean, const norma_tensor* m2, int64_t other_count,
                         const norma_tensor* other_mean, const norma_tensor* other_m2) {
  return guarded([&] {
    const std::int64_t own = required("count", count);
    *count = merge(own, view("mean", mean), view("m2", m2), other_count, view("other_mean", other_mean),
                   view("other_m2", other_m2));
  });
}

norma_status norma_merge_counts(int64_t* counts, const norma_tensor* mean, const norma_tensor* m2,
                                const int64_t* other_counts, const norma_tensor* other_mean,
                                const norma_tensor* other_m2, size_t statistics) {
  return guarded([&] {
    merge(counts_of("counts", counts, statistics), view("mean", mean), view("m2", m2),
          counts_of("other_counts", other_counts, statistics), view("other_mean", other_mean),
          view("other_m2", other_m2));
  });
}

norma_status norma_update_running(const char* convention, double momentum, int64_t count, const norma_tensor* mean,
                                  const norma_tensor* variance, const norma_tensor* running_mean,
                                  const norma_tensor* running_var) {
  return guarded([&] {
    update_running(convention_of(convention), momentum, count, view("mean", mean), view("variance", variance),
                   view("running_mean", running_mean), view("running_var", running_var));
  });
}

norma_status norma_update_running_groups(const char* convention, double momentum, const int64_t* counts, size_t groups,
                                         const norma_tensor* mean, const norma_tensor* variance,
                                         const norma_tensor* running_mean, const norma_tensor* running_var) {
  return guarded([&] {
    update_running(convention_of(convention), momentum, counts_of("counts", counts, groups), view("mean", mean),
                   view("variance", variance), view("running_mean", running_mean), view("running_var", running_var));
  });
}

norma_status norma_fold_batch_norm(const norma_tensor* weight, const norma_tensor* bias, const norma_tensor* gamma,
                                   const norma_tensor* beta, const norma_tensor* mean, const norma_tensor* variance,
                                   double eps, int32_t output_axis, int64_t groups, const norma_tensor* folded_weight,
                                   const norma_tensor* folded_bias) {
  return guarded([&] {
    fold_batch_norm(view("weight", weight), view("bias", bias), view("gamma", gamma), view("beta", beta),
                    view("mean", mean), view("variance", variance), eps, view("folded_weight", folded_weight),
                    view("folded_bias", folded_bias), output_axis, groups);
  });
}

const char* norma_available_isa(int32_t index) {
  const char* name = nullptr;
  guarded([&] {
    if (index >= 0 && static_cast<std::size_t>(index) < isas().size()) {
      name = isas()[static_cast<std::size_t>(index)].c_str();
    }
  });
  return name;
}

const char* norma_current_isa() {
  const char* name = nullptr;
  guarded([&] { name = std::ranges::find(isas(), current_isa())->c_str(); });
  return name;
}

norma_status norma_force_isa(const char* name) {
  return guarded([&] { force_isa(name == nullptr ? "" : name); });
}

norma_status norma_set_threads(const norma_threads* threads, norma_threads* before) {
  return guarded([&] {
    const Threads old = set_threads(threads_of(threads));
    if (before != nullptr) *before = {old.parallel_for, old.context, old.count, 0};
  });
}

int32_t norma_max_threads() {
  return max_threads();
}

norma_status norma_set_workspace(void* memory, size_t bytes) {
  return guarded([&] {
    check_idle();
    if (memory == nullptr && bytes > 0) refuse("memory", std::to_string(bytes) + " bytes", "a null pointer");
    workspace.reset();
    workspace.emplace(memory, bytes);
  });
}

size_t norma_workspace_needed() {
  return workspace ? workspace->needed() : 0;
}

norma_status norma_clear_workspace() {
  return guarded([&] {
    check_idle();
    workspace.reset();
  });
}
