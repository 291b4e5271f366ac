#include "ops/valid_rows.h"

#include <algorithm>

namespace norma::ops {
namespace {

// How the mask steps along an axis of the plan.
std::int64_t byte_step(const plan::Plan::Axis& axis, const MaskView& mask) {
  const std::int64_t stride = mask.strides()[static_cast<std::size_t>(axis.logical)];
  return mask.shape()[axis.logical] == 1 ? 0 : stride * axis.steps;
}

// Which run of the plan the rows are.
int run_of_rows(const plan::Plan& plan) {
  return plan.rows() ? 0 : 1;
}

// Row after row, so that the mask's own axes are neighbours: in any other order the packed rows would add up to dgamma.
bool is_by_rows(const plan::Plan& plan, const MaskView& mask) {
  if (!plan.direct) return false;
  const bool rows = plan.rows() && plan.O == 1 && plan.K == 1 && plan.affine_b.stride == 0;
  const bool columns = !plan.rows() && plan.B == 1 && plan.affine_k.stride != 0;
  if (!rows && !columns) return false;
  int changes = 0;
  bool varies = false;
  for (std::size_t n = 0; n < plan.axis_count; ++n) {
    const bool steps = byte_step(plan.axes[n], mask) != 0;
    if (steps && plan.axes[n].run != run_of_rows(plan)) return false;
    if (steps != varies) ++changes;
    varies = steps;
  }
  return changes > 0 && changes <= 2;
}

}  // namespace

ValidRows::ValidRows(const plan::Plan& plan, const MaskView& mask)
    : apply_(is_by_rows(plan, mask)),
      statistics_(plan.rows()),
      rows_(plan.rows() ? plan.B : plan.O),
      list_(apply_ ? rows_ : 0) {
  if (apply_) list(plan, mask);
}

void ValidRows::list(const plan::Plan& plan, const MaskView& mask) {
  std::array<std::int64_t, plan::kMaxAxes> index{};
  std::int64_t byte = 0;
  std::int64_t masked = 0;
  // The axes of K are innermost, if there are any.
  std::size_t axes = 0;
  while (axes < plan.axis_count && plan.axes[axes].run == run_of_rows(plan)) ++axes;
  for (std::int64_t row = 0; row < rows_; ++row) {
    if (mask.data()[byte] != 0) {
      list_[count_++] = row;
    } else {
      list_[rows_ - ++masked] = row;
    }
    for (std::size_t n = axes; n-- > 0;) {
      const std::int64_t step = byte_step(plan.axes[n], mask);
      byte += step;
      if (++index[n] < plan.axes[n].size) break;
      byte -= step * plan.axes[n].size;
      index[n] = 0;
    }
  }
}

}  // namespace norma::ops
