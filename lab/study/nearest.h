// "Did you mean": the nearest of some names by edit distance.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

namespace norma::lab {

// How many letters must be put in, taken out, replaced or swapped with their neighbour (optimal string alignment).
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  std::iota(above.begin(), above.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

inline std::string in_small_letters(std::string_view text) {
  std::string small(text);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return small;
}

// Empty if none is near: further than two letters and further than half the name. Capitals count as small letters.
inline std::string nearest(std::string_view written, const std::vector<std::string>& among) {
  const std::string name = in_small_letters(written);
  std::string best;
  std::size_t distance = std::max<std::size_t>(2, name.size() / 2) + 1;
  for (const std::string& candidate : among) {
    const std::string known = in_small_letters(candidate);
    // A name cut short or run on is near whatever its length, but not so near as the name itself.
    const bool part = name.size() >= 3 && name != known && (known.starts_with(name) || name.starts_with(known));
    const std::size_t d = part ? 1 : edit_distance(name, known);
    if (d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best;
}

// "; did you mean 'layer'?", or the whole list where nothing is near: "; expected one of a, b, c".
inline std::string suggestion(std::string_view name, const std::vector<std::string>& among) {
  const std::string near = nearest(name, among);
  if (!near.empty()) return "; did you mean '" + near + "'?";
  std::string list;
  for (const std::string& candidate : among) list += (list.empty() ? "" : ", ") + candidate;
  return "; expected one of: " + list;
}

}  // namespace norma::lab
