// Models and contrasts of a study file.
#include <algorithm>

#include "lab/models/arm_list.h"
#include "lab/study/nearest.h"
#include "lab/study/parser.h"

namespace norma::lab {
namespace {

void refuse_overlap(const TomlTable& table, const StudyContrast& a, const StudyContrast& b) {
  const bool same_arms = (a.a == b.a && a.b == b.b) || (a.a == b.b && a.b == b.a);
  const bool share_model =
      std::find_first_of(a.models.begin(), a.models.end(), b.models.begin(), b.models.end()) != a.models.end();
  const auto& x = a.normalization_batches;
  const auto& y = b.normalization_batches;
  const bool share_batch = x.empty() || std::find_first_of(x.begin(), x.end(), y.begin(), y.end()) != x.end();
  if (same_arms && share_model && share_batch) {
    table.fail(table.line(), fmt::format("the contrast of '{}' and '{}' stands there twice", a.a, a.b));
  }
}

}  // namespace

void StudyParser::read_models() {
  const auto tables = top_.tables("model");
  if (tables.empty()) top_.fail(1, "no [[model]]: expected at least one");
  for (const toml::table* model : tables) read_model(*model);
}

void StudyParser::read_model(const toml::table& toml) {
  const TomlTable table(toml, file_.name, "[[model]]",
                        {"name", "kind", "depth", "width", "channels", "activation", "groups", "arms"});
  StudyModel model;
  model.spec.kind = table.choice("kind", {"mlp", "cnn"});
  model.spec.name = table.text("name", model.spec.kind);
  model.spec.activation = table.has("activation") ? table.choice("activation", {"relu", "gelu", "tanh"}) : "relu";
  const bool mlp = model.spec.kind == "mlp";
  for (const char* key : mlp ? std::vector{"channels"} : std::vector{"depth", "width"}) {
    if (table.has(key)) {
      table.fail(table.line(key),
                 fmt::format("'{}' in [[model]] does not go with kind = \"{}\"", key, model.spec.kind));
    }
  }
  if (mlp) {
    model.spec.depth = table.integer("depth", 1, 1000);
    model.spec.width = table.integer("width", 1, kMaxSize);
  } else {
    model.spec.channels = values_of(table.integers("channels", 1, kMaxSize));
  }
  model.arms = table.has("arms") ? read_arms(table, "arms") : spec_.arms;
  check_arms(table, model);
  check_same(table, model);
  spec_.models.push_back(std::move(model));
}

void StudyParser::check_arms(const TomlTable& table, StudyModel& model) {
  for (const std::string& name : model.arms) {
    const Arm& arm = *find_arm(name);
    const std::uint32_t line = table.has("arms") ? table.line("arms") : table.line();
    if (std::find(spec_.arms.begin(), spec_.arms.end(), name) == spec_.arms.end()) {
      table.fail(line, fmt::format("'arms' in [[model]]: '{}' is not among the study's arms", name));
    }
    if (!takes(model.spec.kind, arm)) {
      table.fail(line, fmt::format("model '{}' cannot take the arm '{}': {}", model.spec.name, name, arm.refusal));
    }
    if (arm.uses_groups) read_groups(table, model);
    if (arm.uses_batch && model.spec.kind == "mlp" && spec_.normalization_batches.front() == 1) {
      table.fail(batches_line_, fmt::format("'normalization_batches': 1 gives the arm '{}' one value per statistic "
                                            "in model '{}'; expected at least 2",
                                            name, model.spec.name));
    }
    // One neuron or channel has nothing to share with.
    const bool narrow = model.spec.kind == "mlp" ? model.spec.width == 1
                                                 : std::find(model.spec.channels.begin(), model.spec.channels.end(),
                                                             1) != model.spec.channels.end();
    if (narrow && (name == "layer" || name == "rms")) {
      table.fail(
          table.line(model.spec.kind == "mlp" ? "width" : "channels"),
          fmt::format("a width of 1 gives the arm '{}' one value per statistic in model '{}'", name, model.spec.name));
    }
  }
  if (table.has("groups") && model.groups == 0) {
    table.fail(table.line("groups"), "'groups' in [[model]]: the model has no arm 'group'");
  }
}

void StudyParser::read_groups(const TomlTable& table, StudyModel& model) {
  model.groups = table.integer("groups", 1, kMaxSize);
  const bool mlp = model.spec.kind == "mlp";
  for (const std::int64_t width : mlp ? std::vector{model.spec.width} : model.spec.channels) {
    if (width % model.groups != 0) {
      table.fail(table.line("groups"), fmt::format("'groups' in [[model]]: {} does not divide the {} {} of model "
                                                   "'{}'",
                                                   model.groups, width, mlp ? "neurons" : "channels", model.spec.name));
    }
    if (mlp && width == model.groups) {
      table.fail(table.line("groups"), fmt::format("'groups' in [[model]]: {} groups of {} neurons give one value "
                                                   "per statistic",
                                                   model.groups, width));
    }
  }
}

void StudyParser::check_same(const TomlTable& table, const StudyModel& model) {
  for (const StudyModel& other : spec_.models) {
    if (other.spec.name == model.spec.name) {
      table.fail(table.line(), fmt::format("two models are named '{}'", model.spec.name));
    }
    if (other.spec.kind == model.spec.kind && other.spec.depth == model.spec.depth &&
        other.spec.width == model.spec.width && other.spec.channels == model.spec.channels &&
        other.spec.activation == model.spec.activation && other.groups == model.groups) {
      table.fail(table.line(), fmt::format("models '{}' and '{}' are the same", other.spec.name, model.spec.name));
    }
  }
}

void StudyParser::read_contrasts() {
  for (const toml::table* toml : top_.tables("contrast")) {
    const TomlTable table(*toml, file_.name, "[[contrast]]", {"a", "b", "models", "normalization_batches"});
    StudyContrast contrast;
    contrast.a = table.choice("a", spec_.arms);
    contrast.b = table.choice("b", spec_.arms);
    if (contrast.a == contrast.b) table.fail(table.line("b"), "'b' in [[contrast]]: the same arm as 'a'");
    read_contrast_models(table, contrast);
    read_contrast_batches(table, contrast);
    for (const StudyContrast& other : spec_.contrasts) refuse_overlap(table, contrast, other);
    spec_.contrasts.push_back(std::move(contrast));
  }
}

void StudyParser::read_contrast_models(const TomlTable& table, StudyContrast& contrast) {
  std::vector<std::string> able;
  for (const StudyModel& model : spec_.models) {
    const auto has = [&](const std::string& arm) {
      return std::find(model.arms.begin(), model.arms.end(), arm) != model.arms.end();
    };
    if (has(contrast.a) && has(contrast.b)) able.push_back(model.spec.name);
  }
  contrast.models = able;
  if (table.has("models")) {
    const auto named = table.texts("models");
    refuse_duplicates(table, "models", named);
    for (const auto& name : named) {
      if (std::find(able.begin(), able.end(), name.value) == able.end()) {
        table.fail(name.line, fmt::format("'models' in [[contrast]]: no model '{}' with the arms '{}' and '{}'{}",
                                          name.value, contrast.a, contrast.b, suggestion(name.value, able)));
      }
    }
    contrast.models = values_of(named);
  }
  if (contrast.models.empty()) {
    table.fail(table.line(), fmt::format("no model has both '{}' and '{}'", contrast.a, contrast.b));
  }
}

void StudyParser::read_contrast_batches(const TomlTable& table, StudyContrast& contrast) {
  const bool wanted = shares_over_batch(contrast.a) || shares_over_batch(contrast.b);
  if (wanted) contrast.normalization_batches = spec_.normalization_batches;
  if (!table.has("normalization_batches")) return;
  if (!wanted) {
    table.fail(table.line("normalization_batches"),
               "'normalization_batches' in [[contrast]]: neither arm shares "
               "over the batch");
  }
  const auto batches = table.integers("normalization_batches", 1, kMaxSize);
  refuse_duplicates(table, "normalization_batches", batches);
  for (const auto& batch : batches) {
    if (!std::binary_search(spec_.normalization_batches.begin(), spec_.normalization_batches.end(), batch.value)) {
      table.fail(batch.line,
                 fmt::format("'normalization_batches' in [[contrast]]: {} is not among the study's", batch.value));
    }
  }
  contrast.normalization_batches = values_of(batches);
  std::sort(contrast.normalization_batches.begin(), contrast.normalization_batches.end());
}

}  // namespace norma::lab
