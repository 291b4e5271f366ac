// A part of a study file: TOML to StudySpec. docs/studies.md is the schema in words; keep the two alike.
#include <algorithm>

#include "lab/data/shift.h"
#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/probes/names.h"
#include "lab/study/defaults.h"
#include "lab/study/nearest.h"
#include "lab/study/parser.h"

namespace norma::lab {
namespace {

constexpr double kMaxRate = 1e6;

std::vector<std::string> arm_names() {
  std::vector<std::string> names;
  for (const Arm& arm : arms()) names.emplace_back(arm.name);
  return names;
}

void check_shift(const TomlTable& table, const Located<std::string>& name) {
  try {
    parse_shift(name.value);
  } catch (const InputError& error) {
    table.fail(name.line, fmt::format("'shifts': {}", error.what()));
  }
}

}  // namespace

std::vector<std::string> read_arms(const TomlTable& table, const char* key) {
  const auto names = table.texts(key);
  const std::vector<std::string> known = arm_names();
  for (const auto& name : names) {
    if (find_arm(name.value) == nullptr) {
      table.fail(name.line, fmt::format("'{}': unknown arm '{}'{}", key, name.value, suggestion(name.value, known)));
    }
  }
  refuse_duplicates(table, key, names);
  return values_of(names);
}

bool shares_over_batch(const std::string& arm) {
  return find_arm(arm)->uses_batch;
}

double positive(const TomlTable& table, const char* key) {
  const double value = table.number(key);
  if (!(value > 0)) table.fail(table.line(key), fmt::format("'{}': expected a number above 0, got {}", key, value));
  return value;
}

std::vector<std::string> part_keys() {
  return {"name",      "question", "arms",   "normalization_batches",
          "seeds",     "shifts",   "probes", "data",
          "training",  "tuning",   "model",  "contrast",
          "allow_leak"};
}

std::string read_name(const TomlTable& table) {
  std::string name = table.text("name");
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (name.empty() || name.size() > 64 || !plain) {
    table.fail(table.line("name"), "'name': expected 1 to 64 letters, digits, '-' or '_': it names a folder");
  }
  return name;
}

StudyParser::StudyParser(const StudyFile& file, TomlLayers layers)
    : file_(file), layers_(layers), top_(layers, file.name) {}

StudySpec StudyParser::parse(const std::string& name, std::optional<std::int64_t> seeds) {
  spec_.name = name;
  spec_.file = file_.name;
  spec_.question = top_.text("question", "");
  spec_.arms = top_.has("arms") ? read_arms(top_, "arms") : default_arms();
  spec_.seeds = top_.integer("seeds", 1, kMaxSeeds, kDefaultSeeds);
  if (seeds) spec_.seeds = *seeds;
  if (spec_.seeds < 1 || spec_.seeds > kMaxSeeds) {
    throw InputError(fmt::format("--seeds: expected 1 to {}, got {}", kMaxSeeds, spec_.seeds));
  }
  read_data();
  read_training();
  read_tuning();
  read_batches();
  read_watched();
  spec_.allow_leak = top_.has("allow_leak") && top_.flag("allow_leak");
  read_models();
  read_contrasts();
  return spec_;
}

void StudyParser::read_training() {
  const TomlTable table = top_.table_or_empty(
      "training", {"sgd_batch", "epochs", "optimizer", "momentum", "schedule", "warmup", "batches", "clip"});
  TrainingSpec& training = spec_.training;
  training.sgd_batch = table.integer("sgd_batch", 1, kMaxSize, kDefaultSgdBatch);
  if (table.has("sgd_batch")) spec_.sgd_batch_line = table.line("sgd_batch");
  training.epochs = table.integer("epochs", 1, kMaxEpochs, kDefaultEpochs);
  training.optimizer = table.choice("optimizer", {"sgd", "adam"}, kDefaultOptimizer);
  training.schedule = table.choice("schedule", {"constant", "cosine"}, kDefaultSchedule);
  training.momentum = training.optimizer == "sgd" ? kDefaultMomentum : 0;
  if (table.has("momentum")) {
    if (training.optimizer != "sgd") {
      table.fail(table.line("momentum"), "'momentum' in [training] goes with optimizer = \"sgd\" alone");
    }
    training.momentum = table.number("momentum");
    if (training.momentum < 0 || training.momentum >= 1) {
      table.fail(table.line("momentum"),
                 fmt::format("'momentum' in [training]: expected 0 to below 1, got {}", training.momentum));
    }
  }
  if (table.has("warmup")) training.warmup = table.integer("warmup", 0, kMaxSamples);
  if (table.has("batches")) training.batches = table.choice("batches", {"shuffled", "sorted", "random"});
  if (training.batches == "sorted" && spec_.data.source == "text") {
    table.fail(table.line("batches"),
               "'batches' in [training]: \"sorted\" sorts samples by class, and text has a label at every position; "
               "expected \"shuffled\" or \"random\"");
  }
  if (table.has("clip")) training.clip = positive(table, "clip");
  if (spec_.data.train > 0 && training.sgd_batch > spec_.data.train && table.has("sgd_batch")) {
    table.fail(table.line("sgd_batch"), fmt::format("'sgd_batch' in [training]: {} is more than the {} samples of "
                                                    "the training part",
                                                    training.sgd_batch, spec_.data.train));
  }
}

void StudyParser::read_tuning() {
  const TomlTable table = top_.table_or_empty("tuning", {"learning_rates", "seeds", "widen", "rate_of"});
  spec_.tuning_seeds = table.integer("seeds", 1, kMaxSeeds, kDefaultTuningSeeds);
  spec_.widen = table.integer("widen", 0, 10, kDefaultWiden);
  if (table.has("rate_of")) spec_.rate_of = table.choice("rate_of", spec_.arms);
  spec_.learning_rates = default_learning_rates(spec_.training.optimizer);
  if (!table.has("learning_rates")) return;
  const auto rates = table.numbers("learning_rates");
  for (const auto& rate : rates) {
    if (!(rate.value > 0 && rate.value <= kMaxRate)) {
      table.fail(rate.line,
                 fmt::format("'learning_rates' in [tuning]: expected numbers above 0, at most {:g}, got {:g}", kMaxRate,
                             rate.value));
    }
  }
  refuse_duplicates(table, "learning_rates", rates);
  spec_.learning_rates = values_of(rates);
  std::sort(spec_.learning_rates.begin(), spec_.learning_rates.end());
}

void StudyParser::read_batches() {
  const bool wanted = std::any_of(spec_.arms.begin(), spec_.arms.end(), shares_over_batch);
  if (!wanted) {
    if (top_.has("normalization_batches")) {
      top_.fail(top_.line("normalization_batches"), "'normalization_batches': no arm shares over the batch");
    }
    return;
  }
  spec_.normalization_batches = {spec_.training.sgd_batch};
  least_batch_ = {"'sgd_batch' in [training]", spec_.sgd_batch_line};
  if (!top_.has("normalization_batches")) return;
  const auto batches = top_.integers("normalization_batches", 1, kMaxSize);
  refuse_duplicates(top_, "normalization_batches", batches);
  for (const auto& batch : batches) {
    if (spec_.training.sgd_batch % batch.value != 0) {
      top_.fail(batch.line, fmt::format("'normalization_batches': {} does not divide the SGD batch, {}", batch.value,
                                        spec_.training.sgd_batch));
    }
  }
  spec_.normalization_batches = values_of(batches);
  const auto least = std::ranges::min_element(batches, {}, &Located<std::int64_t>::value);
  least_batch_ = {"'normalization_batches'", least->line};
  std::sort(spec_.normalization_batches.begin(), spec_.normalization_batches.end());
}

void StudyParser::read_watched() {
  for (const auto& [key, names] : {std::pair{"shifts", &spec_.shifts}, std::pair{"probes", &spec_.probes}}) {
    if (!top_.has(key)) continue;
    const auto listed = top_.texts(key);
    refuse_duplicates(top_, key, listed);
    const std::vector<std::string> probes(kProbeNames.begin(), kProbeNames.end());
    for (const auto& name : listed) {
      if (names == &spec_.shifts) check_shift(top_, name);
      if (names != &spec_.probes || std::find(probes.begin(), probes.end(), name.value) != probes.end()) continue;
      top_.fail(name.line, fmt::format("'{}': unknown probe '{}'{}", key, name.value, suggestion(name.value, probes)));
    }
    *names = values_of(listed);
  }
}

}  // namespace norma::lab
