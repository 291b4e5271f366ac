// Data files of the formats that the lab reads, made byte by byte for tests.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace norma::testing {

inline std::string little(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>((value >> (8 * i)) & 0xffU);
  return bytes;
}

template <typename T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline std::string npy_header(const std::string& type, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

// version: 1 to 3, which says how wide the header's length is.
inline std::string npy(std::string header, const std::string& elements, int version = 1) {
  const std::size_t digits = version == 1 ? 2 : 4;
  while ((8 + digits + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  return "\x93NUMPY" + std::string{static_cast<char>(version), '\0'} + little(header.size(), digits) + header +
         elements;
}

inline std::string deflated(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream stream{};
  deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A ZIP archive. `claim`: added to the sizes that the directory says each entry has inflated.
inline std::string zip(const std::vector<std::pair<std::string, std::string>>& entries, bool deflate_them,
                       std::uint32_t claim = 0) {
  std::string bytes, directory;
  for (const auto& [name, content] : entries) {
    const std::string packed = deflate_them ? deflated(content) : content;
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
    const std::string common = little(20, 2) + little(0, 2) + little(deflate_them ? 8 : 0, 2) + little(0, 4) +
                               little(crc, 4) + little(packed.size(), 4) + little(content.size() + claim, 4) +
                               little(name.size(), 2);
    const std::size_t offset = bytes.size();
    const std::string extra = little(0x0001, 2) + little(0, 2);  // numpy's local headers have an extra field
    bytes += "PK\x03\x04" + common + little(extra.size(), 2) + name + extra + packed;
    directory += "PK\x01\x02" + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 2) +
                 little(0, 4) + little(offset, 4) + name;
  }
  return bytes + directory + "PK\x05\x06" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
         little(directory.size(), 4) + little(bytes.size(), 4) + little(0, 2);
}

}  // namespace norma::testing
