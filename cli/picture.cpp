#include "picture.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace norma::cli {
namespace {

// A cell of a drawing. Of the grid: a feature of a sample, with all its positions. Of the inset: one position.
enum class Cell { kOther, kSome, kAll, kChosen, kGap };

struct Glyph {
  const char* ascii;
  const char* unicode;
  const char* colour;  // SGR parameters
};

Glyph glyph_of(Cell cell) {
  switch (cell) {
    case Cell::kOther:
      return {".", "·", "2"};
    case Cell::kSome:
      return {"+", "□", "36"};
    case Cell::kAll:
      return {"#", "■", "36"};
    case Cell::kChosen:
      return {"@", "◆", "1;33"};
    case Cell::kGap:
      break;
  }
  return {":", "⋯", "2"};
}

std::string show(Cell cell, const Style& style) {
  const Glyph glyph = glyph_of(cell);
  const std::string text = style.unicode ? glyph.unicode : glyph.ascii;
  return style.colour ? "\033[" + std::string(glyph.colour) + "m" + text + "\033[0m" : text;
}

// Which of `size` indices are drawn: all, or the first few, a gap (-1) and the last.
std::vector<std::int64_t> drawn(std::int64_t size, std::int64_t room) {
  std::vector<std::int64_t> indices;
  const std::int64_t first = size <= room ? size : room - 2;
  for (std::int64_t i = 0; i < first; ++i) indices.push_back(i);
  if (first < size) {
    indices.push_back(-1);
    indices.push_back(size - 1);
  }
  return indices;
}

using Index = std::vector<std::int64_t>;

class Drawing {
 public:
  Drawing(const Descriptor& descriptor, const Shape& x, const Style& style)
      : descriptor_(descriptor), x_(x), style_(style), chosen_(choose(x)) {
    statistic_ = statistic_of(descriptor_, x_, chosen_);
  }

  std::vector<std::string> lines() const {
    const std::vector<std::string> left = grid();
    const std::vector<std::string> right = x_.rank() > 2 ? inset() : std::vector<std::string>{};
    std::vector<std::string> result;
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
      std::string line = i < left.size() ? left[i] : std::string(grid_width(), ' ');
      if (i < right.size()) line += "    " + right[i];
      while (line.ends_with(' ')) line.pop_back();
      result.push_back(line);
    }
    result.emplace_back();
    result.push_back(legend());
    return result;
  }

 private:
  static constexpr std::size_t kMargin = 14;  // "  sample  123 "
  static constexpr std::string_view kTitle = "feature";
  static constexpr std::int64_t kSampleRoom = 8;
  static constexpr std::int64_t kPositionRoom = 8;

  // Somewhere inside, so that a neighbour on either side is seen.
  static Index choose(const Shape& x) {
    Index index;
    for (int axis = 0; axis < x.rank(); ++axis) index.push_back(std::min<std::int64_t>(axis == 1 ? 5 : 2, x[axis] - 1));
    if (x.rank() > 2) index[2] = std::min<std::int64_t>(1, x[2] - 1);
    return index;
  }

  bool shares(const Index& index) const { return statistic_of(descriptor_, x_, index) == statistic_; }

  // Whether the elements of a cell share with the chosen one: every other axis either shares or does not, so looking
  // at the chosen positions and at positions moved along each axis tells all.
  Cell cell_of(std::int64_t sample, std::int64_t feature) const {
    if (sample < 0 || feature < 0) return Cell::kGap;
    Index index = chosen_;
    index[0] = sample;
    index[1] = feature;
    if (!shares(index)) return Cell::kOther;
    if (index == chosen_) return Cell::kChosen;
    for (int axis = 2; axis < x_.rank(); ++axis) {
      const auto a = static_cast<std::size_t>(axis);
      index[a] = chosen_[a] == 0 ? x_[axis] - 1 : 0;
      if (!shares(index)) return Cell::kSome;
      index[a] = chosen_[a];
    }
    return Cell::kAll;
  }

  std::int64_t feature_room() const { return x_.rank() > 2 ? 21 : 32; }
  std::size_t grid_width() const {
    return kMargin + std::max(kTitle.size() + 1, 2 * drawn(x_[1], feature_room()).size());
  }

