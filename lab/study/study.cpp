#include "lab/study/study.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "lab/data/shift.h"
#include "lab/error.h"
#include "lab/models/arm_list.h"
#include "lab/study/nearest.h"
#include "lab/study/sharing.h"

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

StudyFile find_study(const std::string& name_or_path) {
  if (const auto built_in = builtin_study(name_or_path)) return *built_in;
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
DataDescription describe_at(const StudySpec& spec) {
  try {
    return describe(spec.data);
  } catch (const InputError& error) {
    std::uint32_t line = spec.data_lines.at("");
    for (const auto& [key, path] : spec.data.files) {
      if (std::string_view(error.what()).starts_with(path)) line = spec.data_lines.at(key);
    }
    throw InputError(fmt::format("{}:{}: {}", spec.file, line, error.what()));
  }
}

// What a kind of model takes instead of this data; empty if it takes it.
std::string refusal_of(const std::string& kind, const DataDescription& data) {
  const bool images = data.kind == SampleKind::kImages;
  if (kind == "checks") return "";  // of the operators: they look at no data
  if (kind == "mlp" || kind == "linear") return images ? "" : "images or tables";
  if (kind == "cnn" || kind == "resnet") return images && data.shape[1] >= 2 && data.shape[2] >= 2 ? "" : "images";
  if (kind == "decoder") return data.per_position ? "" : "text";
  if (data.per_position && family_of(kind) != kRecurrent) return "samples with one label each";
  return images ? "sequences (a 'view' in [data] makes some of images)" : "";
}

// Sets the sizes of the parts that the file leaves to the data, or holds those it names against what there is.
void settle_sizes(StudySpec& spec, const DataDescription& found) {
  DataSpec& data = spec.data;
  const auto fail = [&](const char* key, const std::string& message) {
    const auto line = spec.data_lines.find(key);
    throw InputError(fmt::format("{}:{}: [data]: {}", spec.file,
                                 line == spec.data_lines.end() ? spec.data_lines.at("") : line->second, message));
  };
  if (data.train == 0) share_out(data, found);
  if (std::min({data.train, data.validation, data.test}) < 1) {
    fail("", fmt::format("'{}' has {} sample{}: too few for a training, a validation and a test part", data.name,
                         found.train_available, found.train_available == 1 ? "" : "s"));
  }
  const bool own_test = found.test_available > 0;
  const std::int64_t wanted = data.train + data.validation + (own_test ? 0 : data.test);
  if (wanted > found.train_available) {
    fail("train", fmt::format("train {} and validation {}{} are {} samples, '{}' has {}", data.train, data.validation,
                              own_test ? std::string() : fmt::format(" and test {}", data.test), wanted, data.name,
                              found.train_available));
  }
  if (own_test && data.test > found.test_available) {
    fail("test", fmt::format("test wants {} samples, the test files of '{}' have {}", data.test, data.name,
                             found.test_available));
  }
  if (spec.training.sgd_batch > data.train) {
    const bool own = spec.sgd_batch_line > 0;
    throw InputError(fmt::format(
        "{}:{}: the training part has {} sample{}, fewer than the {}SGD batch of {}: expected 'sgd_batch' in "
        "[training] {}at most {}",
        spec.file, own ? spec.sgd_batch_line : spec.data_lines.at(""), data.train, data.train == 1 ? "" : "s",
        own ? "" : "default ", spec.training.sgd_batch, own ? "" : "to be set, to ", data.train));
  }
}

// An arm that would have one value behind a statistic at these sizes: a ResNet may halve images down to one position.
void check_values(const StudySpec& spec, const StudyModel& model, const DataDescription& data) {
  for (const std::string& name : model.arms) {
    Sharing sharing{.arm = name, .groups = std::max<std::int64_t>(1, model.groups), .shape = &data.shape};
    const bool batch = find_arm(name)->uses_batch, images = data.kind == SampleKind::kImages;
    if (batch) sharing.normalization_batch = spec.normalization_batches.front();
    if (fewest_values(model.spec, sharing) > 1) continue;
    throw InputError(fmt::format(
        "{}:{}: model '{}': of '{}', samples of shape ({}), one position is {}, which gives the arm '{}' one value per "
        "statistic{}; expected {}{}",
        spec.file, model.line, model.spec.name, spec.data.name, fmt::join(data.shape, ","),
        images ? "left where 'channels' has changed that often" : "all there is", name,
        batch ? fmt::format(" at normalization batch {}", sharing.normalization_batch) : "",
        batch ? "at least 2 in 'normalization_batches', or " : "",
        images ? "larger images or fewer changes" : "longer samples"));
  }
}

}  // namespace

