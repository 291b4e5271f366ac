#include "lab/study/nesting.h"

#include <algorithm>
#include <vector>

namespace norma::lab {
namespace {

// Where the string that begins here ends: behind its closing quotes, or at the end of the line or text if it has none.
std::size_t string_end(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool escapes = quote == '"';
  const std::string_view three = quote == '"' ? R"(""")" : "'''";
  const bool long_one = text.substr(at, 3) == three;
  std::size_t i = at + (long_one ? 3 : 1);
  for (; i < text.size(); ++i) {
    if (escapes && text[i] == '\\') {
      ++i;
    } else if (long_one && text.substr(i, 3) == three) {
      i += 3;
      for (int more = 0; more < 2 && i < text.size() && text[i] == quote; ++more) ++i;  // these belong to the string
      return i;
    } else if (!long_one && text[i] == quote) {
      return i + 1;
    } else if (!long_one && text[i] == '\n') {
      return i;
    }
  }
  return text.size();
}

}  // namespace

int line_nested_deeper(std::string_view text, int most) {
  // The depth so far in this key and value, and what it was outside each bracket that is open.
  int depth = 0;
  std::vector<int> outside;
  int line = 1;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      const std::size_t end = string_end(text, i);
      line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(i),
                                          text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
      i = end;
      continue;
    }
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (c == '[' || c == '{') outside.push_back(depth++);
    if ((c == ']' || c == '}') && !outside.empty()) {
      depth = outside.back();
      outside.pop_back();
    }
    if (c == ',' || c == '\n') depth = outside.empty() ? 0 : outside.back() + 1;
    if (c == '\n') ++line;
    if (c == '.') ++depth;
    if (depth > most) return line;
    ++i;
  }
  return 0;
}

}  // namespace norma::lab
