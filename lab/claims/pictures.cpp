#include "lab/claims/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <utility>

#include "lab/claims/recommend.h"

namespace norma::lab {
namespace {

using nlohmann::json;

constexpr double kLeft = 360, kWidth = 400, kLine = 18, kTop = 30, kRight = 30, kBottom = 10;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

// One line of a picture: what it is called, and what is drawn there, given the line's middle.
class Lines {
 public:
  explicit Lines(std::size_t count)
      : height_(kTop + kLine * static_cast<double>(count) + kBottom),
        svg_(fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
            kLeft + kWidth + kRight, height_)) {}

  void tick(double x, const std::string& label) {
    svg_ += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\" stroke=\"#ddd\"/>"
        "<text x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\" fill=\"#555\">{4}</text>\n",
        x, kTop - 6, height_ - kBottom, kTop - 12, label);
  }
  void label(const std::string& text) {
    svg_ += fmt::format("<text x=\"{0}\" y=\"{1:.1f}\" text-anchor=\"end\" fill=\"#222\">{2}</text>", kLeft - 10,
                        middle() + 4, escaped(text));
  }
  void band(double from, double to, const char* colour) {
    svg_ += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>", from,
                        middle() - kLine / 2 + 1, to - from, kLine - 2, colour);
  }
  void interval(double from, double to) {
    svg_ += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{1:.1f}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"#36c\" stroke-width=\"2\"/>", from,
        to, middle());
  }
  void dot(double x, const char* colour) {
    svg_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>", x, middle(), colour);
  }
  void end_line() {
    svg_ += "\n";
    ++line_;
  }
  std::string svg() const { return svg_ + "</svg>\n"; }

 private:
  double middle() const { return kTop + kLine * (static_cast<double>(line_) + 0.5); }

  double height_;
  std::string svg_;
  int line_ = 0;
};

struct Row {
  std::string label;
  double mean = 0, low = 0, high = 0;
};

// A number of an interval, infinite ones too; `otherwise` where there is none.
double end_of(const json& interval, const char* name, double unit, double otherwise) {
  if (!interval.at(name).is_null()) return unit * interval.at(name).get<double>();
  if (!interval.contains("infinite") || !interval.at("infinite").contains(name)) return otherwise;
  return interval.at("infinite").at(name).get<double>() * std::numeric_limits<double>::infinity();
}

// A mean with its interval; one without an interval is a dot. `unit`: what a value is multiplied by.
Row row_of(std::string label, const json& interval, double unit) {
  Row row{std::move(label), end_of(interval, "mean", unit, 0), 0, 0};
  row.low = end_of(interval, "low", unit, row.mean);
  row.high = end_of(interval, "high", unit, row.mean);
  return row;
}

// A scale of round numbers.
struct Scale {
  double least, most, step;
};

