#include <fmt/format.h>
#include <xxhash.h>

#include "lab/trial/spec.h"
#include "lab/trial/version.h"

namespace norma::lab {

std::string code_version() {
  return fmt::format("{}+training.{}", NORMA_VERSION, kTrainingRevision);
}

std::string trial_key(const TrialSpec& spec, const std::string& code_version) {
  return trial_key(to_json(spec), code_version);
}

std::string trial_key(nlohmann::json spec, const std::string& code_version) {
  // Names decide nothing, and where the checksum says what the files hold, neither do their paths.
  nlohmann::json& data = spec.at("data");
  spec.at("model").erase("name");
  data.erase("name");
  if (!data.at("checksum").get_ref<const std::string&>().empty()) {
    for (const char* path : {"train_images", "train_labels", "test_images", "test_labels"}) {
      data.at(path) = !data.at(path).get_ref<const std::string&>().empty();
    }
  }
  spec["code_version"] = code_version;
  const std::string text = spec.dump();  // nlohmann::json sorts its keys
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace norma::lab
