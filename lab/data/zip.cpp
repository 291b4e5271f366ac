#include "lab/data/zip.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>

#include "lab/data/contents.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

// Signatures and fixed sizes of the format (PKWARE's APPNOTE, 4.3).
constexpr std::uint64_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kLongestComment = 65'535;
constexpr std::uint64_t kStored = 0, kDeflated = 8, kEncrypted = 1, kZip64 = 0xffffffff;

// Raw deflate: as many bytes as the entry says, neither more nor fewer. Memory grows with what comes out.
std::vector<std::uint8_t> inflate_raw(Bytes packed, std::uint64_t size, const std::string& what) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw InputError("zip: cannot start zlib");
  stream.next_in = const_cast<Bytef*>(packed.data());  // zlib 1.2's interface lacks the const
  stream.avail_in = static_cast<uInt>(packed.size());
  constexpr std::size_t kChunk = std::size_t{1} << 20U;
  std::vector<std::uint8_t> out;
  int code = Z_OK;
  while (code == Z_OK && out.size() <= size) {
    const std::size_t before = out.size();
    // One more than there should be, to see that there is none.
    const std::size_t room = std::min<std::uint64_t>(kChunk, size - before + 1);
    out.resize(before + room);
    stream.next_out = out.data() + before;
    stream.avail_out = static_cast<uInt>(room);
    code = inflate(&stream, Z_NO_FLUSH);
    out.erase(out.end() - static_cast<std::ptrdiff_t>(stream.avail_out), out.end());
    if (code == Z_BUF_ERROR) break;
  }
  inflateEnd(&stream);
  if (code == Z_STREAM_END && out.size() == size) return out;
  if (out.size() > size || code == Z_STREAM_END) {
    throw InputError(fmt::format("{}: expected {} bytes inflated, found {}{}", what, size,
                                 code == Z_STREAM_END ? "" : "more than ", std::min<std::uint64_t>(out.size(), size)));
  }
  throw InputError(fmt::format("{}: damaged or truncated: {} of {} bytes could be inflated", what, out.size(), size));
}

}  // namespace

ZipArchive::ZipArchive(const std::string& path) : path_(path), bytes_(read_whole(path, kMaxFileBytes)) {
  read_directory();
}

void ZipArchive::read_directory() {
  const Bytes bytes(bytes_);
  const auto fail = [&](const std::string& message) { throw InputError(path_ + ": " + message); };
  // The end record is the last thing of the file but for a comment.
  std::size_t end = bytes.size() < kEndSize ? 0 : bytes.size() - kEndSize;
  const std::size_t last = end < kLongestComment ? 0 : end - kLongestComment;
  const auto is_end = [&](std::size_t at) {
    return bytes.size() - at >= kEndSize && little_endian(bytes, at, 4) == kEnd &&
           at + kEndSize + little_endian(bytes, at + 20, 2) == bytes.size();
  };
  while (end > last && !is_end(end)) --end;
  if (!is_end(end)) {
    fail(bytes.size() >= 4 && little_endian(bytes, 0, 4) == kLocal ? "truncated: a ZIP archive without its end record"
                                                                   : "not a ZIP archive: no end record");
  }
  const std::uint64_t count = little_endian(bytes, end + 10, 2);
  std::uint64_t at = little_endian(bytes, end + 16, 4);
  if (little_endian(bytes, end + 4, 2) != 0 || little_endian(bytes, end + 8, 2) != count) {
    fail("an archive in several parts, expected one file");
  }
  if (at == kZip64) fail("a ZIP64 archive of 4 GB or more, expected less");
  for (std::uint64_t i = 0; i < count; ++i) {
    if (at > end || end - at < kCentralSize || little_endian(bytes, at, 4) != kCentral) {
      fail(fmt::format("damaged: the directory breaks off at entry {} of {}", i + 1, count));
    }
    const std::uint64_t name = little_endian(bytes, at + 28, 2);
    const std::uint64_t behind = little_endian(bytes, at + 30, 2) + little_endian(bytes, at + 32, 2);
    if (end - at - kCentralSize < name + behind) {
      fail(fmt::format("damaged: the name of entry {} of {} reaches beyond the directory", i + 1, count));
    }
    Entry entry;
    entry.name.assign(bytes_.begin() + static_cast<std::ptrdiff_t>(at + kCentralSize),
                      bytes_.begin() + static_cast<std::ptrdiff_t>(at + kCentralSize + name));
    entry.flags = little_endian(bytes, at + 8, 2);
    entry.method = little_endian(bytes, at + 10, 2);
    entry.crc = little_endian(bytes, at + 16, 4);
    entry.packed = little_endian(bytes, at + 20, 4);
    entry.size = little_endian(bytes, at + 24, 4);
    entry.offset = little_endian(bytes, at + 42, 4);
    entries_.push_back(std::move(entry));
    at += kCentralSize + name + behind;
  }
}

std::vector<std::string> ZipArchive::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  return names;
}

Bytes ZipArchive::packed_bytes(const Entry& entry) const {
  const Bytes bytes(bytes_);
  const std::string what = path_ + ": '" + entry.name + "'";
  if (entry.packed == kZip64 || entry.size == kZip64 || entry.offset == kZip64) {
    throw InputError(what + ": 4 GB or more, expected less");
  }
  if (entry.offset > bytes.size() || bytes.size() - entry.offset < kLocalSize ||
      little_endian(bytes, entry.offset, 4) != kLocal) {
    throw InputError(fmt::format("{}: damaged: no local header at byte {}", what, entry.offset));
  }
  const std::uint64_t start = entry.offset + kLocalSize + little_endian(bytes, entry.offset + 26, 2) +
                              little_endian(bytes, entry.offset + 28, 2);
  if (start > bytes.size() || bytes.size() - start < entry.packed) {
    throw InputError(fmt::format("{}: truncated: expected {} bytes from byte {} on, the file has {}", what,
                                 entry.packed, start, bytes.size()));
  }
  return bytes.subspan(start, entry.packed);
}

std::vector<std::uint8_t> ZipArchive::read(const std::string& name) const {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& each) { return each.name == name; });
  if (entry == entries_.end()) {
    throw InputError(fmt::format("{}: no entry '{}', it holds: {}", path_, name, fmt::join(names(), ", ")));
  }
  const std::string what = path_ + ": '" + name + "'";
  if ((entry->flags & kEncrypted) != 0) throw InputError(what + ": encrypted");
  const Bytes packed = packed_bytes(*entry);
  std::vector<std::uint8_t> out;
  if (entry->method == kDeflated) {
    out = inflate_raw(packed, entry->size, what);
  } else if (entry->method == kStored) {
    if (entry->packed != entry->size) {
      throw InputError(fmt::format("{}: damaged: stored, but of {} bytes and {}", what, entry->packed, entry->size));
    }
    out.assign(packed.begin(), packed.end());
  } else {
    throw InputError(fmt::format("{}: packed by method {}, expected 0 (stored) or 8 (deflated)", what, entry->method));
  }
  if (crc32_z(0, out.data(), out.size()) != entry->crc) throw InputError(what + ": damaged: its CRC-32 is wrong");
  return out;
}

}  // namespace norma::lab
