/* Every function of the C ABI from a program in C99. Exit code 1 and a line for each check that fails. */
#include <norma/c_api.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

static void check(int good, const char* what, int line) {
  if (good) return;
  ++failures;
  printf("c_api_test.c:%d: %s (last error: %s)\n", line, what, norma_last_error());
}
#define CHECK(condition) check((condition), #condition, __LINE__)

static norma_tensor vector(float* data, int64_t size) {
  norma_tensor t = {.data = data, .rank = 1, .sizes = {size}};
  return t;
}

static norma_tensor matrix(float* data, int64_t rows, int64_t columns) {
  norma_tensor t = {.data = data, .rank = 2, .sizes = {rows, columns}};
  return t;
}

static int near(double a, double b) {
  return fabs(a - b) <= 1e-6 * (1 + fabs(b));
}

static void check_identity(void) {
  CHECK(norma_abi_version() == NORMA_ABI_VERSION);
  CHECK(strlen(norma_version()) >= 5);
  CHECK(norma_available_isa(0) != NULL && norma_available_isa(-1) == NULL && norma_available_isa(1000) == NULL);
  CHECK(norma_force_isa(norma_available_isa(0)) == NORMA_OK);
  CHECK(strcmp(norma_current_isa(), norma_available_isa(0)) == 0);
  CHECK(norma_force_isa("no such set") == NORMA_INVALID_ARGUMENT && strstr(norma_last_error(), "no such set") != NULL);
  CHECK(norma_force_isa(NULL) == NORMA_OK);
}

static void check_layer_norm(void) {
  float x[6] = {1, 2, 3, 7, 7, 7}, gamma[3] = {1, 2, 1}, beta[3] = {0, 0, 0.5F}, y[6], mean[2], rstd[2];
  const norma_tensor tx = matrix(x, 2, 3), ty = matrix(y, 2, 3), tg = vector(gamma, 3), tb = vector(beta, 3);
  const norma_tensor tm = vector(mean, 2), tr = vector(rstd, 2);
  const norma_descriptor d = norma_layer_norm(1, 0.0);
  CHECK(norma_forward(&d, &tx, &tg, &tb, &ty, &tm, &tr, NULL) == NORMA_OK);
  CHECK(near(y[0], -sqrt(1.5)) && y[1] == 0 && near(y[2], sqrt(1.5) + 0.5));
  CHECK(y[3] == 0 && y[4] == 0 && y[5] == 0.5F);
  CHECK(mean[0] == 2 && mean[1] == 7 && near(rstd[0], sqrt(1.5)) && rstd[1] == 0);

  float dy[6] = {1, 0, 0, 1, 1, 1}, dx[6], dgamma[3], dbeta[3];
  const norma_tensor tdy = matrix(dy, 2, 3), tdx = matrix(dx, 2, 3), tdg = vector(dgamma, 3), tdb = vector(dbeta, 3);
  CHECK(norma_backward(&d, &tdy, &tx, &tg, &tm, &tr, &tdx, &tdg, &tdb, NULL) == NORMA_OK);
  /* rstd * (g - mean(g) - xhat * mean(g * xhat)), g = (1, 0, 0) */
  const double r = sqrt(1.5);
  CHECK(near(dx[0], r * (1 - 1 / 3.0 - r * r / 3)) && near(dx[1], -r / 3) && near(dx[2], r * (-1 / 3.0 + r * r / 3)));
  CHECK(dx[3] == 0 && dx[4] == 0 && dx[5] == 0);
  CHECK(near(dgamma[0], -r) && dgamma[1] == 0 && dgamma[2] == 0 && dbeta[0] == 2 && dbeta[1] == 1 && dbeta[2] == 1);

  norma_tensor shape = {.data = x};
  CHECK(norma_statistics_shape(&d, &tx, &shape) == NORMA_OK && shape.rank == 1 && shape.sizes[0] == 2);
  CHECK(norma_affine_shape(&d, &tx, &shape) == NORMA_OK && shape.rank == 1 && shape.sizes[0] == 3 && shape.data == x);
}

