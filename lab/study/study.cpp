#include "lab/study/study.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/study/nearest.h"

namespace norma::embedded {
extern const unsigned char study_quick[];
extern const std::size_t study_quick_size;
}  // namespace norma::embedded

namespace norma::lab {
namespace {

std::string read_text(const std::string& path) {
  // One byte more than a study file may have is enough to refuse it.
  constexpr std::size_t kLimit = (std::size_t{256} << 10U) + 1;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw InputError(path + ": cannot be read");
  std::string text(kLimit, '\0');
  in.read(text.data(), static_cast<std::streamsize>(kLimit));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

}  // namespace

std::vector<std::string> builtin_studies() {
  return {"quick"};
}

StudyFile find_study(const std::string& name_or_path) {
  if (name_or_path == "quick") {
    const char* text = reinterpret_cast<const char*>(embedded::study_quick);
    return {"quick (built in)", std::string(text, embedded::study_quick_size), ""};
  }
  std::error_code code;
  if (std::filesystem::is_regular_file(name_or_path, code)) {
    const auto folder = std::filesystem::absolute(name_or_path).parent_path();
    return {name_or_path, read_text(name_or_path), folder.string()};
  }
  if (std::filesystem::is_directory(name_or_path, code)) {
    throw InputError(fmt::format("'{}' is a folder, expected a study file", name_or_path));
  }
  if (name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".toml")) {
    throw InputError(fmt::format("{}: no such study file", name_or_path));
  }
  throw InputError(fmt::format("unknown study '{}': neither built in nor a file{}", name_or_path,
                               suggestion(name_or_path, builtin_studies())));
}

namespace {

// The data as the study file names it: what is wrong with a file stands behind the line that names it.
DataDescription describe_at(const StudySpec& spec, const StudyFile& file) {
  try {
    return describe(spec.data);
  } catch (const InputError& error) {
    const DataSpec& data = spec.data;
    std::uint32_t line = spec.data_lines.at("");
    for (const auto& [key, path] : {std::pair{"train_images", data.train_images},
                                    {"train_labels", data.train_labels},
                                    {"test_images", data.test_images},
                                    {"test_labels", data.test_labels}}) {
      if (!path.empty() && std::string_view(error.what()).starts_with(path)) line = spec.data_lines.at(key);
    }
    throw InputError(fmt::format("{}:{}: {}", file.name, line, error.what()));
  }
}

}  // namespace

DataDescription attach_data(StudySpec& spec, const StudyFile& file) {
  const auto fail = [&](std::uint32_t line, const std::string& message) {
    throw InputError(fmt::format("{}:{}: {}", file.name, line, message));
  };
  const DataDescription data = describe_at(spec, file);
  spec.data.checksum = data.checksum;
  const bool own_test = data.test_available > 0;
  const std::int64_t wanted = spec.data.train + spec.data.validation + (own_test ? 0 : spec.data.test);
  if (wanted > data.train_available) {
    fail(spec.data_lines.at("train"),
         fmt::format("[data]: train {} and validation {}{} are {} samples, '{}' has {}", spec.data.train,
                     spec.data.validation, own_test ? std::string() : fmt::format(" and test {}", spec.data.test),
                     wanted, spec.data.name, data.train_available));
  }
  if (own_test && spec.data.test > data.test_available) {
    fail(spec.data_lines.at("test"), fmt::format("[data]: test wants {} samples, the test files of '{}' have {}",
                                                 spec.data.test, spec.data.name, data.test_available));
  }
  for (const StudyModel& model : spec.models) {
    if (model.spec.kind != "cnn") continue;
    if (data.shape[1] < 2 || data.shape[2] < 2) {
      fail(model.line, fmt::format("model '{}' takes images, '{}' holds samples of shape ({})", model.spec.name,
                                   spec.data.name, fmt::join(data.shape, ",")));
    }
  }
  return data;
}

std::int64_t primary_contrast_count(const StudySpec& spec) {
  std::int64_t count = 0;
  for (const StudyContrast& contrast : spec.contrasts) {
    count += static_cast<std::int64_t>(contrast.models.size() *
                                       std::max<std::size_t>(1, contrast.normalization_batches.size()));
  }
  return count;
}

std::vector<std::string> study_notes(const StudySpec& spec) {
  std::vector<std::string> notes;
  const std::int64_t contrasts = primary_contrast_count(spec);
  if (contrasts > 0) {
    // The smallest two-sided p of the sign-flip test is 2 / 2^n; Holm multiplies the smallest by the contrasts.
    std::int64_t needed = 1;
    while (2.0 * static_cast<double>(contrasts) / std::pow(2.0, static_cast<double>(needed)) >= 0.05) ++needed;
    if (spec.seeds < needed) {
      notes.push_back(
          fmt::format("with {} seed{} no difference can be shown: {} primary contrast{} at the 5% level "
                      "(exact sign-flip test, Holm) take{} at least {} seeds",
                      spec.seeds, spec.seeds == 1 ? "" : "s", contrasts, contrasts == 1 ? "" : "s",
                      contrasts == 1 ? "s" : "", needed));
    }
  }
  return notes;
}

nlohmann::json study_identity(const StudySpec& spec) {
  nlohmann::json models = nlohmann::json::array();
  for (const StudyModel& model : spec.models) {
    models.push_back({{"name", model.spec.name},
                      {"kind", model.spec.kind},
                      {"depth", model.spec.depth},
                      {"width", model.spec.width},
                      {"channels", model.spec.channels},
                      {"activation", model.spec.activation},
                      {"gain", model.spec.gain},
                      {"residual", model.spec.residual},
                      {"hidden", model.spec.hidden},
                      {"heads", model.spec.heads},
                      {"placement", model.spec.placement},
                      {"groups", model.groups},
                      {"arms", model.arms}});
  }
  nlohmann::json contrasts = nlohmann::json::array();
  for (const StudyContrast& contrast : spec.contrasts) {
    contrasts.push_back({{"a", contrast.a},
                         {"b", contrast.b},
                         {"models", contrast.models},
                         {"normalization_batches", contrast.normalization_batches}});
  }
  return {{"name", spec.name},
          {"data",
           {{"name", spec.data.name},
            {"source", spec.data.source},
            {"checksum", spec.data.checksum},
            {"train", spec.data.train},
            {"validation", spec.data.validation},
            {"test", spec.data.test},
            {"split_seed", spec.data.split_seed}}},
          {"models", std::move(models)},
          {"arms", spec.arms},
          {"normalization_batches", spec.normalization_batches},
          {"training",
           {{"sgd_batch", spec.training.sgd_batch},
            {"epochs", spec.training.epochs},
            {"optimizer", spec.training.optimizer},
            {"momentum", spec.training.momentum},
            {"schedule", spec.training.schedule},
            {"warmup", spec.training.warmup},
            {"batches", spec.training.batches},
            {"clip", spec.training.clip}}},
          {"shifts", spec.shifts},
          {"probes", spec.probes},
          {"seeds", spec.seeds},
          {"tuning", {{"seeds", spec.tuning_seeds}, {"learning_rates", spec.learning_rates}, {"widen", spec.widen}}},
          {"contrasts", std::move(contrasts)}};
}

std::string model_label(const ModelSpec& model, std::int64_t features, std::int64_t classes) {
  const std::string activation = model.activation == "relu" ? "ReLU" : model.activation == "gelu" ? "GELU" : "tanh";
  if (model.kind == "mlp") {
    // More than three hidden layers are counted, not listed.
    if (model.depth > 3) {
      return fmt::format("MLP {}-{}x{}-{}, {}", features, model.width, model.depth, classes, activation);
    }
    const std::vector<std::int64_t> hidden(static_cast<std::size_t>(model.depth), model.width);
    return fmt::format("MLP {}-{}-{}, {}", features, fmt::join(hidden, "-"), classes, activation);
  }
  return fmt::format("CNN {}, 3x3, {}", fmt::join(model.channels, "-"), activation);
}

}  // namespace norma::lab
