#include "lab/models/cell_loops.h"

#include <bit>

namespace norma::lab {
namespace {

#if defined(__x86_64__) && defined(__linux__)
#define NORMA_ANY_WIDTH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define NORMA_ANY_WIDTH
#endif
#define NORMA_INLINE __attribute__((always_inline)) inline

// e^x to 1e-7: 2^n e^r with |r| <= ln(2)/2, and Cephes' polynomial for e^r (Moshier). A NaN stays one.
NORMA_INLINE float exponential(float x) {
  constexpr float kRound = 12582912;  // 1.5 * 2^23: what is added to it becomes whole
  constexpr std::int32_t kRoundBits = 0x4b400000, kBias = 127, kMantissa = 23;
  x = x < -87 ? -87 : x > 87 ? 87 : x;
  const float shifted = x * 1.44269504F + kRound, n = shifted - kRound;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1;
  return p * std::bit_cast<float>((std::bit_cast<std::int32_t>(shifted) - kRoundBits + kBias) << kMantissa);
}

NORMA_INLINE float sigmoid(float x) {
  return 1 / (1 + exponential(-x));
}

NORMA_INLINE float tanh_of(float x) {
  return 1 - 2 / (1 + exponential(2 * x));
}

}  // namespace

// g: input, forget, cell, output of each row; open: input, forget, cell after their nonlinearities.
NORMA_ANY_WIDTH void open_gates(const float* __restrict g, const float* __restrict old, float* __restrict open,
                                float* __restrict next, std::int64_t rows, std::int64_t width) {
  for (std::int64_t row = 0; row < rows; ++row, g += 4 * width, open += 3 * width, old += width, next += width) {
    for (std::int64_t i = 0; i < width; ++i) {
      const float in = sigmoid(g[i]), forget = sigmoid(g[width + i]), cell = tanh_of(g[2 * width + i]);
      open[i] = in;
      open[width + i] = forget;
      open[2 * width + i] = cell;
      next[i] = forget * old[i] + in * cell;
    }
  }
}

// g: the output gates, a row every 4 * width.
NORMA_ANY_WIDTH void show_cell(const float* __restrict g, const float* __restrict c, float* __restrict open,
                               float* __restrict squashed, float* __restrict h, std::int64_t rows, std::int64_t width) {
  for (std::int64_t row = 0; row < rows;
       ++row, g += 4 * width, c += width, open += width, squashed += width, h += width) {
    for (std::int64_t i = 0; i < width; ++i) {
      const float out = sigmoid(g[i]), seen = tanh_of(c[i]);
      open[i] = out;
      squashed[i] = seen;
      h[i] = out * seen;
    }
  }
}

// x, h: reset, update, new of each row; open: the same after their nonlinearities, and h's part of new.
NORMA_ANY_WIDTH void mix_state(const float* __restrict x, const float* __restrict h, const float* __restrict old,
                               float* __restrict open, float* __restrict next, std::int64_t rows, std::int64_t width) {
  for (std::int64_t row = 0; row < rows;
       ++row, x += 3 * width, h += 3 * width, open += 4 * width, old += width, next += width) {
    for (std::int64_t i = 0; i < width; ++i) {
      const float reset = sigmoid(x[i] + h[i]), update = sigmoid(x[width + i] + h[width + i]);
      const float hidden = h[2 * width + i], fresh = tanh_of(x[2 * width + i] + reset * hidden);
      open[i] = reset;
      open[width + i] = update;
      open[2 * width + i] = fresh;
      open[3 * width + i] = hidden;
      next[i] = (1 - update) * fresh + update * old[i];
    }
  }
}

}  // namespace norma::lab