static void check_batch_norm_in_every_layout(void) {
  /* (N, C, W) = (2, 2, 2): channel 0 holds 0 1 2 3, channel 1 ten times that. */
  double first[8] = {0, 1, 0, 10, 2, 3, 20, 30}, last[8] = {0, 0, 1, 10, 2, 20, 3, 30}, y[8];
  const double edge = 1.5 / sqrt(1.25), inner = 0.5 / sqrt(1.25);
  const norma_descriptor d = norma_batch_norm(0.0);
  norma_tensor tx = {.data = first, .dtype = NORMA_F64, .rank = 3, .sizes = {2, 2, 2}};
  norma_tensor ty = tx;
  ty.data = y;
  CHECK(norma_forward(&d, &tx, NULL, NULL, &ty, NULL, NULL, NULL) == NORMA_OK);
  CHECK(near(y[0], -edge) && near(y[1], -inner) && near(y[3], -inner) && near(y[4], inner) && near(y[7], edge));
  tx.data = last;
  tx.layout = ty.layout = NORMA_CHANNELS_LAST;
  CHECK(norma_forward(&d, &tx, NULL, NULL, &ty, NULL, NULL, NULL) == NORMA_OK);
  CHECK(near(y[0], -edge) && near(y[2], -inner) && near(y[3], -inner) && near(y[4], inner) && near(y[7], edge));
  const norma_tensor layout = ty;
  tx.layout = ty.layout = NORMA_STRIDED;
  const int64_t strides[3] = {4, 1, 2};
  memcpy(tx.strides, strides, sizeof strides);
  memcpy(ty.strides, strides, sizeof strides);
  double again[8];
  ty.data = again;
  CHECK(norma_forward(&d, &tx, NULL, NULL, &ty, NULL, NULL, NULL) == NORMA_OK);
  CHECK(memcmp(again, layout.data, sizeof again) == 0);
}

static void check_short_types(void) {
  /* 1 2 3 4 in bf16 and in f16, with f32 parameters. */
  uint16_t bf16[4] = {0x3f80, 0x4000, 0x4040, 0x4080}, f16[4] = {0x3c00, 0x4000, 0x4200, 0x4400}, y[4];
  float gamma[2] = {1, 2};
  const norma_tensor tg = vector(gamma, 2);
  const norma_descriptor d = norma_layer_norm(1, 0.0);
  norma_tensor tx = {.data = bf16, .dtype = NORMA_BF16, .rank = 2, .sizes = {2, 2}}, ty = tx;
  ty.data = y;
  CHECK(norma_forward(&d, &tx, &tg, NULL, &ty, NULL, NULL, NULL) == NORMA_OK);
  CHECK(y[0] == 0xbf80 && y[1] == 0x4000 && y[2] == 0xbf80 && y[3] == 0x4000);
  tx.data = f16;
  tx.dtype = ty.dtype = NORMA_F16;
  CHECK(norma_forward(&d, &tx, &tg, NULL, &ty, NULL, NULL, NULL) == NORMA_OK);
  CHECK(y[0] == 0xbc00 && y[1] == 0x4000 && y[2] == 0xbc00 && y[3] == 0x4000);
}

static void check_inference(void) {
  float x[4] = {1, 2, 3, 4}, mean[2] = {1, 2}, variance[2] = {4, 16}, y[4], dy[4] = {1, 1, 1, 1}, dx[4], dbeta[2];
  const norma_tensor tx = matrix(x, 2, 2), ty = matrix(y, 2, 2), tdy = matrix(dy, 2, 2), tdx = matrix(dx, 2, 2);
  const norma_tensor tm = vector(mean, 2), tv = vector(variance, 2), tdb = vector(dbeta, 2);
  const norma_descriptor d = norma_batch_norm(0.0);
  CHECK(norma_inference(&d, &tx, NULL, NULL, &tm, &tv, &ty, NULL) == NORMA_OK);
  CHECK(y[0] == 0 && y[1] == 0 && y[2] == 1 && y[3] == 0.5F);
  CHECK(norma_inference_backward(&d, &tdy, &tx, NULL, &tm, &tv, &tdx, NULL, &tdb, NULL) == NORMA_OK);
  CHECK(dx[0] == 0.5F && dx[1] == 0.25F && dbeta[0] == 2 && dbeta[1] == 2);
}

