// The nearest of a list of names to a misspelt one, for error messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace norma::cli {

// Letters to insert, delete or replace to come from one word to the other (Levenshtein 1966).
inline std::size_t edit_distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  for (std::size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, row[j + 1] + 1, replaced});
    }
  }
  return row.back();
}

// " Did you mean 'batch'? There are: batch, layer, ..."; the question only where a name is near. A name that begins
// with the word, or the word with it, is near ("batchnorm").
inline std::string suggestion(std::string_view word, const std::vector<std::string_view>& names) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  const auto length_gap = [&word](std::string_view name) {
    return std::max(name.size(), word.size()) - std::min(name.size(), word.size());
  };
  std::string all;
  for (const std::string_view name : names) {
    all += (all.empty() ? "" : ", ") + std::string(name);
    const bool begins = !word.empty() && (name.starts_with(word) || word.starts_with(name));
    const std::size_t distance = begins ? 0 : edit_distance(word, name);
    if (distance < best_distance ||
        (distance == best_distance && !best.empty() && length_gap(name) < length_gap(best))) {
      best = name;
      best_distance = distance;
    }
  }
  const std::string question = best.empty() ? "" : " Did you mean '" + std::string(best) + "'?";
  return question + " There are: " + all + ".";
}

}  // namespace norma::cli
