/* Norma in C: plain structs and functions, for C99 and for whatever calls C.
 *
 * Every function that can fail returns a status; norma_last_error() then says what was wrong, by the operation, what
 * was expected and what came. A call that fails with NORMA_INVALID_ARGUMENT has written nothing. No exception leaves a
 * function, nothing is printed, and nothing aborts.
 *
 * An optional argument is left out by a null pointer. A struct set to zero and then filled by name is valid where its
 * other fields may be zero:
 *
 *     norma_tensor x = {.data = values, .rank = 2, .sizes = {32, 768}};     f32, dense, channels first
 *
 * What each operation computes, the shapes of its arguments, the data types and what may overlap: norma/ops.h.
 *
 * Stability: within one NORMA_ABI_VERSION no struct, enumerator or signature changes; what is new comes as new
 * functions and new enumerators. A program built against version n runs with every library of which norma_abi_version()
 * is n. All functions may be called from several threads at once. */
#ifndef NORMA_C_API_H
#define NORMA_C_API_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define NORMA_API __attribute__((visibility("default")))
#else
#define NORMA_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define NORMA_ABI_VERSION 1
#define NORMA_MAX_RANK 8

/* NORMA_ABI_VERSION of the library that runs. */
NORMA_API int32_t norma_abi_version(void);
/* "0.1.0". */
NORMA_API const char* norma_version(void);

typedef int32_t norma_status;
enum {
  NORMA_OK = 0,
  NORMA_INVALID_ARGUMENT = 1, /* the caller's mistake */
  NORMA_OUT_OF_MEMORY = 2,
  NORMA_FAILED = 3 /* anything else, such as an exception that the caller's own parallel_for let out */
};
/* What was wrong with this thread's last call that failed; "" before the first. Valid until this thread's next call
 * that fails. */
NORMA_API const char* norma_last_error(void);

typedef int32_t norma_dtype;
enum { NORMA_F32 = 0, NORMA_F64 = 1, NORMA_BF16 = 2, NORMA_F16 = 3 };

typedef int32_t norma_layout;
enum {
  NORMA_CHANNELS_FIRST = 0, /* dense, the last axis innermost */
  NORMA_CHANNELS_LAST = 1,  /* dense, axis 1 innermost */
  NORMA_STRIDED = 2         /* as `strides` says */
};

/* Memory of the caller. Axes count in the logical order N, C, spatial... whatever the layout. */
typedef struct norma_tensor {
  void* data;
  norma_dtype dtype;
  norma_layout layout;
  int32_t rank;     /* 0 to NORMA_MAX_RANK; 0: one element */
  int32_t reserved; /* 0 */
  int64_t sizes[NORMA_MAX_RANK];
  int64_t strides[NORMA_MAX_RANK]; /* in elements; read for NORMA_STRIDED alone */
} norma_tensor;

/* Which elements of x count: a byte each, 0 for those that do not. Of x's rank, each axis of x's size or of size 1,
 * which then stands for all of it. */
typedef struct norma_mask {
  const uint8_t* data;
  norma_layout layout; /* NORMA_CHANNELS_FIRST or NORMA_STRIDED */
  int32_t rank;
  int64_t sizes[NORMA_MAX_RANK];
  int64_t strides[NORMA_MAX_RANK]; /* in bytes */
} norma_mask;

/* A set of axes: those listed, all but those listed, or all from axes[0] on. Negative ones count from the end. */
typedef struct norma_axes {
  int32_t kind;
  int32_t count; /* of `axes`; 1 for NORMA_AXES_FROM */
  int32_t axes[NORMA_MAX_RANK];
} norma_axes;
enum { NORMA_AXES_LISTED = 0, NORMA_AXES_ALL_BUT = 1, NORMA_AXES_FROM = 2 };

/* norma/descriptor.h */
typedef struct norma_descriptor {
  const char* name; /* for messages; null: "normalize" */
  norma_axes statistics;
  norma_axes affine;
  int64_t groups; /* 1: axis 1 is not split */
  double eps;
  int32_t centred;  /* 0: RMSNorm's statistics */
  int32_t reserved; /* 0 */
} norma_descriptor;

/* The usual ones. They check nothing: what does not fit x is an error of the operation. */
NORMA_API norma_descriptor norma_batch_norm(double eps);
NORMA_API norma_descriptor norma_layer_norm(int32_t axes, double eps);
NORMA_API norma_descriptor norma_group_norm(int64_t groups, double eps);
NORMA_API norma_descriptor norma_instance_norm(double eps);
NORMA_API norma_descriptor norma_rms_norm(int32_t axes, double eps);

