#include "lab/results/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "lab/claims/advice.h"
#include "lab/claims/answers.h"
#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/results/best.h"
#include "lab/results/cells.h"
#include "lab/results/contrasts.h"
#include "lab/results/warnings.h"
#include "lab/study/run.h"

namespace norma::lab {
namespace {

using nlohmann::json;

struct Counts {
  std::int64_t ok = 0, diverged = 0, crashed = 0, tuning = 0, final = 0;
};

// By name, what the sessions that trained had of which there are several: the processor and the versions, in the order
// of their first session.
json mixed_settings(const std::vector<Session>& sessions) {
  std::map<std::string, std::vector<json>> settings;
  for (const Session& session : sessions) {
    if (session.versions.empty()) continue;  // trained nothing
    json here = session.versions;
    if (session.machine.contains("cpu")) here["cpu"] = session.machine.at("cpu");
    for (const auto& [name, value] : here.items()) {
      std::vector<json>& values = settings[name];
      if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
    }
  }
  std::erase_if(settings, [](const auto& setting) { return setting.second.size() == 1; });
  return settings;
}

json run_section(const Store& store, const Plan& plan, const std::map<std::string, TrialResult>& trials) {
  const std::vector<Session> sessions = store.sessions();
  std::vector<double> seconds;
  Counts counts;
  double total = 0;
  for (const auto& [key, result] : trials) {
    counts.ok += result.status == TrialStatus::kOk ? 1 : 0;
    counts.diverged += result.status == TrialStatus::kDiverged ? 1 : 0;
    counts.crashed += result.status == TrialStatus::kCrashed ? 1 : 0;
    if (result.status == TrialStatus::kCrashed || !std::isfinite(result.seconds)) continue;
    seconds.push_back(result.seconds);
    total += result.seconds;
  }
  counts.final = plan.done_final();
  counts.tuning = plan.done() - counts.final;
  std::sort(seconds.begin(), seconds.end());
  json run = {{"started", store.study().started},
              {"finished", nullptr},
              {"seconds", 0.0},
              {"sessions", sessions.size()},
              {"workers", nullptr},
              {"command", nullptr},
              {"machine", json::object()},
              {"versions", json::object()},
              {"mixed", mixed_settings(sessions)},
              {"complete", plan.done() == plan.planned()},
              {"trials",
               {{"planned", plan.planned()},
                {"done", plan.done()},
                {"ok", counts.ok},
                {"diverged", counts.diverged},
                {"crashed", counts.crashed},
                {"tuning", counts.tuning},
                {"final", counts.final}}},
              {"trial_seconds",
               {{"total", total}, {"median", seconds.empty() ? json(nullptr) : json(seconds[seconds.size() / 2])}}}};
  double spent = 0;
  for (const Session& session : sessions) {
    spent += session.seconds;
    run["finished"] = session.last;
    run["workers"] = session.workers;
    run["command"] = session.command;
    run["machine"] = session.machine;
    if (!session.versions.empty()) run["versions"] = session.versions;
  }
  run["seconds"] = spent;
  run["machine"]["isa"] = run["versions"].value("isa", "");
  return run;
}

json training_section(const StudySpec& spec) {
  const TrainingSpec& training = spec.training;
  return {{"sgd_batch", training.sgd_batch},
          {"epochs", training.epochs},
          {"steps", training.epochs * (spec.data.train / training.sgd_batch)},
          {"optimizer", training.optimizer},
          {"momentum", training.optimizer == "sgd" ? json(training.momentum) : json(nullptr)},
          {"schedule", training.schedule},
          {"running_statistics", "once a step, by the mean over the step's groups"}};
}

json models_section(const StudySpec& spec, const json& data, const std::vector<std::optional<Target>>& targets) {
  json models = json::array();
  const auto shape = data.at("shape").get<std::vector<std::int64_t>>();
  for (std::size_t m = 0; m < spec.models.size(); ++m) {
    const StudyModel& model = spec.models[m];
    models.push_back(
        {{"name", model.spec.name},
         {"kind", model.spec.kind},
         {"label", model_label(model.spec, shape[0] * shape[1] * shape[2], data.at("classes").get<std::int64_t>())},
         {"groups", model.groups > 0 ? json(model.groups) : json(nullptr)},
         {"target", target_json(targets[m])}});
  }
  return models;
}

json arms_section(const StudySpec& spec) {
  json section = json::array();
  for (const Arm& arm : arms()) {
    if (std::find(spec.arms.begin(), spec.arms.end(), arm.name) == spec.arms.end()) continue;
    section.push_back({{"name", arm.name}, {"label", arm.label}, {"over", arm.over}, {"uses_batch", arm.uses_batch}});
  }
  return section;
}

// The sentences that stand for the whole study, behind those of its contrasts.
void add_method(const StudySpec& spec, const json& run, Verdict& verdict) {
  const std::int64_t contrasts = primary_contrast_count(spec);
  const json& trials = run.at("trials");
  const auto diverged = trials.at("diverged").get<std::int64_t>(), crashed = trials.at("crashed").get<std::int64_t>();
  if (contrasts == 0) return;
  verdict.sentences.push_back(fmt::format(
      "{} seed{}, paired; each learning rate tuned on seeds of its own; intervals are 95%, by bootstrap over seeds and "
      "test samples; a difference is shown where the exact sign-flip test over seeds and the bootstrap over seeds and "
      "test samples both say so at 5%, with Holm's correction over {} contrast{}.",
      spec.seeds, spec.seeds == 1 ? "" : "s", contrasts, contrasts == 1 ? "" : "s"));
  if (diverged + crashed == 0) {
    verdict.sentences.emplace_back("No trial diverged or crashed.");
  } else {
    verdict.sentences.push_back(
        fmt::format("Of {} trials {} diverged and {} crashed, in tuning and after it; they "
                    "count as the worst value.",
                    trials.at("done").get<std::int64_t>(), diverged, crashed));
  }
}

std::vector<std::uint64_t> seeds_from(std::uint64_t first, std::int64_t count) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < count; ++i) seeds.push_back(first + static_cast<std::uint64_t>(i));
  return seeds;
}

