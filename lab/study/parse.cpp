// The study file: TOML to StudySpec. docs/studies.md is the schema in words; keep the two alike.
#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <filesystem>
#include <set>

#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/study/nearest.h"
#include "lab/study/study.h"
#include "lab/study/toml_table.h"

namespace norma::lab {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{256} << 10U;
constexpr int kMaxDepth = 64;
constexpr std::int64_t kMaxSamples = 100'000'000, kMaxSize = 65'536, kMaxSeeds = 1000, kMaxEpochs = 100'000;

// Nested tables are built and destroyed recursively: a stranger's file must not choose how deep.
void check_nesting(const StudyFile& file) {
  int line = 1, dots = 0;
  for (const char c : file.text) {
    if (c == '\n') {
      ++line;
      dots = 0;
    } else if (c == '.' && ++dots > kMaxDepth) {
      throw InputError(fmt::format("{}:{}: nested deeper than {} levels", file.name, line, kMaxDepth));
    }
  }
}

int depth_of(const toml::node& node) {
  int deepest = 0;
  if (const toml::table* table = node.as_table()) {
    for (const auto& [key, value] : *table) deepest = std::max(deepest, depth_of(value));
  } else if (const toml::array* array = node.as_array()) {
    for (const toml::node& value : *array) deepest = std::max(deepest, depth_of(value));
  } else {
    return 0;
  }
  return deepest + 1;
}

toml::table parse_toml(const StudyFile& file) {
  if (file.text.size() > kMaxBytes) {
    throw InputError(fmt::format("{}: {} bytes, expected at most {}", file.name, file.text.size(), kMaxBytes));
  }
  check_nesting(file);
  try {
    toml::table table = toml::parse(file.text);
    if (depth_of(table) > kMaxDepth) {
      throw InputError(fmt::format("{}:1: nested deeper than {} levels", file.name, kMaxDepth));
    }
    return table;
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}:{}: {}", file.name, error.source().begin.line, error.description()));
  }
}

std::vector<std::string> arm_names() {
  std::vector<std::string> names;
  for (const Arm& arm : arms()) names.emplace_back(arm.name);
  return names;
}

template <typename T>
void refuse_duplicates(const TomlTable& table, const char* key, const std::vector<Located<T>>& values) {
  std::set<T> seen;
  for (const Located<T>& element : values) {
    if (!seen.insert(element.value).second) {
      table.fail(element.line, fmt::format("'{}': {} stands there twice", key, element.value));
    }
  }
}

template <typename T>
std::vector<T> values_of(const std::vector<Located<T>>& located) {
  std::vector<T> values;
  for (const Located<T>& element : located) values.push_back(element.value);
  return values;
}

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

bool uses_batch(const std::string& arm) {
  return find_arm(arm)->uses_batch;
}

class Parser {
 public:
  explicit Parser(const StudyFile& file)
      : file_(file),
        toml_(parse_toml(file)),
        top_(toml_, file.name, "",
             {"name", "question", "arms", "normalization_batches", "seeds", "data", "training", "tuning", "model",
              "contrast"}) {}

  StudySpec parse(std::optional<std::int64_t> seeds) {
    read_name();
    spec_.question = top_.text("question", "");
    spec_.arms = read_arms(top_, "arms");
    spec_.seeds = top_.integer("seeds", 1, kMaxSeeds);
    if (seeds) spec_.seeds = *seeds;
    if (spec_.seeds < 1 || spec_.seeds > kMaxSeeds) {
      throw InputError(fmt::format("--seeds: expected 1 to {}, got {}", kMaxSeeds, spec_.seeds));
    }
    read_data();
    read_training();
    read_tuning();
    read_batches();
    read_models();
    read_contrasts();
    return spec_;
  }

