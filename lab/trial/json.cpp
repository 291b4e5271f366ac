// The JSON of trials and results; spec.h says what they are.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "lab/trial/spec.h"

namespace norma::lab {
namespace {

using nlohmann::json;

// A value of a JSON object by name; every complaint names the key.
class Reader {
 public:
  Reader(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) throw std::runtime_error(where_ + ": expected an object");
  }

  const json& at(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) throw std::runtime_error(fmt::format("{}: '{}' is missing", where_, key));
    return *found;
  }

  void read(const char* key, std::string& value) const {
    expect(key, at(key).is_string(), "a string");
    value = at(key).get<std::string>();
  }
  void read(const char* key, bool& value) const {
    expect(key, at(key).is_boolean(), "true or false");
    value = at(key).get<bool>();
  }
  void read(const char* key, std::int64_t& value) const {
    expect(key, at(key).is_number_integer(), "an integer");
    value = at(key).get<std::int64_t>();
  }
  void read(const char* key, std::uint64_t& value) const {
    const json& number = at(key);
    expect(key, number.is_number_unsigned() || (number.is_number_integer() && number.get<std::int64_t>() >= 0),
           "an integer that is not negative");
    value = number.get<std::uint64_t>();
  }
  void read(const char* key, double& value) const {
    expect(key, at(key).is_number() || at(key).is_null(), "a number");
    value = at(key).is_null() ? std::numeric_limits<double>::quiet_NaN() : at(key).get<double>();
  }
  void read(const char* key, std::vector<std::int64_t>& values) const {
    expect(key, at(key).is_array(), "a list of integers");
    values.clear();
    for (const json& element : at(key)) {
      expect(key, element.is_number_integer(), "a list of integers");
      values.push_back(element.get<std::int64_t>());
    }
  }
  void read(const char* key, std::vector<std::string>& values) const {
    expect(key, at(key).is_array(), "a list of strings");
    values.clear();
    for (const json& element : at(key)) {
      expect(key, element.is_string(), "a list of strings");
      values.push_back(element.get<std::string>());
    }
  }
  void read(const char* key, std::map<std::string, double>& values) const {
    expect(key, at(key).is_object(), "an object of numbers");
    values.clear();
    for (const auto& [name, element] : at(key).items()) {
      expect(key, element.is_number() || element.is_null(), "an object of numbers");
      values[name] = element.is_null() ? std::numeric_limits<double>::quiet_NaN() : element.get<double>();
    }
  }
  void read(const char* key, std::map<std::string, std::string>& values) const {
    expect(key, at(key).is_object(), "an object of strings");
    values.clear();
    for (const auto& [name, element] : at(key).items()) {
      expect(key, element.is_string(), "an object of strings");
      values[name] = element.get<std::string>();
    }
  }

 private:
  void expect(const char* key, bool right, const char* what) const {
    if (!right) throw std::runtime_error(fmt::format("{}: '{}': expected {}", where_, key, what));
  }

  const json& object_;
  std::string where_;
};

json number(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

TrialStatus status_named(const std::string& name) {
  for (const TrialStatus status : {TrialStatus::kOk, TrialStatus::kDiverged, TrialStatus::kCrashed}) {
    if (name == status_name(status)) return status;
  }
  throw std::runtime_error(fmt::format("result: unknown status '{}'", name));
}

}  // namespace

const char* status_name(TrialStatus status) {
  switch (status) {
    case TrialStatus::kOk:
      return "ok";
    case TrialStatus::kDiverged:
      return "diverged";
    case TrialStatus::kCrashed:
      return "crashed";
  }
  return "";
}

json to_json(const TrialSpec& spec) {
  const DataSpec& data = spec.data;
  const ModelSpec& model = spec.model;
  const TrainingSpec& training = spec.training;
  return {{"data",
           {{"name", data.name},
            {"source", data.source},
            {"files", data.files},
            {"view", data.view},
            {"label", data.label},
            {"header", data.header},
            {"ignore", data.ignore},
            {"length", data.length},
            {"depth", data.depth},
            {"arguments", data.arguments},
            {"min_length", data.min_length},
            {"max_length", data.max_length},
            {"train", data.train},
            {"validation", data.validation},
            {"test", data.test},
            {"split_seed", data.split_seed},
            {"checksum", data.checksum}}},
          {"model",
           {{"name", model.name},
            {"kind", model.kind},
            {"depth", model.depth},
            {"width", model.width},
            {"channels", model.channels},
            {"activation", model.activation},
            {"gain", number(model.gain)},
            {"residual", model.residual},
            {"hidden", model.hidden},
            {"heads", model.heads},
            {"placement", model.placement}}},
          {"training",
           {{"sgd_batch", training.sgd_batch},
            {"epochs", training.epochs},
            {"optimizer", training.optimizer},
            {"momentum", number(training.momentum)},
            {"schedule", training.schedule},
            {"learning_rate", number(training.learning_rate)},
            {"warmup", training.warmup},
            {"batches", training.batches},
            {"clip", number(training.clip)}}},
          {"arm", spec.arm},
          {"normalization_batch", spec.normalization_batch},
          {"groups", spec.groups},
          {"seed", spec.seed},
          {"tuning", spec.tuning},
          {"shifts", spec.shifts},
          {"probes", spec.probes}};
}

