// The gradient of short pieces of one gamma each, several at a time: of whole statistics, or of the channels of a group
// where these lie one after another. One piece's chain of additions overlaps with the next one's, and what is done once
// a piece is done a register of pieces at a time. The formula is rows_backward.cpp's, and so are the bits. Included
// once per instruction set.
#if defined(NORMA_CPU_PIECES_GRADIENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_PIECES_GRADIENT_INL_H
#undef NORMA_CPU_PIECES_GRADIENT_INL_H
#else
#define NORMA_CPU_PIECES_GRADIENT_INL_H
#endif

#include "cpu/apply_rows-inl.h"
#include "cpu/gradient-inl.h"
#include "cpu/kernels.h"
#include "cpu/vector-inl.h"
#include "cpu/write_dx-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kPieces = 8;

// How many pieces of so many elements are taken together: both tensors' stay in L1 from the sums to dx.
HWY_INLINE int64_t pieces_together(int64_t length) {
  constexpr int64_t kElements = 4096;
  if (length <= kElements / kPieces) return kPieces;
  return length > kElements ? 1 : kElements / length;
}

// Up to kPieces pieces: where they begin, their means, and their sums of dy and dy * (x - mean).
template <class T>
struct PieceSums {
  const T* dy[kPieces];
  const T* x[kPieces];
  HWY_ALIGN double mean[kPieces] = {};
  HWY_ALIGN double g[kPieces] = {};
  HWY_ALIGN double gx[kPieces] = {};

  HWY_INLINE void add_up(int64_t count, int64_t n) {
    HWY_ALIGN double parts_g[kPieces * kWide];
    HWY_ALIGN double parts_gx[kPieces * kWide];
    for (int64_t r = 0; r < count; ++r) {
      Products<T, Weight::kOne> products;
      products.start(mean[r], nullptr);
      products.add(dy[r], x[r], n);
      products.registers(parts_g + r * kWide, parts_gx + r * kWide);
    }
    for (int64_t at = count * kWide; at < kPieces * kWide; ++at) parts_g[at] = parts_gx[at] = 0;
    for (int64_t r = 0; r < count; r += kWide) {
      const V64 center = hn::Load(D64(), mean + r);
      const V64 rest = hn::Sub(center, rounded<T>(center));
      const V64 sum = sums_of_registers(parts_g + r * kWide);
      hn::Store(sum, D64(), g + r);
      hn::Store(hn::Sub(sums_of_registers(parts_gx + r * kWide), hn::Mul(rest, sum)), D64(), gx + r);
    }
  }
};

// Statistics [first, first + count), count <= kPieces, of one short segment and one gamma each, or none.
template <class T>
HWY_NOINLINE void backward_short(const RowsBackward<T>& task, int64_t first, int64_t count, int64_t ahead) {
  const Nest& nest = task.nest;
  PieceSums<T> sums;
  Where at[kPieces];
  int64_t number[kPieces];
  HWY_ALIGN double rstd[kPieces] = {};
  HWY_ALIGN double weight[kPieces] = {};
  for (int64_t r = 0; r < count; ++r) {
    const int64_t b = row_of(task, nest.K == 1 ? first + r : (first + r) / nest.K);
    const int64_t k = nest.K == 1 ? 0 : (first + r) % nest.K;
    const int64_t s = b * nest.K + k;
    at[r] = where(task, b, 0, k);
    number[r] = affine_base(nest, b, 0, k);
    sums.dy[r] = task.dy + at[r].dy;
    sums.x[r] = task.x + at[r].x;
    if (task.mean != nullptr) sums.mean[r] = task.mean[s];
    rstd[r] = task.rstd[s];
    weight[r] = task.gamma == nullptr ? 1.0 : static_cast<double>(task.gamma[number[r]]);
  }
  if (!task.constant_statistics || task.dgamma != nullptr || task.dbeta != nullptr) sums.add_up(count, nest.I);
  for (int64_t r = 0; r < count; ++r) {
    if (task.dgamma != nullptr) task.dgamma[number[r]] += sums.gx[r] * rstd[r];
    if (task.dbeta != nullptr) task.dbeta[number[r]] += sums.g[r];
  }
  if (task.dx == nullptr) return;
  // gradient(), a register of statistics at a time.
  HWY_ALIGN Compute<T> shift[kPieces];
  HWY_ALIGN Compute<T> mean_g[kPieces];
  HWY_ALIGN Compute<T> slope[kPieces];
  HWY_ALIGN Compute<T> scale[kPieces];
  const V64 n = hn::Set(D64(), static_cast<double>(nest.I));
  for (int64_t r = 0; r < count; r += kWide) {
    const V64 center = hn::Load(D64(), sums.mean + r);
    const V64 spread = hn::Load(D64(), rstd + r);
    V64 g = hn::Zero(D64());
    V64 gx = g;
    if (!task.constant_statistics) {
      if (nest.centred) g = hn::Load(D64(), sums.g + r);
      gx = hn::Load(D64(), sums.gx + r);
    }
    const V64 along = hn::Mul(spread, hn::Div(hn::Mul(spread, gx), n));
    store_narrow(center, shift + r, kWide);
    store_narrow(hn::Sub(hn::Div(g, n), hn::Mul(hn::Sub(center, rounded<T>(center)), along)), mean_g + r, kWide);
    store_narrow(along, slope + r, kWide);
    store_narrow(hn::Mul(spread, hn::Load(D64(), weight + r)), scale + r, kWide);
  }
  for (int64_t r = 0; r < count; ++r) {
    write_dx_any<T, Weight::kOne>(task, at[r], 0, task.gamma, nest.I, {shift[r], mean_g[r], slope[r], scale[r]}, ahead);
  }
}

