#include "lab/data/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "lab/data/bytes.h"
#include "lab/data/checksum.h"
#include "lab/error.h"

namespace norma::lab {
namespace {

constexpr std::int64_t kMaxText = std::int64_t{256} << 20U;

std::vector<char32_t> read_characters(const DataSpec& spec, std::string& checksum) {
  const std::string& path = spec.files.at("path");
  const std::vector<std::uint8_t> bytes = read_whole(path, kMaxText);
  Checksum sum;
  sum.add(bytes);
  checksum = sum.text();
  return decode_utf8({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

// The three parts have a last label each that is no window's first character.
std::int64_t windows_in(const std::vector<char32_t>& characters, const DataSpec& spec) {
  if (spec.length < 1) throw InputError(fmt::format("data '{}': windows of {} characters", spec.name, spec.length));
  return std::max<std::int64_t>(static_cast<std::int64_t>(characters.size()) - 3, 0) / spec.length;
}

void check_windows(const DataSpec& spec, std::int64_t windows, std::size_t characters) {
  const bool fits = spec.train >= 1 && spec.validation >= 1 && spec.test >= 1 && spec.train <= windows &&
                    spec.validation <= windows - spec.train && spec.test <= windows - spec.train - spec.validation;
  if (fits) return;
  throw InputError(
      fmt::format("data '{}': train, validation and test are {}, {} and {} windows; expected at least 1 "
                  "each and at most {} in all: {} characters, {} a window",
                  spec.name, spec.train, spec.validation, spec.test, windows, characters, spec.length));
}

Dataset parts_of(const DataSpec& spec, const std::vector<char32_t>& characters) {
  const std::span<const char32_t> all(characters);
  const auto part_size = [&](std::int64_t windows) { return static_cast<std::size_t>(windows * spec.length + 1); };
  const auto training = all.first(part_size(spec.train));
  const auto test = all.last(part_size(spec.test));
  const auto validation = all.first(all.size() - test.size()).last(part_size(spec.validation));

  std::map<char32_t, std::int64_t> ids;
  for (const char32_t c : training) ids.emplace(c, 0);
  std::int64_t next = 0;
  for (auto& [c, id] : ids) id = ++next;
  const std::int64_t unknown = next + 1;

  Dataset data;
  data.kind = SampleKind::kTokens;
  data.per_position = true;
  data.shape = {1, 1, spec.length};
  data.vocabulary = data.classes = unknown + 1;
  const auto append = [&](std::span<const char32_t> part, std::vector<std::int64_t>& indices) {
    std::vector<std::int64_t> tokens;
    for (const char32_t c : part) {
      const auto found = ids.find(c);
      tokens.push_back(found == ids.end() ? unknown : found->second);
    }
    const auto first = static_cast<std::int64_t>(data.tokens.size()) / spec.length;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(part.size()) / spec.length; ++i)
      indices.push_back(first + i);
    data.tokens.insert(data.tokens.end(), tokens.begin(), tokens.end() - 1);
    data.labels.insert(data.labels.end(), tokens.begin() + 1, tokens.end());
  };
  append(training, data.train);
  append(validation, data.validation);
  append(test, data.test);
  return data;
}

}  // namespace

std::vector<char32_t> decode_utf8(std::string_view text, const std::string& name) {
  // Smallest code point of each length: longer forms of a smaller one are no UTF-8.
  constexpr std::array<char32_t, 4> kLeast{0, 0x80, 0x800, 0x10000};
  std::vector<char32_t> characters;
  std::size_t at = 0;
  const auto fail = [&] {
    throw InputError(
        fmt::format("{}: byte {} (from 0) is no UTF-8: 0x{:02x}", name, at, static_cast<std::uint8_t>(text[at])));
  };
  while (at < text.size()) {
    const auto lead = static_cast<std::uint8_t>(text[at]);
    const std::size_t more = lead < 0x80 ? 0 : lead >> 5U == 6 ? 1 : lead >> 4U == 14 ? 2 : lead >> 3U == 30 ? 3 : 4;
    if (more == 4 || text.size() - at <= more) fail();
    char32_t c = more == 0 ? lead : lead & (0x3fU >> more);
    for (std::size_t i = 1; i <= more; ++i) {
      const auto byte = static_cast<std::uint8_t>(text[at + i]);
      if (byte >> 6U != 2) fail();
      c = (c << 6U) | (byte & 0x3fU);
    }
    if (c < kLeast[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) fail();
    characters.push_back(c);
    at += more + 1;
  }
  return characters;
}

Dataset load_text(const DataSpec& spec) {
  std::string checksum;
  const std::vector<char32_t> characters = read_characters(spec, checksum);
  check_windows(spec, windows_in(characters, spec), characters.size());
  Dataset data = parts_of(spec, characters);
  data.checksum = checksum;
  return data;
}

DataDescription describe_text(const DataSpec& spec) {
  DataDescription description;
  const std::vector<char32_t> characters = read_characters(spec, description.checksum);
  description.kind = SampleKind::kTokens;
  description.per_position = true;
  description.train_available = windows_in(characters, spec);
  description.shape = {1, 1, spec.length};
  DataSpec sized = spec;
  if (sized.train == 0) share_out(sized, description);
  check_windows(sized, description.train_available, characters.size());
  const Dataset data = parts_of(sized, characters);
  description.vocabulary = description.classes = data.vocabulary;
  description.majority_error = majority_error(data);
  return description;
}

}  // namespace norma::lab
