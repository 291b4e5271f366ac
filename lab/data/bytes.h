// Bytes of a file from a stranger, read with bounds.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace norma::lab {

using Bytes = std::span<const std::uint8_t>;

// All of a file; inflated, if it is gzipped. Throws InputError if it is missing, damaged or larger than `most`.
std::vector<std::uint8_t> read_whole(const std::string& path, std::int64_t most);

// Little-endian, from `at` on; the caller has made sure that they are there.
inline std::uint64_t little_endian(Bytes bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i > 0; --i) value = (value << 8U) | bytes[at + i - 1];
  return value;
}

}  // namespace norma::lab