TrialSpec trial_spec_from_json(const json& object) {
  TrialSpec spec;
  const Reader trial(object, "trial");
  const Reader data(trial.at("data"), "trial.data");
  data.read("name", spec.data.name);
  data.read("source", spec.data.source);
  data.read("files", spec.data.files);
  data.read("view", spec.data.view);
  data.read("label", spec.data.label);
  data.read("header", spec.data.header);
  data.read("ignore", spec.data.ignore);
  data.read("length", spec.data.length);
  data.read("depth", spec.data.depth);
  data.read("arguments", spec.data.arguments);
  data.read("min_length", spec.data.min_length);
  data.read("max_length", spec.data.max_length);
  data.read("train", spec.data.train);
  data.read("validation", spec.data.validation);
  data.read("test", spec.data.test);
  data.read("split_seed", spec.data.split_seed);
  data.read("checksum", spec.data.checksum);
  const Reader model(trial.at("model"), "trial.model");
  model.read("name", spec.model.name);
  model.read("kind", spec.model.kind);
  model.read("depth", spec.model.depth);
  model.read("width", spec.model.width);
  model.read("channels", spec.model.channels);
  model.read("activation", spec.model.activation);
  model.read("gain", spec.model.gain);
  model.read("residual", spec.model.residual);
  model.read("hidden", spec.model.hidden);
  model.read("heads", spec.model.heads);
  model.read("placement", spec.model.placement);
  const Reader training(trial.at("training"), "trial.training");
  training.read("sgd_batch", spec.training.sgd_batch);
  training.read("epochs", spec.training.epochs);
  training.read("optimizer", spec.training.optimizer);
  training.read("momentum", spec.training.momentum);
  training.read("schedule", spec.training.schedule);
  training.read("learning_rate", spec.training.learning_rate);
  training.read("warmup", spec.training.warmup);
  training.read("batches", spec.training.batches);
  training.read("clip", spec.training.clip);
  trial.read("arm", spec.arm);
  trial.read("normalization_batch", spec.normalization_batch);
  trial.read("groups", spec.groups);
  trial.read("seed", spec.seed);
  trial.read("tuning", spec.tuning);
  trial.read("shifts", spec.shifts);
  trial.read("probes", spec.probes);
  return spec;
}

json to_json(const TrialResult& result) {
  json curve = json::array();
  for (const CurvePoint& point : result.curve) {
    curve.push_back({{"step", point.step},
                     {"train_loss", number(point.train_loss)},
                     {"validation_error", number(point.validation_error)}});
  }
  json measures = json::object();
  for (const auto& [name, value] : result.measures) measures[name] = number(value);
  return {{"status", status_name(result.status)},
          {"reason", result.reason},
          {"validation_error", number(result.validation_error)},
          {"test_error", number(result.test_error)},
          {"test_wrong", result.test_wrong},
          {"curve", std::move(curve)},
          {"measures", std::move(measures)},
          {"steps", result.steps},
          {"seconds", number(result.seconds)}};
}

TrialResult trial_result_from_json(const json& object) {
  TrialResult result;
  const Reader reader(object, "result");
  std::string status;
  reader.read("status", status);
  result.status = status_named(status);
  reader.read("reason", result.reason);
  reader.read("validation_error", result.validation_error);
  reader.read("test_error", result.test_error);
  reader.read("test_wrong", result.test_wrong);
  const json& curve = reader.at("curve");
  if (!curve.is_array()) throw std::runtime_error("result: 'curve': expected a list");
  for (const json& element : curve) {
    const Reader point(element, "result.curve");
    result.curve.emplace_back();
    point.read("step", result.curve.back().step);
    point.read("train_loss", result.curve.back().train_loss);
    point.read("validation_error", result.curve.back().validation_error);
  }
  reader.read("measures", result.measures);
  reader.read("steps", result.steps);
  reader.read("seconds", result.seconds);
  return result;
}

}  // namespace norma::lab