 private:
  void read_name() {
    spec_.name = top_.text("name");
    const bool plain = std::all_of(spec_.name.begin(), spec_.name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
    if (spec_.name.empty() || spec_.name.size() > 64 || !plain) {
      top_.fail(top_.line("name"), "'name': expected 1 to 64 letters, digits, '-' or '_': it names a folder");
    }
  }

  std::string path(const TomlTable& table, const char* key) const {
    const std::filesystem::path written = table.text(key);
    if (written.empty()) table.fail(table.line(key), fmt::format("'{}' in [data]: the path is empty", key));
    const std::filesystem::path whole = written.is_absolute() ? written : file_.folder / written;
    return std::filesystem::absolute(whole).lexically_normal().string();
  }

  void read_data() {
    const TomlTable table(top_.table("data"), file_.name, "[data]",
                          {"source", "name", "train_images", "train_labels", "test_images", "test_labels", "train",
                           "validation", "test", "split_seed"});
    DataSpec& data = spec_.data;
    data.source = table.choice("source", {"optdigits", "idx"});
    data.name = table.text("name", data.source);
    const bool files = data.source == "idx";
    for (const char* key : {"train_images", "train_labels", "test_images", "test_labels"}) {
      if (!files && table.has(key)) {
        table.fail(table.line(key), fmt::format("'{}' in [data] goes with source = \"idx\" alone", key));
      }
    }
    if (files) {
      data.train_images = path(table, "train_images");
      data.train_labels = path(table, "train_labels");
      if (table.has("test_images") || table.has("test_labels")) {
        data.test_images = path(table, "test_images");
        data.test_labels = path(table, "test_labels");
      }
    }
    data.train = table.integer("train", 1, kMaxSamples);
    data.validation = table.integer("validation", 1, kMaxSamples);
    data.test = table.integer("test", 1, kMaxSamples);
    data.split_seed =
        table.has("split_seed") ? static_cast<std::uint64_t>(table.integer("split_seed", 0, INT64_MAX)) : 0;
  }

  void read_training() {
    const TomlTable table(top_.table("training"), file_.name, "[training]",
                          {"sgd_batch", "epochs", "optimizer", "momentum", "schedule"});
    TrainingSpec& training = spec_.training;
    training.sgd_batch = table.integer("sgd_batch", 1, kMaxSize);
    training.epochs = table.integer("epochs", 1, kMaxEpochs);
    training.optimizer = table.choice("optimizer", {"sgd", "adam"});
    training.schedule = table.choice("schedule", {"constant", "cosine"});
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
    if (training.sgd_batch > spec_.data.train) {
      table.fail(table.line("sgd_batch"), fmt::format("'sgd_batch' in [training]: {} is more than the {} samples of "
                                                      "the training part",
                                                      training.sgd_batch, spec_.data.train));
    }
  }

  void read_tuning() {
    const TomlTable table(top_.table("tuning"), file_.name, "[tuning]", {"learning_rates", "seeds", "widen"});
    auto rates = table.numbers("learning_rates");
    for (const auto& rate : rates) {
      if (!(rate.value > 0 && rate.value <= 1e6)) {
        table.fail(rate.line,
                   fmt::format("'learning_rates' in [tuning]: expected numbers above 0, got {}", rate.value));
      }
    }
    refuse_duplicates(table, "learning_rates", rates);
    spec_.learning_rates = values_of(rates);
    std::sort(spec_.learning_rates.begin(), spec_.learning_rates.end());
    spec_.tuning_seeds = table.integer("seeds", 1, kMaxSeeds);
    spec_.widen = table.has("widen") ? table.integer("widen", 0, 10) : 2;
  }

  void read_batches() {
    const bool wanted = std::any_of(spec_.arms.begin(), spec_.arms.end(), uses_batch);
    if (!wanted) {
      if (top_.has("normalization_batches")) {
        top_.fail(top_.line("normalization_batches"), "'normalization_batches': no arm shares over the batch");
      }
      return;
    }
    const auto batches = top_.integers("normalization_batches", 1, kMaxSize);
    refuse_duplicates(top_, "normalization_batches", batches);
    for (const auto& batch : batches) {
      if (spec_.training.sgd_batch % batch.value != 0) {
        top_.fail(batch.line, fmt::format("'normalization_batches': {} does not divide the SGD batch, {}", batch.value,
                                          spec_.training.sgd_batch));
      }
    }
    spec_.normalization_batches = values_of(batches);
    batches_line_ = top_.line("normalization_batches");
    std::sort(spec_.normalization_batches.begin(), spec_.normalization_batches.end());
  }

  void read_models() {
    const auto tables = top_.tables("model");
    if (tables.empty()) top_.fail(1, "no [[model]]: expected at least one");
    for (const toml::table* model : tables) read_model(*model);
  }

  void read_model(const toml::table& toml) {
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

  void check_arms(const TomlTable& table, StudyModel& model) {
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
        table.fail(table.line(model.spec.kind == "mlp" ? "width" : "channels"),
                   fmt::format("a width of 1 gives the arm '{}' one value per statistic in model '{}'", name,
                               model.spec.name));
      }
    }
    if (table.has("groups") && model.groups == 0) {
      table.fail(table.line("groups"), "'groups' in [[model]]: the model has no arm 'group'");
    }
  }

  void read_groups(const TomlTable& table, StudyModel& model) {
    model.groups = table.integer("groups", 1, kMaxSize);
    const bool mlp = model.spec.kind == "mlp";
    for (const std::int64_t width : mlp ? std::vector{model.spec.width} : model.spec.channels) {
      if (width % model.groups != 0) {
        table.fail(table.line("groups"),
                   fmt::format("'groups' in [[model]]: {} does not divide the {} {} of model "
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

  void check_same(const TomlTable& table, const StudyModel& model) {
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

  void read_contrasts() {
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

  void read_contrast_models(const TomlTable& table, StudyContrast& contrast) {
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

  void read_contrast_batches(const TomlTable& table, StudyContrast& contrast) {
    const bool wanted = uses_batch(contrast.a) || uses_batch(contrast.b);
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

  static void refuse_overlap(const TomlTable& table, const StudyContrast& a, const StudyContrast& b) {
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

  const StudyFile& file_;
  toml::table toml_;
  TomlTable top_;
  StudySpec spec_;
  std::uint32_t batches_line_ = 0;
};

}  // namespace

StudySpec parse_study(const StudyFile& file, std::optional<std::int64_t> seeds) {
  return Parser(file).parse(seeds);
}

}  // namespace norma::lab
