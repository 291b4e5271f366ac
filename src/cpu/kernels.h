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

#include "norma/short_floats.h"
#include "plan/plan.h"

namespace norma::cpu {

using plan::IndexMap;
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

// What a row kernel needs of the plan.
struct Nest {
  int64_t B, O, K, I;
  IndexMap affine_b, affine_o, affine_k, affine_i;
  double eps;
  bool centred;
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
};

template <class T>
struct RowKernels {
  // Statistics `first` to `last` (exclusive): moments, then y, while the row is in cache.
  void (*forward)(const RowsForward<T>& task, int64_t first, int64_t last) noexcept;
  // y from task.mean and task.rstd.
  void (*apply)(const RowsForward<T>& task, int64_t first, int64_t last) noexcept;
  void (*moments)(const RowsForward<T>& task, int64_t first, int64_t last) noexcept;
  void (*backward)(const RowsBackward<T>& task, int64_t first, int64_t last) noexcept;
};

// A slab of columns: x[(b*O + o)*K + k] for o in [first, last), k in [0, width); pointers are at o = 0, k = 0 of the
// slab.
template <class T>
struct ColumnsForward {
  const T* x;
  T* y;
  int64_t pitch;  // elements from one o to the next
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
};

template <class T>
struct ColumnsBackward {
  const T* dy;
  const T* x;
  T* dx;  // null: not wanted
  int64_t pitch;
  int64_t width;
  // g = dy * gamma[o]; dx = ((g - mean_g) - (x - mean) * slope) * scale, mean and scale per column.
  const Compute<T>* mean;
  const Compute<T>* mean_g;
  const Compute<T>* slope;
  const Compute<T>* scale;
  const Compute<T>* gamma_o;  // null: g = dy
  IndexMap affine_o;
  const Compute<T>* mean_narrow;  // the mean rounded, for the sums
  const double* mean_wide;        // null: 0
  const double* rstd_wide;
  // For a gamma per o: the sums over the slab's columns of dy * (x - mean) * rstd and of dy go to row_dgamma[o],
  // row_dbeta[o]; null: not wanted.
  double* row_dgamma;
  double* row_dbeta;
  bool far;  // dy and x come from beyond the caches, in whole rows
  bool stream;
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

template <class T>
struct ColumnKernels {
  // The moments of `count` rows, one block: mean, low and m2 of each column. `far`: x comes from beyond the caches.
  void (*moments)(const T* x, int64_t pitch, int64_t count, int64_t width, bool centred, bool far, double* mean,
                  double* low, double* m2) noexcept;
  // Merges block b into a, column by column.
  void (*merge)(double count_a, double* mean_a, double* low_a, double* m2_a, double count_b, const double* mean_b,
                const double* low_b, const double* m2_b, int64_t width) noexcept;
  void (*finish)(const ColumnsFinish<T>& task, int64_t width) noexcept;
  // Rows [first, last).
  void (*apply)(const ColumnsForward<T>& task, int64_t first, int64_t last) noexcept;
  // sum_g[k] = sum of g over the rows [first, last), sum_gx[k] = sum of g * (x - mean_wide).
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
