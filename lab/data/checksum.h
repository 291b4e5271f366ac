// A 128-bit checksum of contents (XXH3): tells changed files from unchanged ones, not forged ones from true ones.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace norma::lab {

class Checksum {
 public:
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;

  template <typename T>
  void add(const std::vector<T>& values) {
    add_bytes(std::as_bytes(std::span(values)));
  }
  void add_bytes(std::span<const std::byte> bytes);
  // 32 hex digits, of all that was added.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace norma::lab
