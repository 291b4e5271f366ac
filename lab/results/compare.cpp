#include "lab/results/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "lab/results/cells.h"
#include "lab/statistics/bootstrap.h"
#include "lab/statistics/paired.h"

namespace norma::lab {
namespace {

using nlohmann::json;

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

std::vector<const json*> parts_of(const json& results) {
  if (!results.contains("parts")) return {&results};
  std::vector<const json*> parts;
  for (const json& part : results.at("parts")) parts.push_back(&part);
  return parts;
}

std::string name_of(const json& part) {
  return part.value("name", "");
}

const json* same_part(const json& part, const json& results) {
  for (const json* other : parts_of(results)) {
    if (name_of(*other) == name_of(part)) return other;
  }
  return nullptr;
}

// What a part is made with, key by key.
std::map<std::string, json> settings_of(const json& part) {
  std::map<std::string, json> settings;
  for (const char* section : {"data", "training"}) {
    for (const auto& [key, value] : part.at(section).items()) settings[std::string(section) + "." + key] = value;
  }
  for (const char* key : {"seeds", "tuning_seeds"}) settings[key] = part.at(key).size();
  for (const char* key : {"learning_rates", "normalization_batches"}) settings[key] = part.at(key);
  for (const json& model : part.at("models")) {
    settings["model." + model.at("name").get<std::string>()] = model.at("label");
  }
  for (const json& arm : part.at("arms")) settings["arm." + arm.at("name").get<std::string>()] = true;
  return settings;
}

void add_changes(const std::string& part, const std::map<std::string, json>& a, const std::map<std::string, json>& b,
                 json& changes) {
  std::map<std::string, std::pair<json, json>> both;
  for (const auto& [key, value] : a) both[key].first = value;
  for (const auto& [key, value] : b) both[key].second = value;
  for (const auto& [key, values] : both) {
    if (values.first == values.second) continue;
    changes.push_back({{"part", part}, {"setting", key}, {"a", values.first}, {"b", values.second}});
  }
}

json settings_changes(const json& a, const json& b) {
  const auto whole = [](const json& results) {
    std::map<std::string, json> settings{{"code", results.at("norma").at("code")}};
    for (const auto& [key, value] : results.at("run").at("versions").items()) settings["version." + key] = value;
    settings["cpu"] = results.at("run").at("machine").value("cpu", json(nullptr));
    return settings;
  };
  json changes = json::array();
  add_changes("", whole(a), whole(b), changes);
  for (const json* part : parts_of(a)) {
    const json* other = same_part(*part, b);
    if (other != nullptr) add_changes(name_of(*part), settings_of(*part), settings_of(*other), changes);
  }
  return changes;
}

json label_of(const json& part, const char* list, const json& name) {
  for (const json& item : part.at(list)) {
    if (item.at("name") == name) return item.at("label");
  }
  return name;
}

// A part, model, arm or normalization batch of one study alone is no cell of both.
const json* same_cell(const json& cell, const json& part) {
  for (const json& other : part.at("cells")) {
    const auto same = [&](const char* key) { return other.at(key) == cell.at(key); };
    if (same("model") && same("arm") && same("normalization_batch")) return &other;
  }
  return nullptr;
}

bool same_samples(const json& a, const json& b) {
  const json &of_a = a.at("data"), &of_b = b.at("data");
  return std::ranges::all_of(std::vector<const char*>{"checksum", "train", "validation", "test"},
                             [&](const char* key) { return of_a.at(key) == of_b.at(key); });
}

std::vector<double> paired_differences(const json& a, const json& b) {
  std::vector<double> differences;
  for (const json& trial : a.at("trials")) {
    for (const json& other : b.at("trials")) {
      if (trial.at("seed") != other.at("seed") || trial.at("error").is_null() || other.at("error").is_null()) continue;
      differences.push_back(other.at("error").get<double>() - trial.at("error").get<double>());
    }
  }
  return differences;
}

double sign_flip(const std::vector<double>& differences) {
  std::vector<double> negated = differences;
  for (double& difference : negated) difference = -difference;
  return std::min(1.0, 2 * std::min(sign_flip_above_p(differences, 0), sign_flip_above_p(negated, 0)));
}

// Of two independent means: each end as far out as both ends that lie that way, their squares added.
Interval independent(const json& a, const json& b) {
  const auto value = [](const json& interval, const char* key) {
    return interval.at(key).is_null() ? kNothing : interval.at(key).get<double>();
  };
  const double mean_a = value(a, "mean"), mean_b = value(b, "mean"), mean = mean_b - mean_a;
  const double below = std::hypot(mean_b - value(b, "low"), value(a, "high") - mean_a);
  const double above = std::hypot(value(b, "high") - mean_b, mean_a - value(a, "low"));
  return {mean, mean - below, mean + above};
}

struct Compared {
  json row;
  Interval difference{kNothing, kNothing, kNothing};
  std::int64_t pairs = 0;  // 0: not paired
  double p = 1;
};

Compared compared(const json& part, const json& a, const json& b, bool paired) {
  Compared found;
  found.row = {{"part", name_of(part)},
               {"model", label_of(part, "models", a.at("model"))},
               {"arm", label_of(part, "arms", a.at("arm"))},
               {"normalization_batch", a.at("normalization_batch")}};
  for (const auto& [side, cell] : {std::pair{"a", &a}, std::pair{"b", &b}}) {
    found.row[side] = {
        {"error", cell->at("error")}, {"n", cell->at("n")}, {"learning_rate", cell->at("learning_rate")}};
  }
  if (a.at("error").is_null() || b.at("error").is_null()) return found;
  const std::vector<double> differences = paired ? paired_differences(a, b) : std::vector<double>();
  if (differences.empty()) {
    found.difference = independent(a.at("error"), b.at("error"));
    return found;
  }
  found.pairs = static_cast<std::int64_t>(differences.size());
  found.difference = seed_interval(differences);
  found.p = sign_flip(differences);
  return found;
}

std::string outcome(const Compared& cell, double p_holm) {
  const Interval& difference = cell.difference;
  if (std::isnan(difference.mean)) return "not measured";
  if (cell.pairs > 0 && !(p_holm < 0.05)) return "no difference shown";
  if (difference.high < 0) return "b lower";
  if (difference.low > 0) return "b higher";
  return "no difference shown";
}

std::vector<Compared> compared_cells(const json& a, const json& b, json& alone) {
  std::vector<Compared> cells;
  const auto name = [](const json& part, const json& cell) {
    json found = {{"part", name_of(part)}};
    found["model"] = label_of(part, "models", cell.at("model"));
    found["arm"] = label_of(part, "arms", cell.at("arm"));
    found["normalization_batch"] = cell.at("normalization_batch");
    return found;
  };
  for (const json* part : parts_of(a)) {
    const json* other = same_part(*part, b);
    for (const json& cell : part->at("cells")) {
      const json* same = other == nullptr ? nullptr : same_cell(cell, *other);
      if (same == nullptr) {
        alone["a"].push_back(name(*part, cell));
      } else {
        cells.push_back(compared(*part, cell, *same, same_samples(*part, *other)));
      }
    }
  }
  for (const json* part : parts_of(b)) {
    const json* other = same_part(*part, a);
    for (const json& cell : part->at("cells")) {
      if (other == nullptr || same_cell(cell, *other) == nullptr) alone["b"].push_back(name(*part, cell));
    }
  }
  return cells;
}

json cells_json(std::vector<Compared>& cells) {
  std::vector<double> p;
  for (const Compared& cell : cells) {
    if (cell.pairs > 0) p.push_back(cell.p);
  }
  const std::vector<double> corrected = holm(p);
  auto next = corrected.begin();
  json rows = json::array();
  for (Compared& cell : cells) {
    const bool paired = cell.pairs > 0;
    const double p_holm = paired ? *next++ : 1;
    cell.row["difference"] = interval_json(cell.difference, -1, 1);
    cell.row["pairs"] = cell.pairs;
    cell.row["p"] = paired ? number(cell.p) : json(nullptr);
    cell.row["p_holm"] = paired ? number(p_holm) : json(nullptr);
    cell.row["outcome"] = outcome(cell, p_holm);
    rows.push_back(std::move(cell.row));
  }
  return rows;
}

json claims_json(const json& a, const json& b) {
  json rows = json::array();
  if (!a.contains("claims") || !b.contains("claims")) return rows;
  for (const json& claim : a.at("claims")) {
    for (const json& other : b.at("claims")) {
      if (claim.at("number") != other.at("number")) continue;
      rows.push_back({{"number", claim.at("number")}, {"says", claim.at("says")}});
      for (const auto& [side, row] : {std::pair{"a", &claim}, std::pair{"b", &other}}) {
        const json& primary = row->at("primary");
        rows.back()[side] = {{"verdict", row->at("verdict")},
                             {"effect", primary.is_null() ? json(nullptr) : primary.at("effect")},
                             {"unit", primary.is_null() ? json("") : primary.at("unit")},
                             {"n", primary.is_null() ? json(0) : primary.at("n")}};
      }
    }
  }
  return rows;
}

std::string headline(const json& cells, const json& claims, std::size_t settings) {
  const auto count = [&](const char* outcome) {
    return std::ranges::count_if(cells, [&](const json& cell) { return cell.at("outcome") == outcome; });
  };
  const auto verdicts = std::ranges::count_if(
      claims, [](const json& claim) { return claim.at("a").at("verdict") != claim.at("b").at("verdict"); });
  std::string text =
      fmt::format("Of {} cells in both studies the test error is lower in the second in {}, higher in {}", cells.size(),
                  count("b lower"), count("b higher"));
  if (!claims.empty()) text += fmt::format("; {} of {} verdicts differ", verdicts, claims.size());
  return text + fmt::format("; {} setting{} differ{}.", settings, settings == 1 ? "" : "s", settings == 1 ? "s" : "");
}

}  // namespace

json comparison_of(const json& a, const json& b) {
  json alone = {{"a", json::array()}, {"b", json::array()}};
  std::vector<Compared> cells = compared_cells(a, b, alone);
  json found = {{"format", "norma-comparison/1"}, {"norma", {{"version", b.at("norma").at("version")}}}};
  for (const auto& [side, results] : {std::pair{"a", &a}, std::pair{"b", &b}}) {
    const json& run = results->at("run");
    found[side] = {{"study", results->at("study").at("name")}, {"command", run.at("command")},
                   {"finished", run.at("finished")},           {"complete", run.at("complete")},
                   {"trials", run.at("trials").at("done")},    {"seconds", run.at("seconds")}};
  }
  found["settings"] = settings_changes(a, b);
  found["cells"] = cells_json(cells);
  found["only"] = std::move(alone);
  found["claims"] = claims_json(a, b);
  found["headline"] = headline(found["cells"], found["claims"], found["settings"].size());
  return found;
}

}  // namespace norma::lab
