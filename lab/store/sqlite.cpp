#include "lab/store/sqlite.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cmath>

namespace norma::lab {
namespace {

// Values one behind the other so that no two rows read alike.
void append(std::string& bytes, std::string_view text) {
  bytes += fmt::format("t{}:{}", text.size(), text);
}
void append(std::string& bytes, std::int64_t value) {
  bytes += fmt::format("i{};", value);
}
// SQLite keeps no NaN and no sign of zero.
void append(std::string& bytes, double value) {
  bytes += std::isnan(value) ? "n;" : fmt::format("r{:a};", value + 0.0);
}

std::string checksum_of(const std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace

Connection::Connection(const std::string& path, int flags) {
  const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr);
  if (code != SQLITE_OK) {
    const std::string message = handle_ != nullptr ? sqlite3_errmsg(handle_) : "out of memory";
    sqlite3_close_v2(handle_);
    throw SqliteError(code, message);
  }
  sqlite3_extended_result_codes(handle_, 0);
  constexpr int kPatience = 10'000;  // ms: a report that is being read while a study writes
  sqlite3_busy_timeout(handle_, kPatience);
}

void Connection::fail(int code) const {
  throw SqliteError(code, sqlite3_errmsg(handle_));
}

void Connection::run(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

Statement::Statement(Connection& connection, const char* sql) : connection_(connection) {
  const int code = sqlite3_prepare_v2(connection.handle(), sql, -1, &handle_, nullptr);
  if (code != SQLITE_OK) connection.fail(code);
}

Statement& Statement::bind(std::string_view text) {
  append(bound_bytes_, text);
  const int code = sqlite3_bind_text64(handle_, ++bound_, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

Statement& Statement::bind(std::int64_t value) {
  append(bound_bytes_, value);
  const int code = sqlite3_bind_int64(handle_, ++bound_, value);
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

Statement& Statement::bind(double value) {
  append(bound_bytes_, value);
  const int code = sqlite3_bind_double(handle_, ++bound_, value);
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

Statement& Statement::bind_checksum() {
  return bind(checksum_of(bound_bytes_));
}

bool Statement::sound(int column) const {
  std::string bytes;
  for (int i = 0; i < column; ++i) {
    switch (sqlite3_column_type(handle_, i)) {
      case SQLITE_INTEGER:
        append(bytes, integer(i));
        break;
      case SQLITE_FLOAT:
        append(bytes, real(i));
        break;
      case SQLITE_NULL:
        append(bytes, std::nan(""));
        break;
      default:
        append(bytes, std::string_view(text(i)));
    }
  }
  return text(column) == checksum_of(bytes);
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) connection_.fail(code);
  return code == SQLITE_ROW;
}

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

}  // namespace norma::lab
