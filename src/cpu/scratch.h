// Uninitialised working memory, aligned to a cache line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

namespace norma::cpu {

template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : data_(count == 0 ? nullptr
                         : static_cast<T*>(::operator new(static_cast<std::size_t>(count) * sizeof(T), kAlignment))) {}
  ~Scratch() { ::operator delete(data_, kAlignment); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return data_; }
  T& operator[](std::int64_t at) const { return data_[at]; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  T* data_;
};

}  // namespace norma::cpu