static void check_fusion(void) {
  /* x + before = 1 2 3; normalized -r 0 r with r = sqrt(1.5); + after = -r 1 r - 3; ReLU: 0 1 0. */
  float x[3] = {0, 1, 1}, before[3] = {1, 1, 2}, after[3] = {0, 1, -3}, sum[3], y[3], mean[1], rstd[1];
  const norma_tensor tx = matrix(x, 1, 3), tb = matrix(before, 1, 3), ta = matrix(after, 1, 3), ts = matrix(sum, 1, 3);
  const norma_tensor ty = matrix(y, 1, 3), tm = vector(mean, 1), tr = vector(rstd, 1);
  const norma_descriptor d = norma_layer_norm(1, 0.0);
  norma_fusion fusion = {.before = &tb, .sum = &ts, .after = &ta, .activation = NORMA_RELU};
  CHECK(norma_forward_fused(&d, &tx, NULL, NULL, &ty, &tm, &tr, NULL, &fusion) == NORMA_OK);
  CHECK(sum[0] == 1 && sum[1] == 2 && sum[2] == 3 && y[0] == 0 && near(y[1], 1) && y[2] == 0);

  /* Only the middle one passes ReLU: g = (0, 1, 0), dx = rstd (g - 1/3) + dsum. */
  float dy[3] = {5, 1, 5}, dsum[3] = {1, 1, 1}, dx[3], dafter[3];
  const norma_tensor tdy = matrix(dy, 1, 3), tds = matrix(dsum, 1, 3), tdx = matrix(dx, 1, 3),
                     tda = matrix(dafter, 1, 3);
  norma_fusion_gradient gradient = {.after = &ta, .dsum = &tds, .dafter = &tda, .activation = NORMA_RELU};
  CHECK(norma_backward_fused(&d, &tdy, &ts, NULL, &tm, &tr, &tdx, NULL, NULL, NULL, &gradient) == NORMA_OK);
  const double r = sqrt(1.5);
  CHECK(dafter[0] == 0 && dafter[1] == 1 && dafter[2] == 0);
  CHECK(near(dx[0], 1 - r / 3) && near(dx[1], 1 + r * 2 / 3) && near(dx[2], 1 - r / 3));

  const norma_fusion none = {0};
  float plain[3];
  const norma_tensor tp = matrix(plain, 1, 3);
  CHECK(norma_forward_fused(&d, &tx, NULL, NULL, &ty, NULL, NULL, NULL, &none) == NORMA_OK);
  CHECK(norma_forward(&d, &tx, NULL, NULL, &tp, NULL, NULL, NULL) == NORMA_OK && memcmp(y, plain, sizeof y) == 0);

  float variance[3] = {1, 4, 1}, zero[3] = {0, 0, 0};
  const norma_tensor tv = vector(variance, 3), tz = vector(zero, 3);
  const norma_descriptor batch = norma_batch_norm(0.0);
  fusion = (norma_fusion){.after = &ta, .activation = NORMA_RELU};
  CHECK(norma_inference_fused(&batch, &tx, NULL, NULL, &tz, &tv, &ty, NULL, &fusion) == NORMA_OK);
  CHECK(y[0] == 0 && y[1] == 1.5F && y[2] == 0);
  gradient.dsum = NULL;
  CHECK(norma_inference_backward_fused(&batch, &tdy, &tx, NULL, &tz, &tv, &tdx, NULL, NULL, NULL, &gradient) ==
        NORMA_OK);
  CHECK(dx[0] == 0 && dx[1] == 0.5F && dx[2] == 0);

  fusion.activation = 9;
  CHECK(norma_forward_fused(&d, &tx, NULL, NULL, &ty, NULL, NULL, NULL, &fusion) == NORMA_INVALID_ARGUMENT);
  CHECK(strcmp(norma_last_error(), "[c_api] activation: expected one of norma_activation, got 9") == 0);
  fusion.activation = NORMA_GELU;
  fusion.reserved = 1;
  CHECK(norma_forward_fused(&d, &tx, NULL, NULL, &ty, NULL, NULL, NULL, &fusion) == NORMA_INVALID_ARGUMENT);
}

