#include "lab/data/listops.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "lab/error.h"

namespace norma::lab {
namespace {

constexpr double kOperation = 0.25;  // probability of a node
// Draws in a row that may give nothing new: about a second.
constexpr std::int64_t kMostInVain = 5'000'000;

// Writes one node and returns its value; -1 as soon as there are more than `most` tokens.
int draw_node(Random& random, std::int64_t levels, std::int64_t arguments, std::size_t most,
              std::vector<std::uint8_t>& tokens) {
  if (tokens.size() >= most) return -1;
  if (levels <= 1 || random.uniform() >= kOperation) {
    const auto digit = static_cast<std::uint8_t>(random.below(10));
    tokens.push_back(static_cast<std::uint8_t>(digit + 1));
    return digit;
  }
  const auto count = static_cast<std::size_t>(2 + random.below(static_cast<std::uint64_t>(arguments) - 1));
  const auto operation = static_cast<std::uint8_t>(kListopsMin + random.below(4));
  tokens.push_back(operation);
  std::vector<int> digits;
  while (digits.size() < count) {
    digits.push_back(draw_node(random, levels - 1, arguments, most, tokens));
    if (digits.back() < 0) return -1;
  }
  if (tokens.size() >= most) return -1;
  tokens.push_back(kListopsEnd);
  return apply_operation(operation, std::move(digits));
}

}  // namespace

int apply_operation(std::uint8_t operation, std::vector<int> digits) {
  std::sort(digits.begin(), digits.end());
  const std::size_t middle = digits.size() / 2;
  switch (operation) {
    case kListopsMin:
      return digits.front();
    case kListopsMax:
      return digits.back();
    case kListopsMedian:
      return digits.size() % 2 == 1 ? digits[middle] : (digits[middle - 1] + digits[middle]) / 2;
    default:
      return std::accumulate(digits.begin(), digits.end(), 0) % 10;
  }
}

std::optional<Expression> draw_expression(Random& random, std::int64_t depth, std::int64_t arguments,
                                          std::size_t most) {
  Expression expression;
  expression.value = draw_node(random, depth, arguments, most, expression.tokens);
  if (expression.value < 0) return std::nullopt;
  return expression;
}

Samples draw_listops(const DataSpec& spec, std::int64_t count, std::uint64_t seed) {
  if (spec.depth < 1 || spec.arguments < 2 || spec.min_length < 1 || spec.max_length < spec.min_length) {
    throw InputError(
        fmt::format("ListOps of depth {}, {} arguments, lengths {} to {}: expected a depth of at least 1, "
                    "at least 2 arguments and lengths from 1",
                    spec.depth, spec.arguments, spec.min_length, spec.max_length));
  }
  Random random(seed);
  std::set<std::string> drawn;  // of tokens, a byte each
  std::vector<const std::string*> in_order;
  Samples samples;
  std::int64_t in_vain = 0;
  while (static_cast<std::int64_t>(in_order.size()) < count) {
    auto expression = draw_expression(random, spec.depth, spec.arguments, static_cast<std::size_t>(spec.max_length));
    if (expression && static_cast<std::int64_t>(expression->tokens.size()) >= spec.min_length) {
      const auto [place, is_new] = drawn.emplace(expression->tokens.begin(), expression->tokens.end());
      if (is_new) {
        in_order.push_back(&*place);
        samples.labels.push_back(expression->value);
        in_vain = 0;
        continue;
      }
    }
    if (++in_vain == kMostInVain) {
      throw InputError(fmt::format(
          "ListOps of depth {}, {} arguments, lengths {} to {}: found {} different expressions, "
          "expected {}: {} draws in a row gave no new one",
          spec.depth, spec.arguments, spec.min_length, spec.max_length, in_order.size(), count, kMostInVain));
    }
  }
  std::size_t longest = 0;
  for (const auto* tokens : in_order) longest = std::max(longest, tokens->size());
  samples.count = count;
  samples.shape = {1, 1, static_cast<std::int64_t>(longest)};
  samples.tokens.resize(in_order.size() * longest);
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    std::copy(in_order[i]->begin(), in_order[i]->end(),
              samples.tokens.begin() + static_cast<std::ptrdiff_t>(i * longest));
    samples.lengths.push_back(static_cast<std::int64_t>(in_order[i]->size()));
  }
  return samples;
}

Contents generate_listops(const DataSpec& spec) {
  Contents contents;
  contents.kind = SampleKind::kTokens;
  if (std::max({spec.train, spec.validation, spec.test}) > kMaxGenerated) {
    throw InputError(fmt::format("data '{}': train, validation and test are {}, {} and {}; expected at most {} each",
                                 spec.name, spec.train, spec.validation, spec.test, kMaxGenerated));
  }
  const std::int64_t wanted = spec.train + spec.validation + spec.test;
  contents.training = draw_listops(spec, std::max<std::int64_t>(wanted, 1), spec.split_seed);
  contents.vocabulary = kListopsVocabulary;
  contents.classes = kListopsClasses;
  contents.in_random_order = true;
  contents.licence = "generated (Nangia & Bowman 2018)";
  return contents;
}

}  // namespace norma::lab