HWY_INLINE double sum_of_pieces(const double* p) {
  static_assert(kPieces == 8);
  return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

// The sums of a segment whose gamma changes from piece to piece, and of each piece.
template <class T>
HWY_INLINE void add_pieces(const RowsBackward<T>& task, const Where& segment, int64_t base, double mean, double rstd,
                           SumTree& tree) {
  const IndexMap& map = task.nest.affine_i;
  const int64_t n = map.div;
  const int64_t pieces = task.nest.I / n;
  const int64_t many = pieces_together(n);
  int64_t number = 0;
  PieceSums<T> sums;
  // By registers: a register read from what was stored element by element waits for all stores before it, and those of
  // the last group's dx are on their way to memory.
  for (int64_t r = 0; r < kPieces; r += kWide) hn::Store(hn::Set(D64(), mean), D64(), sums.mean + r);
  for (int64_t piece = 0; piece < pieces; piece += many) {
    const int64_t count = pieces - piece < many ? pieces - piece : many;
    for (int64_t r = 0; r < count; ++r) {
      sums.dy[r] = task.dy + segment.dy + (piece + r) * n;
      sums.x[r] = task.x + segment.x + (piece + r) * n;
    }
    sums.add_up(count, n);
    double weighted_g[kPieces] = {};
    double weighted_gx[kPieces] = {};
    for (int64_t r = 0; r < count; ++r) {
      const int64_t at = base + number;
      if (task.gamma != nullptr) {
        const double weight = static_cast<double>(task.gamma[at]);
        weighted_g[r] = weight * sums.g[r];
        weighted_gx[r] = weight * sums.gx[r];
      }
      if (task.dgamma != nullptr) task.dgamma[at] += sums.gx[r] * rstd;
      if (task.dbeta != nullptr) task.dbeta[at] += sums.g[r];
      number = number + 1 == map.mod ? 0 : number + 1;
    }
    // All pieces as one part of the tree.
    if (task.gamma != nullptr) tree.push({sum_of_pieces(weighted_g), sum_of_pieces(weighted_gx)});
  }
}

// dx of a segment whose gamma changes from piece to piece.
template <class T, bool kStreaming, bool kAhead>
HWY_NOINLINE void write_pieces(const RowsBackward<T>& task, const Where& at, int64_t base, const Gradient<T>& given,
                               int64_t ahead) {
  const int64_t n = task.nest.affine_i.div;
  const int64_t gammas = task.nest.affine_i.mod;
  // Copies: what is stored to dx might be these, for all the compiler knows.
  const Gradient<T> to = given;
  const Compute<T>* const gamma = task.gamma + base;
  const T* dy = task.dy + at.dy;
  const T* x = task.x + at.x;
  T* dx = task.dx + at.dx;
  int64_t number = 0;
  for (T* const end = dx + task.nest.I; dx != end; dx += n) {
    write_dx<T, Weight::kSame, kStreaming, kAhead>(dy, x, gamma + number, dx, n, to, ahead);
    dy += n;
    x += n;
    number = number + 1 == gammas ? 0 : number + 1;
  }
}

template <class T>
HWY_INLINE void write_pieces_any(const RowsBackward<T>& task, const Where& at, int64_t base, const Gradient<T>& to,
                                 int64_t ahead) {
  if (task.stream) {
    ahead != 0 ? write_pieces<T, true, true>(task, at, base, to, ahead)
               : write_pieces<T, true, false>(task, at, base, to, 0);
  } else {
    ahead != 0 ? write_pieces<T, false, true>(task, at, base, to, ahead)
               : write_pieces<T, false, false>(task, at, base, to, 0);
  }
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_PIECES_GRADIENT_INL_H
