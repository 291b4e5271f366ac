// The kernels' interface: one table of function pointers per instruction set and data type.
//
// A kernel works on one thread and on part of a nest; src/cpu/rows.cpp and columns.cpp cut the work and own the
// threads. Kernels are named by access pattern: rows (lanes run along the reduced axis) and columns (every lane owns
// a statistic). None allocates, none throws.
//
// T is the type that x, y, dy and dx are stored in; they are computed with in Compute<T>, which is also the type of
// gamma, beta and the coefficients. Statistics travel in f64 whatever the tensors are, numbered in memory order.
#pragma once

#include <cstdint>
#include <type_traits>

#include "norma/fusion.h"
#include "norma/short_floats.h"
#include "plan/plan.h"

namespace norma::cpu {

using plan::IndexMap;
using plan::Pitch;
using std::int64_t;

template <class T>
inline constexpr bool kShort = std::is_same_v<T, bfloat16> || std::is_same_v<T, float16>;
// X(T); for every T.
#define NORMA_FOR_EACH_STORAGE(X) \
  X(float);                       \
  X(double);                      \
  X(bfloat16);                    \
  X(float16);
template <class T>
using Compute = std::conditional_t<kShort<T>, float, T>;

// One part's share of a statistic: its mean is mean + low, M2 the sum of squared differences from it.
struct Moments {
  double count;
  double mean;
  double low;
  double m2;
};

// What y is made of: the mean, in two words, and 1/sqrt(variance + eps).
struct Spread {
  double mean;
  double low;
  double rstd;
};

// One part's share of a statistic's gradient: the sums of g and of g * (x - mean).
struct Sums {
  double g;
  double gx;
};

inline void add_sums(Sums& a, const Sums& b) {
  a.g += b.g;
  a.gx += b.gx;
}

// Rows are reduced in blocks of at most so many elements. Fixed: it decides the order of the reduction, so the bits.
inline constexpr int64_t kBlock = 4096;

// How a statistic of O segments of I elements falls in blocks: pieces of long segments, or several short segments.
class Blocks {
 public:
  Blocks(int64_t O, int64_t I)
      : O_(O), I_(I), pieces_(I >= kBlock ? (I + kBlock - 1) / kBlock : 1), segments_(I >= kBlock ? 1 : kBlock / I) {}
  int64_t count() const { return (O_ + segments_ - 1) / segments_ * pieces_; }
  struct Block {
    int64_t o, i, segments, length;
  };
  Block operator[](int64_t at) const {
    const int64_t o = at / pieces_ * segments_;
    const int64_t i = at % pieces_ * kBlock;
    return {o, i, O_ - o < segments_ ? O_ - o : segments_, pieces_ == 1 ? I_ : I_ - i < kBlock ? I_ - i : kBlock};
  }

