// A thin skin over SQLite's C interface: connections and statements that clean up after themselves and throw, and rows
// that carry a checksum of their own values, since SQLite keeps none of what its pages hold.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace norma::lab {

struct SqliteError : std::runtime_error {
  SqliteError(int result, const std::string& message) : std::runtime_error(message), code(result) {}
  int code;  // SQLITE_CORRUPT and the like
};

class Connection {
 public:
  Connection(const std::string& path, int flags);
  ~Connection() { sqlite3_close_v2(handle_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Statements that give nothing back.
  void run(const char* sql);
  std::int64_t last_row() const { return sqlite3_last_insert_rowid(handle_); }
  sqlite3* handle() const { return handle_; }
  [[noreturn]] void fail(int code) const;

 private:
  sqlite3* handle_ = nullptr;
};

class Statement {
 public:
  Statement(Connection& connection, const char* sql);
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Parameters in order, from the first. A double that is no number becomes NULL.
  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t value);
  Statement& bind(double value);
  // The checksum of all that was bound before, 32 hex digits, as the next parameter.
  Statement& bind_checksum();
  // True if there is a row.
  bool step();
  sqlite3_stmt* handle() const { return handle_; }

  std::string text(int column) const;
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }
  double real(int column) const { return sqlite3_column_double(handle_, column); }
  // Whether this column holds the checksum of the columns before it, as bind_checksum() wrote it.
  bool sound(int column) const;

 private:
  Connection& connection_;
  sqlite3_stmt* handle_ = nullptr;
  int bound_ = 0;
  std::string bound_bytes_;  // with the type and length of each value
};

}  // namespace norma::lab
