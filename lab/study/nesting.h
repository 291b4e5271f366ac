// How deep a study file nests, told from its text before it is parsed.
#pragma once

#include <string_view>

namespace norma::lab {

// The first line at which tables nest deeper than `most` levels, by dotted keys and headers, arrays and inline tables;
// 0 if none does. Dots in comments, strings and numbers do not nest. What is no TOML is for the parser to find: up to
// its first mistake both read alike.
int line_nested_deeper(std::string_view text, int most);

}  // namespace norma::lab
