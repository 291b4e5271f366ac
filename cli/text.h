// Text in columns: widths as a terminal shows them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace norma::cli {

// Of prose and of tables.
inline constexpr std::size_t kTextWidth = 100;

// Display width of UTF-8 text: the bytes that do not continue a character.
inline std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

inline std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::size_t used = width_of(text);
  const std::string space(used < width ? width - used : 0, ' ');
  return right ? space + text : text + space;
}

// A sentence as lines of at most this width, broken at spaces.
inline std::vector<std::string> lines_of(const std::string& sentence, std::size_t most) {
  std::vector<std::string> lines{""};
  std::size_t at = 0;
  while (at < sentence.size()) {
    const std::size_t end = std::min(sentence.find(' ', at), sentence.size());
    const std::string word = sentence.substr(at, end - at);
    const bool fits = lines.back().empty() || width_of(lines.back()) + 1 + width_of(word) <= most;
    if (!fits) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    at = end + 1;
  }
  return lines;
}

// The same as one text, each line with its end.
inline std::string wrapped(const std::string& sentence, std::size_t most) {
  std::string text;
  for (const std::string& line : lines_of(sentence, most)) text += line + "\n";
  return text;
}

}  // namespace norma::cli
