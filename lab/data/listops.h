// ListOps (Nangia & Bowman 2018): nested operations on digits, written out as tokens, with their value as the label.
//
//     [MAX 4 [MIN 2 8 ] 3 [MED 7 1 9 2 ] ]   ->   4
//
// Drawn as in the Long Range Arena (Tay et al. 2020): a node is an operation with probability 0.25 and otherwise a
// digit; an operation, each as likely, has 2 to `arguments` children; at depth `depth` (the root's is 1) all are
// digits. An expression of another length than wanted, in tokens, is drawn again, and so is one that was there before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lab/data/contents.h"
#include "lab/data/random.h"

namespace norma::lab {

// Tokens: 0 is padding, 1 to 10 the digits from 0 to 9, then "[MIN", "[MAX", "[MED", "[SM" and "]".
inline constexpr std::uint8_t kListopsMin = 11, kListopsMax = 12, kListopsMedian = 13, kListopsSum = 14,
                              kListopsEnd = 15;
inline constexpr std::int64_t kListopsVocabulary = 16, kListopsClasses = 10;

// Where a study does not say: less deep, shorter and fewer than in the Long Range Arena.
struct DefaultListops {
  std::int64_t depth = 4, arguments = 4, min_length = 20, max_length = 100;
  std::int64_t train = 8000, validation = 1000, test = 1000;
};
inline constexpr DefaultListops kDefaultListops;
inline constexpr std::int64_t kMaxGenerated = 10'000'000;  // of each part

struct Expression {
  std::vector<std::uint8_t> tokens;
  int value = 0;  // 0 to 9
};

// Nothing if it comes out longer than `most` tokens.
std::optional<Expression> draw_expression(Random& random, std::int64_t depth, std::int64_t arguments, std::size_t most);

// The value of one operation. Of an even count, MED is the mean of the middle two without its fraction; SM is the sum
// modulo 10. Takes digits, at least one.
int apply_operation(std::uint8_t operation, std::vector<int> digits);

// `count` different expressions of spec's depth, arguments and lengths. Throws InputError where there are too few.
Samples draw_listops(const DataSpec& spec, std::int64_t count, std::uint64_t seed);

// As many as the parts of spec want, or one.
Contents generate_listops(const DataSpec& spec);

}  // namespace norma::lab