json data_section(const StudySpec& spec, const DataDescription& description) {
  return {{"name", spec.data.name},
          {"source", spec.data.source},
          {"licence", description.licence.empty() ? json(nullptr) : json(description.licence)},
          {"kind", sample_kind_name(description.kind)},
          {"classes", description.classes},
          {"shape", description.shape},
          {"train", spec.data.train},
          {"validation", spec.data.validation},
          {"test", spec.data.test},
          {"majority_error", description.majority_error ? json(*description.majority_error) : json(nullptr)},
          {"checksum", description.checksum}};
}

// What the document says of one part.
json part_sections(const Plan& plan, std::size_t part, const json& data, const json& run) {
  const StudySpec& spec = plan.study().parts[part];
  const std::vector<Cell> cells = plan.cells_of(part);
  const auto errors = cell_errors(cells, spec.data.test);
  const auto targets = targets_of(spec, cells);
  const std::vector<Contrast> contrasts = contrasts_of(spec, cells, plan.study().parts.size() == 1);
  Verdict words = verdict(findings_of(spec, cells, contrasts, errors));
  add_method(spec, run, words);
  add_caveats(spec, cells, contrasts, words);
  // From whichever trials happen to be done: not to be quoted as the study's answer, if there is one.
  if (!run.at("complete").get<bool>() && primary_contrast_count(spec) > 0) {
    words.headline = "Provisional: " + words.headline;
  }
  return {{"data", data},
          {"training", training_section(spec)},
          {"seeds", seeds_from(StudySpec::kFirstSeed, spec.seeds)},
          {"tuning_seeds", seeds_from(StudySpec::kFirstTuningSeed, spec.tuning_seeds)},
          {"learning_rates", spec.learning_rates},
          {"normalization_batches", spec.normalization_batches},
          {"models", models_section(spec, data, targets)},
          {"arms", arms_section(spec)},
          {"cells", cells_section(spec, cells, errors, targets)},
          {"best", best_section(spec, cells, contrasts, errors)},
          {"contrasts", contrasts_section(spec, cells, contrasts)},
          {"verdict", {{"headline", words.headline}, {"sentences", words.sentences}}}};
}

}  // namespace

json attach_all_data(Study& study) {
  json parts = json::array();
  for (StudySpec& part : study.parts) parts.push_back(data_section(part, attach_data(part)));
  return {{"parts", std::move(parts)}};
}

Study study_of(const Store& store) {
  const StudyRecord& record = store.study();
  Study study = parse_study(record.file, record.seeds > 0 ? std::optional<std::int64_t>(record.seeds) : std::nullopt);
  const json& data = record.data.at("parts");
  if (data.size() != study.parts.size()) {
    throw InputError(fmt::format("the stored study has {} parts and the data of {}", study.parts.size(), data.size()));
  }
  for (std::size_t part = 0; part < study.parts.size(); ++part) {
    DataSpec& spec = study.parts[part].data;
    spec.checksum = data[part].at("checksum").get<std::string>();
    // The study file may leave them to the data.
    for (const auto& [key, size] :
         {std::pair{"train", &spec.train}, std::pair{"validation", &spec.validation}, std::pair{"test", &spec.test}}) {
      *size = data[part].at(key).get<std::int64_t>();
    }
    const json& majority = data[part].at("majority_error");
    if (!majority.is_null()) study.parts[part].majority_error = majority.get<double>();
  }
  return study;
}

json results_of(const Store& store) {
  const StudyRecord& record = store.study();
  const auto trials = store.trials();
  Plan plan(study_of(store), record.code_version);
  replay(plan, trials, [](const PlannedTrial&) {});

  const Study& study = plan.study();
  const json run = run_section(store, plan, trials);
  json results = {{"format", "norma-results/1"},
                  {"norma", {{"version", NORMA_VERSION}, {"code", record.code_version}}},
                  {"study", {{"name", study.name}, {"question", study.question}, {"file", record.file.text}}},
                  {"run", run},
                  {"warnings", warnings_section(plan, run)}};
  if (!study.claims.empty()) results["claims"] = claims_section(plan);
  if (study.parts.size() == 1) {
    results.update(part_sections(plan, 0, record.data.at("parts")[0], run));
    // What was written down before the run is the claim's contrast, where the part names none.
    if (!study.claims.empty() && primary_contrast_count(study.parts[0]) == 0) {
      const json method = results["verdict"]["sentences"];
      results["verdict"] = advice(results["claims"], run.at("complete").get<bool>());
      for (const json& sentence : method) results["verdict"]["sentences"].push_back(sentence);
    }
    return results;
  }
  for (std::size_t part = 0; part < study.parts.size(); ++part) {
    json section = part_sections(plan, part, record.data.at("parts")[part], run);
    section["name"] = study.parts[part].name;
    section["question"] = study.parts[part].question;
    results["parts"].push_back(std::move(section));
  }
  if (!study.claims.empty()) results["verdict"] = advice(results["claims"], run.at("complete").get<bool>());
  return results;
}

}  // namespace norma::lab
