// Records and fields of a CSV file.
#include <fmt/format.h>

#include <algorithm>

#include "lab/data/csv.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

// The separator that the first line has most of, quoted text left out.
char find_separator(std::string_view text) {
  std::int64_t commas = 0, semicolons = 0, tabs = 0;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n') break;
    commas += c == ',' ? 1 : 0;
    semicolons += c == ';' ? 1 : 0;
    tabs += c == '\t' ? 1 : 0;
  }
  if (semicolons > commas && semicolons >= tabs) return ';';
  return tabs > commas ? '\t' : ',';
}

}  // namespace

CsvReader::CsvReader(std::string_view text, std::string name) : text_(text), name_(std::move(name)) {
  if (text_.starts_with("\xef\xbb\xbf")) text_.remove_prefix(3);  // a byte order mark
  separator_ = find_separator(text_);
}

bool CsvReader::next(CsvRecord& record) {
  // Lines without anything are left out.
  while (at_ < text_.size() && (text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n"))) {
    at_ += text_[at_] == '\n' ? 1 : 2;
    ++line_;
  }
  if (at_ >= text_.size()) return false;
  record.fields.clear();
  record.line = line_;
  while (true) {
    record.fields.push_back(at_ < text_.size() && text_[at_] == '"' ? quoted_field() : field());
    if (at_ >= text_.size()) return true;
    if (text_[at_] == separator_) {
      ++at_;
      continue;
    }
    at_ += text_[at_] == '\n' ? 1 : 2;
    ++line_;
    return true;
  }
}

std::string CsvReader::field() {
  const std::size_t end = std::min(text_.find_first_of(separator_ == ';'    ? ";\n"
                                                       : separator_ == '\t' ? "\t\n"
                                                                            : ",\n",
                                                       at_),
                                   text_.size());
  std::string_view found = text_.substr(at_, end - at_);
  at_ = end;
  const bool at_line_end = end == text_.size() || text_[end] == '\n';
  if (at_line_end && found.ends_with('\r')) {
    found.remove_suffix(1);
    if (end < text_.size()) --at_;  // next() takes CRLF whole
  }
  return std::string(found);
}

std::string CsvReader::quoted_field() {
  const std::int64_t start = line_;
  std::string found;
  ++at_;
  while (true) {
    if (at_ >= text_.size()) throw InputError(fmt::format("{}:{}: a quote that does not end", name_, start));
    const char c = text_[at_++];
    if (c != '"') {
      line_ += c == '\n' ? 1 : 0;
      found += c;
    } else if (at_ < text_.size() && text_[at_] == '"') {
      found += text_[at_++];
    } else {
      break;
    }
  }
  const bool ends =
      at_ >= text_.size() || text_[at_] == separator_ || text_[at_] == '\n' || text_.substr(at_).starts_with("\r\n");
  if (!ends) {
    throw InputError(fmt::format("{}:{}: expected '{}' or the end of the line behind a quoted field, got '{}'", name_,
                                 line_, separator_, text_[at_]));
  }
  return found;
}

}  // namespace norma::lab
