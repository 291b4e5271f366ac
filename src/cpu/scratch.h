// Uninitialised working memory, aligned to a cache line: of the caller's workspace where this thread has one, otherwise
// of what the thread keeps. Every thread keeps what it used last: a call that maps fresh pages for its partial sums
// pays more for the page faults than for the sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace norma::cpu {

struct ScratchBlock {
  static constexpr std::size_t kNoWorkspace = static_cast<std::size_t>(-1);

  void* data = nullptr;
  std::size_t bytes = 0;
  std::size_t offset = kNoWorkspace;  // in the workspace that it counts in
  bool from_heap = true;
};

// Throws std::bad_alloc.
ScratchBlock take_scratch(std::size_t bytes);
// On the thread that took it.
void give_scratch(const ScratchBlock& block) noexcept;

// Does this thread take its memory from a workspace?
bool has_workspace();

template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count) {
    if (count > 0) block_ = take_scratch(static_cast<std::size_t>(count) * sizeof(T));
  }
  Scratch() = default;
  Scratch(Scratch&& other) noexcept : block_(std::exchange(other.block_, {})) {}
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Scratch() {
    if (block_.data != nullptr) give_scratch(block_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return static_cast<T*>(block_.data); }
  T& operator[](std::int64_t at) const { return data()[at]; }

 private:
  ScratchBlock block_;
};

}  // namespace norma::cpu
