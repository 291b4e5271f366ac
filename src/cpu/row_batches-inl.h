// y of rows that are a statistic each, of at most kBlock elements: one batch of rows is written while the next is
// summed. Included once per instruction set.
#if defined(NORMA_CPU_ROW_BATCHES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef NORMA_CPU_ROW_BATCHES_INL_H
#undef NORMA_CPU_ROW_BATCHES_INL_H
#else
#define NORMA_CPU_ROW_BATCHES_INL_H
#endif

#include <cmath>

#include "cpu/apply_rows-inl.h"
#include "cpu/extreme.h"
#include "cpu/kernels.h"
#include "cpu/moments-inl.h"
#include "cpu/vector-inl.h"

HWY_BEFORE_NAMESPACE();
namespace norma::cpu::HWY_NAMESPACE {

inline constexpr int64_t kRowBatch = 8;

// A row to write, which has its gammas along it, and one to add up. `ahead`: elements from `next` to what is read after
// it.
template <class T>
struct RowPair {
  const T* x;
  T* y;
  Affine<T> to;
  const Compute<T>* gamma;
  const Compute<T>* beta;
  const T* next;
  double shift;
  int64_t ahead;
};

// y of one row, and meanwhile the sums of the other, some registers of each in turn: the additions run beside loads and
// stores, and memory is read and written at once. Out of line: the sums need the registers to themselves.
template <class T, bool kGamma, bool kBeta, bool kStreaming>
HWY_NOINLINE void write_and_add(const RowPair<T>& rows, int64_t n, Lanes& s1, Lanes& s2) {
  constexpr int64_t kStep = (kShort<T> ? 4 : 2) * kLanes;
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  const Registers<T> d;
  // Copies: what is stored to y might be `rows`, for all the compiler knows.
  const T* const x = rows.x;
  T* const y = rows.y;
  const Compute<T>* const gamma = rows.gamma;
  const Compute<T>* const beta = rows.beta;
  const T* const next = rows.next;
  const int64_t ahead = rows.ahead;
  const auto shift = hn::Set(d, rows.to.shift);
  const auto scale = hn::Set(d, rows.to.scale);
  const auto offset = hn::Set(d, rows.to.offset);
  const auto write = [&](int64_t i) NORMA_LAMBDA {
    for_parts<kStep / kLine>([&](auto line) NORMA_LAMBDA { fetch_ahead(next + i + line * kLine, ahead); });
    for_parts<kStep / kVector<T>>([&](auto part) NORMA_LAMBDA {
      const int64_t at = i + part * kVector<T>;
      auto v = hn::MulAdd(hn::Sub(load_vector(d, x + at), shift), scale, offset);
      if constexpr (kGamma && kBeta) v = hn::MulAdd(v, hn::LoadU(d, gamma + at), hn::LoadU(d, beta + at));
      if constexpr (kGamma && !kBeta) v = hn::Mul(v, hn::LoadU(d, gamma + at));
      store_vector<kStreaming>(v, d, y + at);
    });
  };
  Lanes first = s1;
  Lanes second = s2;
  int64_t i = 0;
  if constexpr (kShort<T>) {
    const auto about = hn::Set(d, static_cast<float>(rows.shift));
    for (; i + kStep <= n; i += kStep) {
      add_fours(next + i, about, first, second);
      write(i);
    }
    add_short(next + i, n - i, static_cast<float>(rows.shift), first, second);
  } else {
    const V64 about = hn::Set(D64(), rows.shift);
    while (i < n) {
      const int64_t end = n - i < kChain ? n : i + kChain;
      Lanes a;
      Lanes b;
      clear(a);
      clear(b);
      for (; i + kStep <= end; i += kStep) {
        add_lanes(next + i, about, a, b);
        add_lanes(next + i + kLanes, about, a, b);
        write(i);
      }
      int64_t rest = i;
      for (; rest + kLanes <= end; rest += kLanes) add_lanes(next + rest, about, a, b);
      if (rest < end) add_lanes_tail(next + rest, end - rest, about, a, b);
      add_chain(a, first);
      add_chain(b, second);
      if (end == n) break;
    }
  }
  s1 = first;
  s2 = second;
  apply_piece_here<T, kGamma, kBeta, false, false>(x + i, y + i, n - i, rows.to, kGamma ? gamma + i : nullptr,
                                                   kBeta ? beta + i : nullptr, 0, Plain());
}

// Up to kRowBatch rows of one segment and one block each (so K is 1): one row's chain of additions and its square root
// overlap with the next row's.
template <class T, class F>
class RowBatch {
 public:
  HWY_INLINE RowBatch(const RowsForward<T>& task, int64_t first, int64_t count)
      : task_(task), source_(source_of<F>(task)), first_(first), count_(count) {}

