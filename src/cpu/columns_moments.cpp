// The moments of columns, of a slab and of a whole tensor.
#include <algorithm>

#include "cpu/columns.h"
#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/scratch.h"
#include "cpu/threads.h"

namespace norma::cpu {

template <class T>
void column_moments(const ColumnKernels<T>& kernels, const T* x, std::int64_t rows, std::int64_t pitch,
                    std::int64_t width, bool centred, ColumnSweep how, const ColumnTree& tree, const ColumnRows& listed,
                    T* buffer) {
  const std::int64_t blocks = (rows + kColumnBlock - 1) / kColumnBlock;
  std::int64_t seen = 0;  // rows in the tree so far: only the last block is short
  tree.run(
      blocks,
      [&](std::int64_t level, std::int64_t block) {
        const std::int64_t first = block * kColumnBlock;
        const std::int64_t count = std::min(kColumnBlock, rows - first);
        const auto block_in = listed.block(x, pitch, first, count, width, buffer);
        kernels.moments(block_in.data, block_in.pitch, count, width, centred, how, tree.at(level, 0), tree.at(level, 1),
                        tree.at(level, 2));
        seen = first + count;
      },
      [&](std::int64_t level, std::int64_t blocks_a, std::int64_t blocks_b) {
        // What is merged second ends with the newest row.
        const std::int64_t count_b = std::min(
            blocks_b * kColumnBlock, seen - (seen - 1) / kColumnBlock * kColumnBlock + (blocks_b - 1) * kColumnBlock);
        kernels.merge(static_cast<double>(blocks_a * kColumnBlock), tree.at(level, 0), tree.at(level, 1),
                      tree.at(level, 2), static_cast<double>(count_b), tree.at(level + 1, 0), tree.at(level + 1, 1),
                      tree.at(level + 1, 2), width);
      });
}

template <class T>
void columns_statistics(const plan::Plan& plan, const T* x, const plan::Pitch& x_at, const std::int64_t* rows,
                        double* mean, double* m2) {
  const ColumnRows listed(rows);
  const ColumnKernels<T>& kernels = column_kernels<T>();
  constexpr std::int64_t kSlab = 64;
  const std::int64_t slabs = (plan.K + kSlab - 1) / kSlab;
  const std::int64_t tasks = plan.B * slabs;
  const ColumnSweep how{.narrow = plan.K < kNarrowColumns};
  const int threads = threads_for(plan.elements(), tasks);
  const std::int64_t blocks = (plan.O + kColumnBlock - 1) / kColumnBlock;
  const std::int64_t tree_size = ColumnTree::size(blocks, 3, kSlab);
  const Scratch<double> trees(threads * tree_size);
  const std::int64_t buffer_size = listed.buffer_size(plan.O, kSlab);
  const Scratch<T> buffers(threads * buffer_size);
  run_team(threads, [&](const Team& team) {
    const ColumnTree tree(trees.data() + team.member() * tree_size, 3, kSlab);
    T* const buffer = buffers.data() + team.member() * buffer_size;
    const Share share = team.share(tasks);
    for (std::int64_t t = share.first; t < share.last; ++t) {
      const std::int64_t b = t / slabs;
      const std::int64_t k = t % slabs * kSlab;
      const std::int64_t width = std::min(kSlab, plan.K - k);
      column_moments(kernels, x + x_at.at(b, 0, k), plan.O, x_at.o, width, plan.centred, how, tree, listed, buffer);
      for (std::int64_t i = 0; i < width; ++i) {
        mean[b * plan.K + k + i] = tree.at(0, 0)[i] + tree.at(0, 1)[i];
        m2[b * plan.K + k + i] = tree.at(0, 2)[i];
      }
    }
  });
}

// NOLINTBEGIN(bugprone-macro-parentheses): T is a type
#define NORMA_INSTANTIATE(T)                                                                                      \
  template void column_moments(const ColumnKernels<T>&, const T*, std::int64_t, std::int64_t, std::int64_t, bool, \
                               ColumnSweep, const ColumnTree&, const ColumnRows&, T*);                            \
  template void columns_statistics(const plan::Plan&, const T*, const plan::Pitch&, const std::int64_t*, double*, \
                                   double*)
NORMA_FOR_EACH_STORAGE(NORMA_INSTANTIATE)
#undef NORMA_INSTANTIATE
// NOLINTEND(bugprone-macro-parentheses)

}  // namespace norma::cpu
