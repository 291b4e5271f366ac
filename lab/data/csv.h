// Tables of numbers with a column of labels, as comma-separated values (RFC 4180), gzipped or not: fields may be
// quoted, lines end with LF or CRLF. Semicolons and tabs separate as well: whichever the first line has most of.
//
// Every column but the labels' is a feature and holds finite numbers. Labels are whole numbers or words: sorted, by
// value or by bytes, they are the classes 0, 1, 2, ... Errors name file, line and column.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lab/data/contents.h"

namespace norma::lab {

// A record: its fields, quotes taken off, and the line that it starts on, from 1.
struct CsvRecord {
  std::vector<std::string> fields;
  std::int64_t line = 0;
};

// Reads one record after another out of a text that must outlive it.
class CsvReader {
 public:
  CsvReader(std::string_view text, std::string name);

  // False at the end. Throws InputError: a quote that does not end, or text behind one; no UTF-8 is asked for.
  bool next(CsvRecord& record);
  char separator() const { return separator_; }

 private:
  std::string field();
  std::string quoted_field();

  std::string_view text_;
  std::string name_;
  char separator_ = ',';
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

// The file "path" and, if it is there, "test_path", which has the same columns.
Contents read_csv_contents(const DataSpec& spec);

}  // namespace norma::lab
