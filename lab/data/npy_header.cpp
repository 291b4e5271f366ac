// The header of an .npy file: the few forms of a Python dictionary that numpy writes.
#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "lab/data/npy.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

constexpr std::size_t kMaxRank = 32;  // numpy's own

class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& what) : text_(text), what_(what) {}

  NpyHeader parse() {
    NpyHeader header;
    bool type = false, order = false, shape = false;
    take('{');
    while (!next_is('}')) {
      const std::string key = word();
      take(':');
      if (key == "descr" && !type) {
        if (next_is('[')) fail("a structured type");
        header.type = word();
        type = true;
      } else if (key == "fortran_order" && !order) {
        header.fortran_order = truth();
        order = true;
      } else if (key == "shape" && !shape) {
        header.shape = tuple();
        shape = true;
      } else {
        fail("the key '" + key + "'");
      }
      if (!next_is('}')) take(',');
    }
    take('}');
    skip_spaces();
    if (at_ != text_.size()) fail("more behind the dictionary");
    if (!type || !order || !shape) fail("a dictionary without all of descr, fortran_order and shape");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& found) const {
    throw InputError(fmt::format(
        "{}: malformed NPY header: found {} at byte {}, expected {{'descr': ..., 'fortran_order': ..., 'shape': ...}}",
        what_, found, at_));
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool next_is(char c) {
    skip_spaces();
    return at_ < text_.size() && text_[at_] == c;
  }
  void take(char c) {
    if (!next_is(c))
      fail(at_ < text_.size() ? fmt::format("byte 0x{:02x}", static_cast<std::uint8_t>(text_[at_])) : "its end");
    ++at_;
  }

  std::string word() {
    const char quote = next_is('"') ? '"' : '\'';
    take(quote);
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) fail("a word that does not end");
    std::string found(text_.substr(at_, end - at_));
    at_ = end + 1;
    return found;
  }

  bool truth() {
    skip_spaces();
    for (const std::string_view name : {"True", "False"}) {
      if (text_.substr(at_).starts_with(name)) {
        at_ += name.size();
        return name == "True";
      }
    }
    fail("neither True nor False");
  }

  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> sizes;
    take('(');
    while (!next_is(')')) {
      std::int64_t size = -1;
      const auto [end, code] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (code != std::errc{} || size < 0) fail("a size that is no whole number from 0 on");
      at_ = static_cast<std::size_t>(end - text_.data());
      if (sizes.size() == kMaxRank) fail("more than 32 sizes");
      sizes.push_back(size);
      if (!next_is(')')) take(',');
    }
    take(')');
    return sizes;
  }

  std::string_view text_;
  const std::string& what_;
  std::size_t at_ = 0;
};

}  // namespace

NpyHeader parse_npy_header(const std::string& text, const std::string& what) {
  return HeaderParser(text, what).parse();
}

}  // namespace norma::lab