  std::string row_label(std::int64_t sample) const {
    if (sample < 0) return std::string(kMargin - 2, ' ') + (style_.unicode ? "⋮ " : ": ");
    const std::string number = std::to_string(sample);
    const std::string word = sample == 0 ? "  sample" : "";
    return word + std::string(kMargin - 1 - std::min(kMargin - 1, word.size() + number.size()), ' ') + number + " ";
  }

  // "0         5         10": every fifth feature's number above its column, and the last one's.
  std::string feature_numbers() const {
    const std::vector<std::int64_t> features = drawn(x_[1], feature_room());
    std::string line(grid_width() + 8, ' ');
    std::size_t free_from = 0;
    for (std::size_t k = 0; k < features.size(); ++k) {
      const bool last_after_gap = k > 0 && features[k - 1] < 0;
      const std::size_t column = kMargin + 2 * k;
      if (features[k] < 0 || (features[k] % 5 != 0 && !last_after_gap) || column < free_from) continue;
      const std::string number = std::to_string(features[k]);
      line.replace(column, number.size(), number);
      free_from = column + number.size() + 1;
    }
    line.resize(std::max(grid_width(), line.find_last_not_of(' ') + 1), ' ');
    return line;
  }

  std::vector<std::string> grid() const {
    const std::vector<std::int64_t> features = drawn(x_[1], feature_room());
    std::string title = std::string(kMargin, ' ') + std::string(kTitle);
    title.resize(grid_width(), ' ');
    std::vector<std::string> lines{title, feature_numbers()};
    for (const std::int64_t sample : drawn(x_[0], kSampleRoom)) {
      std::string line = row_label(sample);
      for (const std::int64_t feature : features) {
        line += sample < 0 ? "  " : show(cell_of(sample, feature), style_) + " ";
      }
      line += std::string(grid_width() - kMargin - 2 * features.size(), ' ');
      lines.push_back(line);
    }
    return lines;
  }

  // The chosen cell's positions: the last two axes, or the only one.
  std::vector<std::string> inset() const {
    std::string sizes;
    for (int axis = 2; axis < x_.rank(); ++axis) sizes += (axis > 2 ? " x " : "") + std::to_string(x_[axis]);
    std::vector<std::string> lines{
        "inside one cell:", sizes + (sizes.find_first_not_of("1 x") == std::string::npos ? " position" : " positions")};
    const int across = x_.rank() - 1;
    const bool plane = across > 2;
    Index index = chosen_;
    for (const std::int64_t down : plane ? drawn(x_[across - 1], kPositionRoom) : Index{0}) {
      if (plane) index[static_cast<std::size_t>(across - 1)] = down;
      std::string line = "  ";
      for (const std::int64_t position : drawn(x_[across], kPositionRoom)) {
        index[static_cast<std::size_t>(across)] = position;
        const bool gap = down < 0 || position < 0;
        const Cell cell = gap                ? Cell::kGap
                          : index == chosen_ ? Cell::kChosen
                          : shares(index)    ? Cell::kAll
                                             : Cell::kOther;
        line += (down < 0 && position != 0 ? " " : down < 0 ? (style_.unicode ? "⋮" : ":") : show(cell, style_));
        line += " ";
      }
      lines.push_back(line);
    }
    return lines;
  }

  std::string legend() const {
    bool some = false;
    for (const std::int64_t sample : drawn(x_[0], kSampleRoom)) {
      for (const std::int64_t feature : drawn(x_[1], feature_room())) some |= cell_of(sample, feature) == Cell::kSome;
    }
    std::string line =
        "  " + show(Cell::kChosen, style_) + " one element   " + show(Cell::kAll, style_) + " shares its statistics   ";
    if (some) line += show(Cell::kSome, style_) + " in part   ";
    return line + show(Cell::kOther, style_) + " does not";
  }

  const Descriptor& descriptor_;
  const Shape& x_;
  Style style_;
  Index chosen_;
  std::int64_t statistic_ = 0;
};

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    return locale.find("UTF-8") != std::string_view::npos || locale.find("utf8") != std::string_view::npos;
  }
  return false;
}

}  // namespace

Style style_of_terminal() {
  const char* no_colour = std::getenv("NO_COLOR");
  const bool asked_for_none = no_colour != nullptr && *no_colour != '\0';
  return {utf8_locale(), isatty(STDOUT_FILENO) == 1 && !asked_for_none};
}

std::vector<std::string> draw_sharing(const Descriptor& descriptor, const Shape& x, const Style& style) {
  return Drawing(descriptor, x, style).lines();
}

}  // namespace norma::cli