DataDescription attach_data(StudySpec& spec) {
  const auto fail = [&](std::uint32_t line, const std::string& message) {
    throw InputError(fmt::format("{}:{}: {}", spec.file, line, message));
  };
  const DataDescription data = describe_at(spec);
  spec.data.checksum = data.checksum;
  settle_sizes(spec, data);
  if (data.classes < 2) {
    fail(spec.data_lines.at(""),
         fmt::format("data '{}' has {} class, expected at least 2", spec.data.name, data.classes));
  }
  for (const std::string& name : spec.shifts) {
    const std::string refusal = shift_refusal(parse_shift(name), data.kind, spec.data.source);
    if (!refusal.empty()) {
      fail(spec.data_lines.at(""),
           fmt::format("'shifts': '{}' does not go with '{}': {}", name, spec.data.name, refusal));
    }
  }
  for (const StudyModel& model : spec.models) {
    const bool lone = std::any_of(spec.shifts.begin(), spec.shifts.end(), [](const std::string& name) {
      const Shift shift = parse_shift(name);
      return shift.kind == Shift::Kind::kBatch && shift.amount == 1;
    });
    const bool vectors = family_of(model.spec.kind) == kPlain;
    if (lone && vectors && std::find(model.arms.begin(), model.arms.end(), "batch_test") != model.arms.end()) {
      fail(model.line, fmt::format("'shifts': with 'batch=1' the arm 'batch_test' has one value per statistic in model "
                                   "'{}': expected 'batch=2' or more, or the arm left out",
                                   model.spec.name));
    }
    if (const std::string takes = refusal_of(model.spec.kind, data); !takes.empty()) {
      fail(model.line, fmt::format("model '{}' takes {}, '{}' holds {} of shape ({})", model.spec.name, takes,
                                   spec.data.name, sample_kind_name(data.kind), fmt::join(data.shape, ",")));
    }
    check_values(spec, model, data);
  }
  return data;
}

std::int64_t seeds_needed(std::int64_t contrasts) {
  std::int64_t seeds = 1;
  while (2.0 * static_cast<double>(contrasts) / std::pow(2.0, static_cast<double>(seeds)) >= 0.05) ++seeds;
  return seeds;
}

std::int64_t primary_contrast_count(const StudySpec& spec) {
  std::int64_t count = 0;
  for (const StudyContrast& contrast : spec.contrasts) {
    count += static_cast<std::int64_t>(contrast.models.size() *
                                       std::max<std::size_t>(1, contrast.normalization_batches.size()));
  }
  return count;
}

namespace {

// A last batch of one sample has one value per statistic. No batch that is not full is trained on; of this one it is
// said. Empty without such a batch.
std::string lone_sample_note(const StudySpec& part) {
  const std::int64_t size = part.training.sgd_batch;
  const bool shares = std::any_of(part.models.begin(), part.models.end(), [](const StudyModel& model) {
    return std::any_of(model.arms.begin(), model.arms.end(), [](const auto& arm) { return find_arm(arm)->uses_batch; });
  });
  if (!shares || part.training.batches == "random" || size < 1 || part.data.train % size != 1) return "";
  return fmt::format(
      "{} training samples at an SGD batch of {} leave a last batch of one, which would have one value "
      "per statistic: each epoch leaves out that batch, another sample each time",
      part.data.train, size);
}

}  // namespace