 private:
  int64_t O_, I_, pieces_, segments_;
};

// What a row kernel needs of the plan.
struct Nest {
  int64_t B, O, K, I;
  IndexMap affine_b, affine_o, affine_k, affine_i;
  double eps;
  bool centred;
};

// The gradient of rows cut into pieces of up to so many elements of one gamma each (a group's channels of few pixels)
// takes them as rows with their gammas along them. That decides bits.
inline constexpr int64_t kShortPiece = 32;
inline constexpr int64_t kLongestSpread = 1024;  // elements of such a row, whose gammas lie on the stack

// Are these rows of one segment and one block each, cut into short pieces of one gamma each?
inline bool has_short_pieces(const Nest& nest) {
  const IndexMap& along = nest.affine_i;
  return nest.O == 1 && nest.K == 1 && along.stride == 1 && along.div > 1 && along.div <= kShortPiece &&
         nest.I <= kLongestSpread;
}

// Rows of one segment each whose gradient is taken with their gammas along them: how far apart are those that share
// them? 0: other rows.
inline int64_t rows_period(const Nest& nest) {
  const IndexMap& along = nest.affine_i;
  const IndexMap& row = nest.affine_b;
  const bool dense = nest.O == 1 && nest.K == 1 && along.stride != 0 && along.div == 1 && along.mod == nest.I;
  if (!dense && !has_short_pieces(nest)) return 0;
  if (row.stride == 0) return 1;
  return row.div == 1 ? row.mod : 0;
}

// What the fused kernels do beside the normalization (norma/fusion.h). `dy`: y becomes dy * activation' in place of the
// activation.
template <class T>
struct Fused {
  const T* before = nullptr;
  T* sum = nullptr;
  const T* after = nullptr;
  const T* dy = nullptr;
  Activation activation = Activation::kNone;
  Pitch before_at, sum_at, after_at, dy_at;
};

// Which elements of the segments count: bit i of the segment at `at` is element i. There is one more word behind the
// last.
struct ValidBits {
  const std::uint64_t* words = nullptr;
  Pitch at{};
  const std::uint64_t* segment(int64_t b, int64_t o, int64_t k) const { return words + at.at(b, o, k); }
};

// A block of what counts in planes of neighbouring pixels, from one pixel to another: of plane p at p * pitch in a
// tensor, bits at words + p * step.
struct PlanePixel {
  int64_t plane, pixel;
};
struct ValidBlock {
  const std::uint64_t* words;
  int64_t step;
  int64_t pixels;  // of a plane
  PlanePixel first, last;
  int64_t count;  // that count, at most kBlock
};

// What a gradient is made of: the sums of g and of g * (x - mean) over the n elements of a statistic.
struct Slope {
  double mean;
  double rstd;
  double g;
  double gx;
  double n;
};

template <class T>
struct RowsForward {
  Nest nest;
  const T* x;
  const Compute<T>* gamma;  // null: 1
  const Compute<T>* beta;   // null: 0
  T* y;
  double* mean;  // of B*K statistics, or null; what `apply` reads and the others write
  double* rstd;  // likewise; `moments` writes M2 here
  bool stream;   // y is larger than its share of the caches
  Pitch x_at, y_at;
  // Where O and K are 1: statistic s is that of row rows[s], in x, y, mean and rstd alike; null: of row s.
  const int64_t* rows;
  Fused<T> fused;     // of the fused kernels
  ValidBits valid{};  // of write_valid
};

template <class T>
struct RowsBackward {
  Nest nest;
  const T* dy;
  const T* x;
  const Compute<T>* gamma;
  const double* mean;  // null: 0
  const double* rstd;
  T* dx;           // null: not wanted
  double* dgamma;  // sums so far, by gamma's number in memory order, or null
  double* dbeta;
  bool constant_statistics;  // dx = dy * gamma * rstd
  bool stream;
  Pitch dy_at, x_at, dx_at;
  const int64_t* rows;  // as forward's
  // Of every period of rows (rows_period) those from class_first to class_last alone; 0: all.
  int64_t class_first = 0, class_last = 0;
  // Of the fused kernel: dy * activation' goes to `gated`, which then serves as dy; dsum is added to dx.
  const Compute<T>* beta = nullptr;
  T* gated = nullptr;
  const T* dsum = nullptr;
  Pitch gated_at{}, dsum_at{};
  Fused<T> fused{};
  ValidBits valid{};  // of write_dx_valid
};

template <class T>
struct RowKernels {
  // Statistics `first` to `last` (exclusive): moments, then y, while the row is in cache.
  void (*forward)(const RowsForward<T>& task, int64_t first, int64_t last) noexcept;
  // y from task.mean and task.rstd.
  void (*apply)(const RowsForward<T>& task, int64_t first, int64_t last) noexcept;
  void (*moments)(const RowsForward<T>& task, int64_t first, int64_t last) noexcept;
  void (*backward)(const RowsBackward<T>& task, int64_t first, int64_t last) noexcept;
  // The same with all that is fused.
  void (*forward_fused)(const RowsForward<T>& task, int64_t first, int64_t last) noexcept;
  void (*apply_fused)(const RowsForward<T>& task, int64_t first, int64_t last) noexcept;
  void (*backward_fused)(const RowsBackward<T>& task, int64_t first, int64_t last) noexcept;
  // The same for statistics of several threads, of one gamma each. The moments (sums) of the blocks [first, last) of s
  // go to parts. What all of them make is finished by one thread, which writes mean and rstd, before any y is: y may
  // lie on x. Then the segments [first, last) are written.
  void (*block_moments)(const RowsForward<T>& task, int64_t s, int64_t first, int64_t last, Moments* parts) noexcept;
  Spread (*finish)(const RowsForward<T>& task, int64_t s, const Moments& total) noexcept;
  void (*write)(const RowsForward<T>& task, int64_t s, const Spread& spread, int64_t first, int64_t last) noexcept;
  // Of every statistic of b, in the order of memory, spreads[k]; and the same with what is fused behind it.
  void (*write_all)(const RowsForward<T>& task, int64_t b, const Spread* spreads, int64_t first, int64_t last) noexcept;
  void (*write_all_fused)(const RowsForward<T>& task, int64_t b, const Spread* spreads, int64_t first,
                          int64_t last) noexcept;
  void (*block_sums)(const RowsBackward<T>& task, int64_t s, int64_t first, int64_t last, Sums* parts) noexcept;
  // What belongs to the statistic is written by who writes its first segment.
  void (*write_dx)(const RowsBackward<T>& task, int64_t s, const Sums& total, int64_t first, int64_t last) noexcept;
  // A block of what counts, as block_moments and block_sums have it of neighbours.
  Moments (*valid_moments)(const T* x, int64_t pitch, const ValidBlock& valid, bool centred) noexcept;
  Sums (*valid_sums)(const T* dy, int64_t dy_pitch, const T* x, int64_t x_pitch, const ValidBlock& valid,
                     double mean) noexcept;
  // With task.valid, the segments [first, last) of the statistics (b, k) to (b, k + width), from one spread (slope)
  // each; zeros where nothing counts. Every segment has one gamma.
  void (*write_valid)(const RowsForward<T>& task, int64_t b, int64_t k, int64_t width, const Spread* spreads,
                      int64_t first, int64_t last) noexcept;
  void (*write_dx_valid)(const RowsBackward<T>& task, int64_t b, int64_t k, int64_t width, const Slope* slopes,
                         int64_t first, int64_t last) noexcept;
};

// A slab of columns: x[o*x_pitch + k] of one b for o in [first, last), k in [0, width); pointers are at o = 0, k = 0 of
// the slab.
template <class T>
struct ColumnsForward {
  const T* x;
  T* y;
  int64_t x_pitch;  // elements from one o to the next
  int64_t y_pitch;
  int64_t width;
  // y = ((x - shift) * scale + offset), then * gamma[o] + beta[o] where gamma_o, beta_o is not null.
  const Compute<T>* shift;
  const Compute<T>* scale;
  const Compute<T>* offset;
  const Compute<T>* gamma_o;
  const Compute<T>* beta_o;
  IndexMap affine_o;
  bool far;  // x comes from beyond the caches, in whole rows
  bool stream;
  // Of apply_fused, at o = 0, k = 0 of the slab, as above.
  const T* after;
  const T* dy;
  int64_t after_pitch;
  int64_t dy_pitch;
  Activation activation;
};

template <class T>
struct ColumnsBackward {
  const T* dy;
  const T* x;
  T* dx;  // null: not wanted
  int64_t dy_pitch;
  int64_t x_pitch;
  int64_t dx_pitch;
  int64_t width;
  // g = dy * gamma[o]; dx = ((g - mean_g) - (x - mean) * slope) * scale, mean and scale per column.
  const Compute<T>* mean;
  const Compute<T>* mean_g;
  const Compute<T>* slope;
  const Compute<T>* scale;
  const Compute<T>* gamma_o;  // null: g = dy
  IndexMap affine_o;
  const Compute<T>* gamma_k;      // likewise per column, in dx alone; not beside gamma_o
  const Compute<T>* mean_narrow;  // the mean rounded, for the sums
  const double* mean_wide;        // null: 0
  const double* rstd_wide;
  // For a gamma per o: the sums over the slab's columns of dy * (x - mean) * rstd and of dy go to row_dgamma[o],
  // row_dbeta[o]; null: not wanted.
  double* row_dgamma;
  double* row_dbeta;
  bool far;  // dy and x come from beyond the caches, in whole rows
  bool stream;
  bool narrow;  // as in ColumnSweep
};

// What turns a column's moments, or its gradient sums, into the coefficients of the sweeps.
template <class T>
struct ColumnsFinish {
  double count;
  double eps;
  const double* mean;
  const double* low;        // null: 0
  const double* m2;         // M2; null: rstd is given
  const double* rstd;       // used where m2 is null
  const Compute<T>* gamma;  // per column, or null
  const Compute<T>* beta;
  double* rstd_out;  // null: not wanted
  Compute<T>* shift;
  Compute<T>* scale;
  Compute<T>* offset;
};

template <class T>
struct ColumnsSlope {
  double count;
  const double* mean;  // null: 0
  const double* rstd;
  const double* sum_g;  // null: constant statistics
  const double* sum_gx;
  const Compute<T>* gamma;  // per column, or null
  bool centred;
  Compute<T>* shift;
  Compute<T>* mean_g;
  Compute<T>* slope;
  Compute<T>* scale;
};

// Rows of one block. Fixed: it decides the order of the reduction, so the bits.
inline constexpr int64_t kColumnBlock = 256;

// A tensor of fewer columns is summed sixteen rows at a time. That decides bits, so it depends on the tensor and not on
// the width of a slab of it.
inline constexpr int64_t kNarrowColumns = 16;

// How the sums of a slab's rows are taken.
struct ColumnSweep {
  bool far = false;     // x comes from beyond the caches
  bool narrow = false;  // the tensor, which the slab is whole, has fewer than kNarrowColumns
};

template <class T>
struct ColumnKernels {
  // The moments of `count` <= kColumnBlock rows, one block: mean, low and m2 of each column.
  void (*moments)(const T* x, int64_t pitch, int64_t count, int64_t width, bool centred, ColumnSweep how, double* mean,
                  double* low, double* m2) noexcept;
  // Merges block b into a, column by column.
  void (*merge)(double count_a, double* mean_a, double* low_a, double* m2_a, double count_b, const double* mean_b,
                const double* low_b, const double* m2_b, int64_t width) noexcept;
  void (*finish)(const ColumnsFinish<T>& task, int64_t width) noexcept;
  // Rows [first, last).
  void (*apply)(const ColumnsForward<T>& task, int64_t first, int64_t last) noexcept;
  void (*apply_fused)(const ColumnsForward<T>& task, int64_t first, int64_t last) noexcept;
  // to = a + b, `count` rows of `width` elements.
  void (*add)(const T* a, int64_t a_pitch, const T* b, int64_t b_pitch, T* to, int64_t to_pitch, int64_t count,
              int64_t width) noexcept;
  // sum_g[k] = sum of g over the rows [first, last), at most kColumnBlock of them, sum_gx[k] = sum of g * (x -
  // mean_wide).
  void (*backward_sums)(const ColumnsBackward<T>& task, int64_t first, int64_t last, double* sum_g,
                        double* sum_gx) noexcept;
  void (*slope)(const ColumnsSlope<T>& task, int64_t width) noexcept;
  void (*backward_apply)(const ColumnsBackward<T>& task, int64_t first, int64_t last) noexcept;
};

// Merges b into a (Chan, Golub & LeVeque 1979), the mean in two words.
void merge_moments(Moments& a, const Moments& b) noexcept;

// The tables of the instruction set in use.
template <class T>
const RowKernels<T>& row_kernels();
template <class T>
const ColumnKernels<T>& column_kernels();

}  // namespace norma::cpu
