// Uninitialised working memory, aligned to a cache line. Every thread keeps what it used last: a call that maps fresh
// pages for its partial sums pays more for the page faults than for the sums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace norma::cpu {

class ScratchPool {
 public:
  struct Block {
    void* data = nullptr;
    std::size_t bytes = 0;
  };

  ScratchPool() = default;
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;
  ~ScratchPool() {
    for (const Block& block : kept_) release(block);
  }

  Block take(std::size_t bytes) {
    Block* best = nullptr;
    for (Block& block : kept_) {
      if (block.bytes >= bytes && (best == nullptr || block.bytes < best->bytes)) best = &block;
    }
    if (best == nullptr) return {::operator new(bytes, kAlignment), bytes};
    const Block taken = *best;
    *best = {};
    return taken;
  }

  // Keeps it in place of the smallest, if it is larger; what is beyond kMostBytes goes back at once.
  void give(Block block) {
    if (block.bytes <= kMostBytes) {
      Block* smallest = &kept_[0];
      for (Block& kept : kept_) {
        if (kept.bytes < smallest->bytes) smallest = &kept;
      }
      if (smallest->bytes < block.bytes) std::swap(*smallest, block);
    }
    release(block);
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  static constexpr std::size_t kMostBytes = std::size_t{8} << 20;
  static void release(const Block& block) {
    if (block.data != nullptr) ::operator delete(block.data, kAlignment);
  }
  std::array<Block, 12> kept_;
};

template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count) {
    if (count > 0) block_ = pool().take(static_cast<std::size_t>(count) * sizeof(T));
  }
  ~Scratch() {
    if (block_.data != nullptr) pool().give(block_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return static_cast<T*>(block_.data); }
  T& operator[](std::int64_t at) const { return data()[at]; }

 private:
  static ScratchPool& pool() {
    thread_local ScratchPool pool;
    return pool;
  }
  ScratchPool::Block block_;
};

}  // namespace norma::cpu