  HWY_INLINE void restart(int64_t first, int64_t count) {
    first_ = first;
    count_ = count;
  }

  HWY_INLINE void moments() {
    const Nest& nest = task_.nest;
    for (int64_t r = 0; r < count_; ++r) add_all_before<F>(task_, number(r), 0, 1);
    for (int64_t r = 0; r < count_; ++r) set(r, shifted_sums(row(r), 1, 0, nest.I, nest.centred));
    finish();
  }

  // y of all rows, and meanwhile the moments of the rows after them. Of rows with nothing fused and one array of
  // gammas. kLong: registers of one and the other in turn, not for a beta alone; or else whole rows.
  template <bool kLong, bool kStreaming>
  HWY_INLINE void apply(RowBatch& next) const {
    constexpr int64_t kAhead = kAheadBytes / static_cast<int64_t>(2 * sizeof(T));
    const Nest& nest = task_.nest;
    // All batches but the last are full, and nothing comes after a first one that is not.
    const int64_t together = next.count_;
    for (int64_t r = 0; r < together; ++r) {
      const T* const x = next.row(r);
      const double shift = nest.centred ? block_shift(x, nest.I) : 0.0;
      Lanes s1;
      Lanes s2;
      clear(s1);
      clear(s2);
      if constexpr (kLong) {
        writer<kStreaming>()({row(r), y(r), coefficients<T>(mean_[r], low_[r], rstd_[r], 1.0, 0.0), task_.gamma,
                              task_.beta, x, shift, kAhead},
                             nest.I, s1, s2);
      } else {
        add_shifted(x, nest.I, shift, s1, s2);
        apply_whole<kStreaming>(r, x - row(r) + kAhead);
      }
      ShiftedSums sums{shift, sum_of(s1), sum_of(s2)};
      if (!short_sums_hold<T>(static_cast<double>(nest.I), sums.first, sums.second, nest.centred)) {
        wide_sums(x, 1, 0, nest.I, shift, sums.first, sums.second);
      }
      next.set(r, sums);
    }
    for (int64_t r = together; r < count_; ++r) apply_whole<kStreaming>(r, 0);
    next.finish();
  }

  HWY_INLINE void apply() const {
    for (int64_t r = 0; r < count_; ++r) apply(r, count_ * source_.at.b);
  }

 private:
  HWY_INLINE int64_t number(int64_t r) const { return row_of(task_, first_ + r); }
  HWY_INLINE const T* row(int64_t r) const { return source_.x + number(r) * source_.at.b; }
  HWY_INLINE T* y(int64_t r) const { return task_.y + number(r) * task_.y_at.b; }

  HWY_INLINE void set(int64_t r, const ShiftedSums& sums) {
    shift_[r] = sums.shift;
    first_sum_[r] = sums.first;
    second_sum_[r] = sums.second;
  }

  // finish_block and rstd_of, a register of rows at a time.
  HWY_INLINE void finish() {
    const V64 zero = hn::Zero(D64());
    const V64 n = hn::Set(D64(), static_cast<double>(task_.nest.I));
    const V64 eps = hn::Set(D64(), task_.nest.eps);
    for (int64_t r = 0; r < count_; r += kWide) {
      const V64 shift = hn::Load(D64(), shift_ + r);
      V64 m2 = hn::Load(D64(), second_sum_ + r);
      V64 part = zero;
      if (task_.nest.centred) {
        const V64 first = hn::Load(D64(), first_sum_ + r);
        part = hn::Div(first, n);
        m2 = hn::Sub(m2, hn::Mul(first, part));
      }
      m2 = hn::IfThenElse(hn::Lt(m2, zero), zero, m2);
      hn::Store(std::is_same_v<T, double> ? shift : hn::Add(shift, part), D64(), mean_ + r);
      hn::Store(std::is_same_v<T, double> ? part : zero, D64(), low_ + r);
      const V64 spread = hn::Add(hn::Div(m2, n), eps);
      const V64 rstd = hn::Div(hn::Set(D64(), 1.0), hn::Sqrt(spread));
      // Constant without an eps: every x - mean is 0, and times 0 it stays so.
      hn::Store(hn::IfThenElse(hn::Eq(spread, zero), zero, rstd), D64(), rstd_ + r);
      hn::Store(m2, D64(), second_sum_ + r);
    }
    for (int64_t r = 0; r < count_; ++r) {
      if constexpr (std::is_same_v<T, double>) {
        if (is_extreme(second_sum_[r] / static_cast<double>(task_.nest.I) + task_.nest.eps)) {
          const long double mean = static_cast<long double>(mean_[r]) + low_[r];
          rstd_[r] = extreme_rstd(row(r), 1, 0, task_.nest.I, mean, task_.nest.eps);
        }
      }
      if (task_.mean != nullptr) task_.mean[number(r)] = mean_[r] + low_[r];
      if (task_.rstd != nullptr) task_.rstd[number(r)] = rstd_[r];
    }
  }

