#include <norma/c_api.h>

#include <stdio.h>

int main(void) {
  float x[] = {1, 2, 3, 4}, y[4];
  const norma_tensor in = {.data = x, .rank = 2, .sizes = {1, 4}}, out = {.data = y, .rank = 2, .sizes = {1, 4}};
  const norma_descriptor norm = norma_layer_norm(1, 0.0);
  if (norma_forward(&norm, &in, NULL, NULL, &out, NULL, NULL, NULL) != NORMA_OK) return puts(norma_last_error());
  printf("%.4f %.4f %.4f %.4f\n", y[0], y[1], y[2], y[3]);
  return 0;
}
