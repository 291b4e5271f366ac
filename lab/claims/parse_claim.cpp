#include "lab/claims/parse_claim.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "lab/claims/measure_names.h"
#include "lab/models/arm_list.h"
#include "lab/study/nearest.h"
#include "lab/study/parser.h"

namespace norma::lab {
namespace {

template <typename T>
std::vector<std::string> keys_of(const std::map<std::string, T>& named) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : named) keys.push_back(key);
  return keys;
}

const std::map<std::string, Reduce>& reduces() {
  static const std::map<std::string, Reduce> names{
      {"mean", Reduce::kMean}, {"slope_log2", Reduce::kSlope}, {"worst", Reduce::kWorst}, {"each", Reduce::kEach}};
  return names;
}

const std::map<std::string, Direction>& directions() {
  static const std::map<std::string, Direction> names{
      {"a lower", Direction::kALower}, {"a higher", Direction::kAHigher}, {"same", Direction::kSame}};
  return names;
}

const std::vector<std::string> kExpected{"supported", "qualified", "contradicted", "inconclusive", kDisputed};

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class ClaimParser {
 public:
  ClaimParser(const toml::table& toml, const std::string& file, const std::vector<StudySpec>& parts)
      : file_(file),
        parts_(parts),
        table_(toml, file, "[claim]",
               {"number", "says", "expects", "limits", "expected_verdict", "primary", "qualifier", "exact",
                "recommender"}) {}

  ClaimSpec parse() {
    ClaimSpec claim;
    claim.number = table_.integer("number", 1, 1000);
    claim.says = table_.text("says");
    claim.expects = table_.text("expects", "");
    claim.limits = table_.text("limits", "");
    if (table_.has("expected_verdict")) claim.expected_verdict = table_.choice("expected_verdict", kExpected);
    for (const StudySpec& part : parts_) claim.parts.push_back(part.name);
    for (const toml::table* check : table_.tables("exact")) claim.exact.push_back(exact(*check));
    if (table_.has("primary")) {
      const toml::table* primary = table_.own("primary");
      if (primary == nullptr) table_.fail(table_.line("primary"), "'primary': expected a table [claim.primary]");
      claim.primary = contrast(*primary, "[claim.primary]", false);
    }
    for (const toml::table* one : table_.tables("qualifier")) {
      claim.qualifiers.push_back(contrast(*one, "[[claim.qualifier]]", true));
    }
    if (table_.has("recommender"))
      claim.recommender_margin = positive(table_.table("recommender", {"margin"}), "margin");
    if (claim.exact.empty() && !claim.primary && claim.recommender_margin == 0) {
      table_.fail(table_.line(), "[claim]: expected [claim.primary], [[claim.exact]] or [claim.recommender]");
    }
    if (claim.primary && claim.recommender_margin > 0) {
      table_.fail(table_.line("recommender"), "[claim.recommender] goes without [claim.primary]");
    }
    return claim;
  }

 private:
  ExactCheck exact(const toml::table& toml) const {
    const TomlTable table(toml, file_, "[[claim.exact]]", {"measure", "at_most", "at_least"});
    ExactCheck check;
    check.measure = table.text("measure");
    expect_measure(table, check.measure, check_measures());
    if (table.has("at_most")) check.at_most = table.number("at_most");
    if (table.has("at_least")) check.at_least = table.number("at_least");
    if (!check.at_most && !check.at_least) {
      table.fail(table.line(), "[[claim.exact]]: expected 'at_most' or 'at_least'");
    }
    return check;
  }

  ClaimContrast contrast(const toml::table& toml, const char* where, bool qualifier) const {
    const TomlTable table(toml, file_, where,
                          {"says", "measure", "reduce", "direction", "margin", "threshold", "target", "a", "b", "parts",
                           "models", "normalization_batches"});
    ClaimContrast found;
    if (qualifier) found.says = table.text("says");
    found.where = fmt::format("{}:{}", file_, table.line());
    found.measure = table.text("measure", found.measure);
    expect_measure(table, found.measure, contrast_measures(parts_));
    if (table.has("reduce")) found.reduce = reduces().at(table.choice("reduce", keys_of(reduces())));
    found.direction = directions().at(table.choice("direction", keys_of(directions())));
    read_numbers(table, found);
    found.a = side(table, "a");
    found.b = side(table, "b");
    if (const auto a = models_of(found.a), b = models_of(found.b); a != b) {
      table.fail(table.line("b"), fmt::format("'a' and 'b' are paired model by model: expected the same ones, got {} "
                                              "and {}",
                                              fmt::join(a, ", "), fmt::join(b, ", ")));
    }
    return found;
  }

  static bool shares_a_batch(const ClaimSide& side, const StudySpec& part) {
    return side.normalization_batches.empty() ||
           std::find_first_of(side.normalization_batches.begin(), side.normalization_batches.end(),
                              part.normalization_batches.begin(),
                              part.normalization_batches.end()) != side.normalization_batches.end();
  }

  // The models at which a side has cells; its part may be another, of another SGD batch say.
  std::set<std::string> models_of(const ClaimSide& side) const {
    std::set<std::string> models;
    for (const StudySpec& part : parts_) {
      if (!side.parts.empty() && !contains(side.parts, part.name)) continue;
      for (const StudyModel& model : part.models) {
        if (!side.models.empty() && !contains(side.models, model.spec.name)) continue;
        const bool there = std::any_of(side.arms.begin(), side.arms.end(), [&](const std::string& arm) {
          return contains(model.arms, arm) && (!find_arm(arm)->uses_batch || shares_a_batch(side, part));
        });
        if (there) models.insert(model.spec.name);
      }
    }
    return models;
  }

  void read_numbers(const TomlTable& table, ClaimContrast& found) const {
    const auto only = [&](const char* key, bool goes, const char* with) {
      if (table.has(key) && !goes) table.fail(table.line(key), fmt::format("'{}' goes with {} alone", key, with));
      return goes;
    };
    if (only("margin", found.direction == Direction::kSame, "direction = \"same\"")) {
      found.margin = positive(table, "margin");
    }
    if (only("threshold", found.measure == "trains", "measure = \"trains\"")) {
      found.threshold = positive(table, "threshold");
    }
    const bool to_target = found.measure.ends_with("_to_target");
    if (only("target", to_target, "measure = \"log2_steps_to_target\"")) {
      found.target = table.text("target");
      expect_arm(table, "target", found.target);
    }
    if (found.reduce == Reduce::kEach && found.direction != Direction::kSame) {
      table.fail(table.line("reduce"), "'reduce': \"each\" goes with direction = \"same\" alone");
    }
  }

  static void expect_measure(const TomlTable& table, const std::string& measure,
                             const std::vector<std::string>& known) {
    if (contains(known, measure)) return;
    const bool by_layer = measure.starts_with("activation_rms[") || measure.starts_with("gradient_rms[");
    if (by_layer) return;
    table.fail(table.line("measure"),
               fmt::format("'measure': nothing here measures '{}'{}", measure, suggestion(measure, known)));
  }

  void expect_arm(const TomlTable& table, const char* key, const std::string& arm) const {
    std::vector<std::string> known;
    for (const StudySpec& part : parts_) {
      for (const std::string& name : part.arms) {
        if (!contains(known, name)) known.push_back(name);
      }
    }
    if (contains(known, arm)) return;
    table.fail(table.line(key), fmt::format("'{}': no part has the arm '{}'{}", key, arm, suggestion(arm, known)));
  }

  // "arm", or a table with its own parts, models and normalization batches.
  ClaimSide side(const TomlTable& contrast, const char* key) const {
    const toml::table* own = contrast.own(key);
    if (own != nullptr) {
      const TomlTable known(*own, file_, fmt::format("'{}'", key),
                            {"arm", "arms", "parts", "models", "normalization_batches"});
    }
    // What the side does not say itself, the contrast says for both.
    const TomlTable table({nullptr, own, contrast.own()}, file_);
    ClaimSide side;
    if (own == nullptr) {
      side.arms = {contrast.text(key)};
    } else if (table.has("arms")) {
      for (const auto& arm : table.texts("arms")) side.arms.push_back(arm.value);
    } else {
      side.arms = {table.text("arm")};
    }
    for (const std::string& arm : side.arms) expect_arm(contrast, key, arm);
    for (const auto& [name, list] : {std::pair{"parts", &side.parts}, std::pair{"models", &side.models}}) {
      if (table.has(name)) *list = values_of(table.texts(name));
    }
    if (table.has("normalization_batches")) {
      side.normalization_batches = values_of(table.integers("normalization_batches", 1, kMaxSize));
    }
    check_places(contrast, key, side);
    return side;
  }

  // Every part, model, arm and normalization batch that is named is there, and they meet in at least one cell.
  void check_places(const TomlTable& table, const char* key, const ClaimSide& side) const {
    std::vector<std::string> part_names;
    for (const StudySpec& part : parts_) part_names.push_back(part.name);
    for (const std::string& name : side.parts) {
      if (contains(part_names, name)) continue;
      table.fail(table.line(key), fmt::format("'{}': no part '{}'{}", key, name, suggestion(name, part_names)));
    }
    std::int64_t cells = 0;
    for (const StudySpec& part : parts_) {
      if (!side.parts.empty() && !contains(side.parts, part.name)) continue;
      for (const StudyModel& model : part.models) {
        if (!side.models.empty() && !contains(side.models, model.spec.name)) continue;
        for (const std::string& arm : side.arms) cells += contains(model.arms, arm) ? 1 : 0;
      }
    }
    if (cells == 0) {
      table.fail(table.line(key),
                 fmt::format("'{}': none of the models and parts has the arm {}", key, fmt::join(side.arms, ", ")));
    }
    for (const std::int64_t batch : side.normalization_batches) {
      std::vector<std::int64_t> known;
      for (const StudySpec& part : parts_) {
        if (!side.parts.empty() && !contains(side.parts, part.name)) continue;
        known.insert(known.end(), part.normalization_batches.begin(), part.normalization_batches.end());
      }
      if (std::find(known.begin(), known.end(), batch) != known.end()) continue;
      std::sort(known.begin(), known.end());
      known.erase(std::unique(known.begin(), known.end()), known.end());
      table.fail(table.line(key), fmt::format("'{}': no cell has the normalization batch {}, expected one of {}", key,
                                              batch, fmt::join(known, ", ")));
    }
  }

  const std::string& file_;
  const std::vector<StudySpec>& parts_;
  TomlTable table_;
};

}  // namespace

ClaimSpec parse_claim(const toml::table& toml, const std::string& file, const std::vector<StudySpec>& parts) {
  return ClaimParser(toml, file, parts).parse();
}

}  // namespace norma::lab