  HWY_INLINE void apply(int64_t r, int64_t ahead) const {
    const int64_t s = number(r);
    apply_statistic_any<T, F>(task_, s / task_.nest.K, s % task_.nest.K, mean_[r], low_[r], rstd_[r], true, ahead);
  }

  template <bool kStreaming>
  HWY_INLINE void apply_whole(int64_t r, int64_t ahead) const {
    apply_any<T, kStreaming, true>(row(r), y(r), task_.nest.I, coefficients<T>(mean_[r], low_[r], rstd_[r], 1.0, 0.0),
                                   task_.gamma, task_.beta, ahead, Plain());
  }

  using Writer = void (*)(const RowPair<T>& rows, int64_t n, Lanes& s1, Lanes& s2);
  template <bool kStreaming>
  HWY_INLINE Writer writer() const {
    if (task_.gamma == nullptr) return write_and_add<T, false, false, kStreaming>;
    return task_.beta != nullptr ? write_and_add<T, true, true, kStreaming> : write_and_add<T, true, false, kStreaming>;
  }

  const RowsForward<T>& task_;
  const Source<T> source_;
  int64_t first_;
  int64_t count_;
  HWY_ALIGN double shift_[kRowBatch] = {};
  HWY_ALIGN double first_sum_[kRowBatch] = {};
  HWY_ALIGN double second_sum_[kRowBatch] = {};
  HWY_ALIGN double mean_[kRowBatch];
  HWY_ALIGN double low_[kRowBatch];
  HWY_ALIGN double rstd_[kRowBatch];
};

// Statistics [first, last) of one segment and one block each, of rows with one array of gammas.
template <class T, bool kLong, bool kStreaming>
HWY_INLINE void forward_rows_in_turn(const RowsForward<T>& task, int64_t first, int64_t last) {
  // Two batches stay in L1.
  int64_t batch = kBlock / 2 / task.nest.I;
  batch = batch < 1 ? 1 : batch > kRowBatch ? kRowBatch : batch;
  RowBatch<T, Plain> batches[2] = {{task, first, last - first < batch ? last - first : batch}, {task, first, 0}};
  batches[0].moments();
  int64_t current = 0;
  for (int64_t s = first; s < last; s += batch, current = 1 - current) {
    const int64_t left = last - s - batch;
    batches[1 - current].restart(s + batch, left < 0 ? 0 : left < batch ? left : batch);
    batches[current].template apply<kLong, kStreaming>(batches[1 - current]);
  }
}

template <class T, class F>
HWY_INLINE void forward_row_batches(const RowsForward<T>& task, int64_t first, int64_t last) {
  const Nest& nest = task.nest;
  // f64 takes two passes over a row for its moments; what is fused has enough to do.
  if constexpr (!std::is_same_v<T, double> && std::is_same_v<F, Plain>) {
    const IndexMap& along = nest.affine_i;
    const bool one_array =
        nest.K == 1 && nest.affine_b.stride == 0 && along.stride != 0 && along.div == 1 && along.mod == nest.I;
    // Streaming a register at a time wants every row aligned; other rows stream one after another.
    const bool aligned = reinterpret_cast<std::uintptr_t>(task.y) % 64 == 0 &&
                         static_cast<std::uint64_t>(task.y_at.b) * sizeof(T) % 64 == 0;
    constexpr int64_t kLongRow = 512;
    const bool usual = task.gamma != nullptr || task.beta == nullptr;
    if (one_array && usual && task.stream && aligned) {
      return forward_rows_in_turn<T, true, true>(task, first, last);
    }
    if (one_array && usual && !task.stream && nest.I >= kLongRow) {
      return forward_rows_in_turn<T, true, false>(task, first, last);
    }
    if (one_array && !task.stream && nest.I >= 2 * kLanes) {
      return forward_rows_in_turn<T, false, false>(task, first, last);
    }
  }
  int64_t batch = kBlock / nest.I;
  batch = batch > kRowBatch ? kRowBatch : batch;
  for (int64_t s = first; s < last; s += batch) {
    RowBatch<T, F> rows(task, s, last - s < batch ? last - s : batch);
    rows.moments();
    rows.apply();
  }
}

}  // namespace norma::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // NORMA_CPU_ROW_BATCHES_INL_H
