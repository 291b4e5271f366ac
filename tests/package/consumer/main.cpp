#include <norma/norma.h>
#include <cstdio>

int main() {
  const float x[] = {1, 2, 3, 4};
  float y[4];
  const norma::Shape shape{1, 4};
  norma::forward(norma::layer_norm(1, 0.0), {x, shape}, {}, {}, {y, shape}, {}, {});
  std::printf("%.4f %.4f %.4f %.4f\n", y[0], y[1], y[2], y[3]);
}
