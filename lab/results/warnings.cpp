#include "lab/results/warnings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include "lab/data/dataset.h"
#include "lab/models/arm_list.h"

namespace norma::lab {
namespace {

using nlohmann::json;

// At least this share of the final trials lost is "nearly all".
constexpr double kNearlyAll = 0.8;

// "BatchNorm at normalization batch 2 on mlp".
std::string cell_name(const StudySpec& spec, const Cell& cell) {
  std::string name{find_arm(cell.arm)->label};
  if (cell.normalization_batch > 0) name += fmt::format(" at normalization batch {}", cell.normalization_batch);
  return fmt::format("{} on {}", name, spec.models[cell.model].spec.name);
}

// Arms that show a causal model its future, once a model.
void warn_of_leaks(const StudySpec& spec, const std::string& where, json& warnings) {
  for (const StudyModel& model : spec.models) {
    std::vector<std::string_view> leaking;
    for (const std::string& name : model.arms) {
      const Arm& arm = *find_arm(name);
      if (leaks(model.spec.kind, arm, predicts_next(spec.data))) leaking.push_back(arm.label);
    }
    if (leaking.empty()) continue;
    warnings.push_back(
        fmt::format("{} on {}{}: in training the statistics show a causal model future tokens (allow_leak = true).",
                    fmt::join(leaking, ", "), model.spec.name, where));
  }
}

void warn_of_cell(const StudySpec& spec, const Cell& cell, const std::string& where, json& warnings) {
  std::int64_t diverged = 0, crashed = 0, done = 0;
  for (const auto& result : cell.final) {
    done += result ? 1 : 0;
    diverged += result && result->status == TrialStatus::kDiverged ? 1 : 0;
    crashed += result && result->status == TrialStatus::kCrashed ? 1 : 0;
  }
  for (const auto& [count, what] : {std::pair{diverged, "diverged"}, std::pair{crashed, "crashed"}}) {
    if (count == 0) continue;
    warnings.push_back(fmt::format("{} of {} trials of {}{} {}; they count as wrong on every test sample.", count, done,
                                   cell_name(spec, cell), where, what));
  }
  if (cell.at_edge) {
    warnings.push_back(fmt::format("The learning rate of {}{}, {:g}, is at the edge of its grid, which {}.",
                                   cell_name(spec, cell), where, *cell.learning_rate,
                                   spec.widen > 0 ? "grew as often as the study allows" : "may not grow (widen = 0)"));
  }
}

}  // namespace

json warnings_section(const Plan& plan, const json& run) {
  json warnings = json::array();
  if (!run.at("complete").get<bool>()) {
    warnings.push_back(
        fmt::format("The study is not complete: {} of {} trials are done.", plan.done(), plan.planned()));
  }
  for (std::string note : study_notes(plan.study())) {
    note.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(note.front())));
    warnings.push_back(note + ".");
  }
  const auto& parts = plan.study().parts;
  const auto where = [&](const StudySpec& part) {
    return parts.size() > 1 ? fmt::format(" in part '{}'", part.name) : std::string();
  };
  for (const StudySpec& part : parts) warn_of_leaks(part, where(part), warnings);
  for (const Cell& cell : plan.cells()) warn_of_cell(parts[cell.part], cell, where(parts[cell.part]), warnings);
  if (run.at("versions").value("blas", "") == "reference") {
    warnings.push_back("Trained with the reference BLAS, which is slow: install libopenblas0-openmp.");
  }
  for (const auto& [name, values] : run.at("mixed").items()) {
    std::vector<std::string> texts;
    for (const json& value : values) texts.push_back(value.is_string() ? value.get<std::string>() : value.dump());
    warnings.push_back(
        fmt::format("Trained in sessions that differ in {} ({}): the same seed may give other bits in each.", name,
                    fmt::join(texts, "; then ")));
  }
  return warnings;
}

void add_caveats(const StudySpec& spec, const std::vector<Cell>& cells, const std::vector<Contrast>& contrasts,
                 Verdict& verdict) {
  std::int64_t done = 0, lost = 0;
  for (const Cell& cell : cells) {
    for (const auto& result : cell.final) {
      done += result ? 1 : 0;
      lost += result && result->status != TrialStatus::kOk ? 1 : 0;
    }
  }
  std::set<std::size_t> at_edge;
  for (const Contrast& contrast : contrasts) {
    if (!contrast.primary) continue;
    for (const std::size_t cell : {contrast.a, contrast.b}) {
      if (cells[cell].at_edge) at_edge.insert(cell);
    }
  }
  const std::int64_t needed = seeds_needed(primary_contrast_count(spec));
  if (spec.seeds < needed) {
    verdict.headline = fmt::format("Too few seeds to show any difference ({} where it takes {}). {}", spec.seeds,
                                   needed, verdict.headline);
  }
  if (done > 0 && static_cast<double>(lost) >= kNearlyAll * static_cast<double>(done)) {
    verdict.headline = fmt::format("{} {} final trials diverged or crashed: there is next to nothing to compare. {}",
                                   lost == done ? "All" : fmt::format("{} of", lost), done, verdict.headline);
  }
  if (at_edge.size() == 1) {
    verdict.headline +=
        fmt::format(" The learning rate of {} is at the edge of its grid: a better one may lie outside.",
                    cell_name(spec, cells[*at_edge.begin()]));
  } else if (!at_edge.empty()) {
    verdict.headline += fmt::format(
        " The learning rates of {} of the cells compared are at the edge of their grid: better ones may lie outside.",
        at_edge.size());
  }
}

}  // namespace norma::lab