static void check_statistics(void) {
  float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, mean[1], m2[1], other_mean[1], other_m2[1];
  const norma_tensor tx = {.data = x, .rank = 3, .sizes = {2, 1, 2}};
  norma_tensor other = tx;
  other.data = x + 4;
  const norma_tensor tm = vector(mean, 1), ts = vector(m2, 1), om = vector(other_mean, 1), os = vector(other_m2, 1);
  const norma_descriptor d = norma_batch_norm(0.0);
  int64_t count = 0, other_count = 0;
  CHECK(norma_statistics(&d, &tx, &tm, &ts, NULL, &count) == NORMA_OK && count == 4 && mean[0] == 2.5F && m2[0] == 5);
  CHECK(norma_statistics(&d, &other, &om, &os, NULL, &other_count) == NORMA_OK && other_mean[0] == 6.5F);
  CHECK(norma_merge(&count, &tm, &ts, other_count, &om, &os) == NORMA_OK && count == 8 && mean[0] == 4.5F &&
        m2[0] == 42);
  int64_t counts[1] = {8}, more[1] = {0};
  CHECK(norma_merge_counts(counts, &tm, &ts, more, &om, &os, 1) == NORMA_OK && counts[0] == 8 && mean[0] == 4.5F);
  CHECK(norma_merge(&count, &tm, &ts, -1, &om, &os) == NORMA_INVALID_ARGUMENT && count == 8);

  const uint8_t valid[2] = {1, 0};
  const norma_mask mask = {.data = valid, .rank = 3, .sizes = {2, 1, 1}};
  CHECK(norma_statistics(&d, &tx, &tm, &ts, &mask, &count) == NORMA_OK && count == 2 && mean[0] == 1.5F);
  CHECK(norma_valid_counts(&d, &tx, &mask, counts, 1) == NORMA_OK && counts[0] == 2);
  CHECK(norma_valid_counts(&d, &tx, &mask, counts, 0) == NORMA_INVALID_ARGUMENT);

  float running_mean[1] = {0}, running_var[1] = {1}, variance[1] = {2};
  const norma_tensor rm = vector(running_mean, 1), rv = vector(running_var, 1), tv = vector(variance, 1);
  CHECK(norma_update_running("torch", 0.5, 2, &tm, &tv, &rm, &rv) == NORMA_OK && running_mean[0] == 0.75F &&
        running_var[0] == 2.5F);
  CHECK(norma_update_running("jax", 0.5, 2, &tm, &tv, &rm, &rv) == NORMA_INVALID_ARGUMENT);
  float group_mean[2] = {1, 2}, group_variance[2] = {1, 1};
  const int64_t sizes[2] = {2, 2};
  const norma_tensor gm = matrix(group_mean, 2, 1), gv = matrix(group_variance, 2, 1);
  CHECK(norma_update_running_groups("onnx", 0.0, sizes, 2, &gm, &gv, &rm, &rv) == NORMA_OK && running_mean[0] == 1.5F &&
        running_var[0] == 1);
}

static void check_fold(void) {
  float weight[2] = {1, 2}, mean[2] = {1, 2}, variance[2] = {4, 16}, bias[2];
  const norma_tensor w = matrix(weight, 2, 1), m = vector(mean, 2), v = vector(variance, 2), b = vector(bias, 2);
  CHECK(norma_fold_batch_norm(&w, NULL, NULL, NULL, &m, &v, 0.0, 0, 1, &w, &b) == NORMA_OK);
  CHECK(weight[0] == 0.5F && weight[1] == 0.5F && bias[0] == -0.5F && bias[1] == -0.5F);
}

static int pool_calls = 0;

static void backwards(void* context, int tasks, void (*body)(void*, int), void* body_context) {
  CHECK(context == &pool_calls);
  ++pool_calls;
  for (int task = tasks; task-- > 0;) body(body_context, task);
}

