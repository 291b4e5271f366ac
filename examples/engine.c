/* Norma inside another engine, in C: the engine's threads, the engine's memory, and batch norm folded away.
 *
 *     cc engine.c $(pkg-config --cflags --libs norma) */
#include <norma/c_api.h>

#include <stdio.h>
#include <stdlib.h>

/* The engine's pool. This one runs the tasks one after the other; a real one deals them out and waits for the last. */
static void run_tasks(void* pool, int tasks, void (*body)(void*, int), void* context) {
  (void)pool;
  for (int task = 0; task < tasks; ++task) body(context, task);
}

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, norma_last_error());
  return EXIT_FAILURE;
}

int main(void) {
  enum { kSamples = 64, kFeatures = 1024 };
  static float x[kSamples * kFeatures], y[kSamples * kFeatures];
  for (int i = 0; i < kSamples * kFeatures; ++i) x[i] = (float)(i % 17);

  /* Once for each thread of the engine that calls. */
  const norma_threads threads = {.parallel_for = run_tasks, .count = 4};
  if (norma_set_threads(&threads, NULL) != NORMA_OK) return failed("threads");

  const norma_descriptor norm = norma_batch_norm(1e-5);
  const norma_tensor in = {.data = x, .rank = 2, .sizes = {kSamples, kFeatures}};
  norma_tensor out = in;
  out.data = y;

  /* How much memory the call wants, and then the call with memory of the engine's: nothing comes from the heap. */
  if (norma_set_workspace(NULL, 0) != NORMA_OK) return failed("workspace");
  if (norma_forward(&norm, &in, NULL, NULL, &out, NULL, NULL, NULL) != NORMA_OK) return failed("batch norm");
  const size_t bytes = norma_workspace_needed();
  void* arena = malloc(bytes);
  if (arena == NULL || norma_set_workspace(arena, bytes) != NORMA_OK) return failed("workspace");
  if (norma_forward(&norm, &in, NULL, NULL, &out, NULL, NULL, NULL) != NORMA_OK) return failed("batch norm");
  norma_clear_workspace();
  free(arena);

  /* A linear layer (2 outputs, 3 inputs) and the batch norm after it, as one linear layer. */
  float weight[2 * 3] = {1, 2, 3, 4, 5, 6}, bias[2], mean[2] = {1, 2}, variance[2] = {4, 16};
  const norma_tensor w = {.data = weight, .rank = 2, .sizes = {2, 3}}, b = {.data = bias, .rank = 1, .sizes = {2}};
  const norma_tensor m = {.data = mean, .rank = 1, .sizes = {2}}, v = {.data = variance, .rank = 1, .sizes = {2}};
  if (norma_fold_batch_norm(&w, NULL, NULL, NULL, &m, &v, 0.0, 0, 1, &w, &b) != NORMA_OK) return failed("fold");

  printf("%s on %s: y[1] = %.4f, folded weight %g %g %g and bias %g\n", norma_version(), norma_current_isa(), y[1],
         weight[0], weight[1], weight[2], bias[0]);
  return EXIT_SUCCESS;
}
