#include <algorithm>

#include "cpu/columns.h"
#include "cpu/operations.h"
#include "cpu/threads.h"

namespace norma::cpu {

ColumnCut::ColumnCut(const plan::Plan& plan, std::int64_t element_bytes)
    : columns(plan.K * plan.I), group(plan.I), blocks((plan.O + kColumnBlock - 1) / kColumnBlock) {
  constexpr std::int64_t kNarrowest = 64;
  // Whole groups.
  const std::int64_t unit = (kNarrowest + group - 1) / group * group;
  const std::int64_t widest = std::min(columns, std::max(1024 / unit * unit, unit));
  // The share of L2 that a slab may fill, so that its second sweep reads from there.
  constexpr std::int64_t kSlabBytes = std::int64_t{512} << 10;
  const std::int64_t fits = kSlabBytes / (plan.O * element_bytes) / unit * unit;
  // With blocks for two threads and more, whole rows are swept rather than cut: see kPieceBytes.
  whole = plan.B == 1 && (fits < std::min(unit, columns) || (fits < columns && blocks > 1));
  width = whole ? widest : std::min(columns, std::max(fits, unit));
  wide = !whole && plan.B >= kManyBatches && plan.O * columns * element_bytes <= kSharedBytes && width < columns;
  if (wide) width = widest;
  // As many as that makes, all of about one width: threads share them.
  slabs = (columns + width - 1) / width;
  width = ((columns + slabs - 1) / slabs + unit - 1) / unit * unit;
  width = std::min(width, columns);
  slabs = (columns + width - 1) / width;
  batches = plan.B;
  constexpr std::int64_t kRunBytes = std::int64_t{1} << 20;
  run = std::max<std::int64_t>(kRunBytes / (kColumnBlock * columns * element_bytes), 1);
}

int ColumnCut::threads(const plan::Plan& plan, std::size_t element_bytes) const {
  const int threads = threads_for(plan.elements(), tasks());
  if (whole || plan.B > 1) return threads;
  return threads_for_pieces(threads, plan.elements(), columns * static_cast<std::int64_t>(element_bytes));
}

bool grouped_columns(const plan::Plan& plan) {
  constexpr std::int64_t kLongest = 64;
  if (plan.I < 2 || plan.I > kLongest || plan.K < 2 || plan.O < 2 || plan.affine_o.stride != 0) return false;
  const plan::IndexMap& k = plan.affine_k;
  if (plan.affine_i.stride == 1) {
    // gamma runs along the columns.
    return kLongest % plan.I == 0 && plan.affine_i.injective(plan.I) && k.stride == plan.I && k.injective(plan.K);
  }
  // One gamma for a group. As rows, a segment costs as much as 32 elements; beyond L2 it is a jump besides. The
  // columns' own sums want rows enough to be worth it.
  constexpr std::int64_t kLongestNear = 32;
  constexpr std::int64_t kFar = std::int64_t{1} << 20;
  constexpr std::int64_t kMostColumns = 2048;
  constexpr std::int64_t kFewestRows = 64;
  const std::int64_t columns = plan.K * plan.I;
  return plan.affine_i.stride == 0 && plan.affine_b.stride == 0 && k.stride == 1 && k.injective(plan.K) &&
         columns <= kMostColumns && plan.O >= kFewestRows && (plan.I <= kLongestNear || plan.O * columns >= kFar);
}

}  // namespace norma::cpu