std::vector<std::string> study_notes(const Study& study) {
  std::vector<std::string> notes;
  for (const StudySpec& part : study.parts) {
    if (const std::string lone = lone_sample_note(part); !lone.empty()) {
      notes.push_back((study.parts.size() > 1 ? fmt::format("part '{}': ", part.name) : "") + lone);
    }
    const std::int64_t contrasts = primary_contrast_count(part);
    if (contrasts == 0) continue;
    const std::int64_t needed = seeds_needed(contrasts);
    if (part.seeds >= needed) continue;
    notes.push_back(fmt::format(
        "{}with {} seed{} no difference can be shown: {} primary contrast{} at the 5% level "
        "(exact sign-flip test, Holm) take{} at least {} seeds",
        study.parts.size() > 1 ? fmt::format("part '{}': ", part.name) : "", part.seeds, part.seeds == 1 ? "" : "s",
        contrasts, contrasts == 1 ? "" : "s", contrasts == 1 ? "s" : "", needed));
  }
  return notes;
}

namespace {

nlohmann::json part_identity(const StudySpec& spec) {
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
          {"data", {{"name", spec.data.name}, {"samples", data_identity(spec.data)}}},
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
          {"tuning",
           {{"seeds", spec.tuning_seeds},
            {"learning_rates", spec.learning_rates},
            {"widen", spec.widen},
            {"rate_of", spec.rate_of}}},
          {"contrasts", std::move(contrasts)}};
}

}  // namespace

// Keys of a single part stand at the top, so that a message can name the one that differs.
nlohmann::json study_identity(const Study& study) {
  nlohmann::json identity = nlohmann::json::object();
  if (study.parts.size() == 1) {
    identity = part_identity(study.parts.front());
  } else {
    for (const StudySpec& part : study.parts) identity["parts"][part.name] = part_identity(part);
  }
  identity["name"] = study.name;
  identity["claims"] = nlohmann::json::array();
  for (const ClaimSpec& claim : study.claims) identity["claims"].push_back(claim_identity(claim));
  return identity;
}

namespace {

// "64-128-128-10"; more than three hidden layers are counted, not listed: "64-128x8-10".
std::string layers_label(const ModelSpec& model, std::int64_t features, std::int64_t classes) {
  if (model.depth > 3) return fmt::format("{}-{}x{}-{}", features, model.width, model.depth, classes);
  const std::vector<std::int64_t> hidden(static_cast<std::size_t>(model.depth), model.width);
  return fmt::format("{}-{}-{}", features, fmt::join(hidden, "-"), classes);
}

std::string kind_label(const ModelSpec& model, std::int64_t features, std::int64_t classes) {
  const std::string activation = model.activation == "relu" ? "ReLU" : model.activation == "gelu" ? "GELU" : "tanh";
  const std::string& kind = model.kind;
  if (kind == "mlp") return fmt::format("MLP {}, {}", layers_label(model, features, classes), activation);
  if (kind == "linear") return fmt::format("linear {}", layers_label(model, features, classes));
  if (kind == "cnn") return fmt::format("CNN {}, 3x3, {}", fmt::join(model.channels, "-"), activation);
  if (kind == "resnet") return fmt::format("ResNet {}, 3x3, {}", fmt::join(model.channels, "-"), activation);
  if (kind == "rnn" || kind == "gru" || kind == "lstm") {
    return fmt::format("{} {}", kind == "rnn" ? "RNN" : kind == "gru" ? "GRU" : "LSTM", model.hidden);
  }
  if (kind == "transformer" || kind == "decoder") {
    return fmt::format("{} {}x{}, {} heads, {}-norm", kind == "decoder" ? "decoder" : "Transformer", model.depth,
                       model.width, model.heads, model.placement);
  }
  return "checks of the operators";
}

}  // namespace

std::string model_label(const ModelSpec& model, std::int64_t features, std::int64_t classes) {
  std::string label = kind_label(model, features, classes);
  if (model.residual != "none") label += ", skips";
  if (model.gain != 1) label += fmt::format(", gain {:g}", model.gain);
  return label;
}

}  // namespace norma::lab
