// Where a call takes its working memory from: the library's own, or the caller's.
//
// Without a scope every thread keeps the blocks that its calls have used, up to 64 MiB in all, so that a call like one
// before allocates nothing; what is beyond that comes from the heap and goes back to it. With a scope all of a call's
// working memory is the caller's, as far as it reaches. Results do not depend on it.
#pragma once

#include <cstddef>

namespace norma {

// The working memory of this thread's calls as long as the scope lives. Scopes nest; a call takes from the innermost
// alone. How much a call wants depends on its descriptor, shapes, layout, types, mask and number of threads: a scope
// without memory measures it.
//
//     std::size_t bytes = 0;
//     {
//       norma::WorkspaceScope measure(nullptr, 0);
//       norma::forward(...);
//       bytes = measure.needed();
//     }
class WorkspaceScope {
 public:
  // `memory` may be at any address and stays the caller's; what does not fit comes from the heap. Throws Error for a
  // null pointer with bytes.
  WorkspaceScope(void* memory, std::size_t bytes);
  ~WorkspaceScope();
  WorkspaceScope(const WorkspaceScope&) = delete;
  WorkspaceScope& operator=(const WorkspaceScope&) = delete;

  // The most bytes that one call within the scope has wanted so far, whether or not they were there. Memory of so many
  // bytes, at any address, serves all these calls again without the heap.
  std::size_t needed() const { return needed_; }
  // Is a call of this thread running within the scope?
  bool busy() const { return blocks_ > 0; }

 private:
  friend struct WorkspaceAccess;
  WorkspaceScope* outer_;
  std::byte* memory_;  // aligned
  std::size_t bytes_;
  std::size_t used_ = 0;
  std::size_t blocks_ = 0;
  std::size_t needed_ = 0;
};

}  // namespace norma
