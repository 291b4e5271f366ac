#include "lab/store/damage.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <fstream>

namespace norma::lab {
namespace {

constexpr const char* kRemedy =
    "put a copy of the file there; or, to start anew, move it away or choose another folder with --out";

std::uint32_t big_endian(const std::array<unsigned char, 100>& header, std::size_t at) {
  return (std::uint32_t{header[at]} << 24U) | (std::uint32_t{header[at + 1]} << 16U) |
         (std::uint32_t{header[at + 2]} << 8U) | std::uint32_t{header[at + 3]};
}

// SQLite's words on one line: "*** in database main ***\nTree 5 page 6: ..." is "Tree 5 page 6: ...".
std::string in_one_line(std::string text) {
  constexpr std::string_view kHead = "*** in database main ***\n";
  if (const std::size_t at = text.find(kHead); at != std::string::npos) text.erase(at, kHead.size());
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;) text.replace(at, 1, "; ");
  return text;
}

std::string in_words(const SqliteError& error) {
  if (error.code == SQLITE_CORRUPT) return "its contents do not hold together (a part is missing or overwritten)";
  if (error.code == SQLITE_NOTADB) return "it is no SQLite database any more";
  return error.what();
}

}  // namespace

InputError damaged(const std::string& path, std::string what) {
  return InputError(fmt::format("{}: damaged: {}; {}", path, in_one_line(std::move(what)), kRemedy));
}

// https://www.sqlite.org/fileformat.html#the_database_header
void check_header(const std::string& path) {
  std::array<unsigned char, 100> header{};
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(header.data()), header.size());
  if (!in || std::memcmp(header.data(), "SQLite format 3", 16) != 0) {
    throw InputError(fmt::format("{}: damaged, or no store of norma; {}", path, kRemedy));
  }
  if (big_endian(header, 68) != kStoreApplication) {
    throw InputError(fmt::format("{}: no store of norma; move it away or choose another folder with --out", path));
  }
  const std::uint32_t version = big_endian(header, 60);
  if (version == kStoreVersion) return;
  throw InputError(fmt::format(
      "{}: a store of version {}, this norma reads version {}: read it with the norma that wrote it; or, to "
      "start anew, move it away or choose another folder with --out",
      path, version, kStoreVersion));
}

void rethrow(const std::string& path, const SqliteError& error) {
  // SQLITE_ERROR: a table or column that is not there; our statements are right otherwise.
  if (error.code == SQLITE_CORRUPT || error.code == SQLITE_NOTADB || error.code == SQLITE_ERROR) {
    throw damaged(path, in_words(error));
  }
  const std::string message = fmt::format("{}: {}", path, error.what());
  if (error.code == SQLITE_CANTOPEN || error.code == SQLITE_READONLY || error.code == SQLITE_PERM) {
    throw InputError(message);
  }
  throw std::runtime_error(message);
}

}  // namespace norma::lab