static void check_threads_and_workspace(void) {
  enum { kRows = 2000, kColumns = 300 };
  float* x = malloc(sizeof(float) * kRows * kColumns);
  float* y = malloc(sizeof(float) * kRows * kColumns);
  float* again = malloc(sizeof(float) * kRows * kColumns);
  for (int i = 0; i < kRows * kColumns; ++i) x[i] = (float)(i % 1009) / 100;
  const norma_tensor tx = matrix(x, kRows, kColumns), ty = matrix(y, kRows, kColumns);
  const norma_tensor tz = matrix(again, kRows, kColumns);
  const norma_descriptor d = norma_batch_norm(1e-5);
  const norma_threads one = {.count = 1}, four = {.parallel_for = backwards, .context = &pool_calls, .count = 4};
  norma_threads before;
  const int32_t usual = norma_max_threads();
  CHECK(norma_set_threads(&one, &before) == NORMA_OK && before.count == 0 && norma_max_threads() == 1);
  CHECK(norma_forward(&d, &tx, NULL, NULL, &ty, NULL, NULL, NULL) == NORMA_OK && pool_calls == 0);
  CHECK(norma_set_threads(&four, &before) == NORMA_OK && before.count == 1 && norma_max_threads() == 4);
  CHECK(norma_set_workspace(NULL, 0) == NORMA_OK);
  CHECK(norma_forward(&d, &tx, NULL, NULL, &tz, NULL, NULL, NULL) == NORMA_OK && pool_calls > 0);
  CHECK(memcmp(y, again, sizeof(float) * kRows * kColumns) == 0);
  const size_t needed = norma_workspace_needed();
  CHECK(needed > 0);
  void* memory = malloc(needed);
  CHECK(norma_set_workspace(memory, needed) == NORMA_OK && norma_workspace_needed() == 0);
  memset(again, 0, sizeof(float) * kRows * kColumns);
  CHECK(norma_forward(&d, &tx, NULL, NULL, &tz, NULL, NULL, NULL) == NORMA_OK && norma_workspace_needed() == needed);
  CHECK(memcmp(y, again, sizeof(float) * kRows * kColumns) == 0);
  CHECK(norma_clear_workspace() == NORMA_OK && norma_workspace_needed() == 0);
  CHECK(norma_set_workspace(NULL, 1) == NORMA_INVALID_ARGUMENT);
  CHECK(norma_set_threads(NULL, NULL) == NORMA_OK && norma_max_threads() == usual);
  const norma_threads none = {.parallel_for = backwards};
  CHECK(norma_set_threads(&none, NULL) == NORMA_INVALID_ARGUMENT && norma_max_threads() == usual);
  free(memory);
  free(again);
  free(y);
  free(x);
}

static void check_errors(void) {
  float x[4] = {1, 2, 3, 4};
  const norma_tensor good = matrix(x, 2, 2);
  const norma_descriptor d = norma_layer_norm(1, 1e-5);
  CHECK(norma_forward(NULL, &good, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_INVALID_ARGUMENT);
  CHECK(norma_forward(&d, NULL, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_INVALID_ARGUMENT);
  CHECK(strcmp(norma_last_error(), "[layer_norm] x: expected a tensor, got none") == 0);
  norma_tensor bad = good;
  bad.dtype = 77;
  CHECK(norma_forward(&d, &bad, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_INVALID_ARGUMENT);
  CHECK(strcmp(norma_last_error(), "[c_api] x: expected a type of norma_dtype, got 77") == 0);
  bad = good;
  bad.rank = NORMA_MAX_RANK + 1;
  CHECK(norma_forward(&d, &bad, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_INVALID_ARGUMENT);
  bad = good;
  bad.sizes[1] = INT64_MIN;
  CHECK(norma_forward(&d, &bad, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_INVALID_ARGUMENT);
  bad = good;
  bad.reserved = 1;
  CHECK(norma_forward(&d, &bad, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_INVALID_ARGUMENT);
  bad = good;
  bad.data = (char*)x + 1;
  CHECK(norma_forward(&d, &bad, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_INVALID_ARGUMENT);
  CHECK(strstr(norma_last_error(), "aligned") != NULL);
  const norma_descriptor absurd[] = {norma_layer_norm(-1, 0), norma_layer_norm(9, 0), norma_layer_norm(INT32_MIN, 0),
                                     norma_rms_norm(3, 0),    norma_group_norm(0, 0), norma_group_norm(INT64_MIN, 0),
                                     norma_instance_norm(-1)};
  for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; ++i) {
    CHECK(norma_forward(&absurd[i], &good, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_INVALID_ARGUMENT);
  }
  CHECK(x[0] == 1 && x[3] == 4);
  /* RMSNorm over nothing but the last axis, in place. */
  const norma_descriptor rms = norma_rms_norm(1, 0.0);
  CHECK(norma_forward(&rms, &good, NULL, NULL, &good, NULL, NULL, NULL) == NORMA_OK && near(x[0], 1 / sqrt(2.5)));
}

int main(void) {
  check_identity();
  check_layer_norm();
  check_batch_norm_in_every_layout();
  check_short_types();
  check_inference();
  check_fusion();
  check_statistics();
  check_fold();
  check_threads_and_workspace();
  check_errors();
  if (failures == 0) printf("every check of the C ABI passed\n");
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
