#include "cpu/scratch.h"

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
      block.data = ::operator new (block.bytes, std::align_val_t{kAlignment});
    }
    scope.used_ += block.bytes;
    ++scope.blocks_;
    // Wherever the memory begins, up to one line is lost before the first block.
    scope.needed_ = std::max(scope.needed_, scope.used_ + kAlignment);
    return block;
  }

  static void give(WorkspaceScope& scope, const cpu::ScratchBlock& block) {
    if (block.from_heap) ::operator delete (block.data, std::align_val_t{kAlignment});
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

class ScratchPool {
 public:
  ScratchPool() = default;
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;
  ~ScratchPool() {
    for (std::size_t n = 0; n < count_; ++n) release(kept_[n]);
  }

  // The smallest that is large enough. From the last: a call like the one before finds the block of its first request
  // there, for blocks go in the reverse order.
  ScratchBlock take(std::size_t bytes) {
    std::size_t best = count_;
    for (std::size_t n = count_; n-- > 0;) {
      if (kept_[n].bytes < bytes || (best < count_ && kept_[n].bytes >= kept_[best].bytes)) continue;
      best = n;
      if (kept_[n].bytes == bytes) break;
    }
    if (best < count_) {
      const ScratchBlock taken = kept_[best];
      kept_[best] = kept_[--count_];
      return taken;
    }
    ScratchBlock block;
    block.data = ::operator new (bytes, std::align_val_t{kAlignment});
    block.bytes = bytes;
    return block;
  }

  // Keeps it, if need be in place of the smallest; what is beyond kMostBytes goes back at once.
  void give(ScratchBlock block) {
    if (block.bytes <= kMostBytes) {
      if (count_ < kept_.size()) {
        kept_[count_++] = block;
        return;
      }
      ScratchBlock* smallest = kept_.data();
      for (ScratchBlock& kept : kept_) {
        if (kept.bytes < smallest->bytes) smallest = &kept;
      }
      if (smallest->bytes < block.bytes) std::swap(*smallest, block);
    }
    release(block);
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{8} << 20;
  static void release(const ScratchBlock& block) { ::operator delete (block.data, std::align_val_t{kAlignment}); }
  // More than any call holds at once.
  std::array<ScratchBlock, 32> kept_;
  std::size_t count_ = 0;
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
  return workspace_in_use == nullptr ? pool().take(bytes) : WorkspaceAccess::take(*workspace_in_use, bytes);
}

void give_scratch(const ScratchBlock& block) noexcept {
  if (block.offset == ScratchBlock::kNoWorkspace) {
    pool().give(block);
  } else {
    WorkspaceAccess::give(*workspace_in_use, block);
  }
}

}  // namespace cpu
}  // namespace norma