// From 0, or from below it, to the furthest finite end, or at least so far: three to six steps.
Scale scale_of(const std::vector<Row>& rows, double at_least) {
  double least = 0, most = at_least;
  for (const Row& row : rows) {
    for (const double value : {row.mean, row.low, row.high}) {
      if (!std::isfinite(value)) continue;
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  if (most <= least) most = least + 1;
  const double power = std::pow(10, std::floor(std::log10((most - least) / 3)));
  double step = power;
  for (const double times : {2.0, 5.0}) {
    if (times * power <= (most - least) / 3) step = times * power;
  }
  // Less than the rounding of a sum beyond a step is not beyond it.
  return {std::floor(least / step + 1e-9) * step, std::ceil(most / step - 1e-9) * step, step};
}

// `tick`: what is written behind a number on the scale. What is infinite stands in red at the edge.
std::string intervals_svg(const std::vector<Row>& rows, const char* tick, double at_least) {
  if (rows.empty()) return "";
  const auto [least, most, step] = scale_of(rows, at_least);
  const auto x = [&, from = least, to = most](double value) {
    return kLeft + kWidth * (std::clamp(value, from, to) - from) / (to - from);
  };
  Lines lines(rows.size());
  for (int n = 0; n <= std::lround((most - least) / step); ++n) {
    const double at = least + step * n;
    lines.tick(x(at), fmt::format("{:g}{}", std::abs(at) < step / 2 ? 0 : at, tick));
  }
  for (const Row& row : rows) {
    lines.label(row.label);
    if (std::isfinite(row.mean)) lines.interval(x(row.low), x(row.high));
    lines.dot(x(row.mean), std::isfinite(row.mean) ? "#36c" : "#c33");
    lines.end_line();
  }
  return lines.svg();
}

// "claim3-tuned" is "tuned": whose claim it is stands above the picture.
std::string short_name(const std::string& part) {
  if (!part.starts_with("claim")) return part;
  const std::size_t dash = part.find_first_not_of("0123456789", 5);
  return dash == std::string::npos || part[dash] != '-' ? part : part.substr(dash + 1);
}

// "tuned, mlp2, BatchNorm, 64"; the part's name where there are several.
std::string cell_label(const json& part, const json& cell, bool named) {
  std::string label = named ? short_name(part.at("name").get<std::string>()) + ", " : "";
  label += cell.at("model").get<std::string>() + ", " + arm_label(part, cell.at("arm"));
  if (!cell.at("normalization_batch").is_null()) label += ", " + cell.at("normalization_batch").dump();
  return label;
}

// The claim's own measure.
std::string measure_svg(const json& by_cell, const std::vector<const json*>& parts) {
  std::vector<Row> rows;
  for (const json& cell : by_cell.at("cells")) {
    for (const json* part : parts) {
      // A study of one part does not name it.
      if (parts.size() > 1 && part->at("name") != cell.at("part")) continue;
      rows.push_back(row_of(cell_label(*part, cell, parts.size() > 1), cell.at("value"), 1));
    }
  }
  return intervals_svg(rows, "", 0);
}

std::string cells_svg(const std::vector<const json*>& parts) {
  std::vector<Row> rows;
  for (const json* part : parts) {
    if (!trains(*part)) continue;
    for (const json& cell : part->at("cells")) {
      if (cell.at("error").is_null()) continue;
      rows.push_back(row_of(cell_label(*part, cell, parts.size() > 1), cell.at("error"), 100));
    }
  }
  return intervals_svg(rows, "%", 1);
}

std::string regrets_svg(const json& regrets) {
  std::vector<Row> rows;
  for (const auto& [rule, regret] : regrets.items()) {
    if (!regret.at("mean").is_null()) rows.push_back(row_of(rule_words(rule), regret, 1));
  }
  return intervals_svg(rows, "", 1);
}

// Each check's worst value, in green what its limit allows.
std::string exact_svg(const json& checks) {
  if (checks.empty()) return "";
  constexpr double kLowest = -18, kHighest = 2;  // powers of ten; what is beyond stands at the edge
  const auto x = [&](double value) {
    const double power = value > 0 ? std::clamp(std::log10(value), kLowest, kHighest) : kLowest;
    return kLeft + kWidth * (power - kLowest) / (kHighest - kLowest);
  };
  Lines lines(checks.size());
  for (int power = -16; power <= 0; power += 4) {
    lines.tick(x(std::pow(10, power)), power == 0 ? "1" : fmt::format("1e{}", power));
  }
  lines.tick(kLeft, "0");
  for (const json& check : checks) {
    lines.label(check.at("measure").get<std::string>());
    const json &most = check.at("at_most"), &least = check.at("at_least"), &worst = check.at("worst");
    const double from = least.is_null() ? kLeft : x(least.get<double>());
    const double to = most.is_null() ? kLeft + kWidth : x(most.get<double>());
    lines.band(from - 5, to + 5, "#d5ecd5");  // the dot stands within
    if (!worst.is_null()) lines.dot(x(worst.get<double>()), check.at("holds") == true ? "#2a7d2a" : "#c33");
    lines.end_line();
  }
  return lines.svg();
}

}  // namespace

bool trains(const json& part) {
  return part.at("models").at(0).at("kind") != "checks";
}

std::string arm_label(const json& part, const json& arm) {
  for (const json& one : part.at("arms")) {
    if (one.at("name") == arm) return one.at("label").get<std::string>();
  }
  return arm.get<std::string>();
}

ClaimPicture claim_picture(const json& claim, const std::vector<const json*>& parts) {
  if (!claim.at("recommender").is_null()) {
    return {regrets_svg(claim.at("recommender").at("regrets")),
            "The mean regret of each rule in points, with its interval"};
  }
  if (const json by_cell = claim.value("by_cell", json()); !by_cell.is_null()) {
    std::string shows = by_cell.at("measure").get<std::string>();
    shows.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(shows.front())));
    const std::string unit = by_cell.at("unit").get<std::string>();
    shows += fmt::format("{} in every cell, with its 95% interval over seeds", unit.empty() ? "" : " (" + unit + ")");
    return {measure_svg(by_cell, parts), shows};
  }
  if (std::string cells = cells_svg(parts); !cells.empty()) return {cells, "Test errors with their intervals"};
  return {exact_svg(claim.at("exact")), "The worst value of each check, and in green what its limit allows"};
}

}  // namespace norma::lab
