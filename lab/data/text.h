// Text by character, to predict the next one. A sample is a window of characters (Unicode code points of UTF-8), its
// labels are the same window one further on.
//
//     training windows | ... | validation windows | test windows          in the order of the file
//
// Parts are split by position and share no character, the last label of a part included. The vocabulary is that of the
// training part: 0 is padding, which never occurs, then its characters in the order of their code points, then one
// token for every character that only the other parts have.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lab/data/dataset.h"

namespace norma::lab {

inline constexpr std::int64_t kDefaultWindow = 64;  // characters

// Throws InputError, beginning with `name`, at the first byte that is no UTF-8.
std::vector<char32_t> decode_utf8(std::string_view text, const std::string& name);

// As load() and describe(), of the file "path" in windows of spec.length characters.
Dataset load_text(const DataSpec& spec);
DataDescription describe_text(const DataSpec& spec);

}  // namespace norma::lab
