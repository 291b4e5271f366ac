// Models and contrasts of a study file.
#include <algorithm>

#include "lab/data/dataset.h"
#include "lab/models/arm_list.h"
#include "lab/study/defaults.h"
#include "lab/study/nearest.h"
#include "lab/study/parser.h"
#include "lab/study/sharing.h"

namespace norma::lab {
namespace {

// What each kind of model is made of.
struct Kind {
  std::string name;
  std::vector<std::string> keys;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{{"mlp", {"depth", "width", "activation", "residual"}},
                                     {"linear", {"depth", "width", "residual"}},
                                     {"checks", {}},
                                     {"cnn", {"channels", "activation"}},
                                     {"resnet", {"channels", "activation"}},
                                     {"rnn", {"hidden"}},
                                     {"gru", {"hidden"}},
                                     {"lstm", {"hidden"}},
                                     {"transformer", {"depth", "width", "heads", "placement", "activation"}},
                                     {"decoder", {"depth", "width", "heads", "placement", "activation"}}};
  return all;
}

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const Kind& kind : kinds()) names.push_back(kind.name);
  return names;
}

const std::vector<std::string>& keys_of(const std::string& kind) {
  return std::find_if(kinds().begin(), kinds().end(), [&](const Kind& k) { return k.name == kind; })->keys;
}

// Those that some kinds take and others do not.
std::vector<std::string> optional_keys() {
  std::set<std::string> keys;
  for (const Kind& kind : kinds()) keys.insert(kind.keys.begin(), kind.keys.end());
  return {keys.begin(), keys.end()};
}

std::vector<std::string> model_keys() {
  std::vector<std::string> keys = optional_keys();
  keys.insert(keys.end(), {"name", "kind", "gain", "groups", "arms"});
  return keys;
}

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
  if (tables.empty()) read_model(toml::parse(kDefaultModel));
  for (const toml::table* model : tables) read_model(*model);
}

// What the size says of this model: the table [SIZE.model.NAME].
const toml::table* StudyParser::size_of_model(const toml::table& toml) const {
  const toml::table* models = layers_.over == nullptr ? nullptr : (*layers_.over)["model"].as_table();
  const toml::node* named = toml.get("name");
  if (named == nullptr) named = toml.get("kind");
  if (models == nullptr || named == nullptr || !named->is_string()) return nullptr;
  return (*models)[**named->as_string()].as_table();
}

void StudyParser::read_model(const toml::table& toml) {
  const TomlLayers layers{size_of_model(toml), &toml, nullptr};
  const TomlTable table(layers, file_.name, "[[model]]", model_keys());
  StudyModel model;
  model.line = table.line();
  ModelSpec& spec = model.spec;
  spec.kind = table.choice("kind", kind_names());
  spec.name = table.text("name", spec.kind);
  const std::vector<std::string>& own = keys_of(spec.kind);
  const auto takes = [&](const char* key) { return std::find(own.begin(), own.end(), key) != own.end(); };
  for (const std::string& key : optional_keys()) {
    if (table.has(key.c_str()) && !takes(key.c_str())) {
      table.fail(table.line(key.c_str()),
                 fmt::format("'{}' in [[model]] does not go with kind = \"{}\"", key, spec.kind));
    }
  }
  if (takes("depth")) spec.depth = table.integer("depth", 1, 1000);
  if (takes("width")) spec.width = table.integer("width", 1, kMaxSize);
  if (takes("channels")) spec.channels = values_of(table.integers("channels", 1, kMaxSize));
  if (takes("hidden")) spec.hidden = table.integer("hidden", 1, kMaxSize);
  spec.activation = !takes("activation")      ? "linear"
                    : table.has("activation") ? table.choice("activation", {"relu", "gelu", "tanh"})
                                              : "relu";
  if (table.has("gain")) spec.gain = positive(table, "gain");
  if (table.has("residual")) spec.residual = table.choice("residual", {"none", "skip"});
  if (takes("heads")) {
    spec.heads = table.integer("heads", 1, kMaxSize);
    if (spec.width % spec.heads != 0) {
      table.fail(table.line("heads"),
                 fmt::format("'heads' in [[model]]: {} does not divide the width, {}", spec.heads, spec.width));
    }
  }
  if (table.has("placement")) spec.placement = table.choice("placement", {"pre", "post"});
  model.arms = table.has("arms") ? read_arms(table, "arms") : spec_.arms;
  check_arms(table, model);
  if (!spec_.rate_of.empty() && std::find(model.arms.begin(), model.arms.end(), spec_.rate_of) == model.arms.end()) {
    table.fail(table.line(),
               fmt::format("'rate_of' in [tuning]: model '{}' has no arm '{}'", spec.name, spec_.rate_of));
  }
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
    if (leaks(model.spec.kind, arm, predicts_next(spec_.data)) && !spec_.allow_leak) {
      table.fail(line, fmt::format("model '{}' is causal: in training the arm '{}' would show it future tokens through "
                                   "its statistics; allow_leak = true runs it all the same",
                                   model.spec.name, name));
    }
    if (arm.uses_groups) read_groups(table, model);
    check_values(table, model, arm);
  }
  if (table.has("groups") && model.groups == 0) {
    table.fail(table.line("groups"), "'groups' in [[model]]: the model has no arm 'group'");
  }
}