/* The shape of mean, rstd, variance and M2, and of gamma and beta, for an x of this shape. Fills `sizes` and `rank` of
 * `shape` and leaves its other fields alone. */
NORMA_API norma_status norma_statistics_shape(const norma_descriptor* descriptor, const norma_tensor* x,
                                              norma_tensor* shape);
NORMA_API norma_status norma_affine_shape(const norma_descriptor* descriptor, const norma_tensor* x,
                                          norma_tensor* shape);

/* gamma, beta, mean, rstd and mask are optional. */
NORMA_API norma_status norma_forward(const norma_descriptor* descriptor, const norma_tensor* x,
                                     const norma_tensor* gamma, const norma_tensor* beta, const norma_tensor* y,
                                     const norma_tensor* mean, const norma_tensor* rstd, const norma_mask* mask);
/* gamma, dx, dgamma, dbeta and mask are optional; mean is where the descriptor is not centred. */
NORMA_API norma_status norma_backward(const norma_descriptor* descriptor, const norma_tensor* dy, const norma_tensor* x,
                                      const norma_tensor* gamma, const norma_tensor* mean, const norma_tensor* rstd,
                                      const norma_tensor* dx, const norma_tensor* dgamma, const norma_tensor* dbeta,
                                      const norma_mask* mask);
NORMA_API norma_status norma_inference(const norma_descriptor* descriptor, const norma_tensor* x,
                                       const norma_tensor* gamma, const norma_tensor* beta, const norma_tensor* mean,
                                       const norma_tensor* variance, const norma_tensor* y, const norma_mask* mask);
NORMA_API norma_status norma_inference_backward(const norma_descriptor* descriptor, const norma_tensor* dy,
                                                const norma_tensor* x, const norma_tensor* gamma,
                                                const norma_tensor* mean, const norma_tensor* variance,
                                                const norma_tensor* dx, const norma_tensor* dgamma,
                                                const norma_tensor* dbeta, const norma_mask* mask);
/* What an operation does in the same sweep over memory (norma/fusion.h). What is null is left out, and a fusion that is
 * null, or all zero, is none. */
typedef int32_t norma_activation;
enum { NORMA_NO_ACTIVATION = 0, NORMA_RELU = 1, NORMA_GELU = 2, NORMA_GELU_TANH = 3, NORMA_SILU = 4 };
/* sum = x + before; y = activation(norm(sum) + after). `before` and `sum` go together. */
typedef struct norma_fusion {
  const norma_tensor* before;
  const norma_tensor* sum;
  const norma_tensor* after;
  norma_activation activation;
  int32_t reserved; /* 0 */
} norma_fusion;
/* Of that y, x being what was normalized: dafter = dy * activation'; dx = (norm's gradient from dafter) + dsum. */
typedef struct norma_fusion_gradient {
  const norma_tensor* beta; /* beta, after, activation: the forward's */
  const norma_tensor* after;
  const norma_tensor* dsum;
  const norma_tensor* dafter;
  norma_activation activation;
  int32_t reserved; /* 0 */
} norma_fusion_gradient;

NORMA_API norma_status norma_forward_fused(const norma_descriptor* descriptor, const norma_tensor* x,
                                           const norma_tensor* gamma, const norma_tensor* beta, const norma_tensor* y,
                                           const norma_tensor* mean, const norma_tensor* rstd, const norma_mask* mask,
                                           const norma_fusion* fusion);
NORMA_API norma_status norma_backward_fused(const norma_descriptor* descriptor, const norma_tensor* dy,
                                            const norma_tensor* x, const norma_tensor* gamma, const norma_tensor* mean,
                                            const norma_tensor* rstd, const norma_tensor* dx,
                                            const norma_tensor* dgamma, const norma_tensor* dbeta,
                                            const norma_mask* mask, const norma_fusion_gradient* fusion);
NORMA_API norma_status norma_inference_fused(const norma_descriptor* descriptor, const norma_tensor* x,
                                             const norma_tensor* gamma, const norma_tensor* beta,
                                             const norma_tensor* mean, const norma_tensor* variance,
                                             const norma_tensor* y, const norma_mask* mask, const norma_fusion* fusion);
NORMA_API norma_status norma_inference_backward_fused(const norma_descriptor* descriptor, const norma_tensor* dy,
                                                      const norma_tensor* x, const norma_tensor* gamma,
                                                      const norma_tensor* mean, const norma_tensor* variance,
                                                      const norma_tensor* dx, const norma_tensor* dgamma,
                                                      const norma_tensor* dbeta, const norma_mask* mask,
                                                      const norma_fusion_gradient* fusion);
