// A mask under which rows of memory count or do not: under a validity per sample and position those of LayerNorm and
// RMSNorm, each a statistic, and those of BatchNorm with the features innermost. The kernels take the rows that count
// from where they lie, and nothing is packed.
#pragma once

#include <array>
#include <cstdint>

#include "cpu/scratch.h"
#include "norma/ops.h"
#include "plan/plan.h"

namespace norma::ops {

class ValidRows {
 public:
  // No mask.
  ValidRows() = default;
  // The mask fits x, which has elements. `plan` is x's. The mask is present.
  ValidRows(const plan::Plan& plan, const MaskView& mask);
  // Is it such a mask? Nothing below holds otherwise.
  bool apply() const { return apply_; }
  // Is every row a statistic (or else part of all of them)?
  bool statistics() const { return statistics_; }
  bool all() const { return count_ == rows_; }
  std::int64_t count() const { return count_; }
  // The rows that count, in order, and those that do not.
  const std::int64_t* valid() const { return list_.data(); }
  const std::int64_t* masked() const { return list_.data() + count_; }
  std::int64_t masked_count() const { return rows_ - count_; }

 private:
  void list(const plan::Plan& plan, const MaskView& mask);

  bool apply_ = false;
  bool statistics_ = false;
  std::int64_t rows_ = 0;
  std::int64_t count_ = 0;
  cpu::Scratch<std::int64_t> list_;  // the valid from its start, the masked up to its end
};

// What the operations on dense tensors take: nothing where every row counts.
inline const ValidRows* but_all(const ValidRows& rows) {
  return rows.apply() && !rows.all() ? &rows : nullptr;
}

}  // namespace norma::ops
