#include "cpu/scratch.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <utility>

#include "norma/error.h"
#include "norma/workspace.h"

namespace norma {
namespace {

constexpr std::size_t kAlignment = 64;
// Of one block that is large, and what such a block is aligned to.
constexpr std::size_t kLargeBytes = std::size_t{4} << 20;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t alignment_of(std::size_t bytes) {
  return bytes < kLargeBytes ? kAlignment : kHugePage;
}

// Fresh memory costs a fault a page, and of pages of 4 KiB these took longer than the call that wanted it.
void* allocate(std::size_t bytes) {
  void* const data = ::operator new (bytes, std::align_val_t{alignment_of(bytes)});
#ifdef MADV_HUGEPAGE
  // Refused where the system has none: as good as before.
  if (bytes >= kLargeBytes) ::madvise(data, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return data;
}

void release(const cpu::ScratchBlock& block) {
  ::operator delete (block.data, std::align_val_t{alignment_of(block.bytes)});
}

thread_local WorkspaceScope* workspace_in_use = nullptr;

}  // namespace

// What the blocks do with the scope. They lie one after the other in the order they were taken in, so that the same
// calls find the same places, whether or not there is memory behind them.
struct WorkspaceAccess {
  static cpu::ScratchBlock take(WorkspaceScope& scope, std::size_t bytes) {
    cpu::ScratchBlock block;
    block.bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    block.offset = scope.used_;
    if (scope.used_ <= scope.bytes_ && block.bytes <= scope.bytes_ - scope.used_) {
      block.data = scope.memory_ + scope.used_;
      block.from_heap = false;
    } else {
      block.data = allocate(block.bytes);
    }
    scope.used_ += block.bytes;
    ++scope.blocks_;
    // Wherever the memory begins, up to one line is lost before the first block.
    scope.needed_ = std::max(scope.needed_, scope.used_ + kAlignment);
    return block;
  }

  static void give(WorkspaceScope& scope, const cpu::ScratchBlock& block) {
    if (block.from_heap) release(block);
    // Blocks go in the reverse order, but for a few; their places are free again when the last is gone.
    if (block.offset + block.bytes == scope.used_) scope.used_ = block.offset;
    if (--scope.blocks_ == 0) scope.used_ = 0;
  }
};

WorkspaceScope::WorkspaceScope(void* memory, std::size_t bytes)
    : outer_(workspace_in_use), memory_(static_cast<std::byte*>(memory)), bytes_(bytes) {
  if (memory == nullptr && bytes > 0) {
    throw Error("[workspace] memory: expected " + std::to_string(bytes) + " bytes, got a null pointer");
  }
  const std::size_t lost = (kAlignment - reinterpret_cast<std::uintptr_t>(memory) % kAlignment) % kAlignment;
  memory_ = bytes_ > lost ? memory_ + lost : nullptr;
  bytes_ = bytes_ > lost ? bytes_ - lost : 0;
  workspace_in_use = this;
}

WorkspaceScope::~WorkspaceScope() {
  workspace_in_use = outer_;
}

namespace cpu {
namespace {

// Destructors of other thread-local and static objects may call on when the pool is gone.
thread_local bool pool_is_gone = false;

class ScratchPool {
 public:
  ScratchPool() = default;
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;
  ~ScratchPool() {
    for (std::size_t n = 0; n < count_; ++n) release(kept_[n]);
    pool_is_gone = true;
  }

  // The smallest that is large enough, and not so large that who wants it next has to go without. From the last: a call
  // like the one before finds the block of its first request there, for blocks go in the reverse order.
  ScratchBlock take(std::size_t wanted) {
    const std::size_t bytes = rounded(wanted);
    std::size_t best = count_;
    for (std::size_t n = count_; n-- > 0;) {
      if (kept_[n].bytes < bytes || kept_[n].bytes > kMostSpare * bytes) continue;
      if (best < count_ && kept_[n].bytes >= kept_[best].bytes) continue;
      best = n;
      if (kept_[n].bytes == bytes) break;
    }
    if (best < count_) {
      const ScratchBlock taken = kept_[best];
      kept_[best] = kept_[--count_];
      bytes_ -= taken.bytes;
      return taken;
    }
    ScratchBlock block;
    block.data = allocate(bytes);
    block.bytes = bytes;
    return block;
  }

  // Keeps it, if need be in place of others: kMostBytes in all.
  void give(const ScratchBlock& block) {
    if (block.bytes > kMostBytes) return release(block);
    while (count_ == kept_.size() || bytes_ + block.bytes > kMostBytes) drop_first();
    bytes_ += block.bytes;
    kept_[count_++] = block;
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  static constexpr std::size_t kMostSpare = 4;
  static constexpr std::size_t kSmall = std::size_t{64} << 10;
  // Small ones come in three sizes: the last that was given back serves the next, and nobody looks further.
  static std::size_t rounded(std::size_t bytes) {
    constexpr std::size_t kSizes[] = {kSmall / 16, kSmall / 4, kSmall};
    for (const std::size_t size : kSizes) {
      if (bytes <= size) return size;
    }
    return bytes;
  }
  void drop_first() {
    bytes_ -= kept_[0].bytes;
    release(kept_[0]);
    std::copy(kept_.begin() + 1, kept_.begin() + count_, kept_.begin());
    --count_;
  }
  // More than any call holds at once.
  std::array<ScratchBlock, 64> kept_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;  // of them all
};

ScratchPool& pool() {
  thread_local ScratchPool pool;
  return pool;
}

}  // namespace

bool has_workspace() {
  return workspace_in_use != nullptr;
}

ScratchBlock take_scratch(std::size_t bytes) {
  if (workspace_in_use != nullptr) return WorkspaceAccess::take(*workspace_in_use, bytes);
  if (!pool_is_gone) return pool().take(bytes);
  ScratchBlock block;
  block.data = allocate(bytes);
  block.bytes = bytes;
  return block;
}

void give_scratch(const ScratchBlock& block) noexcept {
  if (block.offset != ScratchBlock::kNoWorkspace) {
    WorkspaceAccess::give(*workspace_in_use, block);
  } else if (pool_is_gone) {
    release(block);
  } else {
    pool().give(block);
  }
}

}  // namespace cpu
}  // namespace norma