/* `count` is optional: how many values are behind each statistic, -1 where a mask leaves them different counts. */
NORMA_API norma_status norma_statistics(const norma_descriptor* descriptor, const norma_tensor* x,
                                        const norma_tensor* mean, const norma_tensor* m2, const norma_mask* mask,
                                        int64_t* count);
/* `counts` has room for `capacity`; as many are written as there are statistics, or none and it is an error. */
NORMA_API norma_status norma_valid_counts(const norma_descriptor* descriptor, const norma_tensor* x,
                                          const norma_mask* mask, int64_t* counts, size_t capacity);

/* The other set into the first, with one count for all statistics; *count becomes that of the union. */
NORMA_API norma_status norma_merge(int64_t* count, const norma_tensor* mean, const norma_tensor* m2,
                                   int64_t other_count, const norma_tensor* other_mean, const norma_tensor* other_m2);
/* With a count for each of the `statistics`. */
NORMA_API norma_status norma_merge_counts(int64_t* counts, const norma_tensor* mean, const norma_tensor* m2,
                                          const int64_t* other_counts, const norma_tensor* other_mean,
                                          const norma_tensor* other_m2, size_t statistics);
/* `convention`: "torch", "onnx" or "keras". */
NORMA_API norma_status norma_update_running(const char* convention, double momentum, int64_t count,
                                            const norma_tensor* mean, const norma_tensor* variance,
                                            const norma_tensor* running_mean, const norma_tensor* running_var);
/* For one batch in several groups with statistics of their own. */
NORMA_API norma_status norma_update_running_groups(const char* convention, double momentum, const int64_t* counts,
                                                   size_t groups, const norma_tensor* mean,
                                                   const norma_tensor* variance, const norma_tensor* running_mean,
                                                   const norma_tensor* running_var);

/* BatchNorm after a convolution or a linear layer as weights of that layer alone (norma/fold.h). bias, gamma and beta
 * are optional. `output_axis` is 0, or 1 for the weight of a transposed convolution of so many groups. */
NORMA_API norma_status norma_fold_batch_norm(const norma_tensor* weight, const norma_tensor* bias,
                                             const norma_tensor* gamma, const norma_tensor* beta,
                                             const norma_tensor* mean, const norma_tensor* variance, double eps,
                                             int32_t output_axis, int64_t groups, const norma_tensor* folded_weight,
                                             const norma_tensor* folded_bias);

/* The instruction sets that this build has and this machine runs, best first: the name of number `index`, or null past
 * the last. */
NORMA_API const char* norma_available_isa(int32_t index);
/* The one in use; null where NORMA_FORCE_ISA names none that runs here (norma_last_error() says so). */
NORMA_API const char* norma_current_isa(void);
/* For the whole process; "" or null goes back to the best. */
NORMA_API norma_status norma_force_isa(const char* name);

/* norma/threads.h: runs body(body_context, task) once for every task from 0 to tasks - 1, in any order, on any threads,
 * and returns after the last. */
typedef void (*norma_parallel_for)(void* context, int tasks, void (*body)(void* body_context, int task),
                                   void* body_context);
typedef struct norma_threads {
  norma_parallel_for parallel_for; /* null: OpenMP */
  void* context;                   /* handed to parallel_for */
  int32_t count;                   /* parts a call is cut into at most; 0: as OpenMP is set, without a parallel_for */
  int32_t reserved;                /* 0 */
} norma_threads;
/* What this thread's calls run on from here on; null: as at first, OpenMP as it is set. `before` is optional and
 * receives what it was. */
NORMA_API norma_status norma_set_threads(const norma_threads* threads, norma_threads* before);
NORMA_API int32_t norma_max_threads(void);

/* norma/workspace.h: this thread's calls take their working memory from here on from `memory`, which stays the caller's
 * and must live until norma_clear_workspace(). What does not fit comes from the heap; null and 0 bytes only measure.
 * Not from within a parallel_for of a running call (an error where that call has taken from a workspace), and not while
 * a C++ WorkspaceScope of this thread lives. */
NORMA_API norma_status norma_set_workspace(void* memory, size_t bytes);
/* The most bytes that one call since norma_set_workspace has wanted, whether or not they were there; 0 without a
 * workspace. Memory of so many serves all those calls again without the heap. */
NORMA_API size_t norma_workspace_needed(void);
/* Back to the library's own working memory. */
NORMA_API norma_status norma_clear_workspace(void);

#ifdef __cplusplus
}
#endif

#endif
