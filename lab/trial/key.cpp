#include <fmt/format.h>
#include <xxhash.h>

#include "lab/trial/spec.h"
#include "lab/trial/version.h"

namespace norma::lab {

std::string code_version() {
  return fmt::format("{}+training.{}", NORMA_VERSION, kTrainingRevision);
}

namespace {

// Names decide nothing, and where the checksum says what the files hold, neither do their paths; but which there are
// decides the split.
void erase_names(nlohmann::json& data) {
  data.erase("name");
  if (data.at("checksum").get_ref<const std::string&>().empty()) return;
  for (auto& path : data.at("files")) path = true;
}

}  // namespace

nlohmann::json data_identity(const DataSpec& data) {
  TrialSpec spec;
  spec.data = data;
  nlohmann::json json = to_json(spec).at("data");
  erase_names(json);
  return json;
}

std::string trial_key(const TrialSpec& spec, const std::string& code_version) {
  return trial_key(to_json(spec), code_version);
}

std::string trial_key(nlohmann::json spec, const std::string& code_version) {
  erase_names(spec.at("data"));
  spec.at("model").erase("name");
  spec["code_version"] = code_version;
  const std::string text = spec.dump();  // nlohmann::json sorts its keys
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace norma::lab