// What can be said without the data; attach_data says the rest.
void StudyParser::check_values(const TomlTable& table, const StudyModel& model, const Arm& arm) {
  Sharing sharing{.arm = arm.name, .groups = std::max<std::int64_t>(1, model.groups)};
  if (arm.uses_batch) sharing.normalization_batch = spec_.normalization_batches.front();
  if (fewest_values(model.spec, sharing) > 1) return;
  if (arm.uses_batch) {
    table.fail(least_batch_.line, fmt::format("{}: 1 gives the arm '{}' one value per statistic in model '{}'; "
                                              "expected at least 2",
                                              least_batch_.value, arm.name, model.spec.name));
  }
  if (arm.uses_groups) {
    table.fail(table.line("groups"), fmt::format("'groups' in [[model]]: {} groups of {} neurons give one value "
                                                 "per statistic; expected at most {}",
                                                 model.groups, model.spec.width, model.spec.width / 2));
  }
  const char* key = nullptr;
  for (const char* width : {"width", "channels", "hidden"}) {
    if (table.has(width)) key = width;
  }
  table.fail(table.line(key), fmt::format("'{}' in [[model]]: a width of 1 gives the arm '{}' one value per statistic "
                                          "in model '{}'; expected at least 2",
                                          key, arm.name, model.spec.name));
}

void StudyParser::read_groups(const TomlTable& table, StudyModel& model) {
  model.groups = table.integer("groups", 1, kMaxSize);
  const bool channels = family_of(model.spec.kind) == kConvolutional;
  for (const std::int64_t width : widths_of(model.spec)) {
    if (width % model.groups == 0) continue;
    table.fail(table.line("groups"),
               fmt::format("'groups' in [[model]]: {} does not divide the {} {} of model '{}'", model.groups, width,
                           channels ? "channels" : "neurons", model.spec.name));
  }
}

void StudyParser::check_same(const TomlTable& table, const StudyModel& model) {
  for (const StudyModel& other : spec_.models) {
    if (other.spec.name == model.spec.name) {
      table.fail(table.line(), fmt::format("two models are named '{}'", model.spec.name));
    }
    if (other.spec.kind == model.spec.kind && other.spec.depth == model.spec.depth &&
        other.spec.width == model.spec.width && other.spec.channels == model.spec.channels &&
        other.spec.activation == model.spec.activation && other.groups == model.groups &&
        other.spec.gain == model.spec.gain && other.spec.residual == model.spec.residual &&
        other.spec.hidden == model.spec.hidden && other.spec.heads == model.spec.heads &&
        other.spec.placement == model.spec.placement) {
      table.fail(table.line(), fmt::format("models '{}' and '{}' are the same", other.spec.name, model.spec.name));
    }
  }
}

void StudyParser::read_contrasts() {
  const auto tables = top_.tables("contrast");
  for (const toml::table* toml : tables) read_contrast(*toml);
  if (tables.empty() && !top_.has("arms")) read_contrast(toml::parse(kDefaultContrast));
}

void StudyParser::read_contrast(const toml::table& toml) {
  const TomlTable table(toml, file_.name, "[[contrast]]", {"a", "b", "models", "normalization_batches"});
  StudyContrast contrast;
  contrast.a = table.choice("a", spec_.arms);
  contrast.b = table.choice("b", spec_.arms);
  if (contrast.a == contrast.b) table.fail(table.line("b"), "'b' in [[contrast]]: the same arm as 'a'");
  read_contrast_models(table, contrast);
  read_contrast_batches(table, contrast);
  for (const StudyContrast& other : spec_.contrasts) refuse_overlap(table, contrast, other);
  spec_.contrasts.push_back(std::move(contrast));
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
